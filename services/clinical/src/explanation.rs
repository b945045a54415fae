//! What moved a probability: the data of a LIME-style report.

use serde::{Deserialize, Serialize};

use crate::{Impression, Probability};

/// Half-open byte range `[start, end)` in the text of the de-identified note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// One phrase, be it a single word, with its weight in the local linear model, in log-odds of abnormal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phrase {
    /// Where it stands in the de-identified note.
    pub span: Span,
    /// Above zero it speaks for abnormal, below zero for normal.
    pub weight: f64,
    /// Interval of the weight over the draw of the masks; `None` in explanations made before there were intervals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
}

/// A confidence interval of a weight, in log-odds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

/// The smallest set of shown phrases found whose removal turns the suggestion, as the classifier itself says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counterfactual {
    /// What to take away, in reading order.
    pub removed: Vec<Span>,
    /// Probability of abnormal without it.
    pub score: Probability,
}

/// Why an explanation does not show phrases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unreliable {
    /// The note has too few phrases to take any away.
    TooFewPhrases,
    /// The local linear model does not follow the classifier (its R² is below the floor).
    PoorFit,
    /// The classifier's score hardly moves, whichever phrases are taken away.
    Flat,
    /// Fewer than three phrases have a weight that is certain; in explanations made before the search for words, also: no
    /// settled gap parts those shown from the others.
    Unsettled,
}

impl Unreliable {
    /// A sentence for the case page.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooFewPhrases => "the note is too short to explain",
            Self::PoorFit => "a simple model of the classifier does not fit near this note",
            Self::Flat => "no word moves the score",
            Self::Unsettled => "too few words stand out from chance",
        }
    }
}

/// Whether phrases may be shown: at least one, or a reason why there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Phrases that moved the score, the strongest first; never empty by construction.
    Verified {
        /// The strongest phrase.
        first: Phrase,
        /// The others, by falling absolute weight.
        rest: Vec<Phrase>,
    },
    /// No reliable explanation, and why.
    Unreliable(Unreliable),
}

/// Influence on the model's output near this note, not proof (Ribeiro et al. 2016, arXiv:1602.04938).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Explanation {
    /// What was explained.
    pub target: Impression,
    /// Phrases or the reason why there are none.
    pub basis: Basis,
    /// Intercept of the local model, in log-odds: its value when every phrase is taken away.
    pub base: f64,
    /// R² of the local model on masks that it was not fitted to (in explanations made before there were intervals, on
    /// those it was fitted to).
    pub r2: f64,
    /// The probability that was explained, as scored on the whole window.
    pub score: Probability,
    /// Times the classifier was asked.
    pub calls: u32,
    /// Seed of the masks.
    pub seed: u64,
    /// The part of the note that was explained: for a long note, the window that decided.
    pub window: Span,
    /// Confidence that another draw of the masks would show the same: the least over the phrases shown and left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stability: Option<f64>,
    /// Which of the phrases shown turn the suggestion when they are taken away; `None` if taking away all does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counterfactual: Option<Counterfactual>,
}

impl Explanation {
    /// The phrases to show, strongest first; empty when the basis is unreliable.
    pub fn phrases(&self) -> impl Iterator<Item = &Phrase> {
        let (first, rest): (Option<&Phrase>, &[Phrase]) = match &self.basis {
            Basis::Verified { first, rest } => (Some(first), rest),
            Basis::Unreliable(_) => (None, &[]),
        };
        first.into_iter().chain(rest)
    }
}
