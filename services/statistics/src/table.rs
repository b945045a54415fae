//! Publishing: counts and a spend in, a noisy table out.

use opendp::{
    core::Measurement,
    domains::{AtomDomain, VectorDomain},
    measurements::make_laplace,
    measures::MaxDivergence,
    metrics::L1Distance,
};

use crate::{Counts, Epsilon, Spend};

/// Why nothing was published. What was spent stays spent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// OpenDP refused; the name of its reason, without its message.
    #[error("the noise could not be drawn: {0}")]
    Mechanism(String),
    /// OpenDP's bound on the loss stays above what was spent.
    #[error("no noise scale keeps within the epsilon that was spent")]
    Calibration,
}

/// Counts that may be published: unbiased, each with noise of its own, and possibly negative. Says what it cost.
#[derive(Clone, Debug, PartialEq)]
pub struct NoisyTable {
    epsilon: Epsilon,
    scale: f64,
    cells: Vec<(String, i64)>,
}

impl NoisyTable {
    /// The privacy loss that was spent on it.
    #[must_use]
    pub const fn epsilon(&self) -> Epsilon {
        self.epsilon
    }

    /// The noise's scale: the probability of an error of k is proportional to `exp(-|k| / scale)`.
    #[must_use]
    pub const fn scale(&self) -> f64 {
        self.scale
    }

    /// Names and noisy counts, in the order of the exact ones.
    #[must_use]
    pub fn cells(&self) -> &[(String, i64)] {
        &self.cells
    }

    /// The least k so that a cell is off by more than k with probability `alpha` at most, `alpha` within 0 and 1. With
    /// `p = exp(-1 / scale)`, that probability is `2 p^(k+1) / (1 + p)`.
    #[must_use]
    pub fn error_bound(&self, alpha: f64) -> u64 {
        let p = (-1.0 / self.scale).exp();
        let k = ((alpha.clamp(f64::MIN_POSITIVE, 1.0) * (1.0 + p) / 2.0).ln() / p.ln() - 1.0).ceil();
        // Below zero where even no error is unlikely enough; the cast saturates.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates at both ends as wanted"
        )]
        let k = k as u64;
        k
    }
}

type Laplace = Measurement<VectorDomain<AtomDomain<i64>>, L1Distance<i64>, MaxDivergence, Vec<i64>>;

/// Adds discrete Laplace noise (Ghosh, Roughgarden and Sundararajan 2012; sampled exactly as in Canonne, Kamath and Steinke 2020) of
/// scale `contributions / ε` to every cell, and is then ε-differentially private, as OpenDP's proven map says.
///
/// # Errors
/// [`PublishError`]; the spend is used up all the same.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a spend is used up, whatever comes of it"
)]
pub fn publish(counts: &Counts, spend: Spend) -> Result<NoisyTable, PublishError> {
    let epsilon = spend.epsilon();
    let sensitivity = i64::from(counts.contributions.get());
    let (laplace, scale) = calibrate(sensitivity, epsilon)?;
    let values = laplace
        .invoke(&counts.values)
        .map_err(|error| mechanism(&error))?;
    Ok(NoisyTable {
        epsilon,
        scale,
        cells: counts.names.iter().cloned().zip(values).collect(),
    })
}

/// The mechanism with the least scale that OpenDP's privacy map accepts for this ε.
fn calibrate(sensitivity: i64, epsilon: Epsilon) -> Result<(Laplace, f64), PublishError> {
    let mut scale =
        f64::from(u32::try_from(sensitivity).map_err(|_| PublishError::Calibration)?) / epsilon.get();
    // The quotient is rounded, and the map rounds its loss up: a few steps further the loss is within ε.
    for _ in 0..16 {
        let domain = VectorDomain::new(AtomDomain::<i64>::default());
        let laplace: Laplace =
            make_laplace(domain, L1Distance::default(), scale, None).map_err(|error| mechanism(&error))?;
        if laplace.map(&sensitivity).map_err(|error| mechanism(&error))? <= epsilon.get() {
            return Ok((laplace, scale));
        }
        scale = scale.next_up();
    }
    Err(PublishError::Calibration)
}

