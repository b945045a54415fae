//! What the model says about a text, as calibrated probabilities.

use clinical::{NotAProbability, Probability};

use crate::labels::LabelSet;
use crate::lane::Refusal;
use crate::tokenizer::TokenizerError;

/// Why texts could not be scored. It never holds text.
#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    /// A text could not be split into word pieces.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The engine took no work, or did not come to it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The computation failed.
    #[error("the computation failed")]
    Computation(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The model returned something that is no probability.
    #[error(transparent)]
    Probability(#[from] NotAProbability),
    /// The model returned fewer outputs than its label set has.
    #[error("the model gave {got} outputs of {wanted}")]
    Outputs {
        /// Outputs of the label set.
        wanted: usize,
        /// Outputs of the model.
        got: usize,
    },
}

/// Calibrated probabilities of one text.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// Probability that the text reports something abnormal.
    pub abnormal: Probability,
    /// Probability of each finding, in the order of [`LabelSet::findings`].
    pub findings: Vec<Probability>,
    /// How unlike the training reports the text is: about 1 for one of them, more the less it is like them. `None` where the
    /// model does not know them.
    pub distance: Option<f64>,
}

impl Scores {
    /// Output by output the larger of two: a finding in any window is a finding of the note.
    pub(crate) fn max(mut self, other: &Self) -> Self {
        if other.abnormal > self.abnormal {
            self.abnormal = other.abnormal;
        }
        for (own, other) in self.findings.iter_mut().zip(&other.findings) {
            if other > own {
                *own = *other;
            }
        }
        // A part that is unlike the training reports may hold what the model cannot judge.
        self.distance = self.distance.into_iter().chain(other.distance).reduce(f64::max);
        self
    }

    /// From a row of the model: the logits of one text in the order of the head, and its distance where there is one more
    /// value.
    pub(crate) fn from_row(row: &[f32], labels: &LabelSet) -> Result<Self, ScoreError> {
        let (logits, distance) = match row.split_at_checked(labels.outputs()) {
            Some((logits, &[distance])) => (logits, Some(f64::from(distance))),
            _ => (row, None),
        };
        Ok(Self {
            distance,
            ..Self::from_logits(logits, labels)?
        })
    }

    /// Whether the text is further from the training reports than the label set lets pass. A distance that is no number is
    /// far.
    pub(crate) fn is_unfamiliar(&self, labels: &LabelSet) -> bool {
        let within = |distance: f64, limit: f64| distance <= limit;
        match (self.distance, labels.unfamiliar) {
            (Some(distance), Some(limit)) => !within(distance, limit),
            _ => false,
        }
    }

