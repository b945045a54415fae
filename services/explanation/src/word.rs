//! The units that are taken away: words, and what a text is without some of them.

use crate::phrase;

/// Words that only hold others together: articles, auxiliaries, pronouns. No model is right to decide by one of them, and a
/// reader learns nothing from a mark on one; negations and prepositions say something and are not among them.
const PLAIN: [&str; 22] = [
    "a", "an", "and", "are", "be", "been", "had", "has", "have", "is", "it", "its", "of", "that", "the",
    "there", "these", "this", "those", "was", "were", "which",
];

/// One word: byte range in the text that was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub start: u32,
    pub end: u32,
}

/// Every word of `text`, in reading order: each holds a letter or a digit.
pub(crate) fn all(text: &str) -> impl Iterator<Item = Word> {
    // Notes are bounded far below 4 GiB at the door.
    let at = |byte: usize| u32::try_from(byte).unwrap_or(u32::MAX);
    phrase::words(text)
        .filter(|&(start, end)| text[start..end].chars().any(char::is_alphanumeric))
        .map(move |(start, end)| Word {
            start: at(start),
            end: at(end),
        })
}

/// The words of `text` that may matter, in reading order: all but those that are [`PLAIN`].
pub(crate) fn words(text: &str) -> Vec<Word> {
    all(text)
        .filter(|word| !is_plain(&text[word.start as usize..word.end as usize]))
        .collect()
}

fn is_plain(word: &str) -> bool {
    word.len() <= 5 && PLAIN.binary_search(&word.to_ascii_lowercase().as_str()).is_ok()
}

/// The text without these words, in any order. All else stays, punctuation too, as in the reference method
/// (`IndexedString.inverse_removing`), so that what either says of a text is about the same text.
pub(crate) fn without(text: &str, away: impl IntoIterator<Item = Word>) -> String {
    let mut away: Vec<Word> = away.into_iter().collect();
    away.sort_unstable_by_key(|word| word.start);
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for word in away {
        out.push_str(text.get(at..word.start as usize).unwrap_or_default());
        at = word.end as usize;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_say_something_are_units() {
        let text = "There is no 2.5 cm nodule, and the lungs (age-adjusted) are clear. 😀";
        let cut: Vec<&str> = words(text)
            .iter()
            .map(|word| &text[word.start as usize..word.end as usize])
            .collect();
        assert_eq!(
            cut,
            ["no", "2.5", "cm", "nodule", "lungs", "age-adjusted", "clear"]
        );
        assert!(words(" .. , — \u{200f} 😀").is_empty());
        assert!(PLAIN.is_sorted());
    }

    #[test]
    fn what_is_left_is_the_text_but_for_the_words() {
        let text = "No effusion, lungs clear.";
        let words = words(text);
        assert_eq!(without(text, [words[3], words[0]]), " effusion, lungs .");
        assert_eq!(without(text, []), text);
        assert_eq!(all("It is 😀 a - nodule.").count(), 4);
    }
}