fn mechanism(error: &opendp::error::Error) -> PublishError {
    PublishError::Mechanism(format!("{:?}", error.variant))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;
    use crate::Budget;

    fn spend(value: f64) -> Spend {
        let epsilon = Epsilon::new(value).expect("a good epsilon");
        Budget::new(epsilon).spend(epsilon).expect("all of it")
    }

    fn counts(n: usize, value: u64, contributions: u32) -> Counts {
        let cells = (0..n).map(|i| (format!("cell {i}"), value)).collect();
        Counts::new(cells, NonZeroU32::new(contributions).expect("not zero")).expect("a table")
    }

    /// Distribution function of the discrete Laplace distribution (Canonne, Kamath and Steinke 2020, section 4, summed).
    fn below_or_at(k: i64, scale: f64) -> f64 {
        let p = (-1.0 / scale).exp();
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let k = k as f64;
        if k < 0.0 {
            p.powf(-k) / (1.0 + p)
        } else {
            1.0 - p.powf(k + 1.0) / (1.0 + p)
        }
    }

    /// The largest distance between the sample's distribution function and that of noise of `scale`.
    fn distance(sample: &[i64], scale: f64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let share = |k: i64| sample.iter().filter(|x| **x <= k).count() as f64 / sample.len() as f64;
        (-60..=60)
            .map(|k| (share(k) - below_or_at(k, scale)).abs())
            .fold(0.0, f64::max)
    }

    #[test]
    fn the_noise_is_discrete_laplace_of_the_right_scale() -> Result<(), PublishError> {
        const N: usize = 20_000;
        // Dvoretzky, Kiefer, Wolfowitz and Massart: the distance exceeds t with probability 2 exp(-2 n t²) at most, so this fails by
        // chance once in 10⁹ runs, for each of the three.
        let t = ((2.0 / 1e-9_f64).ln() / (2.0 * 20_000.0)).sqrt();
        for (epsilon, contributions, scale) in [(1.0, 1, 1.0), (0.5, 1, 2.0), (1.5, 6, 4.0)] {
            let table = publish(&counts(N, 1000, contributions), spend(epsilon))?;
            assert!((table.scale() - scale).abs() < 1e-12, "scale {}", table.scale());
            let errors: Vec<i64> = table.cells().iter().map(|cell| cell.1 - 1000).collect();
            assert!(
                distance(&errors, scale) < t,
                "ε {epsilon}: {}",
                distance(&errors, scale)
            );
            // The test can tell: half and double the scale do not fit.
            assert!(distance(&errors, scale / 2.0) > t && distance(&errors, scale * 2.0) > t);
        }
        Ok(())
    }

    #[test]
    fn the_error_bound_is_the_quantile() -> Result<(), PublishError> {
        for epsilon in [0.01, 0.5, 1.0, 8.0] {
            let table = publish(&counts(1, 0, 1), spend(epsilon))?;
            for alpha in [0.5, 0.05, 0.001] {
                let k = table.error_bound(alpha);
                // P(|X| > k) = 2 P(X <= -k-1).
                let beyond = |k: i64| 2.0 * below_or_at(-k - 1, table.scale());
                let k = i64::try_from(k).expect("small");
                assert!(beyond(k) <= alpha * (1.0 + 1e-9), "ε {epsilon}, α {alpha}: {k}");
                assert!(
                    k == 0 || beyond(k - 1) > alpha,
                    "ε {epsilon}, α {alpha}: {k} is not the least"
                );
            }
        }
        Ok(())
    }

    #[test]
    fn the_largest_counts_do_not_overflow() -> Result<(), PublishError> {
        let table = publish(&counts(4, 1 << 53, u32::MAX), spend(1.0))?;
        assert_eq!(table.cells().len(), 4);
        Ok(())
    }

    proptest! {
        #[test]
        fn names_keep_their_order_and_epsilon_is_told(nanos in 1_000_000..20_000_000_000_u64, contributions in 1..100_u32) {
            let epsilon = Epsilon::from_nanos(nanos).expect("in range");
            let table = publish(&counts(3, 5, contributions), spend(epsilon.get())).expect("published");
            let names: Vec<&str> = table.cells().iter().map(|cell| cell.0.as_str()).collect();
            prop_assert_eq!(names, ["cell 0", "cell 1", "cell 2"]);
            prop_assert_eq!(table.epsilon(), epsilon);
            let (laplace, _) = calibrate(i64::from(contributions), epsilon).expect("calibrated");
            prop_assert!(laplace.map(&i64::from(contributions)).expect("a loss") <= epsilon.get());
        }
    }
}
