//! Numbers about many that say nothing about one: the only user of OpenDP.
//!
//! What it promises: no count leaves without noise, no noise without a spent [`Epsilon`], and no [`Spend`] beyond the
//! [`Budget`]. A [`NoisyTable`] is ε-differentially private (Dwork, McSherry, Nissim and Smith 2006): whether any one person is
//! among the counted changes the probability of any outcome by a factor of e^ε at most. What several tables
//! tell together is bounded by the sum of their ε (Dwork and Roth 2014, Theorem 3.16), which is what the budget adds up.
//!
//! The budget's remainder is the caller's to store, in the transaction that publishes. Noise is drawn from OpenDP's own
//! generator, which cannot be injected.
//!
//! ```
//! use std::num::NonZeroU32;
//! use statistics::{Budget, Counts, Epsilon, publish};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let cells = vec![("normal".to_owned(), 412), ("abnormal".to_owned(), 88)];
//! let counts = Counts::new(cells, NonZeroU32::MIN)?;
//! let mut budget = Budget::new(Epsilon::new(1.0)?);
//!
//! let table = publish(&counts, budget.spend(Epsilon::new(0.5)?)?)?;
//! assert_eq!(table.epsilon(), Epsilon::new(0.5)?);
//! assert_eq!(table.cells().len(), 2);
//! assert!(budget.spend(Epsilon::new(0.6)?).is_err());
//! # Ok(())
//! # }
//! ```

mod budget;
mod counts;
mod epsilon;
mod table;

pub use budget::{Budget, Exhausted, Overspent, Spend};
pub use counts::{Counts, CountsError};
pub use epsilon::{Epsilon, EpsilonError};
pub use table::{NoisyTable, PublishError, publish};
