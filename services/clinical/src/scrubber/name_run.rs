//! Which of the words that follow each other are one name.

use std::ops::Range;

use super::lexicon::{Classes, is_placeholder};
use super::names::{Names, is_colon};
use super::token::{Case, is_name_gap};
use super::words::{WordSet, hashes};

/// Words of a name at most, with initials.
pub(super) const LONGEST: usize = 5;

/// Words behind a title that go on with the sentence: `Dr. will call`, `Nurse to notify`.
static GRAMMAR: WordSet = WordSet::new(|| {
    hashes(
        "a an and appointment as at aware by called for from had has he if in is manager may name not noted notes \
    notification notified of office on or patient phone please practitioner reports she staff states station the they to visit \
    was who will with",
    )
});

/// How much the context already says that a name follows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// A title: even an eponym or a small-lettered word may be the name.
    Title,
    /// A label or a relation: a capitalised word that is no common word.
    Label,
    /// A verb that also takes services (`discussed with Surgery`): two words, or a word and an initial.
    Verb,
}

impl Names<'_> {
    /// Two words or more that nobody knows, with capitals, behind a preposition or a colon: what is not provably
    /// something else is a name (the inverted list of Philter, Norgeot et al. 2020, here only in such places).
    pub(super) fn unknown(&self, at: usize) -> Option<Range<usize>> {
        let range = self.run(at, Trust::Verb)?;
        let known = Classes::EPONYM.or(Classes::PLACE).or(Classes::EPONYM_NOUN);
        let mut words = 0;
        for token in at..(at + 2 * LONGEST).min(self.tokens.len()) {
            if self.tokens[token].start >= range.end {
                let thing =
                    self.is(token, known) && self.gap_after(token - 1) == " " && self.is_capital(token);
                return (words > 1 && !thing).then_some(range);
            }
            match self.case(token) {
                Some(Case::Title) if !self.is(token, known) && !is_technical(&self.folded(token)) => {
                    words += 1;
                }
                Some(Case::Initial) => words += usize::from(words > 0),
                _ if self.is(token, Classes::PARTICLE) => {}
                _ => return None,
            }
        }
        (words > 1).then_some(range)
    }

    /// The run of words from `first` on that is a name, under the given trust.
    pub(super) fn run(&self, first: usize, trust: Trust) -> Option<Range<usize>> {
        let (mut words, mut initials) = (0, 0);
        let mut end = first;
        for at in first..self.tokens.len().min(first + 2 * LONGEST) {
            if words + initials == LONGEST || (at > first && !self.goes_on(at, trust, words, initials)) {
                break;
            }
            let token = &self.tokens[at];
            let particle = self.is(at, Classes::PARTICLE)
                && (self.is_capital(at + 1) || self.is(at + 1, Classes::PARTICLE))
                && self.gap_after(at) == " ";
            if particle && (at > first || token.is_capital()) {
                continue;
            }
            match token.case {
                Case::Initial if self.gap_after(at).is_empty() && at + 1 < self.tokens.len() => break,
                Case::Initial if words > 0 || self.is_initial(at) => initials += 1,
                // `Dr. A.` hides the name already, but not from those who know the ward.
                Case::Initial if trust == Trust::Title && self.gap_after(at).starts_with('.') => {
                    initials += 1;
                }
                Case::Title | Case::Upper if self.is_name(at, first, trust) => words += 1,
                Case::Lower if trust == Trust::Title && at == first && self.is_small_name(at) => words += 1,
                _ => break,
            }
            end = at + 1;
        }
        let enough = match trust {
            Trust::Title => {
                words > 0 || initials > 1 || (initials == 1 && self.gap_after(first).starts_with('.'))
            }
            Trust::Label => words > 0 || initials > 1,
            Trust::Verb => words > 1 || (words == 1 && initials > 0),
        };
        let (start, last) = (self.tokens.get(first)?, self.tokens.get(end.checked_sub(1)?)?);
        (enough && end > first).then_some(start.start..last.end)
    }

    /// Whether what stands before the token at `at` may stand inside a name.
    fn goes_on(&self, at: usize, trust: Trust, words: usize, initials: usize) -> bool {
        let between = self.gap_after(at - 1);
        if !is_name_gap(between) || between.contains(['_', '^']) {
            return false;
        }
        if between.contains(',') {
            // A comma inside a name stands behind the family name alone.
            let likely =
                trust == Trust::Label || self.is(at, Classes::GIVEN) || self.case(at) == Some(Case::Initial);
            let alike = trust == Trust::Label
                || self.case(at) == self.case(at - 1)
                || self.case(at) == Some(Case::Initial);
            return words == 1 && initials == 0 && likely && alike && !self.is(at, Classes::CREDENTIAL);
        }
        if between.contains('\n') && (self.case(at) != self.case(at - 1) || is_colon(self.gap_after(at))) {
            return false;
        }
        // A full stop inside a name stands behind an initial.
        !between.contains('.') || self.case(at - 1) == Some(Case::Initial)
    }

    /// Whether a lone letter at the start of a run is an initial: a point or a name follows, and it is no pronoun.
    fn is_initial(&self, at: usize) -> bool {
        let followed = self.is_capital(at + 1) || self.is(at + 1, Classes::PARTICLE);
        (self.gap_after(at).starts_with('.') || self.gap_after(at) == " ")
            && followed
            && self.folded(at) != "i"
    }

    /// `XXXX`, where something was taken out before.
    fn is_placeholder(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| {
            let written = &self.text.as_bytes()[token.range()];
            matches!(written.first(), Some(b'x' | b'X')) && is_placeholder(&self.folded(at))
        })
    }

    fn is_name(&self, at: usize, first: usize, trust: Trust) -> bool {
        if self.is(at, Classes::TITLE) || self.is_placeholder(at) {
            return false;
        }
        // `Karen White`, `J. Brown`.
        if at > first && self.is(at, Classes::SURNAME_WORD) {
            let initial = self.case(at - 1) == Some(Case::Initial);
            let given =
                self.is(at - 1, Classes::GIVEN.or(Classes::GIVEN_WORD)) && self.case(at) == self.case(at - 1);
            if given || (initial && self.case(at) == Some(Case::Title)) {
                return !self.is(at + 1, Classes::EPONYM_NOUN);
            }
        }
        if at == first && self.is_given_word(at, trust == Trust::Label) {
            return true;
        }
        if self.is(at, Classes::COMMON) {
            // Behind a title even a common word is a name (`Dr. Black`), unless a sentence goes on with it.
            return trust == Trust::Title && at == first && !self.among(at, &GRAMMAR);
        }
        if trust != Trust::Title && self.is_eponymous(at) {
            return false;
        }
        // Roman numerals and abbreviations of two letters are names only behind a title.
        let upper = self.case(at) == Some(Case::Upper);
        let credential = at > first && upper && self.is(at, Classes::CREDENTIAL);
        !credential && (trust == Trust::Title || !upper || self.length(at) > 2)
    }

    /// Whether a given name that is also a word is a name here: a capital and another name behind it.
    pub(super) fn is_given_word(&self, at: usize, labelled: bool) -> bool {
        let named = match self.case(at + 1) {
            Some(Case::Title) => {
                !self.is(
                    at + 1,
                    Classes::COMMON.or(Classes::EPONYM_NOUN).or(Classes::PLACE),
                ) || labelled && self.is(at + 1, Classes::SURNAME_WORD)
            }
            Some(Case::Initial) => self.gap_after(at + 1).starts_with(['.', ',']),
            _ => false,
        };
        self.is(at, Classes::GIVEN_WORD)
            && self.case(at) == Some(Case::Title)
            && self.gap_after(at) == " "
            && named
    }

    /// A name in small letters behind a title that is not in capitals (`MR arthrogram`, `MS lesions`).
    fn is_small_name(&self, at: usize) -> bool {
        let shouted = at > 0 && self.case(at - 1) == Some(Case::Upper);
        !shouted && !self.is(at, Classes::COMMON) && self.length(at) > 2
    }

    /// Whether the word is a name for a thing here: an eponym with its noun, or within a chain of names for a thing.
    pub(super) fn is_eponymous(&self, at: usize) -> bool {
        // `Wilson's disease`, `Charcot-Marie-Tooth disease`, `Austin Flint murmur`.
        for next in at + 1..at + 4 {
            if !matches!(self.gap_after(next - 1), " " | "-" | "'" | "' " | "\n" | " - ") {
                break;
            }
            if self.is(next, Classes::EPONYM_NOUN) {
                return true;
            }
            if !self.is(next, Classes::EPONYM) && self.folded(next) != "s" {
                break;
            }
        }
        let before =
            self.text[..self.tokens[at].start].ends_with('-') && at > 0 && self.is(at - 1, Classes::EPONYM);
        let behind = self.gap_after(at) == "-" && self.is(at + 1, Classes::EPONYM);
        let named = at > 0
            && is_name_gap(self.gap_after(at - 1))
            && (self.is(at - 1, Classes::GIVEN.or(Classes::GIVEN_WORD))
                || self.case(at - 1) == Some(Case::Initial));
        let alone = !named && !self.is(at, Classes::GIVEN) && !self.is_capital(at + 1);
        let hyphen = before || behind;
        self.is(at, Classes::EPONYM) && (hyphen || alone)
    }
}

/// Endings of clinical and of ordinary words that are no names: where little else says that a name stands here, a word
/// with such an ending is none.
fn is_technical(word: &str) -> bool {
    [
        "itis", "osis", "emia", "pathy", "ectomy", "tomy", "stomy", "pril", "olol", "statin", "azole",
        "mycin", "cillin", "sartan", "mab", "nib", "vir", "gram", "graphy", "scopy", "plasty", "uria",
        "algia", "plegia", "lysis", "penia", "trophy", "oma", "opsy", "tion", "sion", "ment", "ology",
        "ologist", "ical", "ious", "able", "ible", "ular", "aneous", "ness", "ity", "ation", "eutic",
        "amine", "idine", "oxide", "acid", "sulfate", "phate", "gery", "rrhea", "oscope", "ment", "ing",
        "ated", "ised", "ized",
    ]
    .iter()
    .any(|ending| word.len() > ending.len() + 1 && word.ends_with(ending))
}
