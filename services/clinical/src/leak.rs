//! The leak meter: how much of what identifies a patient the gateway lets through, and how much else it takes.
//!
//! Definitions: *full cover* means that every letter and digit of an identifier is masked; a note *leaks* when one
//! identifier is not fully covered. Intervals are exact (Clopper-Pearson).

mod canary;
mod draws;
mod gold;
mod interval;
mod planted;
mod score;

pub use canary::{Trials, trials};
pub use draws::Draws;
pub use gold::{GoldKnown, GoldNote, GoldSpan};
pub use interval::{clopper_pearson, upper_bound_without_leak};
pub use planted::{Planter, known_names};
pub use score::{Findings, Miss, Recall, Score, Share, code_points};
