//! The statistical tagger: which words are names of persons or of places, by the words around them.
//!
//! A linear classifier over hashed features (Weinberger et al. 2009, "Feature hashing for large scale multitask
//! learning"), decided from left to right with its own last decisions among the features (Ratnaparkhi 1996). Words that
//! every dictionary knows and that are written in small letters are not asked about unless a name stands beside them,
//! which makes it as fast as the rules. Its weights were trained by this project (`countersign deid train`), with the
//! threshold set for recall.

mod features;
pub(crate) mod train;

use features::{Context, SLOTS, features};

use super::codes::{is_terminology, is_year};
use super::context::has_unit;
use super::lexicon::{Classes, Lexicon};
use super::token::Case;
use super::words::{Gap, Word, Words};

/// What a word is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub(crate) enum Tag {
    /// Neither name nor place.
    #[default]
    Other = 0,
    /// Part of a person's name.
    Name = 1,
    /// Part of an address, or of the name of a city, a county or a facility.
    Place = 2,
    /// A rule of format found something else here.
    Format = 3,
}

/// A decision and the probability behind it.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Tagged {
    pub tag: Tag,
    /// That the word is a name or a place, 0 to 1.
    pub sure: f32,
}

/// Trained weights: for each slot one for names and one for places, against neither.
pub(crate) struct Tagger {
    weights: Vec<[i16; 2]>,
    scale: f32,
    /// Log-odds that a name or place needs: below 0, because a miss costs more than a needless surrogate.
    threshold: f32,
}

/// Log-odds that a word needs beyond the threshold where its own look speaks against it: small letters in a text that has
/// capitals, capitals like an abbreviation's in a text that has small letters, a term of clinical language that is no
/// frequent name.
fn bar(context: &Context<'_, '_>, word: &Word) -> f32 {
    let names = word
        .classes
        .frequency(Classes::SURNAME)
        .max(word.classes.frequency(Classes::FORENAME));
    let terms = Classes::CLINICAL.or(Classes::EPONYM).or(Classes::SCORE);
    let term = word.classes.is(terms) && names < 2 && !word.classes.is(Classes::CITY);
    let look = match word.case {
        Case::Lower if !context.is_small() => 2.0,
        // In a text without capitals a name looks like any word: those that dictionaries know need more.
        Case::Lower if word.classes.frequency(Classes::ENGLISH) > 1 || word.classes.is(Classes::CLINICAL) => {
            1.5
        }
        Case::Upper if word.length < 5 && names < 3 => match (word.length, context.is_shouted()) {
            (0..3, false) => 2.5,
            (0..3, true) | (_, false) => 1.5,
            _ => 0.0,
        },
        // The names of trials, scores and societies (`KEYNOTE`), in a text that has small letters.
        Case::Upper if names == 0 && !context.is_shouted() => 1.5,
        // Countries and peoples identify nobody.
        Case::Title if word.classes.is(Classes::WIDE) => 1.0,
        _ => 0.0,
    };
    look + if term { 2.0 } else { 0.0 }
}

/// The weights of this build.
const TRAINED: &[u8] = include_bytes!("../lexicon/tagger.bin");

impl Tagger {
    /// The tagger of this build; one that finds nothing where its weights are damaged, which a test excludes.
    pub(crate) fn new() -> Self {
        Self::from_bytes(TRAINED).unwrap_or(Self {
            weights: vec![[0; 2]; SLOTS],
            scale: 0.0,
            threshold: 1.0,
        })
    }

