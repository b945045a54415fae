//! One training run.
//!
//! What is random follows from the seed and from where the run stands: the first values from the seed, an epoch's order from
//! seed and epoch, a step's dropout from seed and step. So a run that goes on from a checkpoint draws what it would have drawn.

use std::borrow::Cow;

use candle_core::Tensor;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use seal::Digest;

use crate::base::Base;
use crate::checkpointing::{CheckpointingError, Checkpoints, Facts, State, Writer};
use crate::corpus::{Corpus, Example};
use crate::curriculum;
use crate::fitting::{Trained, fit, quality, score};
use crate::model::{Model, ModelError, Tokens};
use crate::optimizer::{AdamW, Moments, Schedule};
use crate::options::{Options, Target};
use crate::shuffle;

/// Where a run stands; given to the caller after each step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Steps done.
    pub step: u32,
    /// Steps in all.
    pub steps: u32,
    /// Epoch of this step, from 1.
    pub epoch: u32,
    /// Loss of this step's batch.
    pub loss: f64,
    /// Norm of its gradient, before clipping.
    pub gradient: f64,
    /// How the held-out notes are told apart, after the last step of an epoch.
    pub held_out: Option<HeldOut>,
}

/// Quality on the held-out notes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeldOut {
    /// Area under the ROC curve of the head's own output for abnormal.
    pub auroc: f64,
    /// Accuracy of that output at probability 0.5.
    pub accuracy: f64,
    /// Mean F1 of the findings that occur, at probability 0.5.
    pub macro_f1: f64,
}

impl HeldOut {
    /// What the best epoch is chosen by: the mean of the area for abnormal and the findings' F1.
    fn score(&self) -> f64 {
        f64::midpoint(self.auroc, self.macro_f1)
    }
}

