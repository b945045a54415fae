//! How urgent a note is, and until when its answer is wanted.

use std::time::Instant;

/// Who goes first. A batch is filled from the first lane that has work, then from the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// Somebody waits beside the patient. Uses the whole queue.
    Stat,
    /// Everything else that is new. Refused when the queue is four fifths full, so that the rest is there for bursts of
    /// [`Lane::Stat`].
    #[default]
    Routine,
    /// Explanations of notes that were admitted: hundreds of short texts each. Waits for room instead of being refused.
    Explain,
}

impl Lane {
    /// Every lane, the most urgent first.
    pub const ALL: [Self; 3] = [Self::Stat, Self::Routine, Self::Explain];

    /// Its name in logs and figures.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stat => "stat",
            Self::Routine => "routine",
            Self::Explain => "explain",
        }
    }
}

/// How a request is treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Urgency {
    /// Its lane.
    pub lane: Lane,
    /// When nobody wants the answer any more: what has not begun by then is dropped.
    pub deadline: Option<Instant>,
    /// Wait for room instead of being refused when the queue is full.
    pub patient: bool,
}

/// Why the queue gives no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// As much work waits as may wait: try again later, or elsewhere.
    #[error("the engine has as much work waiting as it may have")]
    Overloaded,
    /// The deadline passed before the work began.
    #[error("the deadline passed before the engine came to it")]
    Late,
    /// An input without word pieces.
    #[error("an input has no word pieces")]
    Empty,
    /// An input longer than the encoder reads.
    #[error("an input of {0} word pieces is longer than the encoder reads")]
    TooLong(usize),
    /// A word piece outside the vocabulary of the encoder.
    #[error("an input has a word piece outside the vocabulary")]
    Vocabulary,
    /// The engine stopped.
    #[error("the engine stopped")]
    Stopped,
}
