//! Known addresses, taken apart and found again.

use std::ops::Range;

use super::hit::Kind;
use super::token::{Case, Token, fold};

/// A run of words to be sought, in folded words.
pub(crate) struct Phrase {
    pub words: Vec<String>,
    /// Also a word of the language: needs a capital.
    pub common: bool,
    pub kind: Kind,
}

/// Types of streets in one form each.
pub(crate) fn street_word(folded: &str) -> String {
    let word = match folded {
        "street" | "saint" => "st",
        "avenue" | "av" => "ave",
        "road" => "rd",
        "boulevard" => "blvd",
        "lane" => "ln",
        "drive" => "dr",
        "court" => "ct",
        "place" => "pl",
        "terrace" => "ter",
        "parkway" => "pkwy",
        "highway" => "hwy",
        "circle" => "cir",
        "square" => "sq",
        "trail" => "trl",
        "north" => "n",
        "south" => "s",
        "east" => "e",
        "west" => "w",
        "apartment" => "apt",
        "suite" => "ste",
        "fort" => "ft",
        "mount" => "mt",
        other => other,
    };
    word.to_owned()
}

pub(crate) fn is_street_type(word: &str) -> bool {
    matches!(
        word,
        "st" | "ave"
            | "rd"
            | "blvd"
            | "ln"
            | "dr"
            | "ct"
            | "pl"
            | "ter"
            | "pkwy"
            | "hwy"
            | "cir"
            | "sq"
            | "trl"
            | "way"
            | "loop"
    )
}

/// The range of `phrase` if it starts at token `at`.
pub(crate) fn phrase_at(text: &str, tokens: &[Token], at: usize, phrase: &Phrase) -> Option<Range<usize>> {
    let found = tokens.get(at..at + phrase.words.len())?;
    if phrase.common && !found.iter().all(|token| matches!(token.case, Case::Title)) {
        return None;
    }
    for (position, (token, word)) in found.iter().zip(&phrase.words).enumerate() {
        if position > 0 {
            let between = text.get(found[position - 1].end..token.start)?;
            if between.len() > 4
                || !between
                    .chars()
                    .all(|c| c.is_whitespace() || matches!(c, '.' | ',' | '-' | '\'' | '#'))
            {
                return None;
            }
        }
        if position > 0 && street_word(&fold(&text[token.range()])) != *word {
            return None;
        }
    }
    Some(found.first()?.start..found.last()?.end)
}