/// Why a run ended without a model.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The base does not fit, or a computation failed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A setting makes no sense.
    #[error("setting {0} is out of range")]
    Option(&'static str),
    /// The statistics of the training notes cannot be made.
    #[error(transparent)]
    Weights(#[from] inference::WeightsError),
    /// A number that must be a probability is none.
    #[error(transparent)]
    Probability(#[from] clinical::NotAProbability),
    /// A checkpoint cannot be written or taken up.
    #[error(transparent)]
    Checkpointing(#[from] CheckpointingError),
    /// The loss is no number any more: the learning rate is too high.
    #[error("the loss is no number after {0} steps; try a lower learning rate")]
    Diverged(u32),
}

impl From<candle_core::Error> for TrainError {
    fn from(error: candle_core::Error) -> Self {
        Self::Model(error.into())
    }
}

fn check(options: &Options, base: &Base) -> Result<(), TrainError> {
    let open_unit = |value: f64| value > 0.0 && value < 1.0;
    let rate = |value: f64| value > 0.0 && value.is_finite();
    for (fits, name) in [
        (options.epochs > 0, "epochs"),
        (options.batch_tokens > 0, "batch tokens"),
        (options.rank > 0, "rank"),
        (rate(options.alpha), "alpha"),
        (rate(options.learning_rate), "learning rate"),
        (rate(options.head_learning_rate), "head learning rate"),
        (rate(options.clip), "clip"),
        (
            options.weight_decay >= 0.0 && options.weight_decay.is_finite(),
            "weight decay",
        ),
        ((0.0..=1.0).contains(&options.warm_up), "warm-up"),
        ((0.0..1.0).contains(&options.dropout), "dropout"),
        ((0.0..1.0).contains(&options.average), "average"),
        ((0.0..=1.0).contains(&options.shuffle), "shuffle"),
        (options.abnormal_weight > 0.0, "abnormal weight"),
        ((0.0..=1.0).contains(&options.class_balance), "class balance"),
        (open_unit(options.held_out), "held out"),
        (options.sensitivity.is_none_or(open_unit), "sensitivity"),
        (
            options.window > 2 && options.window <= base.config.max_position_embeddings,
            "window",
        ),
        (options.overlap + 2 < options.window, "overlap"),
    ] {
        if !fits {
            return Err(TrainError::Option(name));
        }
    }
    Ok(())
}

/// Indices of texts of these lengths in batches of at most `budget` word pieces, in the order given.
pub(crate) fn batches(lengths: &[usize], order: &[usize], budget: usize) -> Vec<Vec<usize>> {
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut used = usize::MAX;
    for &at in order {
        let length = lengths[at];
        used = used.saturating_add(length);
        if used > budget {
            batches.push(Vec::new());
            used = length;
        }
        if let Some(batch) = batches.last_mut() {
            batch.push(at);
        }
    }
    batches
}

/// Weight of a positive example of each output.
fn positive_weights(examples: &[Example], outputs: usize, options: &Options) -> Vec<f32> {
    let mut positives = vec![0.0_f32; outputs];
    let mut all = 0.0;
    for example in examples {
        all += example.copies;
        for (sum, target) in positives.iter_mut().zip(&example.targets) {
            *sum += target * example.copies;
        }
    }
    positives
        .iter()
        .map(|&own| ((all - own).max(1.0) / own.max(1.0)).powf(options.class_balance))
        .collect()
}

/// Log-odds of each output among the examples: the bias that training starts from.
fn prior(examples: &[Example], outputs: usize) -> Vec<f32> {
    let all: f32 = examples.iter().map(|example| example.copies).sum();
    (0..outputs)
        .map(|at| {
            let own: f32 = examples
                .iter()
                .map(|example| example.targets[at] * example.copies)
                .sum();
            let rate = ((own + 0.5) / (all + 1.0)).clamp(1e-4, 1.0 - 1e-4);
            (rate / (1.0 - rate)).ln()
        })
        .collect()
}

/// Mean over the notes of the weighted sum over the outputs of the cross-entropy with the sigmoid.
fn loss(
    logits: &Tensor,
    batch: &[&Example],
    positive: &[f32],
    options: &Options,
) -> Result<Tensor, TrainError> {
    let (mut targets, mut weights, mut total) = (Vec::new(), Vec::new(), 0.0);
    for example in batch {
        // The square root of the copies: a sentence that is in the corpus a hundred times is not a hundred times as
        // instructive, but more than once.
        let copies = example.copies.sqrt();
        total += copies;
        for (at, (&target, positive)) in example.targets.iter().zip(positive).enumerate() {
            let own = if at == 0 { options.abnormal_weight } else { 1.0 };
            targets.push(target);
            weights.push(own * copies * (1.0 + target * (positive - 1.0)));
        }
    }
    let shape = logits.shape();
    let targets = Tensor::from_vec(targets, shape, logits.device())?;
    let weights = Tensor::from_vec(weights, shape, logits.device())?;
    // max(z, 0) − z y + ln(1 + exp(−|z|)) does not overflow.
    let soft = ((logits.abs()?.neg()?.exp()? + 1.0)?).log()?;
    let each = ((logits.relu()? - (logits * targets)?)? + soft)?;
    Ok(((each * weights)?.sum_all()? / f64::from(total))?)
}

/// A generator for one thing that is drawn: `kind` 0 for the first values, 1 for the order of an epoch, 2 for the dropout
/// of a step, 3 for the order of its sentences.
fn drawn(seed: u64, kind: u8, number: u32) -> StdRng {
    let digest = Digest::of_parts(&[&seed.to_le_bytes(), &[kind], &number.to_le_bytes()]);
    StdRng::from_seed(*digest.as_bytes())
}

/// The word pieces of each example, of some with their sentences in another order.
fn shuffled<'a>(examples: &[&'a Example], part: f64, random: &mut StdRng) -> Vec<Cow<'a, [u32]>> {
    examples
        .iter()
        .map(|example| {
            if shuffle::happens(part, random) {
                Cow::Owned(shuffle::sentences(&example.ids, &example.ends, random))
            } else {
                Cow::Borrowed(example.ids.as_slice())
            }
        })
        .collect()
}

/// The examples of each batch of an epoch, by their numbers.
type Batches = Vec<Vec<usize>>;

/// The batches of each epoch, and how many there are.
fn plan(corpus: &Corpus, options: &Options) -> Result<(Vec<Batches>, u32), TrainError> {
    let difficulty = (options.curriculum > 0).then(|| curriculum::difficulty(&corpus.train));
    let lengths: Vec<usize> = corpus.train.iter().map(|example| example.ids.len()).collect();
    let epochs: Vec<Batches> = (0..options.epochs)
        .map(|epoch| {
            let mut random = drawn(options.seed, 1, epoch);
            let order = match &difficulty {
                Some(difficulty) if epoch < options.curriculum => curriculum::order(difficulty, &mut random),
                _ => {
                    let mut order: Vec<usize> = (0..corpus.train.len()).collect();
                    order.shuffle(&mut random);
                    order
                }
            };
            batches(&lengths, &order, options.batch_tokens)
        })
        .collect();
    let steps = u32::try_from(epochs.iter().map(Vec::len).sum::<usize>())
        .map_err(|_| TrainError::Option("epochs"))?;
    Ok((epochs, steps))
}

