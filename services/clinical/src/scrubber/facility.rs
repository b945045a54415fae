//! What the name of a hospital, a clinic or another facility is, within the words around it.

use std::ops::Range;

use super::context::{listed, word_before};
use super::lexicon::{Classes, Lexicon};
use super::places::NAME_STARTS;
use super::token::{fold, tokens};

/// Where the name of a facility starts; `None` where only its kind is said (`Pain Clinic`, `The Hospital`).
pub(crate) fn own_name(lexicon: &Lexicon, text: &str, run: &Range<usize>) -> Option<usize> {
    let words = &text[run.clone()];
    let found = tokens(words);
    let named = found.iter().position(|token| {
        let folded = fold(&words[token.range()]);
        let kind = lexicon.classes(&folded).is(Classes::COMMON.or(Classes::PLACE));
        token.is_capital() && folded.len() > 1 && (!kind || folded == "st" || folded == "saint")
    })?;
    // Capitalised words before it belong to the name (`Good`, `North`, `General`), but not the word that starts the
    // sentence, nor the small words of its grammar.
    let starts_sentence = text[..run.start]
        .trim_end()
        .chars()
        .next_back()
        .is_none_or(|c| matches!(c, '.' | ':' | '!' | '?' | '\n'));
    let mut first = named;
    while let Some(before) = first.checked_sub(1) {
        let token = &found[before];
        let folded = fold(&words[token.range()]);
        let place = lexicon.classes(&folded).is(Classes::PLACE);
        let opening = before == 0 && starts_sentence && !place;
        if !token.is_capital() || opening || listed(GRAMMAR, &folded) {
            break;
        }
        first = before;
    }
    Some(run.start + found[first].start)
}

/// Capitalised words before a facility that are not its name.
const GRAMMAR: &str = "a an and at by discharged dr for from in mr mrs ms of seen the to visited with";

/// Where the name of a facility starts that is made of such words only: `General Hospital` behind `at`, `Children's
/// Hospital of …` before its town.
pub(crate) fn official_name(text: &str, run: &Range<usize>, located: bool) -> Option<usize> {
    let words = &text[run.clone()];
    let last = tokens(words)
        .into_iter()
        .rfind(|token| fold(&words[token.range()]).len() > 1)?;
    let official = listed(OFFICIAL, &fold(&words[last.range()])) && last.is_capital();
    let start = run.start + last.start;
    let led = matches!(word_before(text, start).as_str(), "at" | "to" | "from");
    (official && (led || located)).then_some(start)
}

/// Words that make a facility's official name.
const OFFICIAL: &str =
    "general memorial community regional county university children childrens saint veterans";

/// Whether what stands behind a facility is the name of its place: every word has a capital and none is common.
pub(crate) fn is_own(lexicon: &Lexicon, text: &str, tail: &Range<usize>) -> bool {
    let words = &text[tail.clone()];
    let state = words.rfind(", ").filter(|&at| at > 0).unwrap_or(words.len());
    let titles = Classes::COMMON.or(Classes::TITLE).or(Classes::LABEL);
    tokens(&words[..state]).iter().all(|token| {
        let folded = fold(&words[token.range()]);
        matches!(folded.as_str(), "of" | "in" | "at") && !token.is_capital()
            || token.is_capital() && (!lexicon.classes(&folded).is(titles) || listed(NAME_STARTS, &folded))
    })
}
