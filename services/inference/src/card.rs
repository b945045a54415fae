//! The model card: what a model is for, what it was made from, and how good it is.

use std::collections::BTreeMap;

use clinical::Probability;
use seal::Digest;
use serde::{Deserialize, Serialize};

use crate::SourceAttributes;

/// What a person must know before trusting a model (Mitchell et al. 2019, arXiv:1810.03993).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelCard {
    /// Name, such as `openi-minilm-l6`.
    pub name: String,
    /// Version, `MAJOR.MINOR.PATCH`.
    pub version: String,
    /// One sentence on what it does.
    pub summary: String,
    /// What it may be used for.
    pub intended_use: String,
    /// What it cannot do, and where it is not to be used; one sentence each.
    pub limits: Vec<String>,
    /// How it computes.
    pub architecture: String,
    /// What training started from.
    pub base: BaseModel,
    /// What it was trained on.
    pub training_data: TrainingData,
    /// Settings of the training run, by name.
    pub settings: BTreeMap<String, serde_json::Value>,
    /// Seed of the training run.
    pub seed: u64,
    /// The command that makes this model again.
    pub command: String,
    /// Quality on notes that were not used in training; `None` before it is measured.
    pub metrics: Option<Metrics>,
    /// Terms of the weights in one sentence; the whole text is in the folder's `LICENSE`.
    pub licence: String,
    /// Whether the licence allows evaluation only: such a model must not be used on patients.
    pub evaluation_only: bool,
    /// Revision of the program's source that trained it; cards of version 1.0 do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The source attributes of a predictive decision support intervention; cards of version 1.0 do not say them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_attributes: Option<Box<SourceAttributes>>,
}

impl ModelCard {
    /// Name and version, as assessments carry them.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
}

/// The pretrained encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseModel {
    /// Name.
    pub name: String,
    /// Where it comes from.
    pub source: String,
    /// SHA-256 of its `model.safetensors`.
    pub sha256: Digest,
    /// Its licence.
    pub licence: String,
}

/// The labelled notes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingData {
    /// Name of the collection.
    pub name: String,
    /// Where it comes from.
    pub source: String,
    /// Its licence.
    pub licence: String,
    /// Labelled notes with text.
    pub notes: usize,
    /// Distinct texts that were trained on.
    pub distinct: usize,
    /// Distinct texts that were kept out for calibration and operating points.
    pub held_out: usize,
    /// SHA-256 over the scrubbed notes' digests and labels.
    pub sha256: Digest,
}

/// Quality on a set of labelled notes. Areas and rates are in [0, 1].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// The notes.
    pub data: String,
    /// Number of notes.
    pub notes: usize,
    /// Area under the ROC curve of abnormal.
    pub auroc: f64,
    /// Average precision of abnormal.
    pub auprc: f64,
    /// Accuracy of abnormal at its operating point.
    pub accuracy: f64,
    /// Sensitivity of abnormal at its operating point.
    pub sensitivity: f64,
    /// Specificity of abnormal at its operating point.
    pub specificity: f64,
    /// Expected calibration error of abnormal, 15 bins of equal width.
    pub ece: f64,
    /// Mean F1 of the findings in `findings`, each at its operating point.
    pub macro_f1: f64,
    /// Findings with three or more positive notes.
    pub findings: Vec<FindingMetrics>,
    /// Brier score of abnormal: the mean squared distance of probability and truth (Brier 1950, Mon Weather Rev 78(1)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brier: Option<f64>,
    /// Part of the notes that is so unlike the training reports that they would not be assessed; their answers count in the
    /// numbers all the same. `None` for a model that does not know them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abstained: Option<f64>,
    /// Intervals that hold 95 of 100 resamples of the notes, by the name of the metric.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub intervals: BTreeMap<String, Interval>,
    /// The same quality within groups of notes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subgroups: Vec<SubgroupMetrics>,
    /// How often notes of each probability were abnormal, in [`Metrics::BINS`] bins of equal width from 0 to 1; empty in
    /// cards that were written before it was kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reliability: Vec<Bin>,
    /// A bag of words on the same notes, trained on the same part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<BaselineMetrics>,
}

/// Notes whose probability of abnormal lies in one bin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bin {
    /// Notes.
    pub notes: usize,
    /// Those of them that were labelled abnormal.
    pub abnormal: usize,
}

/// What happened to notes of about one probability, in the evaluation set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frequency {
    /// Least probability of these notes.
    pub low: f64,
    /// Largest.
    pub high: f64,
    /// Notes and how many were abnormal.
    pub bin: Bin,
}

impl Metrics {
    /// Bins of [`Metrics::reliability`].
    pub const BINS: usize = 20;

    /// The bin of a probability.
    #[must_use]
    pub fn bin(probability: f64) -> usize {
        (1..Self::BINS)
            .take_while(|&at| probability >= Self::edge(at))
            .count()
    }

