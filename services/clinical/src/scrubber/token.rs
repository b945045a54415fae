//! Words and numbers of a text, and the form in which names are compared.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// How a word is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// Starts with a small letter.
    Lower,
    /// Starts with a capital, or belongs to a script without case.
    Title,
    /// Capitals only, two at least.
    Upper,
    /// One capital letter.
    Initial,
    /// A run of digits.
    Digits,
}

/// A run of letters or a run of digits. An apostrophe between letters belongs to the word (`O'Brien`), that of a
/// possessive does not (`Smith` in `Smith's`).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub start: usize,
    pub end: usize,
    pub case: Case,
}

impl Token {
    pub(crate) const fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    pub(crate) fn is_word(&self) -> bool {
        self.case != Case::Digits
    }

    /// Written like a name.
    pub(crate) fn is_capital(&self) -> bool {
        matches!(self.case, Case::Title | Case::Upper | Case::Initial)
    }
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || (!c.is_ascii() && (c.is_alphabetic() || is_combining_mark(c)))
}

/// A combining mark; the question costs a look at a table, which plain letters are spared.
fn is_mark(c: char) -> bool {
    !c.is_ascii() && is_combining_mark(c)
}

/// The tokens of `text`, in order.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::with_capacity(text.len() / 5);
    let mut at = 0;
    while let Some(&first) = bytes.get(at) {
        let start = at;
        if first.is_ascii_digit() {
            at += bytes[start..].iter().take_while(|b| b.is_ascii_digit()).count();
            tokens.push(Token {
                start,
                end: at,
                case: Case::Digits,
            });
            continue;
        }
        if first.is_ascii() {
            at += 1;
            if !first.is_ascii_alphabetic() {
                continue;
            }
        } else {
            let c = char_at(text, at);
            at += c.len_utf8();
            if !is_letter(c) || is_mark(c) {
                continue;
            }
        }
        while let Some(&next) = bytes.get(at) {
            if next.is_ascii_alphabetic() || next == b'\'' && joins(&text[at + 1..], at - start) {
                at += 1;
            } else if !next.is_ascii() && is_letter(char_at(text, at)) {
                at += char_at(text, at).len_utf8();
            } else {
                break;
            }
        }
        tokens.push(Token {
            start,
            end: at,
            case: case(&text[start..at]),
        });
    }
    tokens
}

/// The character that starts at byte `at`, which is a boundary within the text.
fn char_at(text: &str, at: usize) -> char {
    text.get(at..).and_then(|rest| rest.chars().next()).unwrap_or(' ')
}

/// Whether an apostrophe after a word of `before` bytes belongs to it: letters follow, and it is no possessive.
fn joins(after: &str, before: usize) -> bool {
    let mut chars = after.chars();
    let (first, second) = (chars.next(), chars.next());
    let ends = second.is_none_or(|c| !is_letter(c));
    first.is_some_and(|first| {
        is_letter(first) && (!ends || (before == 1 && !first.eq_ignore_ascii_case(&'s')))
    })
}

fn case(word: &str) -> Case {
    if word.is_ascii() {
        let bytes = word.as_bytes();
        let small = |b: &u8| b.is_ascii_lowercase();
        return match bytes.first() {
            Some(first) if first.is_ascii_uppercase() => {
                if bytes.iter().any(small) {
                    Case::Title
                } else if bytes.iter().filter(|b| b.is_ascii_alphabetic()).count() > 1 {
                    Case::Upper
                } else {
                    Case::Initial
                }
            }
            _ => Case::Lower,
        };
    }
    let mut letters = word.chars().filter(|&c| is_letter(c) && !is_mark(c));
    let Some(first) = letters.next() else {
        return Case::Lower;
    };
    if first.is_lowercase() {
        return Case::Lower;
    }
    if !first.is_uppercase() {
        return Case::Title;
    }
    let (mut more, mut small) = (false, false);
    for c in letters {
        more = true;
        small |= c.is_lowercase();
    }
    match (more, small) {
        (false, _) => Case::Initial,
        (true, true) => Case::Title,
        (true, false) => Case::Upper,
    }
}

/// The form in which names are compared: small letters without accents and apostrophes (`O'Brién` → `obrien`).
pub(crate) fn fold(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    fold_into(word, &mut out);
    out
}

/// [`fold`] into a buffer, which is emptied first.
pub(crate) fn fold_into(word: &str, out: &mut String) {
    out.clear();
    if word.is_ascii() {
        out.extend(
            word.chars()
                .filter(|&c| c != '\'')
                .map(|c| c.to_ascii_lowercase()),
        );
        return;
    }
    for c in word.nfd().filter(|&c| !is_combining_mark(c) && c != '\'') {
        for small in c.to_lowercase() {
            match small {
                'ß' => out.push_str("ss"),
                'æ' => out.push_str("ae"),
                'œ' => out.push_str("oe"),
                'ø' => out.push('o'),
                'đ' | 'ð' => out.push('d'),
                'ł' => out.push('l'),
                'ı' => out.push('i'),
                'þ' => out.push_str("th"),
                'ħ' => out.push('h'),
                _ => out.push(small),
            }
        }
    }
}

/// What stands between two neighbouring tokens.
pub(crate) fn gap<'t>(text: &'t str, left: &Token, right: &Token) -> &'t str {
    text.get(left.end..right.start).unwrap_or("")
}

/// Whether what stands between two tokens may stand inside a name: blanks, one line break, a hyphen, a comma, an
/// initial's full stop, an apostrophe, the caret of HL7.
pub(crate) fn is_name_gap(gap: &str) -> bool {
    gap.len() <= 5
        && gap.matches('\n').count() <= 1
        && gap.matches(',').count() <= 1
        && gap
            .chars()
            .all(|c| matches!(c, ' ' | '\t' | '\n' | '\r' | '-' | ',' | '.' | '\'' | '_' | '^'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<(&str, Case)> {
        tokens(text)
            .iter()
            .map(|token| (&text[token.range()], token.case))
            .collect()
    }

    #[test]
    fn words_keep_inner_apostrophes_and_lose_possessives() {
        assert_eq!(
            words("O'Brien's x-ray, SMITH'S ankles' L4-5 I'm J. 12a"),
            [
                ("O'Brien", Case::Title),
                ("s", Case::Lower),
                ("x", Case::Lower),
                ("ray", Case::Lower),
                ("SMITH", Case::Upper),
                ("S", Case::Initial),
                ("ankles", Case::Lower),
                ("L", Case::Initial),
                ("4", Case::Digits),
                ("5", Case::Digits),
                ("I'm", Case::Title),
                ("J", Case::Initial),
                ("12", Case::Digits),
                ("a", Case::Lower),
            ]
        );
    }

    #[test]
    fn folding_takes_accents_off() {
        assert_eq!(fold("O'Brién"), "obrien");
        assert_eq!(fold("Müller"), "muller");
        assert_eq!(fold("Łukasz"), "lukasz");
        assert_eq!(fold("GROẞ"), "gross");
        assert_eq!(fold("Dvor\u{30c}a\u{301}k"), "dvorak");
    }
}
