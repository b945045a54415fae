//! Which precision a model is served with: the fastest whose answers to a few sentences are those of f32.

use std::time::{Duration, Instant};

use kernels::{Kernel, Precision};

use crate::runner::{Place, Runner, RunnerError};
use crate::weights::Weights;
use crate::{Config, LabelSet, Scores, Tokenizer};

/// Our own sentences, normal and abnormal, short and long. They are read once when a model is loaded.
const SAMPLES: [&str; 6] = [
    "The heart is enlarged. Small left pleural effusion with adjacent atelectasis. No pneumothorax.",
    "Heart size is ordinary. Both lungs are clear. Nothing acute.",
    "A nodule in the right upper lobe, larger than before; follow-up by computed tomography is advised.",
    "No change.",
    "Lines and tubes are where they were. Hazy opacities at both bases may be infection or fluid. The bones show wear of \
     the spine, and an old fracture of a rib on the left has healed.",
    "Clear lungs, no effusion, no free air below the diaphragm; mild scoliosis.",
];

/// Most that any calibrated probability may differ from that of f32. On the 335 development reports a model whose
/// samples differ by less keeps its labels (docs/engine.md has the figures).
const MOST_DIFFERENCE: f64 = 0.05;

/// How far two precisions are apart on the sample sentences.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Agreement {
    /// The largest difference of a calibrated probability; 1 when one of the two gave no probability.
    pub(crate) difference: f64,
    /// Every sentence is on the same side of the threshold of *abnormal*.
    pub(crate) same_label: bool,
}

impl Agreement {
    const fn holds(self) -> bool {
        self.same_label && self.difference <= MOST_DIFFERENCE
    }

    fn of(ours: &[f32], reference: &[f32], labels: &LabelSet) -> Self {
        let mut agreement = Self {
            difference: 0.0,
            same_label: true,
        };
        let outputs = labels.outputs();
        for (ours, reference) in ours.chunks_exact(outputs).zip(reference.chunks_exact(outputs)) {
            let both = Scores::from_logits(ours, labels)
                .and_then(|ours| Scores::from_logits(reference, labels).map(|reference| (ours, reference)));
            let Ok((ours, reference)) = both else {
                return Self {
                    difference: 1.0,
                    same_label: false,
                };
            };
            let findings = ours.findings.iter().zip(&reference.findings);
            for (a, b) in findings.chain([(&ours.abnormal, &reference.abnormal)]) {
                agreement.difference = agreement.difference.max((a.get() - b.get()).abs());
            }
            let threshold = labels.abnormal.threshold;
            let apart = (ours.abnormal >= threshold) != (reference.abnormal >= threshold);
            agreement.same_label &= !apart;
        }
        agreement
    }
}

/// The samples side by side as the model reads them, and their lengths.
fn samples(tokenizer: &Tokenizer, labels: &LabelSet) -> (Vec<u32>, Vec<usize>) {
    let (mut ids, mut lengths) = (Vec::new(), Vec::new());
    for text in SAMPLES {
        let Ok(mut pieces) = tokenizer.pieces(text) else {
            continue;
        };
        pieces.ids.truncate(labels.window.saturating_sub(2));
        let input = tokenizer.input(&pieces.ids);
        lengths.push(input.len());
        ids.extend(input);
    }
    (ids, lengths)
}

/// A runner with the fastest precision that agrees, and what it does in a second, measured on the samples.
pub(crate) fn choose(
    (config, labels): (&Config, &LabelSet),
    weights: &Weights,
    tokenizer: &Tokenizer,
    place: Place,
) -> Result<Runner, RunnerError> {
    let (ids, lengths) = samples(tokenizer, labels);
    let runner = |precision| Runner::new(config, labels.outputs(), weights, precision, place);
    let mut reference = None;
    for precision in [Precision::Int8, Precision::Bf16] {
        if precision == Precision::Bf16 && place.kernel != Kernel::Avx512Bf16 {
            continue;
        }
        let mut runner = runner(precision)?;
        if reference.is_none() {
            reference = runner.reference(config, weights, &ids, &lengths).ok();
        }
        let (mut ours, Some(reference)) = (Vec::new(), &reference) else {
            // The samples are not of this vocabulary: nothing to compare, and f32 is right by definition.
            break;
        };
        if runner.logits(&ids, &lengths, &mut ours).is_err() {
            break;
        }
        let agreement = Agreement::of(&ours, reference, labels);
        tracing::info!(
            precision = precision.as_str(),
            kernel = runner.kernel().as_str(),
            difference = agreement.difference,
            same_label = agreement.same_label,
            served = agreement.holds(),
            "compared with f32 on the sample sentences"
        );
        if agreement.holds() {
            return Ok(runner);
        }
    }
    runner(Precision::F32)
}

/// Word pieces a second, measured on the samples: the best of three.
pub(crate) fn speed(runner: &mut Runner, tokenizer: &Tokenizer, labels: &LabelSet) -> Option<f64> {
    let (ids, lengths) = samples(tokenizer, labels);
    let (mut out, mut best) = (Vec::new(), Duration::MAX);
    for _ in 0..3 {
        let start = Instant::now();
        runner.logits(&ids, &lengths, &mut out).ok()?;
        best = best.min(start.elapsed());
    }
    #[expect(clippy::cast_precision_loss, reason = "some hundred word pieces")]
    let tokens = ids.len() as f64;
    (best > Duration::ZERO).then(|| tokens / best.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Tiny;

    #[test]
    fn what_differs_too_much_or_changes_the_label_does_not_agree() {
        let labels = Tiny::new().labels;
        let reference = [0.5, -2.0, 1.0, 0.0, -3.0, -4.0, -4.0, -4.0];
        let of = |change: &dyn Fn(&mut [f32; 8])| {
            let mut ours = reference;
            change(&mut ours);
            Agreement::of(&ours, &reference, &labels)
        };
        let same = of(&|_| ());
        assert!(same.holds() && same.difference.abs() < f64::EPSILON);
        assert!(of(&|ours| ours[1] += 0.01).holds());
        // A finding of 0.73 becomes one of 0.88.
        let finding = of(&|ours| ours[2] += 1.0);
        assert!(!finding.holds() && finding.same_label && finding.difference > 0.1);
        // Abnormal becomes normal.
        assert!(!of(&|ours| ours[0] = -9.0).same_label);
        let number = of(&|ours| ours[6] = f32::NAN);
        assert!(!number.holds() && !number.same_label);
    }
}
