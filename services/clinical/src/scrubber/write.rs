//! Writes the scrubbed text: surrogates, or tags.

use std::ops::Range;

use super::dates;
use super::hit::{Hit, Kind, resolve};
use super::known::KnownNames;
use super::redaction::Redaction;
use super::surrogate::Surrogates;
use super::tags::{Tagged, is_tag, old_years, outside, tag};
use super::view::View;
use super::{Known, Scrubbed, Scrubber};
use crate::{DeidentifiedNote, Span, to_original};

impl Scrubber {
    /// Replaces every hit by a surrogate of its form.
    pub(super) fn with_surrogates(&self, text: &str, known: &Known<'_>) -> Scrubbed {
        let view = View::new(text);
        let read = view.text();
        let names = KnownNames::new(known, &self.lexicon);
        let hits = self.hits(read, known, &names);
        let day_first = dates::is_day_first(read, &hits);
        let mut surrogates = Surrogates::new(
            &self.key,
            &self.lexicon,
            known.patient,
            names.forbidden(),
            names.order(),
        );
        let replacements = hits.iter().map(|hit| {
            (
                view.original(&hit.range),
                surrogates.replace(read, hit, day_first),
                hit,
            )
        });
        joined(text, replacements)
    }

    /// Replaces every hit by the tag of its class, and again until nothing is found between the tags, so that tags of
    /// tagged texts change nothing.
    pub(super) fn with_tags(&self, text: &str, known: &Known<'_>, year: i32) -> Scrubbed {
        let names = KnownNames::new(known, &self.lexicon);
        let mut found: Vec<(Range<usize>, String, Hit)> = Vec::new();
        loop {
            let made = joined(
                text,
                found
                    .iter()
                    .map(|(range, tag, hit)| (range.clone(), tag.clone(), hit)),
            );
            let out = made.note.text();
            let tags: Vec<Tagged> = is_tag(out);
            let view = View::new(out);
            let read = view.text();
            let mut hits = self.hits(read, known, &names);
            old_years(read, year, &mut hits);
            let mut more = Vec::new();
            for hit in resolve(read, hits) {
                for range in outside(out, &tags, view.original(&hit.range)) {
                    let whole = range == view.original(&hit.range);
                    let new = tag(
                        out,
                        &range,
                        if whole { &hit.kind } else { &Kind::Code },
                        hit.class,
                        read,
                        year,
                    );
                    // Between tags text stands as it stood, so that the way back is exact.
                    let (start, end) = (u32::try_from(range.start), u32::try_from(range.end));
                    let (Ok(start), Ok(end)) = (start, end) else {
                        continue;
                    };
                    let original = to_original(&made.redactions, Span { start, end });
                    more.push((original.start as usize..original.end as usize, new, hit.clone()));
                }
            }
            if more.is_empty() {
                return made;
            }
            found.extend(more);
            found.sort_by_key(|(range, _, _)| range.start);
        }
    }
}

/// Puts `replacements` (ranges of `text` in order, without overlaps) into it.
fn joined<'h>(text: &str, replacements: impl Iterator<Item = (Range<usize>, String, &'h Hit)>) -> Scrubbed {
    let mut out = String::with_capacity(text.len() + text.len() / 16);
    let mut redactions = Vec::new();
    let mut from = 0;
    for (original, new, hit) in replacements {
        let Some(kept) = text.get(from..original.start) else {
            continue;
        };
        out.push_str(kept);
        let start = out.len();
        out.push_str(&new);
        redactions.push(Redaction {
            original: span(&original),
            scrubbed: span(&(start..out.len())),
            class: hit.class,
            known: hit.known,
            finder: hit.finder,
            sure: hit.sure,
        });
        from = original.end;
    }
    out.push_str(text.get(from..).unwrap_or(""));
    let redacted = redactions.iter().map(|redaction| redaction.scrubbed).collect();
    Scrubbed {
        note: DeidentifiedNote::from_scrubbed(out, redacted, Scrubber::VERSION),
        redactions,
    }
}

fn span(range: &Range<usize>) -> Span {
    // Texts beyond 4 GiB are refused at the doors.
    let at = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Span {
        start: at(range.start),
        end: at(range.end),
    }
}