    /// Reads `bytes`: scale and threshold as little-endian `f32`, then runs of a skip (`u16`) and two weights (`i16`) for every slot
    /// that is not zero.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let float = |at: usize| Some(f32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let (scale, threshold) = (float(0)?, float(4)?);
        let mut weights = vec![[0; 2]; SLOTS];
        let mut at = 0_usize;
        for run in bytes.get(8..)?.chunks_exact(6) {
            let part = |at: usize| Some([*run.get(at)?, *run.get(at + 1)?]);
            at += usize::from(u16::from_le_bytes(part(0)?));
            *weights.get_mut(at)? = [i16::from_le_bytes(part(2)?), i16::from_le_bytes(part(4)?)];
            at += 1;
        }
        Some(Self {
            weights,
            scale,
            threshold,
        })
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(self.scale.to_le_bytes());
        bytes.extend(self.threshold.to_le_bytes());
        let mut skipped = 0_u16;
        for weights in &self.weights {
            if *weights == [0; 2] && skipped < u16::MAX {
                skipped += 1;
                continue;
            }
            bytes.extend(skipped.to_le_bytes());
            bytes.extend(weights.iter().flat_map(|weight| weight.to_le_bytes()));
            skipped = 0;
        }
        bytes
    }

    /// Tags every word. `covered` says for each word what a rule found there already.
    pub(crate) fn tag(&self, lexicon: &Lexicon, words: &Words<'_>, covered: &[Tag]) -> Vec<Tagged> {
        let mut tags = vec![Tagged::default(); words.list.len()];
        let context = Context::new(words, covered);
        for at in 0..words.list.len() {
            let found = covered.get(at).copied().unwrap_or_default();
            if found != Tag::Other {
                tags[at] = Tagged {
                    tag: found,
                    sure: 1.0,
                };
                continue;
            }
            let history = [back(&tags, at, 1), back(&tags, at, 2)];
            if !is_asked(words, at, history[0], context.is_small()) || is_term(lexicon, words, at) {
                continue;
            }
            let mut sums = [0_i32; 2];
            features(&context, at, history, |slot| {
                let [name, place] = self.weights[slot & (SLOTS - 1)];
                sums[0] += i32::from(name);
                sums[1] += i32::from(place);
            });
            // A letter alone is an initial beside a name or a title; elsewhere it is a grade, a type or a lead.
            let alone = words.list[at].case == Case::Initial
                && history[0] != Tag::Name
                && !words
                    .list
                    .get(at + 1)
                    .is_some_and(|next| matches!(next.case, Case::Title | Case::Initial))
                && !at
                    .checked_sub(1)
                    .is_some_and(|at| words.list[at].classes.is(Classes::TITLE));
            let bar = bar(&context, &words.list[at]) + if alone { 2.0 } else { 0.0 };
            tags[at] = self.decide(sums, bar);
        }
        tags
    }

    #[expect(clippy::cast_precision_loss, reason = "sums of some fifty i16 fit f32")]
    fn decide(&self, sums: [i32; 2], bar: f32) -> Tagged {
        let [name, place] = sums.map(|sum| sum as f32 * self.scale);
        // Log-odds of either against neither.
        let (name_exp, place_exp) = (name.exp(), place.exp());
        let odds = name_exp + place_exp;
        let tag = match (odds.ln() >= self.threshold + bar, name >= place) {
            (false, _) => Tag::Other,
            (true, true) => Tag::Name,
            (true, false) => Tag::Place,
        };
        Tagged {
            tag,
            sure: if odds.is_finite() {
                odds / (1.0 + odds)
            } else {
                1.0
            },
        }
    }
}

fn back(tags: &[Tagged], at: usize, steps: usize) -> Tag {
    at.checked_sub(steps)
        .and_then(|at| tags.get(at))
        .map_or(Tag::Other, |tagged| tagged.tag)
}

/// Whether a word is worth asking about: every word but those of dictionaries in small letters, and every one that
/// follows a name or a place. In a text without capitals (`small`) also every word that is a name besides.
fn is_asked(words: &Words<'_>, at: usize, last: Tag, small: bool) -> bool {
    let Some(word) = words.list.get(at) else {
        return false;
    };
    if word.length > LONGEST {
        return false;
    }
    let follows = matches!(last, Tag::Name | Tag::Place) && word.gap != Gap::Start;
    match word.case {
        Case::Lower => {
            let ordinary = word
                .classes
                .is(Classes::COMMON.or(Classes::CLINICAL).or(Classes::PLACE))
                || word.classes.frequency(Classes::ENGLISH) > 1
                || word.length < 2;
            let names = Classes::SURNAME.or(Classes::FORENAME).or(Classes::CITY);
            follows || !ordinary || small && word.classes.is(names) && word.length > 1
        }
        Case::Digits => {
            let token = &words.tokens[at];
            let year = is_year(words.text.get(token.range()).unwrap_or(""));
            (follows || may_be_house(words, at)) && !(year && last != Tag::Place) && !is_coded(words, at)
        }
        // `Ki-67`, `L858R`, `S1` are no initials.
        _ if word.length < 3 && is_joined(words, at) => false,
        // A run of X is what an earlier de-identification left.
        _ => !(word.classes.is(Classes::COMMON) && word.suffixes[0] == XX),
    }
}