/// Digest over all that decides how a run goes: a checkpoint of another run is refused.
fn identity(base: &Base, corpus: &Corpus, options: &Options) -> Result<String, TrainError> {
    let options = serde_json::to_vec(options).map_err(|_| TrainError::Option("settings"))?;
    let parts = [base.digest(), corpus.digest()];
    Ok(Digest::of_parts(&[&options, parts[0].as_bytes(), parts[1].as_bytes()]).to_string())
}

/// Values that a run trains, and all values of its model with the head.
#[must_use]
pub fn trained_share(base: &Base, corpus: &Corpus, options: &Options) -> (usize, usize) {
    let width = base.config.hidden_size;
    let inner = base.config.intermediate_size;
    let layers = base.config.num_hidden_layers;
    let sides = |target: &Target| match target {
        Target::Up | Target::Down => width + inner,
        _ => 2 * width,
    };
    let adapters = if options.full {
        layers * (4 * width * (width + 1) + 2 * width * inner + width + inner)
    } else {
        layers * options.rank * options.targets.iter().map(sides).sum::<usize>()
    };
    let norms = (2 * layers + 1) * 2 * width;
    let head = corpus.outputs() * (2 * width + 1);
    (adapters + norms + head, base.values() + head)
}

/// Trains LoRA or whole matrices, layer norms and head on `corpus`, then fits temperatures and operating points on its held-out part.
/// `observe` is called after each step.
///
/// # Errors
/// [`TrainError`] for settings out of range, a failed computation, and a loss that is no number.
pub fn train(
    base: &Base,
    corpus: &Corpus,
    options: &Options,
    observe: impl FnMut(Progress),
) -> Result<Trained, TrainError> {
    train_with(base, corpus, options, None, observe)
}

