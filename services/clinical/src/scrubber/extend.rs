//! What belongs to a find and stands beside it: degrees behind a name, the kind of a facility before it, the rest of a
//! place's name, the country behind an address.

use super::context::{listed, word_before};
use super::hit::{Hit, Kind};
use super::lexicon::Classes;
use super::redaction::Finder;
use super::token::{Case, fold};
use super::wide::Wide;
use super::words::{Gap, Words};
use crate::PhiClass;

/// Degrees and licences behind a name that mean nothing else in capitals.
const DEGREES: [&str; 10] = [
    "MD", "M.D.", "DDS", "DMD", "DVM", "PhD", "RN", "NP", "Esq", "MBBS",
];

/// Kinds of facilities that a find may start with.
const KINDS: &str = "center centre institute hospital clinic";

/// Words before a country that a name of a person does not follow.
const LEADERS: &str = "in to from through across visiting visited";

/// Parts of a facility, which alone name none either.
const PARTS: &str = "floor room suite unit units ward wing";

fn is_kind(name: &str) -> bool {
    let folded = || name.to_ascii_lowercase();
    name.len() < 10 && (listed(KINDS, &folded()) || listed(PARTS, &folded()))
}

/// Capitalised words before a kind that are no part of the facility's name.
const GRAMMAR: &str = "a an and at by from in of our the their this to";

/// Drops finds that are the name of a state, a country or a continent, and lone digits that the tagger took for an address, where
/// no part of an address stands beside them: a journey belongs to the history, and Safe Harbor leaves both (45 CFR 164.514(b)(2)(i)(B)).
pub(super) fn without_wide(wide: &Wide, words: &Words<'_>, hits: &mut Vec<Hit>) {
    let beside = |left: Option<&Hit>, right: Option<&Hit>| {
        left.zip(right).is_some_and(|(left, right)| {
            left.class == PhiClass::Location
                && right.class == PhiClass::Location
                && !(wide.is_wide(&words.text[left.range.clone()])
                    && wide.is_wide(&words.text[right.range.clone()]))
                && words
                    .text
                    .get(left.range.end..right.range.start)
                    .is_some_and(is_address_gap)
        })
    };
    let mut kept: Vec<bool> = Vec::with_capacity(hits.len());
    for (at, hit) in hits.iter().enumerate() {
        let is_wide = !hit.known
            && match hit.class {
                // A kind of facility alone names none.
                PhiClass::Location
                    if hit.finder == Finder::Tagger && is_kind(&words.text[hit.range.clone()]) =>
                {
                    true
                }
                PhiClass::Location => {
                    let number = hit.finder == Finder::Tagger && hit.range.len() == 1;
                    (number || wide.is_wide(&words.text[hit.range.clone()]))
                        && !beside(at.checked_sub(1).and_then(|before| hits.get(before)), Some(hit))
                        && !beside(Some(hit), hits.get(at + 1))
                }
                // Countries that are given names too.
                PhiClass::Name
                    if hit.finder == Finder::Tagger && wide.is_wide(&words.text[hit.range.clone()]) =>
                {
                    listed(LEADERS, &word_before(words.text, hit.range.start))
                }
                // `Puerto` alone is no name, and so `Rico` was taken for one.
                PhiClass::Name if hit.finder == Finder::Tagger => {
                    let first = words.tokens.partition_point(|token| token.end <= hit.range.start);
                    first > 0
                        && gap(words, first) == Gap::Blank
                        && words.text[hit.range.clone()].len() < 12
                        && wide.is_wide(&words.text[words.tokens[first - 1].start..hit.range.end])
                }
                _ => false,
            };
        kept.push(!is_wide);
    }
    let mut kept = kept.into_iter();
    hits.retain(|_| kept.next().unwrap_or(true));
}

