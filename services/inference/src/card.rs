//! The model card: what a model is for, what it was made from, and how good it is.

use std::collections::BTreeMap;

use seal::Digest;
use serde::{Deserialize, Serialize};

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
}
