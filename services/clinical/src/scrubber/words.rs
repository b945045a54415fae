//! The words of one text, folded and looked up once for every rule that asks about them.

use std::sync::LazyLock;

use super::lexicon::{Classes, Lexicon, hash_of, is_placeholder};
use super::token::{Case, Token, fold_into, tokens};

/// A word or a number with what the lists and its own letters say about it.
#[derive(Clone, Copy)]
pub(crate) struct Word {
    /// Of the folded form; the digits of numbers count as zeros.
    pub hash: u64,
    /// Of the first three letters.
    pub prefix: u32,
    /// Of the last two, three and four letters.
    pub suffixes: [u32; 3],
    /// The lists that it stands in.
    pub classes: Classes,
    /// Folded letters or digits.
    pub length: u8,
    pub case: Case,
    /// What stands before it.
    pub gap: Gap,
}

/// A few words, to be recognised by their hash.
pub(crate) struct WordSet(LazyLock<Vec<u64>>);

impl WordSet {
    /// The set whose sorted hashes `list` returns ([`hashes`]).
    pub(crate) const fn new(list: fn() -> Vec<u64>) -> Self {
        Self(LazyLock::new(list))
    }

    pub(crate) fn has(&self, word: &Word) -> bool {
        word.case != Case::Digits && self.0.binary_search(&word.hash).is_ok()
    }
}

/// The sorted hashes of the words of `list`, which blanks separate.
pub(crate) fn hashes(list: &str) -> Vec<u64> {
    let mut hashes: Vec<u64> = list
        .split_ascii_whitespace()
        .map(|word| hash_of(word.as_bytes()))
        .collect();
    hashes.sort_unstable();
    hashes
}

/// What stands between two list: words, by its most telling character.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Gap {
    /// The start of the text, or an empty line.
    Start,
    Line,
    Nothing,
    Blank,
    Comma,
    Stop,
    Colon,
    Hyphen,
    Bracket,
    Slash,
    Quote,
    Other,
}

impl Gap {
    fn of(gap: &str) -> Self {
        match gap {
            "" => return Self::Nothing,
            " " => return Self::Blank,
            ", " | "," => return Self::Comma,
            ". " | "." => return Self::Stop,
            _ => {}
        }
        let mut lines = 0;
        let mut found = Self::Blank;
        for b in gap.bytes() {
            let this = match b {
                b'\n' => {
                    lines += 1;
                    continue;
                }
                b' ' | b'\t' | b'\r' => continue,
                b',' | b';' => Self::Comma,
                b'.' | b'?' | b'!' => Self::Stop,
                b':' | b'=' | b'|' => Self::Colon,
                b'-' | b'_' | b'~' => Self::Hyphen,
                b'(' | b'[' | b'{' | b'<' | b')' | b']' | b'}' | b'>' => Self::Bracket,
                b'/' | b'\\' => Self::Slash,
                b'\'' | b'"' | b'`' => Self::Quote,
                _ => Self::Other,
            };
            if found != Self::Colon {
                found = this;
            }
        }
        match lines {
            0 => found,
            1 => Self::Line,
            _ => Self::Start,
        }
    }
}

/// The words and numbers of a text.
pub(crate) struct Words<'t> {
    pub text: &'t str,
    pub tokens: Vec<Token>,
    pub list: Vec<Word>,
}

impl<'t> Words<'t> {
    pub(crate) fn new(text: &'t str, lexicon: &Lexicon) -> Self {
        let tokens = tokens(text);
        let mut words = Vec::with_capacity(tokens.len());
        let mut buffer = String::with_capacity(32);
        let mut from = None;
        for token in &tokens {
            let gap = from.map_or(Gap::Start, |from: usize| {
                Gap::of(text.get(from..token.start).unwrap_or(""))
            });
            from = Some(token.end);
            let written = text.get(token.range()).unwrap_or("");
            if token.case == Case::Digits {
                let length = u8::try_from(written.len()).unwrap_or(u8::MAX);
                words.push(Word {
                    hash: u64::from(length),
                    prefix: 0,
                    suffixes: [0; 3],
                    classes: Classes::default(),
                    length,
                    case: token.case,
                    gap,
                });
                continue;
            }
            fold_into(written, &mut buffer);
            let bytes = buffer.as_bytes();
            let hash = hash_of(bytes);
            let part = |range: &[u8]| range.iter().fold(0_u32, |all, &b| (all << 8) | u32::from(b));
            let last = |count: usize| part(&bytes[bytes.len().saturating_sub(count)..]);
            let classes = if is_placeholder(&buffer) {
                Classes::COMMON
            } else {
                lexicon.hashed(hash)
            };
            words.push(Word {
                hash,
                prefix: part(&bytes[..bytes.len().min(3)]),
                suffixes: [last(2), last(3), last(4)],
                classes,
                length: u8::try_from(bytes.len()).unwrap_or(u8::MAX),
                case: token.case,
                gap,
            });
        }
        Self {
            text,
            tokens,
            list: words,
        }
    }

    /// The word or number at `at` as it is written; empty where there is none.
    pub(crate) fn written(&self, at: usize) -> &'t str {
        self.tokens
            .get(at)
            .and_then(|token| self.text.get(token.range()))
            .unwrap_or("")
    }
}
