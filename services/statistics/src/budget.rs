//! How much may be told in all.

use crate::Epsilon;

/// A privacy budget over some period and data: what may be spent, and what was.
///
/// Not `Clone`: a copy could be spent twice.
/// ```compile_fail
/// fn twice(budget: statistics::Budget) -> (statistics::Budget, statistics::Budget) { (budget.clone(), budget) }
/// ```
/// The twin that compiles:
/// ```
/// fn once(budget: statistics::Budget) -> statistics::Budget { budget }
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct Budget {
    total: Epsilon,
    spent_nanos: u64,
}

/// A part of a budget, spent: what [`crate::publish`] takes. Comes from [`Budget::spend`] alone, and is used up once.
/// ```compile_fail
/// fn forge(epsilon: statistics::Epsilon) -> statistics::Spend { statistics::Spend(epsilon) }
/// ```
/// ```
/// fn earn(budget: &mut statistics::Budget, epsilon: statistics::Epsilon) -> Result<statistics::Spend, statistics::Exhausted> { budget.spend(epsilon) }
/// ```
#[must_use = "it is spent, whether it is used or not"]
#[derive(Debug, PartialEq, Eq)]
pub struct Spend(Epsilon);

/// The budget does not hold that much any more. Nothing was spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("asked for {asked_nanos} billionths of epsilon, {left_nanos} are left")]
pub struct Exhausted {
    /// Asked for, in 10⁻⁹.
    pub asked_nanos: u64,
    /// Left, in 10⁻⁹.
    pub left_nanos: u64,
}

/// More was spent than there is: the stored numbers are wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the budget says that {spent_nanos} billionths of {total_nanos} are spent")]
pub struct Overspent {
    /// Spent, in 10⁻⁹.
    pub spent_nanos: u64,
    /// In all, in 10⁻⁹.
    pub total_nanos: u64,
}

impl Budget {
    /// A budget of which nothing is spent.
    #[must_use]
    pub const fn new(total: Epsilon) -> Self {
        Self {
            total,
            spent_nanos: 0,
        }
    }

    /// Back from storage.
    ///
    /// # Errors
    /// [`Overspent`].
    pub const fn restore(total: Epsilon, spent_nanos: u64) -> Result<Self, Overspent> {
        if spent_nanos > total.nanos() {
            return Err(Overspent {
                spent_nanos,
                total_nanos: total.nanos(),
            });
        }
        Ok(Self { total, spent_nanos })
    }

    /// Takes `epsilon` out. Losses add up (Dwork and Roth 2014, Theorem 3.16).
    ///
    /// # Errors
    /// [`Exhausted`] when less is left; nothing is spent then.
    pub const fn spend(&mut self, epsilon: Epsilon) -> Result<Spend, Exhausted> {
        let left_nanos = self.left_nanos();
        if epsilon.nanos() > left_nanos {
            return Err(Exhausted {
                asked_nanos: epsilon.nanos(),
                left_nanos,
            });
        }
        self.spent_nanos += epsilon.nanos();
        Ok(Spend(epsilon))
    }

    /// In all.
    #[must_use]
    pub const fn total(&self) -> Epsilon {
        self.total
    }

    /// Spent, in 10⁻⁹: what is stored.
    #[must_use]
    pub const fn spent_nanos(&self) -> u64 {
        self.spent_nanos
    }

    /// Left, in 10⁻⁹.
    #[must_use]
    pub const fn left_nanos(&self) -> u64 {
        // Subtraction safety: neither `restore` nor `spend` lets more be spent than there is.
        self.total.nanos() - self.spent_nanos
    }
}

impl Spend {
    /// How much.
    #[must_use]
    pub const fn epsilon(&self) -> Epsilon {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn epsilon(value: f64) -> Epsilon {
        Epsilon::new(value).expect("a good epsilon")
    }

    #[test]
    fn ten_tenths_are_one_and_not_more() {
        let mut budget = Budget::new(epsilon(1.0));
        for _ in 0..10 {
            assert_eq!(budget.spend(epsilon(0.1)), Ok(Spend(epsilon(0.1))));
        }
        let refused = budget.spend(epsilon(1e-9));
        assert_eq!(
            refused,
            Err(Exhausted {
                asked_nanos: 1,
                left_nanos: 0
            })
        );
        assert_eq!(budget.spent_nanos(), budget.total().nanos());
    }

    #[test]
    fn a_refusal_costs_nothing() {
        let mut budget = Budget::new(epsilon(1.0));
        assert!(budget.spend(epsilon(1.1)).is_err());
        assert_eq!(budget.left_nanos(), 1_000_000_000);
        assert!(budget.spend(epsilon(1.0)).is_ok());
    }

    #[test]
    fn wrong_stored_numbers_are_refused() {
        let wrong = Overspent {
            spent_nanos: 1_000_000_001,
            total_nanos: 1_000_000_000,
        };
        assert_eq!(Budget::restore(epsilon(1.0), 1_000_000_001), Err(wrong));
    }

    proptest! {
        #[test]
        fn never_more_than_the_total(total in 1..1000_u64, asks in prop::collection::vec(1..400_u64, 0..20)) {
            let mut budget = Budget::new(Epsilon::from_nanos(total).expect("in range"));
            let mut given = 0;
            for ask in asks {
                let before = budget.left_nanos();
                match budget.spend(Epsilon::from_nanos(ask).expect("in range")) {
                    Ok(spend) => given += spend.epsilon().nanos(),
                    Err(_) => prop_assert!(ask > before),
                }
                prop_assert_eq!(budget.spent_nanos(), given);
                prop_assert!(given <= total);
                let restored = Budget::restore(budget.total(), budget.spent_nanos());
                prop_assert_eq!(restored.as_ref(), Ok(&budget));
            }
        }
    }
}