/// Makes the finds in `hits` (in order, without overlaps) longer where something beside them belongs to them; they stay in
/// order and without overlaps.
pub(super) fn extend(words: &Words<'_>, hits: &mut [Hit]) {
    // One past the last byte of the address that the finds so far are part of.
    let mut address = None;
    for at in 0..hits.len() {
        let limit = hits.get(at + 1).map_or(words.text.len(), |next| next.range.start);
        let floor = at.checked_sub(1).map_or(0, |before| hits[before].range.end);
        let Some(hit) = hits.get_mut(at) else { break };
        let next = words.tokens.partition_point(|token| token.start < hit.range.end);
        let end = match (hit.class, &hit.kind) {
            (PhiClass::Name, Kind::Name) => degrees(words, hit, next),
            (PhiClass::Location, Kind::Street | Kind::Place | Kind::Code) => {
                let follows = address.is_some_and(|end: usize| {
                    words.text.get(end..hit.range.start).is_some_and(is_address_gap)
                });
                let numbered = words.text[hit.range.clone()].bytes().any(|b| b.is_ascii_digit());
                let first = words.tokens.partition_point(|token| token.end <= hit.range.start);
                let place = matches!(hit.kind, Kind::Place);
                if place && let Some(start) = facility(words, first).filter(|&start| start >= floor) {
                    hit.range.start = start;
                }
                let named = place.then(|| rest(words, next)).flatten();
                let end = (numbered || follows)
                    .then(|| country(words, named.map_or(next, |last| last + 1)))
                    .flatten()
                    .or(named);
                let reach = end.map_or(hit.range.end, |last| words.tokens[last].end.min(limit));
                address = (numbered || follows).then_some(reach.max(hit.range.end));
                end
            }
            _ => None,
        };
        if let Some(end) = end.map(|last| words.tokens[last].end).filter(|&end| end <= limit) {
            hit.range.end = end;
        }
    }
}

fn gap(words: &Words<'_>, at: usize) -> Gap {
    words.list.get(at).map_or(Gap::Start, |word| word.gap)
}

/// The last of the degrees that stand at token `next`, behind a name of a word at least.
fn degrees(words: &Words<'_>, hit: &Hit, next: usize) -> Option<usize> {
    let named = words.tokens[..next]
        .iter()
        .rev()
        .take_while(|token| token.start >= hit.range.start)
        .any(|token| token.is_word() && token.end - token.start > 2);
    (next..next + 3)
        .take_while(|&at| {
            named && matches!(gap(words, at), Gap::Blank | Gap::Comma) && DEGREES.contains(&words.written(at))
        })
        .last()
}

/// Where a facility starts whose kind stands at token `first` (`Center` in `the Spine Center`): at the capitalised word before.
fn facility(words: &Words<'_>, first: usize) -> Option<usize> {
    let kind = words.list.get(first)?;
    let before = first.checked_sub(1)?;
    let (word, token) = (words.list.get(before)?, words.tokens.get(before)?);
    let folded = fold(words.written(before));
    // The first word of a sentence has its capital for another reason.
    let inside = matches!(word.gap, Gap::Blank);
    (kind.case == Case::Title
        && kind.gap == Gap::Blank
        && listed(KINDS, &fold(words.written(first)))
        && word.case == Case::Title
        && inside
        && !listed(GRAMMAR, &folded))
    .then_some(token.start)
}

/// The last word of a place's name that goes on behind a small word (`Villanueva del Roble`).
fn rest(words: &Words<'_>, next: usize) -> Option<usize> {
    let small = (next..next + 2)
        .take_while(|&at| {
            words.list.get(at).is_some_and(|word| {
                word.gap == Gap::Blank
                    && word.case == Case::Lower
                    && word.classes.is(Classes::PARTICLE)
                    && word.classes.frequency(Classes::ENGLISH) < 3
            })
        })
        .last()?;
    let last = words.list.get(small + 1)?;
    (last.gap == Gap::Blank
        && matches!(last.case, Case::Title | Case::Upper)
        && last.length > 2
        && !last.classes.is(Classes::COMMON))
    .then_some(small + 1)
}

/// The last word of the state or country at token `next` that ends an address.
fn country(words: &Words<'_>, next: usize) -> Option<usize> {
    let is_wide = |at: usize| {
        words
            .list
            .get(at)
            .is_some_and(|word| word.classes.is(Classes::WIDE))
    };
    if !matches!(gap(words, next), Gap::Comma | Gap::Line) || !is_wide(next) {
        return None;
    }
    let last = (next + 1..next + 3)
        .take_while(|&at| gap(words, at) == Gap::Blank && is_wide(at))
        .last()
        .unwrap_or(next);
    // `in 2019, German shepherds` is no address.
    let ends = matches!(
        gap(words, last + 1),
        Gap::Start | Gap::Line | Gap::Stop | Gap::Comma | Gap::Bracket
    ) || words
        .list
        .get(last + 1)
        .is_none_or(|word| word.case == Case::Digits || word.case == Case::Lower);
    ends.then_some(last)
}

/// Whether what stands between two parts of an address is no more than a comma or a new line.
pub(super) fn is_address_gap(between: &str) -> bool {
    between.len() < 6 && between.chars().all(|c| c.is_whitespace() || c == ',')
}
