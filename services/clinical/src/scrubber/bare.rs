//! A text that is nothing but a value: no sentence says what it is, so that a form which a note would excuse goes too.

use super::codes::is_year;
use super::context::has_unit;
use super::hit::{Hit, Kind};
use super::keys::is_clinical;
use super::lexicon::Classes;
use super::token::Case;
use super::words::{Word, Words};
use crate::PhiClass;

/// Longest value, in bytes.
const LONGEST: usize = 32;

/// Takes the whole of a text that is a short run of digits and capitals with three digits or more: an identifier typed
/// into a search field, a column of a table.
pub(crate) fn find(words: &Words<'_>, hits: &mut Vec<Hit>) {
    let text = words.text.trim();
    let (Some(first), Some(last)) = (words.tokens.first(), words.tokens.last()) else {
        return;
    };
    if text.len() > LONGEST || words.tokens.len() > 9 {
        return;
    }
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let known = Classes::ENGLISH.or(Classes::CLINICAL).or(Classes::COMMON);
    let unknown = |word: &Word| word.case == Case::Digits || word.length < 2 || !word.classes.is(known);
    let capitals = words
        .list
        .iter()
        .all(|word| matches!(word.case, Case::Digits | Case::Upper | Case::Initial) && word.length < 11);
    let signs = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '.'));
    // Mostly digits; or, in words that no list knows, at least one digit and some length.
    let numeric = capitals
        && digits >= 3
        && letters <= digits + 4
        && if letters == 0 {
            digits >= 7
        } else {
            digits + letters >= 5
        };
    let mixed = digits >= 1
        && letters >= 3
        && digits + letters >= 5
        && (words.list.iter().all(unknown) && capitals
            || digits >= 5
                && !text.contains(' ')
                && words.list.iter().any(|word| word.length > 3 && unknown(word)));
    let measured = has_unit(
        text,
        text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len()),
    ) || is_year(text)
        || text.contains('.') && letters == 0 && words.tokens.len() < 3;
    let clinical = text.split(' ').any(is_clinical);
    if signs && (numeric || mixed) && !measured && !clinical {
        hits.push(Hit::found(first.start..last.end, PhiClass::Other, Kind::Code));
    }
}

#[cfg(test)]
mod tests {
    use super::super::lexicon::Lexicon;
    use super::*;

    fn is_value(text: &str) -> bool {
        let lexicon = Lexicon::new();
        let mut hits = Vec::new();
        find(&Words::new(text, &lexicon), &mut hits);
        !hits.is_empty()
    }

    #[test]
    fn bare_values_go_and_bare_measurements_stay() {
        for text in [
            "Q123 ZZD",
            "Q1 ZZQ",
            "ZQ62XYQ",
            "quilb607054sm9ij",
            "2123 45670 1",
            "K101 QQC",
            " 1234 567 893 ",
        ] {
            assert!(is_value(text), "{text}");
        }
        for text in [
            "2019",
            "120",
            "7.35",
            "98.6 F",
            "HER2",
            "T12",
            "no change in 123 days",
            "500 MG",
            "COVID 19",
            "120/80",
            "",
        ] {
            assert!(!is_value(text), "{text}");
        }
    }
}
