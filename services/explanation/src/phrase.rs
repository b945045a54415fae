//! Phrases, as a reader would cut a text: what a shown word is read in, and what a long text is screened by.

/// Most phrases that one text is cut into; in longer texts neighbours are joined.
pub const MAX_PHRASES: usize = 256;

/// Words a run may have before it is cut at function words.
const LONG: usize = 5;

/// Words a piece may have before it is cut in the middle, where no function word offered itself.
const TOO_LONG: usize = 10;

/// Words that open a new phrase in a long run: conjunctions, prepositions, auxiliaries and negations, so that a
/// negation stays with what it negates.
const OPENERS: [&str; 32] = [
    "although", "and", "are", "as", "at", "because", "but", "by", "due", "for", "from", "has", "have", "in",
    "is", "no", "nor", "not", "on", "or", "over", "since", "than", "that", "to", "versus", "was", "were",
    "which", "while", "with", "without",
];

/// One phrase: byte range in the text that was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    /// First byte of the first word.
    pub start: u32,
    /// One past the last byte of the last word.
    pub end: u32,
}

/// A run of characters without white space and without a cut, and whether a cut follows it.
struct Word {
    start: usize,
    end: usize,
    cut_after: bool,
}

/// Cuts `text` into phrases. Every unit holds a letter or a digit; what stands before the first unit belongs to none.
pub(crate) fn units(text: &str) -> Vec<Unit> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    let mut run: Vec<(usize, usize)> = Vec::new();
    for word in cut_words(text) {
        run.push((word.start, word.end));
        if word.cut_after {
            pieces(text, &run, &mut runs);
            run.clear();
        }
    }
    pieces(text, &run, &mut runs);
    runs.retain(|&(start, end)| text[start..end].chars().any(char::is_alphanumeric));
    joined(&runs)
}

/// The runs of characters between white space and cuts, in bytes.
pub(crate) fn words(text: &str) -> impl Iterator<Item = (usize, usize)> {
    cut_words(text).into_iter().map(|word| (word.start, word.end))
}

/// Splits a run without punctuation where a reader would breathe.
fn pieces(text: &str, run: &[(usize, usize)], out: &mut Vec<(usize, usize)>) {
    let mut rest = run;
    while rest.len() > LONG {
        // A piece has two words at least, on either side of the cut.
        let opener = (2..rest.len() - 1).find(|&at| is_opener(&text[rest[at].0..rest[at].1]));
        let cut = match opener {
            Some(at) if at <= TOO_LONG => at,
            _ if rest.len() > TOO_LONG => LONG,
            _ => break,
        };
        push(&rest[..cut], out);
        rest = &rest[cut..];
    }
    push(rest, out);
}

fn push(words: &[(usize, usize)], out: &mut Vec<(usize, usize)>) {
    if let (Some(first), Some(last)) = (words.first(), words.last()) {
        out.push((first.0, last.1));
    }
}

fn is_opener(word: &str) -> bool {
    word.len() <= 8 && OPENERS.binary_search(&word.to_ascii_lowercase().as_str()).is_ok()
}

/// Joins neighbours until no more than [`MAX_PHRASES`] are left.
fn joined(runs: &[(usize, usize)]) -> Vec<Unit> {
    let width = runs.len().div_ceil(MAX_PHRASES).max(1);
    // Cast safety: notes are bounded far below 4 GiB at the door; beyond that offsets saturate and the caller's slice
    // by `get` fails instead of showing a wrong phrase.
    let at = |byte: usize| u32::try_from(byte).unwrap_or(u32::MAX);
    runs.chunks(width)
        .filter_map(|group| {
            Some(Unit {
                start: at(group.first()?.0),
                end: at(group.last()?.1),
            })
        })
        .collect()
}

/// The words of a text, with the cuts between them.
fn cut_words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut open: Option<usize> = None;
    let mut before = ' ';
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let after = chars.peek().map_or(' ', |&(_, c)| c);
        let cut = is_cut(before, c, after);
        if cut || c.is_whitespace() {
            if let Some(start) = open.take() {
                words.push(Word {
                    start,
                    end: at,
                    cut_after: false,
                });
            }
            if let (true, Some(word)) = (cut, words.last_mut()) {
                word.cut_after = true;
            }
        } else if open.is_none() {
            open = Some(at);
        }
        before = c;
    }
    if let Some(start) = open {
        words.push(Word {
            start,
            end: text.len(),
            cut_after: false,
        });
    }
    words
}

/// Whether a phrase ends at `c`. Between two digits a point or a comma belongs to the number, and inside a word
/// (`e.g.`, `St.Mary`) a point cuts nothing.
fn is_cut(before: char, c: char, after: char) -> bool {
    match c {
        '.' | ':' => !(before.is_alphanumeric() && after.is_alphanumeric()),
        ',' => !(before.is_ascii_digit() && after.is_ascii_digit()),
        '\n' | '\r' | ';' | '!' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '"' | '|' | '–' | '—' | '…'
        | '•' | '“' | '”' | '。' | '、' | '，' | '；' | '！' | '？' | '،' | '؛' | '؟' | '।' => {
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(text: &str) -> Vec<&str> {
        units(text)
            .iter()
            .map(|unit| &text[unit.start as usize..unit.end as usize])
            .collect()
    }

    #[test]
    fn punctuation_cuts_and_numbers_do_not() {
        assert_eq!(
            cut("FINDINGS: A 2.5 cm nodule, right lung; stable (see prior).\nNo effusion"),
            [
                "FINDINGS",
                "A 2.5 cm nodule",
                "right lung",
                "stable",
                "see prior",
                "No effusion"
            ]
        );
    }

    #[test]
    fn long_runs_are_cut_before_function_words() {
        assert_eq!(
            cut("Heart size is within normal limits and there is no evidence of focal consolidation."),
            [
                "Heart size",
                "is within normal limits",
                "and there",
                "is no evidence of focal consolidation"
            ]
        );
        assert_eq!(
            cut("one two three four five six seven eight nine ten eleven").len(),
            2
        );
        assert_eq!(cut("Lungs are clear"), ["Lungs are clear"]);
    }

    #[test]
    fn nothing_is_cut_from_nothing() {
        assert_eq!(cut(""), Vec::<&str>::new());
        assert_eq!(cut(" .. , — \u{200f} 😀"), Vec::<&str>::new());
    }

    #[test]
    fn openers_are_sorted_for_the_search() {
        assert!(OPENERS.is_sorted());
    }

    #[test]
    fn a_very_long_text_has_a_bounded_number_of_units() {
        let text = "word. ".repeat(5_000);
        let units = units(&text);
        assert!(units.len() <= MAX_PHRASES && units.len() > MAX_PHRASES / 2);
    }

    proptest! {
        #[test]
        fn units_are_ordered_and_do_not_overlap(text in "\\PC{0,200}") {
            let units = units(&text);
            let mut from = 0;
            for unit in &units {
                prop_assert!(from <= unit.start && unit.start < unit.end);
                prop_assert!(text.get(unit.start as usize..unit.end as usize).is_some());
                from = unit.end;
            }
        }
    }
}
