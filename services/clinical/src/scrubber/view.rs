//! The text as the rules read it: one kind of space, dash, quote and digit, nothing invisible; with the way back.

use std::borrow::Cow;
use std::ops::Range;

/// A plain reading of a text. Letters keep their accents; [`super::token::fold`] takes those off where names are
/// compared.
pub(crate) struct View<'t> {
    original: &'t str,
    text: Cow<'t, str>,
    /// For each byte of `text` the byte of `original` where its character starts; `None` where both are the same.
    origin: Option<Vec<u32>>,
}

/// What becomes of one character.
enum Plain {
    Same,
    Nothing,
    Instead(char),
    Decomposed,
}

fn plain(c: char) -> Plain {
    match c {
        // Soft hyphen, zero-width characters, direction marks, joiners and the byte order mark.
        '\u{ad}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{feff}' => Plain::Nothing,
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => {
            Plain::Instead(' ')
        }
        '\u{85}' | '\u{2028}' | '\u{2029}' => Plain::Instead('\n'),
        '\u{2010}'..='\u{2015}' | '\u{2043}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' => {
            Plain::Instead('-')
        }
        '\u{2018}'..='\u{201b}' | '\u{2b9}' | '\u{2bc}' | '\u{2032}' | '\u{b4}' | '\u{ff07}' => {
            Plain::Instead('\'')
        }
        '\u{201c}'..='\u{201f}' | '\u{2033}' => Plain::Instead('"'),
        // Full-width ASCII.
        '\u{ff01}'..='\u{ff5e}' => shifted(c, 0xff01, '!'),
        // Decimal digits of the scripts a hospital's keyboard may produce.
        '\u{660}'..='\u{669}' => shifted(c, 0x660, '0'),
        '\u{6f0}'..='\u{6f9}' => shifted(c, 0x6f0, '0'),
        '\u{966}'..='\u{96f}' => shifted(c, 0x966, '0'),
        // Latin ligatures and mathematical letters.
        '\u{fb00}'..='\u{fb06}' | '\u{1d400}'..='\u{1d7ff}' => Plain::Decomposed,
        _ => Plain::Same,
    }
}

fn shifted(c: char, from: u32, to: char) -> Plain {
    char::from_u32(u32::from(to) + (u32::from(c) - from)).map_or(Plain::Same, Plain::Instead)
}

impl<'t> View<'t> {
    /// Reads `original`. Texts of 4 GiB and more are read as far as 32-bit offsets reach; the doors admit far less.
    pub(crate) fn new(original: &'t str) -> Self {
        if original.is_ascii() || u32::try_from(original.len()).is_err() {
            return Self {
                original,
                text: Cow::Borrowed(original),
                origin: None,
            };
        }
        let mut text = String::with_capacity(original.len());
        let mut origin: Vec<u32> = Vec::with_capacity(original.len());
        for (at, c) in original.char_indices() {
            match plain(c) {
                Plain::Same => text.push(c),
                Plain::Nothing => {}
                Plain::Instead(other) => text.push(other),
                Plain::Decomposed => {
                    unicode_normalization::char::decompose_compatible(c, |part| text.push(part));
                }
            }
            // Cast safety: the length was checked above, so every offset fits.
            origin.resize(text.len(), u32::try_from(at).unwrap_or(u32::MAX));
        }
        Self {
            original,
            text: Cow::Owned(text),
            origin: Some(origin),
        }
    }

    /// The text that the rules read.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The original characters behind a non-empty range of [`View::text`].
    pub(crate) fn original(&self, range: &Range<usize>) -> Range<usize> {
        let Some(origin) = &self.origin else {
            return range.clone();
        };
        let at = |byte: usize| origin.get(byte).map_or(self.original.len(), |&at| at as usize);
        let last = at(range.end.saturating_sub(1).max(range.start));
        let width = self
            .original
            .get(last..)
            .and_then(|rest| rest.chars().next())
            .map_or(0, char::len_utf8);
        at(range.start)..last + width
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_is_read_as_it_is() {
        let view = View::new("plain - text");
        assert_eq!(view.text(), "plain - text");
        assert_eq!(view.original(&(3..7)), 3..7);
    }

    #[test]
    fn odd_characters_become_plain_and_lead_back() {
        let original = "é Sm\u{200b}ith\u{a0}– ６１ ﬁn ‘x’ ٣";
        let view = View::new(original);
        assert_eq!(view.text(), "é Smith - 61 fin 'x' 3");
        let find = |word: &str| {
            let at = view.text().find(word).expect("in the view");
            &original[view.original(&(at..at + word.len()))]
        };
        assert_eq!(find("Smith"), "Sm\u{200b}ith");
        assert_eq!(find("61"), "６１");
        assert_eq!(find("fi"), "ﬁ");
        assert_eq!(find("i"), "i");
        assert_eq!(find("3"), "٣");
    }
}
