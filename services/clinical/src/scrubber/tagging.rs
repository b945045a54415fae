//! Training of the statistical tagger of names and places.

use super::tagger::Tag;
use super::tagger::train::{Example, train as fit};
use super::view::View;
use super::words::Words;
use super::{KnownNames, Scrubber, tagged};
use crate::leak::GoldNote;

pub use super::tagger::train::Schedule;

/// Trains weights for [`Scrubber::with_tagger`] on `notes`: what the rules of `scrubber` find is left to them, the
/// categories `NAME` and `GEO` are learned, and of incompletely annotated notes only what is annotated. `progress` is
/// called with each pass's number, from 0, and its mean loss in nats.
#[must_use]
pub fn train(
    scrubber: &Scrubber,
    notes: &[GoldNote],
    schedule: Schedule,
    progress: impl FnMut(u32, f64),
) -> Vec<u8> {
    let views: Vec<View<'_>> = notes.iter().map(|note| View::new(&note.text)).collect();
    let mut examples: Vec<Example<'_>> = notes
        .iter()
        .zip(&views)
        .map(|(note, view)| example(scrubber, note, view))
        .collect();
    fit(&mut examples, schedule, progress).to_bytes()
}

fn example<'v>(scrubber: &Scrubber, note: &GoldNote, view: &'v View<'_>) -> Example<'v> {
    let words = Words::new(view.text(), &scrubber.lexicon);
    let known = note.known.known([0; 16]);
    let names = KnownNames::new(&known, &scrubber.lexicon);
    let hits = scrubber.found_by_rules(&words, &known, &names);
    let covered = tagged::covered(&words, &hits);
    // Byte offsets of the code points, to compare spans with words.
    let starts: Vec<usize> = note.text.char_indices().map(|(at, _)| at).collect();
    let byte = |point: usize| starts.get(point).copied().unwrap_or(note.text.len());
    let spans: Vec<(usize, usize, Option<Tag>)> = note
        .spans
        .iter()
        .map(|span| {
            let tag = match (span.category.as_str(), span.hipaa) {
                ("NAME", true) => Some(Tag::Name),
                ("GEO", true) => Some(Tag::Place),
                ("GEO", false) => Some(Tag::Other),
                _ => None,
            };
            (byte(span.start), byte(span.end), tag)
        })
        .collect();
    let truth = words
        .tokens
        .iter()
        .map(|token| {
            let range = view.original(&token.range());
            let span = spans
                .iter()
                .find(|(start, end, _)| *start < range.end && range.start < *end);
            match span {
                Some(&(_, _, tag)) => tag,
                None => note.complete.then_some(Tag::Other),
            }
        })
        .collect();
    Example {
        words,
        covered,
        truth,
    }
}