/// Whether a number stands right before or behind a word, with at most a hyphen between.
fn is_joined(words: &Words<'_>, at: usize) -> bool {
    let number = |at: usize| words.list.get(at).is_some_and(|word| word.case == Case::Digits);
    let glued = |at: usize| {
        words
            .list
            .get(at)
            .is_some_and(|word| matches!(word.gap, Gap::Nothing | Gap::Hyphen))
    };
    (at > 0 && number(at - 1) && glued(at)) || (number(at + 1) && glued(at + 1))
}

/// Letters of the longest name.
const LONGEST: u8 = 60;

/// The suffix `xx`.
const XX: u32 = 0x7878;

/// Whether a word is a name in a clinical term (`Quill's disease`, `Quill-Acorn syndrome`): one of the next words makes it
/// one, and no title stands before it.
pub(super) fn is_term(lexicon: &Lexicon, words: &Words<'_>, at: usize) -> bool {
    let Some(word) = words.list.get(at) else {
        return false;
    };
    if word.case == Case::Lower || word.case == Case::Digits {
        return false;
    }
    let titled =
        at > 0 && words.list[at - 1].classes.is(Classes::TITLE) && matches!(word.gap, Gap::Blank | Gap::Stop);
    if !titled && word.classes.is(Classes::SCORE) && is_graded(words, at) {
        return true;
    }
    if !titled && word.classes.is(EPONYMS) && (is_sized(words, at) || is_enumerated(words, at)) {
        return true;
    }
    !titled
        && (at + 1..at + 4)
            .take_while(|&next| {
                words.list.get(next).is_some_and(|next| {
                    matches!(next.gap, Gap::Blank | Gap::Hyphen | Gap::Quote | Gap::Nothing)
                })
            })
            .any(|next| lexicon.is_term(word.hash, words.list[next].hash))
}

/// Names that clinical language has words of.
const EPONYMS: Classes = Classes::EPONYM.or(Classes::SCORE);

/// Whether a size follows (`Blake 19 Fr`).
fn is_sized(words: &Words<'_>, at: usize) -> bool {
    let (Some(next), Some(token)) = (words.list.get(at + 1), words.tokens.get(at + 1)) else {
        return false;
    };
    if next.gap == Gap::Hyphen && next.case == Case::Title && next.classes.is(EPONYMS) {
        return is_sized(words, at + 1);
    }
    next.case == Case::Digits && next.gap == Gap::Blank && has_unit(words.text, token.end)
}

/// Names in a row that are looked at on either side.
const ROW: usize = 8;

/// Whether a word stands in a row of eponyms of which one at least is no frequent name (`Wilson, Quincke and Duroziez signs`).
fn is_enumerated(words: &Words<'_>, at: usize) -> bool {
    let rare = |at: usize| {
        let word = &words.list[at];
        let names = word
            .classes
            .frequency(Classes::SURNAME)
            .max(word.classes.frequency(Classes::FORENAME));
        word.classes.is(EPONYMS) && names < 2
    };
    let joins = |at: usize| {
        words
            .list
            .get(at)
            .is_some_and(|word| matches!(word.gap, Gap::Comma | Gap::Slash | Gap::Hyphen | Gap::Blank))
    };
    let link = |at: usize| {
        words
            .tokens
            .get(at)
            .and_then(|token| words.text.get(token.range()))
            .is_some_and(|word| matches!(word, "and" | "or" | "nor"))
    };
    let eponym = |at: usize| {
        words
            .list
            .get(at)
            .is_some_and(|word| word.case == Case::Title && word.classes.is(EPONYMS))
    };
    // Two names with a blank between are one, and no row.
    let listed = |at: usize| words.list[at].gap != Gap::Blank;
    let mut next = at + 1;
    while next < at + ROW && joins(next) && (link(next) || eponym(next) && (listed(next) || link(next - 1))) {
        if !link(next) && rare(next) {
            return true;
        }
        next += 1;
    }
    let mut before = at;
    while before > 0 && before + ROW > at && joins(before) {
        let by_link = link(before - 1);
        if !(by_link || eponym(before - 1) && (listed(before) || link(before))) {
            break;
        }
        before -= 1;
        if !by_link && rare(before) {
            return true;
        }
    }
    false
}

