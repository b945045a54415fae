//! Trains the tagger on gold spans: logistic regression by `AdaGrad`, left to right, half of the time with the gold
//! decisions behind it and half with its own.

use super::super::lexicon::Classes;
use super::super::words::Words;
use super::features::{Context, SLOTS, features};
use crate::leak::Draws;

use super::{Tag, Tagged, Tagger, back, is_asked};

/// One text for training.
pub(crate) struct Example<'t> {
    pub words: Words<'t>,
    /// What rules found.
    pub covered: Vec<Tag>,
    /// The truth; `None` where the annotation leaves it open.
    pub truth: Vec<Option<Tag>>,
}

/// How to train.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// Passes over the examples.
    pub epochs: u32,
    /// `AdaGrad`'s step (Duchi et al. 2011).
    pub step: f32,
    /// Weight decay per update of a slot.
    pub decay: f32,
    /// Log-odds at which a word is taken for a name or place.
    pub threshold: f32,
    /// Gold words in 100 whose own letters and lists are hidden, so that context is learned too.
    pub hidden: usize,
    /// Seed of every draw.
    pub seed: u64,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            epochs: 12,
            step: 0.15,
            decay: 1e-6,
            threshold: -2.0,
            hidden: 30,
            seed: 1,
        }
    }
}

/// Trains on `examples`; `progress` is called with each epoch's number and mean loss.
pub(crate) fn train(
    examples: &mut [Example<'_>],
    schedule: Schedule,
    mut progress: impl FnMut(u32, f64),
) -> Tagger {
    let mut weights = vec![[0_f32; 2]; SLOTS];
    let mut squares = vec![[0_f32; 2]; SLOTS];
    let mut draws = Draws::new(schedule.seed);
    let mut order: Vec<usize> = (0..examples.len()).collect();
    let mut slots: Vec<usize> = Vec::with_capacity(64);
    for epoch in 0..schedule.epochs {
        for at in (1..order.len()).rev() {
            order.swap(at, draws.below(at + 1));
        }
        let (mut loss, mut count) = (0.0_f64, 0_u64);
        for &index in &order {
            let Some(example) = examples.get_mut(index) else {
                continue;
            };
            let shown = example.words.list.clone();
            for (word, truth) in example.words.list.iter_mut().zip(&example.truth) {
                let named = matches!(truth, Some(Tag::Name | Tag::Place));
                if named && draws.chance(schedule.hidden) {
                    let lists = Classes::SURNAME.or(Classes::FORENAME).or(Classes::CITY);
                    word.classes = word.classes.without(lists.or(Classes::GIVEN));
                    word.hash = 7;
                }
            }
            let own = epoch > 1 && draws.chance(50);
            let mut tags = vec![Tagged::default(); example.words.list.len()];
            let context = Context::new(&example.words, &example.covered);
            for at in 0..example.words.list.len() {
                if example.covered[at] != Tag::Other {
                    tags[at].tag = example.covered[at];
                    continue;
                }
                let history = [back(&tags, at, 1), back(&tags, at, 2)];
                if !is_asked(&example.words, at, history[0], context.is_small()) {
                    continue;
                }
                slots.clear();
                features(&context, at, history, |slot| slots.push(slot));
                let mut sums = [0_f32; 2];
                for &slot in &slots {
                    sums[0] += weights[slot][0];
                    sums[1] += weights[slot][1];
                }
                let most = sums[0].max(sums[1]).max(0.0);
                let exps = [(sums[0] - most).exp(), (sums[1] - most).exp(), (-most).exp()];
                let total = exps[0] + exps[1] + exps[2];
                let odds = ((exps[0] + exps[1]) / exps[2]).ln();
                let decided = match (odds >= schedule.threshold, sums[0] >= sums[1]) {
                    (false, _) => Tag::Other,
                    (true, true) => Tag::Name,
                    (true, false) => Tag::Place,
                };
                let Some(truth) = example.truth[at] else {
                    tags[at].tag = decided;
                    continue;
                };
                tags[at].tag = if own { decided } else { truth };
                let wanted = [f32::from(truth == Tag::Name), f32::from(truth == Tag::Place)];
                let right = match truth {
                    Tag::Name => exps[0],
                    Tag::Place => exps[1],
                    _ => exps[2],
                };
                loss -= f64::from((right / total).max(1e-9).ln());
                count += 1;
                for class in 0..2 {
                    let gradient = exps[class] / total - wanted[class];
                    if gradient.abs() < 1e-4 {
                        continue;
                    }
                    for &slot in &slots {
                        let square = &mut squares[slot][class];
                        *square += gradient * gradient;
                        let weight = &mut weights[slot][class];
                        *weight -=
                            schedule.step * (gradient / (square.sqrt() + 1e-3) + schedule.decay * *weight);
                    }
                }
            }
            example.words.list = shown;
        }
        #[expect(clippy::cast_precision_loss, reason = "for display")]
        progress(epoch, loss / count.max(1) as f64);
    }
    packed(&weights, schedule.threshold)
}

/// Weights as 16-bit integers; what rounds to nothing is dropped.
fn packed(weights: &[[f32; 2]], threshold: f32) -> Tagger {
    let most = weights
        .iter()
        .flatten()
        .fold(1e-6_f32, |most, weight| most.max(weight.abs()));
    let scale = most / 2047.0;
    #[expect(clippy::cast_possible_truncation, reason = "between -2047 and 2047")]
    let weights = weights
        .iter()
        .map(|pair| pair.map(|weight| (weight / scale).round() as i16))
        .collect();
    Tagger {
        weights,
        scale,
        threshold,
    }
}
