//! Whether anything is left to read.

/// Whether `text` has a word: a letter or digit that is neither inside square brackets, where scrubbers leave the name
/// of what they took out, nor part of a run of three or more `X`, which is how published corpora mark it.
pub(crate) fn has_words(text: &str) -> bool {
    let mut bracketed = false;
    text.split_inclusive(['[', ']']).any(|piece| {
        let read = !bracketed && piece.split(|c: char| !c.is_alphanumeric()).any(is_word);
        // An opening bracket that is never closed hides nothing but the rest of this search: see the second look below.
        bracketed = piece.ends_with('[');
        read
    }) || unclosed(text)
}

fn is_word(word: &str) -> bool {
    let mark = word.len() >= 3 && word.bytes().all(|byte| byte.eq_ignore_ascii_case(&b'x'));
    !word.is_empty() && !mark
}

/// Whether a word follows the last opening bracket when nothing closes it.
fn unclosed(text: &str) -> bool {
    text.rsplit_once('[').is_some_and(|(_, tail)| {
        !tail.contains(']') && tail.split(|c: char| !c.is_alphanumeric()).any(is_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_from_marks() {
        for text in [
            "No effusion.",
            "xx",
            "7",
            "[NAME] fell",
            "a [DATE]",
            "é",
            "[open words",
        ] {
            assert!(has_words(text), "{text}");
        }
        for text in [
            "",
            " \n\t",
            "XXXX",
            "XXXX xxxx, XXX.",
            "[NAME] [DATE].",
            "--- ...",
            "\u{200b}",
            "[",
            "]",
        ] {
            assert!(!has_words(text), "{text}");
        }
    }
}