/// Words between the name of a score and its value, or behind it.
const GRADES: [&str; 16] = [
    "grade",
    "class",
    "classification",
    "stage",
    "score",
    "scale",
    "type",
    "criteria",
    "index",
    "group",
    "level",
    "stool",
    "rule",
    "and",
    "category",
    "risk",
];

/// Whether a value follows the name of a score (`Fisher 3`, `Mallampati class II`, `Child-Pugh B`, `Hunt and Hess 2`).
fn is_graded(words: &Words<'_>, at: usize) -> bool {
    for next in at + 1..at + 4 {
        let (Some(word), Some(token)) = (words.list.get(next), words.tokens.get(next)) else {
            return false;
        };
        if !matches!(word.gap, Gap::Blank | Gap::Hyphen | Gap::Colon | Gap::Nothing) {
            return false;
        }
        let written = words.text.get(token.range()).unwrap_or("");
        let value = word.case == Case::Digits && word.length < 3
            || matches!(
                written,
                "A" | "B"
                    | "C"
                    | "D"
                    | "E"
                    | "I"
                    | "II"
                    | "III"
                    | "IV"
                    | "V"
                    | "VI"
                    | "IIA"
                    | "IIB"
                    | "IIIA"
                    | "IIIB"
            );
        let named = GRADES.iter().any(|grade| written.eq_ignore_ascii_case(grade));
        if value || named && !written.eq_ignore_ascii_case("and") {
            return true;
        }
        if !named && !word.classes.is(Classes::SCORE) {
            return false;
        }
    }
    false
}

/// Whether a number is a code of a terminology, which names no place: its name stands before it.
fn is_coded(words: &Words<'_>, at: usize) -> bool {
    at.checked_sub(1)
        .and_then(|before| words.tokens.get(before))
        .is_some_and(|token| is_terminology(words.text.get(token.range()).unwrap_or("")))
}

/// Whether a number may belong to an address: a word with a capital or unknown to dictionaries stands behind it.
fn may_be_house(words: &Words<'_>, at: usize) -> bool {
    let next = |steps: usize| {
        words.list.get(at + steps).is_some_and(|word: &Word| {
            matches!(word.gap, Gap::Blank | Gap::Comma | Gap::Nothing)
                && (matches!(word.case, Case::Title | Case::Upper)
                    || (word.case == Case::Lower
                        && !word
                            .classes
                            .is(Classes::ENGLISH.or(Classes::CLINICAL).or(Classes::COMMON))))
        })
    };
    let number = words
        .list
        .get(at + 1)
        .is_some_and(|word| word.case == Case::Digits);
    next(1) || (number && next(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eponyms_in_a_row_and_with_a_size_are_terms() {
        let lexicon = Lexicon::new();
        for (text, is) in [
            ("Wilson, Quincke and Duroziez", true),
            ("Quincke or Wilson", true),
            ("Blake 19 Fr", true),
            ("Jackson-Pratt 10 mL", true),
            ("Dr. Wilson, Quincke", false),
            ("Wilson agrees", false),
        ] {
            let words = Words::new(text, &lexicon);
            let at = (0..words.list.len())
                .find(|&at| {
                    let written = &text[words.tokens[at].range()];
                    matches!(written, "Wilson" | "Blake" | "Jackson")
                })
                .expect("is there");
            assert_eq!(is_term(&lexicon, &words, at), is, "{text}");
        }
    }

    #[test]
    fn weights_survive_their_file() {
        let mut weights = vec![[0; 2]; SLOTS];
        weights[3] = [-7, 300];
        weights[SLOTS - 1] = [1, -1];
        let tagger = Tagger {
            weights,
            scale: 0.5,
            threshold: -1.25,
        };
        let back = Tagger::from_bytes(&tagger.to_bytes()).expect("reads what it wrote");
        assert_eq!(back.weights, tagger.weights);
        assert_eq!((back.scale, back.threshold), (0.5, -1.25));
        assert!(Tagger::from_bytes(&[1, 2]).is_none());
    }
}