    /// Calibrates the logits of one text, in the order of the head.
    pub(crate) fn from_logits(logits: &[f32], labels: &LabelSet) -> Result<Self, ScoreError> {
        let outputs = || ScoreError::Outputs {
            wanted: labels.outputs(),
            got: logits.len(),
        };
        let (&abnormal, others) = logits.split_first().ok_or_else(outputs)?;
        if logits.len() != labels.outputs() {
            return Err(outputs());
        }
        let calibrated: Vec<f64> = others
            .iter()
            .zip(labels.temperatures())
            .map(|(&logit, temperature)| f64::from(logit) / temperature)
            .collect();
        let point = labels.abnormal;
        let stacked = point.bias + point.own * f64::from(abnormal) + point.any * any_log_odds(&calibrated);
        let stacked = sigmoid(stacked);
        let bent = labels
            .isotonic
            .as_ref()
            .map_or(stacked, |line| line.bend(stacked));
        Ok(Self {
            abnormal: Probability::new(bent)?,
            findings: calibrated
                .iter()
                .take(labels.findings.len())
                .map(|&logit| Probability::new(sigmoid(logit)))
                .collect::<Result<_, _>>()?,
            distance: None,
        })
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Log-odds that at least one of independent findings is there, given each one's log-odds (noisy-or): with
/// `S = Σ ln(1 + exp z)`, none is there with probability `exp(-S)`, and the odds of any are `exp(S) - 1`. Between ±30,
/// where a double still tells them apart; without findings it is 0, which says nothing.
#[must_use]
pub fn any_log_odds(log_odds: &[f64]) -> f64 {
    if log_odds.is_empty() {
        return 0.0;
    }
    // ln(1 + exp z) without overflow.
    let none: f64 = log_odds
        .iter()
        .map(|z| z.max(0.0) + (-z.abs()).exp().ln_1p())
        .sum();
    let odds = none + (-(-none).exp_m1()).ln();
    // A NaN stays one: it is caught where it would become a probability.
    odds.clamp(-30.0, 30.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AbnormalPoint, FindingLabel, OperatingPoint, SupportingLabel};

    fn labels() -> LabelSet {
        let threshold = Probability::new(0.5).expect("a half");
        LabelSet {
            abnormal: AbnormalPoint {
                own: 0.5,
                any: 0.25,
                bias: -0.1,
                threshold,
            },
            findings: vec![FindingLabel {
                label: clinical::Label::new("Edema"),
                point: OperatingPoint {
                    temperature: 2.0,
                    threshold,
                },
            }],
            supporting: vec![SupportingLabel {
                label: clinical::Label::new("Hernia"),
                temperature: 1.0,
            }],
            window: 128,
            overlap: 16,
            isotonic: None,
            reads: crate::Reads::default(),
            unfamiliar: Some(2.0),
        }
    }

    #[test]
    fn any_finding_is_as_likely_as_not_none() {
        // Two findings of one half each: any of them in three cases of four.
        assert!((any_log_odds(&[0.0, 0.0]) - 3.0_f64.ln()).abs() < 1e-12);
        assert!((any_log_odds(&[-3.0]) + 3.0).abs() < 1e-9);
        assert!((any_log_odds(&[800.0, -800.0]) - 30.0).abs() < 1e-12);
        assert!((any_log_odds(&[-800.0]) + 30.0).abs() < 1e-12);
        assert!(any_log_odds(&[f64::NAN]).is_nan());
        assert!(any_log_odds(&[]).abs() < 1e-12);
    }

    #[test]
    fn logits_become_calibrated_probabilities() -> Result<(), ScoreError> {
        let scores = Scores::from_logits(&[2.0, 2.0, -1.0], &labels())?;
        assert!((scores.findings[0].get() - sigmoid(1.0)).abs() < 1e-9);
        assert_eq!(scores.findings.len(), 1);
        let wanted_odds = |any: &[f64]| -0.1 + 0.5 * 2.0 + 0.25 * any_log_odds(any);
        let wanted = sigmoid(wanted_odds(&[1.0, -1.0]));
        assert!((scores.abnormal.get() - wanted).abs() < 1e-9);
        let mut bent = labels();
        bent.isotonic = crate::Isotonic::new(vec![(0.0, 0.25), (1.0, 0.75)]).ok();
        let bent = Scores::from_logits(&[2.0, 2.0, -1.0], &bent)?;
        assert!((bent.abnormal.get() - (0.25 + sigmoid(wanted_odds(&[1.0, -1.0])) / 2.0)).abs() < 1e-9);
        // Extremes are probabilities too.
        assert!(Scores::from_logits(&[f32::MAX, f32::MIN, f32::MAX], &labels()).is_ok());
        Ok(())
    }

    #[test]
    fn what_is_no_probability_is_an_error() {
        for spoilt in [[f32::NAN, 0.0, 0.0], [0.0, f32::NAN, 0.0], [0.0, 0.0, f32::NAN]] {
            let scored = Scores::from_logits(&spoilt, &labels());
            assert!(matches!(scored, Err(ScoreError::Probability(_))));
        }
        for short in [&[][..], &[0.0], &[0.0; 4]] {
            let scored = Scores::from_logits(short, &labels());
            assert!(matches!(scored, Err(ScoreError::Outputs { wanted: 3, .. })));
        }
    }

    #[test]
    fn the_larger_of_two_windows_counts_output_by_output() -> Result<(), ScoreError> {
        let (a, b) = (
            Scores::from_logits(&[4.0, -1.0, -2.0], &labels())?,
            Scores::from_logits(&[-4.0, 3.0, -2.0], &labels())?,
        );
        let both = a.clone().max(&b);
        assert_eq!((both.abnormal, both.findings[0]), (a.abnormal, b.findings[0]));
        Ok(())
    }

    #[test]
    fn what_is_far_from_the_training_reports_is_unfamiliar() -> Result<(), ScoreError> {
        let of = |distance: f32| Scores::from_row(&[0.0, 0.0, 0.0, distance], &labels());
        assert!(!of(2.0)?.is_unfamiliar(&labels()) && of(2.1)?.is_unfamiliar(&labels()));
        assert!(of(f32::INFINITY)?.is_unfamiliar(&labels()) && of(f32::NAN)?.is_unfamiliar(&labels()));
        // The further of two windows counts.
        assert!(of(1.0)?.max(&of(3.0)?).is_unfamiliar(&labels()));
        let silent = Scores::from_row(&[0.0; 3], &labels())?;
        assert_eq!((silent.distance, silent.is_unfamiliar(&labels())), (None, false));
        let mut old = labels();
        old.unfamiliar = None;
        assert!(!of(100.0)?.is_unfamiliar(&old));
        assert!(Scores::from_row(&[0.0; 5], &labels()).is_err());
        Ok(())
    }
}
