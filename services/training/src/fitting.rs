//! What follows the last step: calibration and operating points, on the notes that were kept out.

use clinical::{Label, Probability};
use inference::{AbnormalPoint, Isotonic, SupportingLabel, Weights, any_log_odds};

use crate::base::Base;
use crate::calibration::{self, Scored};
use crate::corpus::{Corpus, Example};
use crate::familiarity;
use crate::metrics::{self, count};
use crate::model::{Model, Tokens};
use crate::options::{Calibration, Options};
use crate::run::{HeldOut, TrainError, batches};
use crate::slice;

/// Held-out notes with a finding that each label borrows from all labels for its operating point.
const BORROWED: f64 = 8.0;

/// What training made, ready to be packed.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The weights, as they are stored.
    pub weights: Weights,
    /// How the probability of abnormal is made, and its operating point: one half, where it is more likely than not, or
    /// where the sensitivity is the one that was asked for.
    pub abnormal: AbnormalPoint,
    /// Findings with temperature and threshold, in the order of the head.
    pub findings: Vec<TrainedFinding>,
    /// Findings that only speak for abnormal, in the order of the head.
    pub supporting: Vec<SupportingLabel>,
    /// Values that were trained.
    pub trained_values: usize,
    /// Quality on the held-out notes of the weights that were taken.
    pub held_out: HeldOut,
    /// Quality on the held-out notes after each epoch.
    pub epochs: Vec<HeldOut>,
    /// The epoch whose weights were taken, from 1.
    pub epoch: u32,
    /// Loss of each step.
    pub losses: Vec<f32>,
    /// How the probability of abnormal is bent after the stack, if it is.
    pub isotonic: Option<Isotonic>,
    /// Distance from the training notes above which a text is not assessed.
    pub unfamiliar: f64,
}

/// One output of the head.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainedFinding {
    /// The finding.
    pub label: Label,
    /// Temperature of its logit.
    pub temperature: f64,
    /// Probability at or above which it is reported.
    pub threshold: f64,
}

/// Logits of each example, row by row.
pub(crate) fn score(model: &Model, examples: &[Example], budget: usize) -> Result<Vec<Vec<f64>>, TrainError> {
    let order: Vec<usize> = (0..examples.len()).collect();
    let mut rows = Vec::with_capacity(examples.len());
    let lengths: Vec<usize> = examples.iter().map(|example| example.ids.len()).collect();
    for batch in batches(&lengths, &order, budget) {
        let tokens = Tokens::new(batch.iter().map(|&at| examples[at].ids.as_slice()));
        let logits = model.forward(&tokens, 0.0, None)?.detach();
        let outputs = logits.dims2()?.1;
        slice::with(&logits, |values| {
            rows.extend(
                values
                    .chunks_exact(outputs)
                    .map(|row| row.iter().map(|&value| f64::from(value)).collect::<Vec<_>>()),
            );
            Ok(())
        })?;
    }
    Ok(rows)
}

/// Scores and truth of output `at`, with logits divided by `temperature`.
fn scored(rows: &[Vec<f64>], examples: &[Example], at: usize, temperature: f64) -> Scored {
    Scored {
        scores: rows
            .iter()
            .map(|row| calibration::sigmoid(row[at] / temperature))
            .collect(),
        truth: examples.iter().map(|example| example.targets[at] > 0.5).collect(),
    }
}

pub(crate) fn quality(rows: &[Vec<f64>], examples: &[Example], outputs: usize) -> HeldOut {
    let decide = |label: &Scored| -> Vec<bool> { label.scores.iter().map(|&score| score >= 0.5).collect() };
    let abnormal = scored(rows, examples, 0, 1.0);
    let f1: Vec<f64> = (1..outputs)
        .map(|at| scored(rows, examples, at, 1.0))
        .filter(|label| label.truth.contains(&true))
        .map(|label| metrics::f1(&decide(&label), &label.truth))
        .collect();
    HeldOut {
        auroc: metrics::auroc(&abnormal.scores, &abnormal.truth).unwrap_or_default(),
        accuracy: metrics::accuracy(&decide(&abnormal), &abnormal.truth),
        macro_f1: metrics::mean(&f1),
    }
}

/// Fits temperatures, the stack of abnormal and operating points on the held-out part, and takes the weights.
pub(crate) fn fit(
    base: &Base,
    corpus: &Corpus,
    options: &Options,
    model: &Model,
    trained_values: usize,
    held_out: HeldOut,
) -> Result<Trained, TrainError> {
    let examples = &corpus.held_out;
    let rows = score(model, examples, options.batch_tokens)?;
    let outputs = corpus.outputs();
    let copies: Vec<f64> = examples.iter().map(|example| f64::from(example.copies)).collect();
    // One temperature for all findings: a rare one alone has too few notes for its own.
    let (mut logits, mut targets, mut weights) = (Vec::new(), Vec::new(), Vec::new());
    for at in 1..outputs {
        for ((row, example), copies) in rows.iter().zip(examples).zip(&copies) {
            logits.push(row[at]);
            targets.push(f64::from(example.targets[at]));
            weights.push(*copies);
        }
    }
    let temperature = calibration::temperature(&logits, &targets, &weights);
    let pairs: Vec<(f64, f64)> = rows
        .iter()
        .map(|row| {
            let calibrated: Vec<f64> = row[1..].iter().map(|logit| logit / temperature).collect();
            (row[0], any_log_odds(&calibrated))
        })
        .collect();
    let abnormal: Vec<f64> = examples
        .iter()
        .map(|example| f64::from(example.targets[0]))
        .collect();
    let stack = calibration::stack(&pairs, &calibration::smoothed(&abnormal, &copies), &copies);
    let mut stacked: Vec<f64> = pairs
        .iter()
        .map(|&(own, any)| calibration::sigmoid(stack.bias + stack.own * own + stack.any * any))
        .collect();
    let isotonic = match options.calibration {
        Calibration::Temperature => None,
        Calibration::Isotonic => calibration::isotonic(&stacked, &abnormal, &copies),
    };
    if let Some(isotonic) = &isotonic {
        for p in &mut stacked {
            *p = isotonic.bend(*p);
        }
    }
    let threshold = match options.sensitivity {
        None => 0.5,
        Some(wanted) => calibration::at_sensitivity(&stacked, &abnormal, &copies, wanted),
    };
    let labels: Vec<Scored> = (1..=corpus.labels().len())
        .map(|at| scored(&rows, examples, at, temperature))
        .collect();
    let points = calibration::operating_points(&labels, BORROWED.min(count(examples.len())));
    let findings = corpus
        .labels()
        .iter()
        .zip(points)
        .map(|(label, threshold)| TrainedFinding {
            label: label.clone(),
            temperature,
            threshold,
        })
        .collect();
    let (familiarity, unfamiliar) = familiarity::fit(model, corpus, options)?;
    let mut weights = model.weights(base)?;
    familiarity.store(&mut weights);
    Ok(Trained {
        weights,
        abnormal: AbnormalPoint {
            own: stack.own,
            any: stack.any,
            bias: stack.bias,
            threshold: Probability::new(threshold)?,
        },
        findings,
        supporting: corpus
            .supporting()
            .iter()
            .map(|label| SupportingLabel {
                label: label.clone(),
                temperature,
            })
            .collect(),
        trained_values,
        held_out,
        epochs: Vec::new(),
        epoch: 0,
        losses: Vec::new(),
        isotonic,
        unfamiliar,
    })
}
