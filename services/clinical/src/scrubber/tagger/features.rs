//! What the tagger looks at.

use super::super::lexicon::Classes;
use super::super::token::Case;
use super::super::words::{Gap, Word, Words};
use super::Tag;

/// Slots of the weights, as a power of two.
pub(super) const BITS: u32 = 19;
/// Slots of the weights.
pub(super) const SLOTS: usize = 1 << BITS;

/// A text with what its words share.
pub(super) struct Context<'w, 't> {
    pub words: &'w Words<'t>,
    covered: &'w [Tag],
    /// Words that the text also writes in small letters, by the low bits of their hash.
    small: [u64; 32],
    /// Share of words in capitals, 0 to 3.
    shouted: u32,
    /// Hardly any word has a capital.
    uncapitalised: bool,
}

impl<'w, 't> Context<'w, 't> {
    pub(super) fn new(words: &'w Words<'t>, covered: &'w [Tag]) -> Self {
        let mut small = [0_u64; 32];
        let (mut upper, mut letters) = (0_usize, 0_usize);
        for word in &words.list {
            match word.case {
                Case::Lower => {
                    letters += 1;
                    let bit = word.hash % 2048;
                    // Remainders of 2048 fit every integer.
                    small[usize::try_from(bit / 64).unwrap_or(0)] |= 1 << (bit % 64);
                }
                Case::Upper => {
                    letters += 1;
                    upper += 1;
                }
                Case::Title => letters += 1,
                Case::Initial | Case::Digits => {}
            }
        }
        let shouted = u32::try_from((upper * 4).checked_div(letters).unwrap_or(0))
            .unwrap_or(0)
            .min(3);
        let capitals = words
            .list
            .iter()
            .filter(|word| matches!(word.case, Case::Title | Case::Initial))
            .count();
        Self {
            words,
            covered,
            small,
            shouted,
            uncapitalised: (capitals + upper) * 40 <= letters,
        }
    }

    /// Whether much of the text is written in capitals.
    pub(super) const fn is_shouted(&self) -> bool {
        self.shouted > 1
    }

    /// Whether the whole text is written in small letters.
    pub(super) const fn is_small(&self) -> bool {
        self.uncapitalised
    }

    fn also_small(&self, word: &Word) -> bool {
        let bit = word.hash % 2048;
        word.case == Case::Title && self.small[usize::try_from(bit / 64).unwrap_or(0)] >> (bit % 64) & 1 == 1
    }
}

/// A word beyond the ends of the text.
const NONE: Word = Word {
    hash: 1,
    prefix: 0,
    suffixes: [0; 3],
    classes: Classes::EMPTY,
    length: 0,
    case: Case::Lower,
    gap: Gap::Start,
};

/// Calls `each` with the slot of every feature of the word at `at`, whose two predecessors were tagged as `history`
/// says, the nearer first.
pub(super) fn features(context: &Context<'_, '_>, at: usize, history: [Tag; 2], mut each: impl FnMut(usize)) {
    let words = &context.words.list;
    let word = |offset: isize| {
        at.checked_add_signed(offset)
            .and_then(|at| words.get(at))
            .unwrap_or(&NONE)
    };
    let (w, before, behind) = (word(0), word(-1), word(1));
    let (before2, behind2, behind3) = (word(-2), word(2), word(3));
    let form = |word: &Word| {
        u64::from(word.case as u8)
            | if word.case == Case::Digits {
                u64::from(word.length.min(7)) << 3
            } else {
                0
            }
    };
    let lists = |word: &Word| u64::from(word.classes.bits());
    let gap = |word: &Word| u64::from(word.gap as u8);
    let tag = |offset: isize| {
        at.checked_add_signed(offset)
            .and_then(|at| context.covered.get(at))
            .map_or(0, |&tag| tag as u64)
    };
    let shape = form(w) | gap(w) << 6 | gap(behind) << 10;
    let (last, last2) = (history[0] as u64, history[1] as u64);
    let mut template = 0_u64;
    let mut put = |a: u64, b: u64| {
        template += 1;
        each(slot(template, a, b));
    };
    // The word itself.
    put(form(w), u64::from(w.length.min(15)));
    put(w.hash, 0);
    put(w.hash, form(w));
    put(u64::from(w.prefix), form(w));
    put(u64::from(w.suffixes[0]), form(w));
    put(u64::from(w.suffixes[1]), form(w));
    put(u64::from(w.suffixes[2]), 0);
    put(lists(w), form(w));
    put(lists(w), shape);
    put(
        u64::from(w.classes.frequency(Classes::SURNAME)) << 2
            | u64::from(w.classes.frequency(Classes::FORENAME)),
        u64::from(w.classes.frequency(Classes::ENGLISH)) << 8 | form(w),
    );
    put(u64::from(context.also_small(w)), form(w));
    put(u64::from(context.shouted), form(w) | lists(w) << 8);
    // Its neighbours.
    put(before.hash, gap(w));
    put(behind.hash, gap(behind));
    put(before2.hash, 1);
    put(behind2.hash, 1);
    put(behind3.hash, 1);
    put(before.hash, shape);
    put(behind.hash, shape);
    put(before.hash, lists(w));
    put(behind.hash, lists(w));
    put(before2.hash.rotate_left(17) ^ before.hash, form(w));
    put(behind2.hash.rotate_left(17) ^ behind.hash, form(w));
    put(before.hash.rotate_left(17) ^ behind.hash, form(w));
    put(lists(before), form(before) | shape << 4);
    put(lists(behind), form(behind) | shape << 4);
    put(lists(before2), form(before2) | form(w) << 8);
    put(lists(behind2), form(behind2) | form(w) << 8);
    put(lists(before), lists(w) << 32 | shape);
    put(lists(behind), lists(w) << 32 | shape);
    put(form(before) | form(behind) << 6, shape);
    put(
        form(before2) | form(before) << 6 | form(behind) << 12 | form(behind2) << 18,
        shape,
    );
    // What was decided before it, and what rules found around it.
    put(last, shape);
    put(last << 2 | last2, shape);
    put(last, lists(w) << 32 | form(w));
    put(last << 2 | last2, w.hash);
    put(last, before.hash);
    put(last << 32 | lists(before), lists(w) << 16 | gap(w));
    put(tag(1) << 2 | tag(2), form(w) | gap(behind) << 8);
    put(tag(-1) << 2 | last, form(w) | lists(w) << 8);
}

/// Where a feature's weights stand: a hash of its template and its two values.
fn slot(template: u64, a: u64, b: u64) -> usize {
    const K: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut hash = (a ^ template.rotate_left(56)).wrapping_mul(K);
    hash = (hash ^ (hash >> 31) ^ b).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    // The highest bits of a product are its best; 18 of them fit every integer.
    usize::try_from(hash >> (64 - BITS)).unwrap_or(0)
}
