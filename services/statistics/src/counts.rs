//! Exact counts, before the noise.

use std::{collections::BTreeSet, num::NonZeroU32};

/// Named cells and how many fall into each. Exact, hence about people: neither printed nor serialised; [`crate::publish`] is
/// the way out.
///
/// The names must be fixed before anybody looks at the data, empty cells included: that a cell exists is published as
/// it is. Differential privacy with unknown names needs a threshold mechanism, which this is not.
/// ```compile_fail
/// fn leak(counts: &statistics::Counts) -> String { format!("{counts:?}") }
/// ```
/// ```
/// fn tell(table: &statistics::NoisyTable) -> String { format!("{table:?}") }
/// ```
pub struct Counts {
    pub(crate) names: Vec<String>,
    pub(crate) values: Vec<i64>,
    pub(crate) contributions: NonZeroU32,
}

/// The cells are no table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CountsError {
    /// There are none.
    #[error("a table has at least one cell")]
    Empty,
    /// Two have one name.
    #[error("two cells have one name")]
    SecondName,
    /// One is above 2^53, and no count of people is.
    #[error("a count is too large")]
    TooLarge,
}

impl Counts {
    /// A table of cells by name, in the order to be published. `contributions` is how many of all counted things one person can
    /// be responsible for at most, over all cells together: the caller must have enforced it, and it scales the noise.
    ///
    /// # Errors
    /// [`CountsError`].
    pub fn new(cells: Vec<(String, u64)>, contributions: NonZeroU32) -> Result<Self, CountsError> {
        if cells.is_empty() {
            return Err(CountsError::Empty);
        }
        let distinct: BTreeSet<&str> = cells.iter().map(|cell| cell.0.as_str()).collect();
        if distinct.len() < cells.len() {
            return Err(CountsError::SecondName);
        }
        let (mut names, mut values) = (Vec::with_capacity(cells.len()), Vec::with_capacity(cells.len()));
        for (name, value) in cells {
            // Far from the ends of i64, so that noise does not run into them.
            if value > 1 << 53 {
                return Err(CountsError::TooLarge);
            }
            names.push(name);
            values.push(i64::try_from(value).map_err(|_| CountsError::TooLarge)?);
        }
        Ok(Self {
            names,
            values,
            contributions,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_tables_are_refused() {
        let new = |cells: &[(&str, u64)]| {
            let cells = cells
                .iter()
                .map(|(name, value)| ((*name).to_owned(), *value))
                .collect();
            Counts::new(cells, NonZeroU32::MIN).err()
        };
        assert_eq!(new(&[]), Some(CountsError::Empty));
        assert_eq!(
            new(&[("a", 1), ("b", 2), ("a", 3)]),
            Some(CountsError::SecondName)
        );
        assert_eq!(new(&[("a", u64::MAX)]), Some(CountsError::TooLarge));
        assert_eq!(new(&[("a", 0), ("b", 1 << 53)]), None);
    }
}
