//! What a physician says about a suggestion.

use clinical::{Impression, Label};
use serde::{Deserialize, Serialize};

use crate::PhiText;

/// A physician's decision. Free text may name the patient, so it is [`PhiText`].
#[derive(Clone)]
pub enum Decision {
    /// The suggestion stands.
    Agree,
    /// Something else is right.
    Amend(Amendment),
    /// The suggestion is refused, and nothing is put in its place.
    Reject {
        /// Why, by code.
        reason: RejectReason,
        /// Why, in words; may be empty.
        comment: PhiText,
    },
}

/// What the physician puts in the suggestion's place.
#[derive(Clone)]
pub struct Amendment {
    /// Normal or abnormal.
    pub impression: Impression,
    /// Findings, by the label set's names.
    pub findings: Vec<Label>,
    /// A comment; may be empty.
    pub comment: PhiText,
}

/// Why a suggestion is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RejectReason {
    /// The suggestion contradicts the text.
    WrongSuggestion,
    /// The text is not of the kind that the model was made for.
    OutOfScope,
    /// The text is incomplete or garbled.
    UnusableText,
    /// Something else; the comment says what.
    Other,
}

impl RejectReason {
    /// Every reason, for the form.
    pub const ALL: [Self; 4] = [
        Self::WrongSuggestion,
        Self::OutOfScope,
        Self::UnusableText,
        Self::Other,
    ];

    /// The code in forms and rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WrongSuggestion => "wrong-suggestion",
            Self::OutOfScope => "out-of-scope",
            Self::UnusableText => "unusable-text",
            Self::Other => "other",
        }
    }

    /// The sentence in the form.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::WrongSuggestion => "The suggestion contradicts the report",
            Self::OutOfScope => "The model was not made for this kind of report",
            Self::UnusableText => "The report's text is incomplete or garbled",
            Self::Other => "Another reason (say which)",
        }
    }

    /// The reason of that code.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == code)
    }
}

impl Decision {
    /// `agree`, `amend` or `reject`, for rows and the audit log.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Agree => "agree",
            Self::Amend(_) => "amend",
            Self::Reject { .. } => "reject",
        }
    }
}
