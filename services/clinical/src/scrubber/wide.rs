//! Places too wide to be identifiers: states, countries, continents.

use super::token::{fold_into, tokens};

/// Names, one a line, folded and sorted behind the comment.
const COUNTRIES: &str = include_str!("../lexicon/countries.txt");

/// The list of [`is_wide`].
pub(crate) struct Wide(Vec<&'static str>);

impl Wide {
    pub(crate) fn new() -> Self {
        Self(COUNTRIES.lines().filter(|line| !line.starts_with('#')).collect())
    }

    /// Whether `name` is the name of a state, a country or a continent, and nothing else.
    pub(crate) fn is_wide(&self, name: &str) -> bool {
        // The longest name has some thirty letters.
        if name.len() > 48 {
            return false;
        }
        let (mut folded, mut word) = (String::with_capacity(name.len()), String::new());
        for token in tokens(name) {
            fold_into(&name[token.range()], &mut word);
            if !folded.is_empty() {
                folded.push(' ');
            }
            folded.push_str(&word);
        }
        self.0.binary_search(&folded.as_str()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_and_states_are_wide_and_cities_are_not() {
        let wide = Wide::new();
        assert!(wide.0.is_sorted() && wide.0.len() > 250);
        for name in [
            "Portugal",
            "SOUTH AFRICA",
            "Texas",
            "Côte d'Ivoire",
            "new  jersey",
            "Guinea-Bissau",
        ] {
            assert!(wide.is_wide(name), "{name}");
        }
        for name in [
            "Oakville",
            "York",
            "New York",
            "South",
            "Washington",
            "Acorn, Portugal",
            "",
            "Paris",
        ] {
            assert!(!wide.is_wide(name), "{name}");
        }
    }
}
