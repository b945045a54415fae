//! How a note that is longer than the model reads is cut into windows that overlap.

use std::ops::Range;

use clinical::Span;

use crate::tokenizer::Pieces;

/// One window: a range of word pieces and the bytes that they cover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) pieces: Range<usize>,
    pub(crate) span: Span,
}

/// Cuts `pieces` into windows of at most `size` pieces (`size` > `overlap`), each of which begins at most `overlap`
/// pieces before the end of the one before, at the beginning of a word. No window cuts a word, unless the word alone is longer than a window.
/// Together the windows cover every piece; without pieces there is no window.
pub(crate) fn windows(pieces: &Pieces, size: usize, overlap: usize) -> Vec<Window> {
    let starts_word = |at: usize| at == 0 || pieces.words[at] != pieces.words[at - 1];
    let mut windows = Vec::new();
    let mut start = 0;
    while start < pieces.len() {
        let mut end = pieces.len().min(start + size.max(1));
        if end < pieces.len() {
            // Back to the beginning of the word that would be cut.
            end = (start + 1..=end).rev().find(|&at| starts_word(at)).unwrap_or(end);
        }
        windows.push(Window {
            pieces: start..end,
            span: Span {
                start: pieces.spans[start].start,
                end: pieces.spans[end - 1].end,
            },
        });
        if end == pieces.len() {
            break;
        }
        // As far back as the overlap allows, but so that the next word fits: each window reads something new.
        let word_end = (end + 1..pieces.len())
            .find(|&at| starts_word(at))
            .unwrap_or(pieces.len());
        let earliest = end
            .saturating_sub(overlap)
            .max(word_end.saturating_sub(size.max(1)));
        start = (earliest..end).find(|&at| starts_word(at)).unwrap_or(end);
    }
    windows
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Pieces of words of the given lengths, each piece two bytes wide.
    fn pieces(words: &[usize]) -> Pieces {
        let words: Vec<u32> = (0..)
            .zip(words)
            .flat_map(|(word, &length)| std::iter::repeat_n(word, length))
            .collect();
        let spans = (0..)
            .zip(&words)
            .map(|(at, _)| Span {
                start: 2 * at,
                end: 2 * at + 2,
            })
            .collect();
        Pieces {
            ids: vec![0; words.len()],
            spans,
            words,
        }
    }

    #[test]
    fn a_short_note_is_one_window() {
        let all = windows(&pieces(&[1, 2, 1]), 4, 1);
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].pieces, 0..4);
        assert_eq!(all[0].span, Span { start: 0, end: 8 });
        assert!(windows(&pieces(&[]), 4, 1).is_empty());
    }

    #[test]
    fn a_word_is_not_cut() {
        // Words of 3 pieces in windows of 5: each window holds one word, or two where they fit.
        let all = windows(&pieces(&[3, 3, 1, 1]), 5, 2);
        let ranges: Vec<Range<usize>> = all.into_iter().map(|window| window.pieces).collect();
        assert_eq!(ranges, [0..3, 3..8]);
    }

    proptest! {
        #[test]
        fn windows_cover_everything_and_move_on(
            lengths in prop::collection::vec(1_usize..6, 0..80),
            size in 8_usize..20,
            overlap in 0_usize..7,
        ) {
            let pieces = pieces(&lengths);
            let all = windows(&pieces, size, overlap);
            let mut covered = 0;
            for window in &all {
                prop_assert!(window.pieces.len() <= size && !window.pieces.is_empty());
                prop_assert!(window.pieces.start <= covered && window.pieces.end > covered);
                prop_assert!(covered - window.pieces.start <= overlap);
                covered = window.pieces.end;
            }
            prop_assert_eq!(covered, pieces.len());
        }
    }
}
