//! What the classifier says about a note, and why it may be believed.

use serde::{Deserialize, Serialize};

use crate::{Explanation, ModelDigest, NoteDigest, Probability, Span};

/// A finding's name in the model's label set, such as `Cardiomegaly`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Label(String);

impl Label {
    /// A label as the model's label set spells it.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The label's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One finding the classifier reports, with its probability and the operating point it passed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Name in the model's label set.
    pub label: Label,
    /// Probability that the note reports this finding.
    pub probability: Probability,
    /// Operating point of this label: the finding is reported at or above it.
    pub threshold: Probability,
}

/// Normal or abnormal: head 1 of the classifier against its operating point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Impression {
    /// Nothing that needs attention was suggested.
    Normal,
    /// The note reports something abnormal.
    Abnormal,
}

impl Impression {
    /// `normal` or `abnormal`, for people and for rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Abnormal => "abnormal",
        }
    }
}

/// How the note was read: in one window of the model or in several that overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// Word pieces of the note, without special tokens.
    pub tokens: u32,
    /// Windows that were scored; more than one means that the note exceeds the model's window.
    pub windows: u32,
    /// Word pieces that two neighbouring windows share; 0 for one window.
    pub overlap: u32,
}

/// A suggestion for a physician: never a decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assessment {
    /// The de-identified note it was made for.
    pub note: NoteDigest,
    /// The model that made it.
    pub model: ModelDigest,
    /// Name and version of the model, as its card says.
    pub model_name: String,
    /// Normal or abnormal at the model's operating point.
    pub impression: Impression,
    /// Probability that the note is abnormal.
    pub abnormal: Probability,
    /// Operating point of `abnormal`.
    pub threshold: Probability,
    /// Findings at or above their operating points, most probable first.
    pub findings: Vec<Finding>,
    /// How much was read, and in how many windows.
    pub reading: Reading,
    /// What moved the probability.
    pub explanation: Explanation,
    /// Passages of the note that the model did not read: sections that say nothing of what was seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Span>,
    /// What the model read wherever the gateway had replaced something; `None` where it read the replacement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redacted: Option<String>,
}

/// Why a note could not be assessed: a physician reads it without a suggestion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotAssessedReason {
    /// Nothing but white space or redactions was left to read.
    NothingToRead,
    /// The note has more windows than one assessment may take.
    TooLong,
    /// The model returned something that is no probability.
    ModelFailed,
    /// The note is unlike the reports that the model was trained on, so that its answer would mean little.
    Unfamiliar,
}

impl NotAssessedReason {
    /// A sentence for the case page.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NothingToRead => "the note holds no text to assess",
            Self::TooLong => "the note is longer than one assessment may read",
            Self::ModelFailed => "the model gave no usable score",
            Self::Unfamiliar => "the text is unlike the reports that the model was trained on",
        }
    }
}

/// What comes out of the classifier: a suggestion, or a plain word that there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A suggestion with its basis.
    Assessed(Box<Assessment>),
    /// No suggestion; the case still reaches the queue.
    NotAssessed(NotAssessedReason),
}
