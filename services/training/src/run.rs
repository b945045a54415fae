//! One training run.
//!
//! What is random follows from the seed, the run's number and where it stands: the first values from the seed, an epoch's order from
//! seed and epoch, a step's dropout from seed and step. So a run that goes on from a checkpoint draws what it would have drawn.

use std::borrow::Cow;

use candle_core::Tensor;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use seal::Digest;

use crate::base::Base;
use crate::checkpointing::{CheckpointingError, Checkpoints, State, Writer};
use crate::corpus::{Corpus, Example};
use crate::curriculum;
use crate::fitting::{Trained, fit, quality, score};
use crate::model::{Model, ModelError, Tokens};
use crate::optimizer::{AdamW, Schedule};
use crate::options::{Options, Target};
use crate::shuffle;
use crate::soup::Soup;
use crate::standing::{Ended, Standing};

/// Where a run stands; given to the caller after each step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Steps done.
    pub step: u32,
    /// Steps in all.
    pub steps: u32,
    /// Run of this step, from 1; there is more than one where the weights of several are averaged.
    pub run: u32,
    /// Epoch of this step in its run, from 1.
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
    pub(crate) fn score(&self) -> f64 {
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
        (options.runs == 1 || options.runs > 1 && options.full, "runs"),
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

/// What a run draws from: the first has the seed's own numbers, whether others follow or not.
#[derive(Clone, Copy)]
struct Draws {
    seed: u64,
    /// From 0.
    run: u32,
}

impl Draws {
    /// A generator for one thing that is drawn: `kind` 0 for the first values, 1 for the order of an epoch, 2 for the
    /// dropout of a step, 3 for the order of its sentences.
    fn of(self, kind: u8, number: u32) -> StdRng {
        let (seed, run) = (self.seed.to_le_bytes(), self.run.to_le_bytes());
        let (kind, number) = ([kind], number.to_le_bytes());
        let parts: [&[u8]; 4] = [&seed, &kind, &number, &run];
        StdRng::from_seed(*Digest::of_parts(&parts[..if self.run == 0 { 3 } else { 4 }]).as_bytes())
    }
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
fn plan(corpus: &Corpus, options: &Options, draws: Draws) -> Result<(Vec<Batches>, u32), TrainError> {
    let difficulty = (options.curriculum > 0).then(|| curriculum::difficulty(&corpus.train));
    let lengths: Vec<usize> = corpus.train.iter().map(|example| example.ids.len()).collect();
    let epochs: Vec<Batches> = (0..options.epochs)
        .map(|epoch| {
            let mut random = draws.of(1, epoch);
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

/// Digest over all that decides how a run goes: a checkpoint of another run is refused. How many runs there are decides
/// nothing about one of them.
fn identity(base: &Base, corpus: &Corpus, options: &Options, run: u32) -> Result<String, TrainError> {
    let options = Options {
        runs: run + 1,
        ..options.clone()
    };
    let options = serde_json::to_vec(&options).map_err(|_| TrainError::Option("settings"))?;
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
/// With more than one run in `options` each begins with the same values and draws an order, a dropout and orders of sentences
/// of its own, and the mean of their weights is taken: a uniform soup (Wortsman et al. 2022, ICML, arXiv:2203.05482).
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
    let ground = Ground::new(base, corpus, options)?;
    // Where every run begins; one alone is there already.
    let begin = if options.runs > 1 {
        Some(ground.optimizer()?.values()?)
    } else {
        None
    };
    let mut soup = Soup::default();
    let (mut epochs, mut losses, mut taken) = (Vec::new(), Vec::new(), 0);
    for run in 0..options.runs {
        let mut optimizer = ground.optimizer()?;
        if let Some(begin) = &begin {
            optimizer.begin(begin.clone())?;
        }
        let ended = ground.run(optimizer, run, checkpoints, &mut observe)?;
        taken = epochs.len() + ended.taken as usize;
        epochs.extend(ended.epochs);
        losses.extend(ended.losses);
        soup.add(ended.values);
    }
    let mut held_out = taken
        .checked_sub(1)
        .and_then(|at| epochs.get(at))
        .copied()
        .ok_or(TrainError::Option("epochs"))?;
    let mean = soup.mean();
    let trained_values = mean.iter().map(Vec::len).sum();
    ground.optimizer()?.set(mean)?;
    if options.runs > 1 {
        held_out = ground.quality()?;
    }
    let model = &ground.model;
    model.round_weights().map_err(ModelError::from)?;
    let mut trained = fit(base, corpus, options, model, trained_values, held_out)?;
    (trained.epochs, trained.losses) = (epochs, losses);
    trained.epoch = u32::try_from(taken).unwrap_or(u32::MAX);
    Ok(trained)
}

/// Trains one run of several, counted from 1, and leaves what it ends with in its checkpoint, so that several processes can
/// share the runs. [`train_with`] then finds the checkpoints of all.
///
/// # Errors
/// As [`train_with`]; [`TrainError::Option`] for a run that `options` does not have.
pub fn train_one(
    base: &Base,
    corpus: &Corpus,
    options: &Options,
    run: u32,
    checkpoints: &Checkpoints<'_>,
    mut observe: impl FnMut(Progress),
) -> Result<(), TrainError> {
    let run = run
        .checked_sub(1)
        .filter(|run| *run < options.runs)
        .ok_or(TrainError::Option("run"))?;
    let ground = Ground::new(base, corpus, options)?;
    ground.run(ground.optimizer()?, run, Some(checkpoints), &mut observe)?;
    Ok(())
}

/// What all runs have in common.
struct Ground<'a> {
    base: &'a Base,
    corpus: &'a Corpus,
    options: &'a Options,
    /// As it begins, until a run changes it.
    model: Model,
    /// Weight of a positive example of each output.
    positive: Vec<f32>,
}

impl<'a> Ground<'a> {
    fn new(base: &'a Base, corpus: &'a Corpus, options: &'a Options) -> Result<Self, TrainError> {
        check(options, base)?;
        let outputs = corpus.outputs();
        let draws = Draws {
            seed: options.seed,
            run: 0,
        };
        let model = Model::new(base, outputs, options, &mut draws.of(0, 0))?;
        model.set_bias(&prior(&corpus.train, outputs))?;
        Ok(Self {
            base,
            corpus,
            options,
            model,
            positive: positive_weights(&corpus.train, outputs, options),
        })
    }

    /// An optimiser of all that is trained.
    fn optimizer(&self) -> Result<AdamW, TrainError> {
        let (groups, options) = (self.model.groups(), self.options);
        let mut optimizer = AdamW::new(options.clip, options.average);
        optimizer.add(&groups.adapters, options.learning_rate, options.weight_decay)?;
        optimizer.add(&groups.norms, options.learning_rate, 0.0)?;
        optimizer.add(&groups.head, options.head_learning_rate, options.weight_decay)?;
        Ok(optimizer)
    }

    /// How the model as it is tells the held-out notes apart.
    fn quality(&self) -> Result<HeldOut, TrainError> {
        let examples = &self.corpus.held_out;
        let rows = score(&self.model, examples, self.options.batch_tokens)?;
        Ok(quality(&rows, examples, 1 + self.corpus.labels().len()))
    }

    /// Run number `run`, from 0, from where `optimizer` stands to its end.
    fn run(
        &self,
        mut optimizer: AdamW,
        run: u32,
        checkpoints: Option<&Checkpoints<'_>>,
        observe: &mut impl FnMut(Progress),
    ) -> Result<Ended, TrainError> {
        let (corpus, options, model) = (self.corpus, self.options, &self.model);
        let draws = Draws {
            seed: options.seed,
            run,
        };
        // The batches are drawn before the first step, so that the number of steps is known.
        let (plan, steps) = plan(corpus, options, draws)?;
        let schedule = Schedule {
            steps,
            warm_up: options.warm_up,
        };
        let mut stand = Standing::of(identity(self.base, corpus, options, run)?);
        let folder = checkpoints.map(|checkpoints| checkpoints.of_run(run));
        if let Some(folder) = &folder
            && let Some(state) = State::read(folder, stand.run())?
        {
            stand.take_up(state, &mut optimizer)?;
        }
        let writer = checkpoints
            .zip(folder)
            .map(|(checkpoints, folder)| Writer::start(folder, checkpoints.every))
            .transpose()?;
        let mut step = 0;
        'run: for (epoch, epoch_batches) in (1..).zip(&plan) {
            if stand.is_over(options.patience) {
                break;
            }
            for (at, batch) in epoch_batches.iter().enumerate() {
                step += 1;
                if step <= stand.steps() {
                    continue;
                }
                let examples: Vec<&Example> = batch.iter().map(|&at| &corpus.train[at]).collect();
                let ids = shuffled(&examples, options.shuffle, &mut draws.of(3, step));
                let tokens = Tokens::new(ids.iter().map(|ids| &**ids));
                let logits = model.forward(&tokens, options.dropout, Some(&mut draws.of(2, step)))?;
                let loss = loss(&logits, &examples, &self.positive, options)?;
                let gradient = optimizer.step(&loss.backward()?, schedule.factor(step - 1))?;
                let loss = loss.to_scalar::<f32>()?;
                if !loss.is_finite() || !gradient.is_finite() {
                    return Err(TrainError::Diverged(step));
                }
                stand.step(step, loss);
                let last = at + 1 == epoch_batches.len();
                if last {
                    let quality = optimizer.with_taken(|| self.quality())?;
                    stand.epoch(quality, options.patience > 0, &optimizer)?;
                }
                if let Some(writer) = writer.as_ref().filter(|writer| last || writer.is_due(step))
                    && !writer.offer(stand.state(&optimizer)?)
                {
                    // It has ended, and says why when it is asked to finish.
                    break 'run;
                }
                observe(Progress {
                    step: run * steps + step,
                    steps: options.runs * steps,
                    run: run + 1,
                    epoch,
                    loss: f64::from(loss),
                    gradient,
                    held_out: stand.quality().filter(|_| last),
                });
            }
        }
        if let Some(writer) = writer {
            writer.finish(Some(stand.state(&optimizer)?))?;
        }
        stand.ended(&optimizer)
    }
}