/// The same with checkpoints: a run that finds its own goes on from it, and ends with the same bits as one that was never
/// interrupted.
///
/// # Errors
/// As [`train`]; and [`CheckpointingError`] when a checkpoint cannot be written, is damaged, or is that of another run.
pub fn train_with(
    base: &Base,
    corpus: &Corpus,
    options: &Options,
    checkpoints: Option<&Checkpoints<'_>>,
    mut observe: impl FnMut(Progress),
) -> Result<Trained, TrainError> {
    check(options, base)?;
    let outputs = corpus.outputs();
    let model = Model::new(base, outputs, options, &mut drawn(options.seed, 0, 0))?;
    model.set_bias(&prior(&corpus.train, outputs))?;
    let groups = model.groups();
    let mut optimizer = AdamW::new(options.clip, options.average);
    optimizer.add(&groups.adapters, options.learning_rate, options.weight_decay)?;
    optimizer.add(&groups.norms, options.learning_rate, 0.0)?;
    optimizer.add(&groups.head, options.head_learning_rate, options.weight_decay)?;
    let trained_values = [&groups.adapters, &groups.norms, &groups.head]
        .into_iter()
        .flatten()
        .map(|var| var.elem_count())
        .sum();
    let positive = positive_weights(&corpus.train, outputs, options);
    // The batches are drawn before the first step, so that the number of steps is known.
    let (plan, steps) = plan(corpus, options)?;
    let schedule = Schedule {
        steps,
        warm_up: options.warm_up,
    };

    let mut stand = Standing {
        facts: Facts {
            run: identity(base, corpus, options)?,
            ..Facts::default()
        },
        best: Vec::new(),
        losses: Vec::new(),
    };
    if let Some(checkpoints) = checkpoints
        && let Some(state) = State::read(checkpoints.folder, &stand.facts.run)?
    {
        stand.take_up(state, &mut optimizer)?;
    }
    let writer = checkpoints.map(Writer::start).transpose()?;
    let mut step = 0;
    'run: for (epoch, epoch_batches) in (1..).zip(&plan) {
        if stand.is_over(options.patience) {
            break;
        }
        for (at, batch) in epoch_batches.iter().enumerate() {
            step += 1;
            if step <= stand.facts.step {
                continue;
            }
            let examples: Vec<&Example> = batch.iter().map(|&at| &corpus.train[at]).collect();
            let ids = shuffled(&examples, options.shuffle, &mut drawn(options.seed, 3, step));
            let tokens = Tokens::new(ids.iter().map(|ids| &**ids));
            let mut random = drawn(options.seed, 2, step);
            let logits = model.forward(&tokens, options.dropout, Some(&mut random))?;
            let loss = loss(&logits, &examples, &positive, options)?;
            let gradient = optimizer.step(&loss.backward()?, schedule.factor(step - 1))?;
            let loss = loss.to_scalar::<f32>()?;
            if !loss.is_finite() || !gradient.is_finite() {
                return Err(TrainError::Diverged(step));
            }
            stand.facts.step = step;
            stand.losses.push(loss);
            let last = at + 1 == epoch_batches.len();
            if last {
                let rows = optimizer.with_taken(|| score(&model, &corpus.held_out, options.batch_tokens))?;
                let quality = quality(&rows, &corpus.held_out, 1 + corpus.labels().len());
                stand.epoch(quality, options.patience > 0, &optimizer)?;
            }
            if let Some(writer) = writer.as_ref().filter(|writer| last || writer.is_due(step))
                && !writer.offer(stand.state(&optimizer)?)
            {
                // It has ended, and says why when it is asked to finish.
                break 'run;
            }
            observe(Progress {
                step,
                steps,
                epoch,
                loss: f64::from(loss),
                gradient,
                held_out: stand.facts.epochs.last().copied().filter(|_| last),
            });
        }
    }
    if let Some(writer) = writer {
        writer.finish(Some(stand.state(&optimizer)?))?;
    }
    let last = u32::try_from(stand.facts.epochs.len()).unwrap_or(u32::MAX);
    let taken = stand.facts.best_epoch.unwrap_or(last);
    optimizer.set(if stand.best.is_empty() {
        optimizer.taken()?
    } else {
        stand.best
    })?;
    model.round_weights().map_err(ModelError::from)?;
    let held_out = stand
        .facts
        .epochs
        .get((taken as usize).saturating_sub(1))
        .copied()
        .ok_or(TrainError::Option("epochs"))?;
    let mut trained = fit(base, corpus, options, &model, trained_values, held_out)?;
    (trained.epochs, trained.epoch, trained.losses) = (stand.facts.epochs, taken, stand.losses);
    Ok(trained)
}

/// Where a run stands, besides weights and moments.
struct Standing {
    facts: Facts,
    best: Vec<Vec<f32>>,
    losses: Vec<f32>,
}

impl Standing {
    fn take_up(&mut self, state: State, optimizer: &mut AdamW) -> Result<(), TrainError> {
        let moments = Moments {
            step: state.facts.optimizer,
            values: state.values,
            first: state.first,
            second: state.second,
            average: state.average,
        };
        if !optimizer.restore(moments)? {
            return Err(CheckpointingError::Damaged.into());
        }
        (self.facts, self.best, self.losses) = (state.facts, state.best, state.losses);
        Ok(())
    }

    fn state(&self, optimizer: &AdamW) -> Result<State, TrainError> {
        let moments = optimizer.state()?;
        Ok(State {
            facts: Facts {
                optimizer: moments.step,
                ..self.facts.clone()
            },
            values: moments.values,
            first: moments.first,
            second: moments.second,
            average: moments.average,
            best: self.best.clone(),
            losses: self.losses.clone(),
        })
    }

    /// Notes an epoch's quality and, where the best counts, keeps its weights.
    fn epoch(&mut self, quality: HeldOut, keep: bool, optimizer: &AdamW) -> Result<(), TrainError> {
        let best = self
            .facts
            .best_epoch
            .and_then(|best| self.facts.epochs.get(best as usize - 1));
        let better = best.is_none_or(|best| quality.score() > best.score());
        self.facts.epochs.push(quality);
        if keep && better {
            self.facts.best_epoch = u32::try_from(self.facts.epochs.len()).ok();
            self.best = optimizer.taken()?;
        }
        Ok(())
    }

    /// Whether so many epochs have passed since the best one that training ends.
    fn is_over(&self, patience: u32) -> bool {
        let epochs = u32::try_from(self.facts.epochs.len()).unwrap_or(u32::MAX);
        patience > 0
            && self
                .facts
                .best_epoch
                .is_some_and(|best| epochs >= best.saturating_add(patience))
    }
}
