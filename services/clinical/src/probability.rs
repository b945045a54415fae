//! A number between 0 and 1, and nothing else.

use serde::{Deserialize, Serialize};

/// A probability in [0, 1]. NaN and infinities cannot be held, so a score that reaches a page is a score.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Probability(f64);

/// The value was not a number in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a probability must be a number from 0 to 1")]
pub struct NotAProbability;

impl Probability {
    /// Takes `value` when it is a number in [0, 1].
    ///
    /// # Errors
    /// [`NotAProbability`] for NaN, infinities and everything outside [0, 1].
    pub fn new(value: f64) -> Result<Self, NotAProbability> {
        if (0.0..=1.0).contains(&value) {
            Ok(Self(value))
        } else {
            Err(NotAProbability)
        }
    }

    /// The number itself.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Probability {
    type Error = NotAProbability;
    fn try_from(value: f64) -> Result<Self, Self::Error> {
        Self::new(value)
    }
}

impl From<Probability> for f64 {
    fn from(value: Probability) -> Self {
        value.0
    }
}
