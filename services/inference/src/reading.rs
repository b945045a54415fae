//! What a model reads of a note: its sections, with a stand-in for whatever the gateway replaced.

use std::borrow::Cow;

use clinical::{DeidentifiedNote, Span, translate};
use serde::{Deserialize, Serialize};

use crate::sections;

/// How a model reads; the same in training and in service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reads {
    /// Stands wherever the gateway replaced something, so that no name, number or date that it drew moves the answer;
    /// `None` for models that read the surrogate or tag itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redacted: Option<String>,
    /// Reads a radiology report's findings and conclusion, not its head, history, technique, comparison and signature.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sections: bool,
}

impl Reads {
    /// Whether notes are read as they are.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }
}

/// The text that a model reads, and the way back to the note.
pub struct ReadText<'a> {
    text: Cow<'a, str>,
    swaps: Vec<Swap>,
    unread: Vec<Span>,
}

/// A passage of the note and what is read in its place.
struct Swap {
    note: Span,
    read: Span,
}

impl<'a> ReadText<'a> {
    /// What a model that reads by `reads` reads of a note.
    #[must_use]
    pub fn of_note(note: &'a DeidentifiedNote, reads: &Reads) -> Self {
        Self::of(note.text(), note.redacted(), reads)
    }

    /// The same of a text in which `redacted` were replaced: in order, without overlaps.
    #[must_use]
    pub fn of(text: &'a str, redacted: &[Span], reads: &Reads) -> Self {
        let unread = if reads.sections {
            sections::unread(text)
        } else {
            Vec::new()
        };
        // A line break for a section, so that what stood apart stays apart.
        let mut cuts: Vec<(Span, &str)> = unread.iter().map(|&span| (span, "\n")).collect();
        if let Some(stand_in) = &reads.redacted {
            cuts.extend(redacted.iter().map(|&span| (span, stand_in.as_str())));
        }
        if cuts.is_empty() {
            return Self {
                text: Cow::Borrowed(text),
                swaps: Vec::new(),
                unread,
            };
        }
        // Of two that overlap the first, which at the same place is the longer, takes what the other leaves.
        cuts.sort_by_key(|(span, _)| (span.start, std::cmp::Reverse(span.end)));
        let (mut out, mut swaps, mut at) = (String::with_capacity(text.len()), Vec::new(), 0_u32);
        for (span, instead) in cuts {
            let span = Span {
                start: span.start.max(at),
                ..span
            };
            let kept = text.get(at as usize..span.start as usize);
            let (Some(kept), true) = (kept, text.is_char_boundary(span.end as usize) && span.end > at) else {
                continue;
            };
            out.push_str(kept);
            let start = end(&out);
            out.push_str(instead);
            swaps.push(Swap {
                note: span,
                read: Span {
                    start,
                    end: end(&out),
                },
            });
            at = span.end;
        }
        out.push_str(text.get(at as usize..).unwrap_or_default());
        Self {
            text: Cow::Owned(out),
            swaps,
            unread,
        }
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Passages of the note that are not read at all, in order.
    #[must_use]
    pub fn unread(&self) -> &[Span] {
        &self.unread
    }

    /// Where a span of what is read stands in the note; a stand-in is the whole of what it stands for.
    #[must_use]
    pub fn to_note(&self, span: Span) -> Span {
        translate(&self.swaps, span, |swap| swap.read, |swap| swap.note)
    }
}

/// Texts beyond 4 GiB are refused at the doors.
fn end(text: &str) -> u32 {
    u32::try_from(text.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reads() -> Reads {
        Reads {
            redacted: Some("XXXX".to_owned()),
            sections: true,
        }
    }

    fn find(text: &str, part: &str) -> Span {
        let start = text.find(part).expect("there");
        Span {
            start: u32::try_from(start).expect("short"),
            end: u32::try_from(start + part.len()).expect("short"),
        }
    }

    fn covered(text: &str, span: Span) -> &str {
        &text[span.start as usize..span.end as usize]
    }

    #[test]
    fn a_surrogate_is_read_as_its_stand_in_and_a_head_not_at_all() {
        let text =
            "Patient: Amory Aubrey\n\nFINDINGS: Seen by Dr. Quill on 03/02/2019: Größe normal, effusion.";
        let redacted = ["Amory Aubrey", "Quill", "03/02/2019"].map(|part| find(text, part));
        let read = ReadText::of(text, &redacted, &reads());
        assert_eq!(
            read.text(),
            "\n Seen by Dr. XXXX on XXXX: Größe normal, effusion."
        );
        for part in ["effusion", "Größe", "normal,"] {
            assert_eq!(covered(text, read.to_note(find(read.text(), part))), part);
        }
        assert_eq!(covered(text, read.to_note(find(read.text(), "XXXX"))), "Quill");
        assert_eq!(
            covered(text, read.to_note(find(read.text(), "Dr. XXXX on"))),
            "Dr. Quill on"
        );
        assert_eq!(
            covered(text, read.unread()[0]),
            "Patient: Amory Aubrey\n\nFINDINGS:"
        );
        // Another draw of the surrogates reads the same.
        let other = text
            .replace("Amory Aubrey", "Bo Li")
            .replace("Quill", "Featherstonehaugh");
        let moved = ["Bo Li", "Featherstonehaugh", "03/02/2019"].map(|part| find(&other, part));
        assert_eq!(ReadText::of(&other, &moved, &reads()).text(), read.text());
    }

    #[test]
    fn without_rules_a_note_is_read_as_it_is() {
        let text = "Patient: Amory\nFINDINGS: none";
        let read = ReadText::of(text, &[find(text, "Amory")], &Reads::default());
        assert_eq!(read.text(), text);
        assert_eq!(read.to_note(find(text, "none")), find(text, "none"));
    }

    proptest! {
        #[test]
        fn whatever_is_replaced_the_rest_is_read_and_leads_back(
            text in "[a-z é.\n:]{0,60}(FINDINGS: [a-z é.\n]{0,40})?(COMPARISON: [a-z]{0,9}\n)?",
            places in prop::collection::vec((0_u32..70, 0_u32..9), 0..5),
        ) {
            let redacted: Vec<Span> = places.iter().map(|&(start, length)| Span { start, end: start + length }).collect();
            let read = ReadText::of(&text, &redacted, &reads());
            let mut at = 0;
            for word in read.text().split_whitespace().filter(|word| *word != "XXXX" && !word.contains("XXXX")) {
                let start = at + read.text()[at..].find(word).expect("there");
                at = start + word.len();
                let span = Span { start: u32::try_from(start).expect("short"), end: u32::try_from(at).expect("short") };
                prop_assert_eq!(covered(&text, read.to_note(span)), word);
            }
        }
    }
}
