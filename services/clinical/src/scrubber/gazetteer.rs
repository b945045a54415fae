//! Names of large cities and of known centres of care, sought in one pass.

use aho_corasick::{AhoCorasick, BuildError, MatchKind};

use super::context::{listed, word_before};
use super::hit::{Hit, Kind};
use super::lexicon::{Classes, Lexicon};
use super::token::{fold, tokens};
use crate::PhiClass;

/// Words before a place.
const LED: &str = "in from at near to of our the via around outside visiting visited left downtown lives resides city hospital \
    clinic center office address home and branch facility serving";

/// The gazetteer.
pub(crate) struct Gazetteer {
    automaton: AhoCorasick,
    /// For each entry whether it is also a word or a name: such a one needs a word of place before it.
    doubtful: Vec<bool>,
}

impl Gazetteer {
    pub(crate) fn new(lexicon: &Lexicon) -> Result<Self, Box<BuildError>> {
        let entries: Vec<&str> = include_str!("../lexicon/gazetteer.txt")
            .lines()
            .filter(|line| !line.starts_with('#'))
            .collect();
        let doubtful = entries
            .iter()
            .map(|entry| {
                let names = Classes::COMMON
                    .or(Classes::GIVEN)
                    .or(Classes::EPONYM)
                    .or(Classes::GIVEN_WORD);
                !entry.contains([' ', '-'])
                    && lexicon.classes(&fold(entry)).is(names.or(Classes::SURNAME_WORD))
            })
            .collect();
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(entries)
            .map_err(Box::new)?;
        Ok(Self { automaton, doubtful })
    }

    /// The places of `text`, in order.
    pub(crate) fn find(&self, lexicon: &Lexicon, text: &str, hits: &mut Vec<Hit>) {
        for found in self.automaton.find_iter(text) {
            let range = found.range();
            let alone = !text[..range.start]
                .ends_with(|c: char| c.is_alphanumeric() || matches!(c, '-' | '@' | '.'))
                && !text[range.end..].starts_with(|c: char| c.is_alphanumeric() || matches!(c, '-' | '@'));
            let led = listed(LED, &word_before(text, range.start))
                || text[range.end..].starts_with(", ")
                    && text[range.end + 2..].starts_with(char::is_uppercase);
            let doubtful = self
                .doubtful
                .get(found.pattern().as_usize())
                .copied()
                .unwrap_or(true);
            if alone
                && (led || !doubtful && !is_graded(text, range.end))
                && !is_thing(lexicon, text, range.end)
            {
                // `Chicago clinic` is a name in all but its capitals.
                let kind = [" clinic", " hospital", " medical center", " med center"];
                let named = kind
                    .iter()
                    .find(|kind| text[range.end..].starts_with(**kind))
                    .map_or(0, |kind| kind.len());
                hits.push(Hit::found(
                    range.start..range.end + named,
                    PhiClass::Location,
                    Kind::Place,
                ));
            }
        }
    }
}

/// Whether a grade, a score or a result stands behind the place, where nothing says that somebody was there: `Tokyo III`, `Vienna 1.0`,
/// `Ottawa knee negative` are classifications and rules.
fn is_graded(text: &str, end: usize) -> bool {
    let rest = text.get(end..).unwrap_or("");
    let Some(rest) = rest.strip_prefix(' ') else {
        return false;
    };
    let near: String = rest.chars().take(24).collect();
    let mut words = near.split([' ', ',', ';', '\n']);
    let first = words.next().unwrap_or("").trim_end_matches(['.', ':', ')']);
    let roman = !first.is_empty()
        && first.len() < 5
        && first
            .bytes()
            .all(|b| matches!(b, b'I' | b'V' | b'X' | b'a' | b'b' | b'c' | b'A' | b'B' | b'C'));
    let number = first.starts_with(|c: char| c.is_ascii_digit()) && first.len() < 4;
    let result = |word: &str| {
        matches!(
            word.trim_end_matches(['.', ':', ')']),
            "neg" | "pos" | "negative" | "positive" | "rule" | "strain" | "boil" | "scar"
        )
    };
    roman || number || result(first) || words.next().is_some_and(result)
}

/// Whether the place names a thing: `Boston criteria`, `Geneva score`, `Milwaukee brace`.
fn is_thing(lexicon: &Lexicon, text: &str, end: usize) -> bool {
    let rest = text.get(end..).unwrap_or("");
    let near: String = rest.chars().take(40).collect();
    if near.starts_with(['.', ',', ';', '\n']) {
        return false;
    }
    tokens(&near).iter().take(2).any(|token| {
        let word = fold(&near[token.range()]);
        lexicon.classes(&word).is(Classes::EPONYM_NOUN)
            || listed(
                "bowel brace consensus definition guidelines heart mild moderate naming protocol revised score scoring severe staging system v virus",
                &word,
            )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> Vec<&str> {
        let lexicon = Lexicon::new();
        let mut hits = Vec::new();
        Gazetteer::new(&lexicon)
            .expect("entries build")
            .find(&lexicon, text, &mut hits);
        hits.into_iter().map(|hit| &text[hit.range]).collect()
    }

    #[test]
    fn cities_and_centres_are_found() {
        assert_eq!(
            places("moved from Chicago to San Antonio"),
            ["Chicago", "San Antonio"]
        );
        assert_eq!(places("treated at Johns Hopkins"), ["Johns Hopkins"]);
        assert_eq!(places("back in Austin again"), ["Austin"]);
        assert_eq!(places("at the Chicago clinic"), ["Chicago clinic"]);
    }

    #[test]
    fn things_and_persons_are_left() {
        for text in [
            "Boston criteria",
            "the Milwaukee brace",
            "Austin Moore prosthesis",
            "Chicagoan",
            "Geneva score",
            "Mobile mass",
            "revised Geneva score",
            "Tokyo III, Vienna 1.0",
            "Ottawa knee neg",
        ] {
            assert!(places(text).is_empty(), "{text}: {:?}", places(text));
        }
    }
}
