//! Privacy loss as a number.

use std::fmt;

/// Units in one: nanos, so that sums are exact and ten tenths are one.
const UNIT: f64 = 1e9;
/// A million. Up to 2^50 units, dividing by the unit and multiplying again is off by a quarter at most, and rounds back.
const MOST: u64 = 1_000_000_000_000_000;

/// A privacy loss ε: more than zero, in steps of 10⁻⁹, below a million.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epsilon(u64);

/// The number is no privacy loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an epsilon is finite, at least 1e-9 and less than a million")]
pub struct EpsilonError;

impl Epsilon {
    /// The ε nearest to `value`, in steps of 10⁻⁹. What is spent and what the noise is drawn for are both this rounded value.
    ///
    /// # Errors
    /// [`EpsilonError`] when it is not finite, not positive, or too large.
    pub fn new(value: f64) -> Result<Self, EpsilonError> {
        let units = (value * UNIT).round();
        #[expect(clippy::cast_precision_loss, reason = "below 2^53, hence exact")]
        let fits = (1.0..MOST as f64).contains(&units);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a whole number within 1 and MOST"
        )]
        if fits {
            Ok(Self(units as u64))
        } else {
            Err(EpsilonError)
        }
    }

    /// From a number of 10⁻⁹, as stored.
    ///
    /// # Errors
    /// [`EpsilonError`] when it is zero or too large.
    pub const fn from_nanos(nanos: u64) -> Result<Self, EpsilonError> {
        if nanos == 0 || nanos >= MOST {
            Err(EpsilonError)
        } else {
            Ok(Self(nanos))
        }
    }

    /// As a number of 10⁻⁹, to be stored.
    #[must_use]
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// As a number.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "below 2^53, hence exact")]
    pub fn get(self) -> f64 {
        self.0 as f64 / UNIT
    }
}

impl fmt::Display for Epsilon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.get())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn other_numbers_are_refused() {
        for bad in [
            0.0,
            -0.0,
            -1.0,
            1e-10,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            1e7,
            f64::MAX,
        ] {
            assert_eq!(Epsilon::new(bad), Err(EpsilonError), "{bad}");
        }
        assert_eq!(Epsilon::from_nanos(0), Err(EpsilonError));
        assert_eq!(Epsilon::from_nanos(MOST), Err(EpsilonError));
    }

    proptest! {
        #[test]
        fn a_stored_epsilon_comes_back(nanos in 1..MOST) {
            let epsilon = Epsilon::from_nanos(nanos).expect("in range");
            prop_assert_eq!(epsilon.nanos(), nanos);
            prop_assert_eq!(epsilon.to_string().parse::<f64>().map(Epsilon::new), Ok(Ok(epsilon)));
        }
    }
}
