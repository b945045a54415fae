//! How good a packed model is on labelled notes.

use inference::{Engine, FindingMetrics, Metrics, ScoreError};

use crate::corpus::LabelledNote;
use crate::metrics;

/// Findings with fewer positive notes are not scored: their F1 would be one note's luck.
const LEAST_POSITIVES: usize = 3;
/// Bins of the expected calibration error, as in Guo et al. 2017 (arXiv:1706.04599).
const BINS: u32 = 15;
/// Notes that are scored between two calls of the observer.
const CHUNK: usize = 32;

/// Why a model cannot be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// The model could not score the notes.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// Without normal and abnormal notes there is nothing to tell apart.
    #[error("{0} notes are too few: normal and abnormal ones are needed")]
    TooFew(usize),
}

/// Scores `notes` (without explanations) and compares with their labels. `data` says in the result what they are;
/// `observe` is called with the number of notes done.
///
/// # Errors
/// [`EvaluateError`] when the model fails, or the notes are all normal or all abnormal.
pub fn evaluate(
    engine: &Engine,
    notes: &[LabelledNote],
    data: &str,
    mut observe: impl FnMut(usize),
) -> Result<Metrics, EvaluateError> {
    let mut scores = Vec::with_capacity(notes.len());
    for chunk in notes.chunks(CHUNK) {
        let texts: Vec<&str> = chunk.iter().map(|note| note.note.text()).collect();
        scores.extend(engine.score_batch(&texts)?);
        observe(scores.len());
    }
    let labels = engine.labels();
    let truth: Vec<bool> = notes.iter().map(|note| note.abnormal).collect();
    let abnormal: Vec<f64> = scores.iter().map(|scores| scores.abnormal.get()).collect();
    let threshold = labels.abnormal.threshold.get();
    let decisions: Vec<bool> = abnormal.iter().map(|&score| score >= threshold).collect();
    let too_few = || EvaluateError::TooFew(notes.len());
    let mut findings = Vec::new();
    for (at, finding) in labels.findings.iter().enumerate() {
        let own: Vec<bool> = notes
            .iter()
            .map(|note| note.findings.contains(&finding.label))
            .collect();
        let positives = own.iter().filter(|&&positive| positive).count();
        if positives < LEAST_POSITIVES {
            continue;
        }
        let probabilities: Vec<f64> = scores
            .iter()
            .filter_map(|scores| scores.findings.get(at).map(|probability| probability.get()))
            .collect();
        let point = finding.point.threshold.get();
        let said: Vec<bool> = probabilities.iter().map(|&score| score >= point).collect();
        findings.push(FindingMetrics {
            label: finding.label.clone(),
            positives,
            auroc: metrics::auroc(&probabilities, &own).ok_or_else(too_few)?,
            f1: metrics::f1(&said, &own),
        });
    }
    let f1: Vec<f64> = findings.iter().map(|finding| finding.f1).collect();
    Ok(Metrics {
        data: data.to_owned(),
        notes: notes.len(),
        auroc: metrics::auroc(&abnormal, &truth).ok_or_else(too_few)?,
        auprc: metrics::average_precision(&abnormal, &truth).ok_or_else(too_few)?,
        accuracy: metrics::accuracy(&decisions, &truth),
        sensitivity: metrics::recall(&decisions, &truth, true),
        specificity: metrics::recall(&decisions, &truth, false),
        ece: metrics::calibration_error(&abnormal, &truth, BINS),
        macro_f1: metrics::mean(&f1),
        findings,
    })
}
