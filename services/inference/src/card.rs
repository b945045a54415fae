//! The model card: what a model is for, what it was made from, and how good it is.

use std::collections::BTreeMap;

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
    /// A bag of words on the same notes, trained on the same part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<BaselineMetrics>,
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
