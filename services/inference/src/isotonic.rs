//! A rising line that bends a probability to the frequencies that were seen.

use serde::{Deserialize, Serialize};

/// Knots that a line may have at most.
const MOST_KNOTS: usize = 4096;

/// Straight lines between knots, level before the first and after the last (isotonic calibration, Zadrozny and Elkan 2002,
/// KDD '02, with lines instead of steps so that no two scores become one).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<(f64, f64)>", into = "Vec<(f64, f64)>")]
pub struct Isotonic(Vec<(f64, f64)>);

/// The knots are no rising line from probability to probability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an isotonic calibration has two knots or more, between 0 and 1 and rising in both directions")]
pub struct NotIsotonic;

impl Isotonic {
    /// A line through knots: probability before, probability after.
    ///
    /// # Errors
    /// [`NotIsotonic`] for fewer than two, for numbers outside [0, 1], and where either does not rise.
    pub fn new(knots: Vec<(f64, f64)>) -> Result<Self, NotIsotonic> {
        let inside = |value: f64| (0.0..=1.0).contains(&value);
        let good = (2..=MOST_KNOTS).contains(&knots.len())
            && knots
                .iter()
                .all(|&(before, after)| inside(before) && inside(after))
            && knots
                .windows(2)
                .all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
        if good { Ok(Self(knots)) } else { Err(NotIsotonic) }
    }

    /// The calibrated probability. What is no number stays so.
    #[must_use]
    pub fn bend(&self, probability: f64) -> f64 {
        let after = self.0.partition_point(|knot| knot.0 <= probability);
        match (
            after.checked_sub(1).and_then(|before| self.0.get(before)),
            self.0.get(after),
        ) {
            (Some(low), Some(high)) => low.1 + (probability - low.0) / (high.0 - low.0) * (high.1 - low.1),
            // NaN is below no knot.
            (None, Some(first)) if !probability.is_nan() => first.1,
            (Some(last), None) => last.1,
            _ => probability,
        }
    }
}

impl TryFrom<Vec<(f64, f64)>> for Isotonic {
    type Error = NotIsotonic;

    fn try_from(knots: Vec<(f64, f64)>) -> Result<Self, NotIsotonic> {
        Self::new(knots)
    }
}

impl From<Isotonic> for Vec<(f64, f64)> {
    fn from(isotonic: Isotonic) -> Self {
        isotonic.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_bent_between_the_knots() -> Result<(), NotIsotonic> {
        let line = Isotonic::new(vec![(0.2, 0.1), (0.6, 0.5), (0.8, 0.5)])?;
        for (before, after) in [(0.0, 0.1), (0.2, 0.1), (0.4, 0.3), (0.7, 0.5), (1.0, 0.5)] {
            assert!((line.bend(before) - after).abs() < 1e-12, "{before}");
        }
        assert!(line.bend(f64::NAN).is_nan());
        for bad in [
            vec![],
            vec![(0.5, 0.5)],
            vec![(0.5, 0.1), (0.5, 0.2)],
            vec![(0.1, 0.5), (0.2, 0.4)],
            vec![(0.1, 0.5), (1.2, 0.6)],
            vec![(f64::NAN, 0.5), (0.2, 0.6)],
        ] {
            assert_eq!(Isotonic::new(bad), Err(NotIsotonic));
        }
        assert!(serde_json::from_str::<Isotonic>("[[0.1, 0.9], [0.2, 0.1]]").is_err());
        Ok(())
    }
}
