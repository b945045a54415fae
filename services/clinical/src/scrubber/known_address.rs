//! Known addresses, taken apart and found again.

use std::ops::Range;

use super::hit::Kind;
use super::lexicon::Classes;
use super::token::{Case, Token, fold};
use super::typo::is_near;
use super::words::{Gap, Words};

/// A word of an address: as it was told, folded, and with the types of streets in one form each.
#[derive(Clone)]
pub(crate) struct Part {
    pub told: String,
    pub form: String,
}

impl Part {
    pub(crate) fn new(folded: String) -> Self {
        Self {
            form: street_word(&folded),
            told: folded,
        }
    }

    fn is_number(&self) -> bool {
        self.told.starts_with(|c: char| c.is_ascii_digit())
    }
}

/// A run of words to be sought.
pub(crate) struct Phrase {
    pub words: Vec<Part>,
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
pub(crate) fn phrase_at(words: &Words<'_>, at: usize, phrase: &Phrase) -> Option<Range<usize>> {
    let found = words.tokens.get(at..at + phrase.words.len())?;
    for (position, (token, word)) in found.iter().zip(&phrase.words).enumerate() {
        if position > 0
            && !(is_phrase_gap(words.text, &found[position - 1], token)
                && street_word(&fold(&words.text[token.range()])) == word.form)
        {
            return None;
        }
    }
    if phrase.common && !stands_out(words, at, phrase.words.len()) {
        return None;
    }
    Some(found.first()?.start..found.last()?.end)
}

/// The range of `phrase` if it starts at token `at` with one slip in one of its words ([`is_near`]). What is left of the
/// phrase must speak for it: another word beside the type of street, capitals, or a word that no dictionary has.
pub(crate) fn slip_at(words: &Words<'_>, at: usize, first: &str, phrase: &Phrase) -> Option<Range<usize>> {
    // Nearly every word is refused here.
    let opening = phrase.words.first()?;
    let opens = opening.told == first || opening.form == street_word(first);
    if !opens && !is_slip(&opening.told, first) {
        return None;
    }
    let found = words.tokens.get(at..at + phrase.words.len())?;
    let mut slip = (!opens).then_some(0);
    for (position, (token, word)) in found.iter().zip(&phrase.words).enumerate().skip(1) {
        if !is_phrase_gap(words.text, &found[position - 1], token) {
            return None;
        }
        let folded = fold(&words.text[token.range()]);
        if folded == word.told || street_word(&folded) == word.form {
            continue;
        }
        if slip.is_some() || !is_slip(&word.told, &folded) {
            return None;
        }
        slip = Some(position);
    }
    let slip = slip?;
    let others = phrase
        .words
        .iter()
        .enumerate()
        .filter(|(position, word)| {
            let kind = position + 1 == phrase.words.len() && is_street_type(&word.form);
            *position != slip && !kind
        })
        .count();
    let written = words.list.get(at + slip)?;
    let told = &phrase.words[slip];
    let dictionaries = Classes::COMMON
        .or(Classes::ENGLISH)
        .or(Classes::CLINICAL)
        .or(Classes::EPONYM)
        .or(Classes::ORDINARY);
    let long = told.told.chars().count() > 4 && !told.is_number();
    let unheard = !written.classes.is(dictionaries)
        // A capital within a sentence, of a word that is no everyday one.
        || written.case == Case::Title && !written.classes.is(Classes::COMMON) && written.gap == Gap::Blank;
    let sure =
        others > 0 || long && unheard || phrase.words.len() > 1 && stands_out(words, at, phrase.words.len());
    sure.then(|| found[0].start..found[found.len() - 1].end)
}

/// Whether the `count` words from token `at` on have capitals that their surroundings do not have.
fn stands_out(words: &Words<'_>, at: usize, count: usize) -> bool {
    let case = |at: usize| words.list.get(at).map(|word| word.case);
    let all =
        |wanted: &[Case]| (at..at + count).all(|at| case(at).is_some_and(|case| wanted.contains(&case)));
    // A neighbour of the same clause in capitals.
    let shouts = |neighbour: usize, left: usize| {
        let between = words
            .tokens
            .get(left)
            .zip(words.tokens.get(left + 1))
            .and_then(|(left, right)| words.text.get(left.end..right.start));
        case(neighbour) == Some(Case::Upper) && matches!(between, Some(" " | ", " | "-" | "/" | " - "))
    };
    let shouted =
        at.checked_sub(1).is_some_and(|before| shouts(before, before)) || shouts(at + count, at + count - 1);
    all(&[Case::Title]) || all(&[Case::Upper, Case::Initial]) && !shouted
}

/// Whether `written` is `told` with a slip: of three characters at least, and of the same sort.
fn is_slip(told: &str, written: &str) -> bool {
    told.len().abs_diff(written.len()) < 2
        && told.len() > 2
        && told.as_bytes()[0].is_ascii_digit() == written.as_bytes().first().is_some_and(u8::is_ascii_digit)
        && is_near(told.as_bytes(), written.as_bytes())
}

/// Whether what stands between two tokens may stand within an address.
fn is_phrase_gap(text: &str, left: &Token, right: &Token) -> bool {
    text.get(left.end..right.start).is_some_and(|between| {
        between.len() < 5
            && between
                .chars()
                .all(|c| c.is_whitespace() || matches!(c, '.' | ',' | '-' | '\'' | '#'))
    })
}
