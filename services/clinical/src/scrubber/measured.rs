//! Finds of the tagger that are measurements, times of day or letters of a heading: numbers and letters say little to a classifier of
//! names, which sees a capital beside a number and thinks of a street (`Blake 19 Fr`, `Meds given 0830`, `O: lungs clear`).

use std::ops::Range;

use super::context::{goes_on, has_unit, is_unit, listed, word_after};
use super::hit::Hit;
use super::lexicon::Classes;
use super::redaction::Finder;
use super::token::{Case, fold};
use super::words::Words;
use crate::PhiClass;

/// Words behind a number that is an age, a span of time or a count.
pub(super) const SPANS: &str = "am day days degrees episodes f female m male month months mo pm point points times week weeks wk wks y year \
    years yo yr yrs";

/// Digits of a number that is a postal code even with nothing beside it.
const POSTAL: u8 = 5;

/// Takes measurements out of the tagger's finds in `hits`, and drops those of which no word is left and that stand beside no other
/// name or place.
pub(super) fn without(words: &Words<'_>, hits: &mut Vec<Hit>) {
    let own: Vec<Hit> = hits
        .extract_if(.., |hit| hit.finder == Finder::Tagger && is_doubtful(words, hit))
        .collect();
    if own.is_empty() {
        return;
    }
    let mut kept = Vec::with_capacity(own.len());
    for hit in own {
        for part in parts(words, &hit) {
            let range = words.tokens[part.start].start..words.tokens[part.end - 1].end;
            kept.push(Hit { range, ..hit.clone() });
        }
    }
    // A number or a letter stays where a word stands beside it.
    let named = |hit: &&Hit| matches!(hit.class, PhiClass::Name | PhiClass::Location);
    let sure: Vec<Range<usize>> = hits
        .iter()
        .filter(named)
        .chain(kept.iter().filter(|hit| is_worded(words, hit)))
        .map(|hit| hit.range.clone())
        .collect();
    let near = |left: usize, right: usize| {
        words.text.get(left..right).is_some_and(|between| {
            between.len() < 3
                && between
                    .chars()
                    .all(|c| matches!(c, ' ' | ',' | '.' | '\n' | '-' | '/'))
        })
    };
    kept.retain(|hit| {
        is_worded(words, hit)
            || sure
                .iter()
                .any(|other| near(other.end, hit.range.start) || near(hit.range.end, other.start))
    });
    hits.append(&mut kept);
}

fn tokens(words: &Words<'_>, range: &Range<usize>) -> Range<usize> {
    let first = words.tokens.partition_point(|token| token.end <= range.start);
    let end = words.tokens.partition_point(|token| token.start < range.end);
    first..end.max(first)
}

/// Whether a find has a number in it, or is a letter.
fn is_doubtful(words: &Words<'_>, hit: &Hit) -> bool {
    let tokens = tokens(words, &hit.range);
    tokens.len() == 1 && words.list[tokens.start].length == 1
        || tokens.clone().any(|at| words.list[at].case == Case::Digits)
}

/// Whether a word of two letters or more is in it, or a number as long as a postal code.
fn is_worded(words: &Words<'_>, hit: &Hit) -> bool {
    let own = tokens(words, &hit.range);
    let is_numbered = own.clone().any(|at| words.list[at].case == Case::Digits);
    own.into_iter().any(|at| {
        let word = &words.list[at];
        if word.case != Case::Digits {
            // `20/25 OS`, `BG 178`: capitals beside a number are what was measured.
            let measured = word.case == Case::Upper && word.length < 4 && is_numbered;
            return word.length > 1 && !measured;
        }
        // `WBC 12500` is a count.
        let counted = at.checked_sub(1).is_some_and(|before| {
            let before = &words.list[before];
            before.case == Case::Upper || before.classes.is(Classes::CLINICAL)
        });
        word.length >= POSTAL && !counted
    })
}

/// The runs of words that are left without measurements.
fn parts(words: &Words<'_>, hit: &Hit) -> Vec<Range<usize>> {
    let range = tokens(words, &hit.range);
    let mut parts: Vec<Range<usize>> = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let taken = measured(words, at);
        if taken > 0 {
            at += taken;
            continue;
        }
        match parts.last_mut() {
            Some(last) if last.end == at => last.end = at + 1,
            _ => parts.push(at..at + 1),
        }
        at += 1;
    }
    parts
}

/// How many words at `at` are a measurement: a number and its unit.
fn measured(words: &Words<'_>, at: usize) -> usize {
    let (Some(word), Some(token)) = (words.list.get(at), words.tokens.get(at)) else {
        return 0;
    };
    if word.case != Case::Digits {
        return 0;
    }
    let rest = words.text.get(token.end..).unwrap_or("");
    let decimal = goes_on(words.text, token.end, &['.'])
        || words.text[..token.start].ends_with('.')
            && words.text[..token.start - 1].ends_with(|c: char| c.is_ascii_digit());
    let next = fold(words.written(at + 1));
    let unit = has_unit(words.text, token.end) && !rest.starts_with(['\n', '\r']);
    if unit || listed(SPANS, &word_after(words.text, token.end)) {
        return 1 + usize::from(is_unit(&next) || listed(SPANS, &next));
    }
    usize::from(decimal)
}

#[cfg(test)]
mod tests {
    use super::super::hit::Kind;
    use super::super::lexicon::Lexicon;
    use super::super::tests::scrub;
    use super::*;

    #[test]
    fn measurements_are_taken_out_of_finds() {
        let lexicon = Lexicon::new();
        for (text, left) in [
            ("Thornquist 19 Fr", vec!["Thornquist"]),
            ("20/25 OS", vec![]),
            ("BG 178", vec![]),
            ("0830", vec![]),
            ("3 WEEKS", vec![]),
            ("12 Thornquist Road", vec!["12 Thornquist Road"]),
            ("94103", vec!["94103"]),
        ] {
            let words = Words::new(text, &lexicon);
            let mut hit = Hit::found(0..text.len(), PhiClass::Location, Kind::Place);
            hit.finder = Finder::Tagger;
            let mut hits = vec![hit];
            without(&words, &mut hits);
            let found: Vec<&str> = hits.into_iter().map(|hit| &text[hit.range]).collect();
            assert_eq!(found, left, "{text}");
        }
    }

    #[test]
    fn measurements_and_letters_stay() {
        for text in [
            "Drains: Blake 19 Fr, Malecot 24 Fr, Jackson-Pratt 10 mL.",
            "S: no pain. O: lungs clear. A: stable. P: discharge in 3 WEEKS.",
            "Wound 2 x 1.5 cm.",
        ] {
            assert!(
                scrub(text).redactions.is_empty(),
                "{text}: {}",
                scrub(text).note.text()
            );
        }
    }
}