    /// Where bin `at` begins.
    fn edge(at: usize) -> f64 {
        let count = |bins: usize| f64::from(u32::try_from(bins).unwrap_or(u32::MAX));
        count(at) / count(Self::BINS)
    }

    /// How often notes of about this probability were abnormal: the bin of `probability`, widened on both sides until it
    /// holds `least` notes. `None` where the card does not say it, or the whole set is smaller.
    #[must_use]
    pub fn frequency(&self, probability: Probability, least: usize) -> Option<Frequency> {
        let cells: &[Bin; Self::BINS] = self.reliability.as_slice().try_into().ok()?;
        let (own, end) = (Self::bin(probability.get()), Self::BINS - 1);
        (0..=end)
            .map(|wider| (own.saturating_sub(wider), (own + wider).min(end)))
            .map(|(from, to)| Frequency {
                low: Self::edge(from),
                high: Self::edge(to + 1),
                bin: cells[from..=to].iter().fold(Bin::default(), |sum, bin| Bin {
                    notes: sum.notes + bin.notes,
                    abnormal: sum.abnormal + bin.abnormal,
                }),
            })
            .find(|found| found.bin.notes >= least.max(1))
    }
}

/// From the 2.5th to the 97.5th percentile of bootstrap resamples (Efron 1979, Ann Statist 7(1)).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Quality within a group of notes. What needs normal and abnormal notes is `None` where a group lacks one of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubgroupMetrics {
    /// What the notes are grouped by.
    pub by: String,
    /// The group.
    pub group: String,
    /// Notes in it.
    pub notes: usize,
    /// Abnormal notes in it.
    pub positives: usize,
    /// Area under the ROC curve of abnormal.
    pub auroc: Option<f64>,
    /// Sensitivity at the model's operating point.
    pub sensitivity: Option<f64>,
    /// Specificity at the model's operating point.
    pub specificity: Option<f64>,
    /// Expected calibration error, 15 bins.
    pub ece: f64,
}

/// TF-IDF with logistic regression, and how much better the model is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaselineMetrics {
    /// What it is.
    pub name: String,
    /// Area under the ROC curve of abnormal.
    pub auroc: f64,
    /// Accuracy of abnormal at one half.
    pub accuracy: f64,
    /// Mean F1 of the same findings at one half.
    pub macro_f1: f64,
    /// Model minus baseline, in paired resamples of the notes.
    pub auroc_gain: Interval,
    /// Model minus baseline, in paired resamples of the notes.
    pub accuracy_gain: Interval,
    /// Model minus baseline, in paired resamples of the notes.
    pub macro_f1_gain: Interval,
}

/// Quality of one finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindingMetrics {
    /// The finding.
    pub label: clinical::Label,
    /// Notes that have it.
    pub positives: usize,
    /// Area under its ROC curve.
    pub auroc: f64,
    /// F1 at its operating point.
    pub f1: f64,
    /// Average precision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auprc: Option<f64>,
    /// Sensitivity at its operating point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensitivity: Option<f64>,
    /// Specificity at its operating point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub specificity: Option<f64>,
    /// Expected calibration error, 15 bins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ece: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bin_is_widened_until_it_holds_enough_notes() {
        let mut metrics: Metrics = serde_json::from_value(serde_json::json!({
            "data": "d", "notes": 35, "auroc": 1.0, "auprc": 1.0, "accuracy": 1.0, "sensitivity": 1.0, "specificity": 1.0,
            "ece": 0.0, "macro_f1": 1.0, "findings": [],
        }))
        .expect("metrics");
        let at = |p| Probability::new(p).expect("a probability");
        assert_eq!(metrics.frequency(at(0.9), 10), None);
        metrics.reliability = vec![Bin::default(); Metrics::BINS];
        metrics.reliability[0] = Bin {
            notes: 20,
            abnormal: 1,
        };
        metrics.reliability[18] = Bin {
            notes: 4,
            abnormal: 3,
        };
        metrics.reliability[19] = Bin {
            notes: 11,
            abnormal: 11,
        };
        let got = metrics.frequency(at(1.0), 10).expect("enough");
        assert!((got.low - 0.95).abs() < 1e-9 && (got.high - 1.0).abs() < 1e-9);
        assert_eq!(
            got.bin,
            Bin {
                notes: 11,
                abnormal: 11
            }
        );
        let got = metrics.frequency(at(0.93), 10).expect("enough");
        assert!((got.low - 0.85).abs() < 1e-9);
        assert_eq!(
            got.bin,
            Bin {
                notes: 15,
                abnormal: 14
            }
        );
        assert_eq!(metrics.frequency(at(0.5), 36), None);
        assert_eq!(
            (Metrics::bin(0.05), Metrics::bin(0.049), Metrics::bin(1.0)),
            (1, 0, 19)
        );
    }
}
