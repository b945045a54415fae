//! What was found, what was missed, and what was taken without need.

use std::collections::BTreeMap;

use serde::Serialize;

use super::gold::GoldNote;
use super::interval::clopper_pearson;
use crate::Redaction;

/// Counts over a set of notes, type-agnostic and by alphanumeric characters: a masked span counts for an identifier
/// whatever class it was given.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Score {
    /// Notes scored.
    pub notes: u64,
    /// Notes with an identifier.
    pub notes_with_phi: u64,
    /// Notes of which an identifier was not wholly masked.
    pub notes_leaking: u64,
    /// Identifiers.
    pub all: Recall,
    /// Identifiers by class.
    pub by_class: BTreeMap<String, Recall>,
    /// Letters and digits of identifiers, and how many of them were masked.
    pub phi_chars: Share,
    /// Letters and digits outside any span, and how many of them were masked.
    pub other_chars: Share,
    /// Redactions in completely annotated notes, and how many of them touch an identifier.
    pub redactions: Share,
    /// Notes without any span, and how many of them were touched.
    pub hard_negatives: Share,
}

/// Recall of identifiers.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Recall {
    /// Identifiers.
    pub spans: u64,
    /// Every letter and digit was masked.
    pub covered: u64,
    /// At least one was.
    pub touched: u64,
}

/// A part of a whole.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Share {
    /// The part.
    pub part: u64,
    /// The whole.
    pub whole: u64,
}

impl Share {
    /// Part by whole; `None` of nothing.
    #[must_use]
    pub fn rate(self) -> Option<f64> {
        (self.whole > 0).then(|| super::interval::as_f64(self.part) / super::interval::as_f64(self.whole))
    }

    /// Its Clopper-Pearson interval at 95 %.
    #[must_use]
    pub fn interval(self) -> (f64, f64) {
        clopper_pearson(self.part, self.whole, 0.95)
    }
}

impl Recall {
    /// Wholly covered identifiers among all.
    #[must_use]
    pub const fn full_cover(self) -> Share {
        Share {
            part: self.covered,
            whole: self.spans,
        }
    }

    /// Touched identifiers among all.
    #[must_use]
    pub const fn any_overlap(self) -> Share {
        Share {
            part: self.touched,
            whole: self.spans,
        }
    }
}

/// An identifier that was not wholly masked: which span of the note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Miss {
    /// Index in [`GoldNote::spans`].
    pub span: usize,
    /// Letters and digits left.
    pub left: usize,
}

/// What a note was scored to hold besides the counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Identifiers left.
    pub misses: Vec<Miss>,
    /// Redactions that touch no span of a completely annotated note, in code points.
    pub needless: Vec<(usize, usize)>,
}

impl Score {
    /// Scores one note; `redactions` are those of its text.
    pub fn add(&mut self, note: &GoldNote, redactions: &[Redaction]) -> Findings {
        let spans = code_points(&note.text, redactions);
        self.add_spans(note, &spans)
    }

    /// Scores one note by masked ranges in code points.
    pub fn add_spans(&mut self, note: &GoldNote, masked: &[(usize, usize)]) -> Findings {
        let chars: Vec<char> = note.text.chars().collect();
        let places = |ranges: &mut dyn Iterator<Item = (usize, usize)>| {
            let mut all = vec![false; chars.len()];
            for (start, end) in ranges {
                let end = end.min(chars.len());
                if let Some(range) = all.get_mut(start.min(end)..end) {
                    range.fill(true);
                }
            }
            all
        };
        let mask = places(&mut masked.iter().copied());
        let gold = places(&mut note.spans.iter().map(|span| (span.start, span.end)));
        let mut findings = Findings::default();
        let mut has_phi = false;
        for (index, span) in note.spans.iter().enumerate().filter(|(_, span)| span.hipaa) {
            let places = (span.start..span.end.min(chars.len())).filter(|&at| chars[at].is_alphanumeric());
            let (mut count, mut hit) = (0, 0);
            for at in places {
                count += 1;
                hit += usize::from(mask[at]);
            }
            if count == 0 {
                continue;
            }
            has_phi = true;
            self.phi_chars.whole += count as u64;
            self.phi_chars.part += hit as u64;
            let class = self.by_class.entry(span.category.clone()).or_default();
            for recall in [&mut self.all, class] {
                recall.spans += 1;
                recall.covered += u64::from(hit == count);
                recall.touched += u64::from(hit > 0);
            }
            if hit < count {
                findings.misses.push(Miss {
                    span: index,
                    left: count - hit,
                });
            }
        }
        self.notes += 1;
        self.notes_with_phi += u64::from(has_phi);
        self.notes_leaking += u64::from(!findings.misses.is_empty());
        if note.complete {
            for (at, c) in chars.iter().enumerate() {
                if c.is_alphanumeric() && !gold[at] {
                    self.other_chars.whole += 1;
                    self.other_chars.part += u64::from(mask[at]);
                }
            }
            for &(start, end) in masked {
                let right = gold
                    .get(start..end.min(gold.len()))
                    .is_some_and(|range| range.contains(&true));
                self.redactions.whole += 1;
                self.redactions.part += u64::from(right);
                if !right {
                    findings.needless.push((start, end));
                }
            }
            if note.spans.is_empty() {
                self.hard_negatives.whole += 1;
                self.hard_negatives.part += u64::from(!masked.is_empty());
            }
        }
        findings
    }
}

/// The original ranges of `redactions` in code points of `text`, in order.
#[must_use]
pub fn code_points(text: &str, redactions: &[Redaction]) -> Vec<(usize, usize)> {
    let mut spans = Vec::with_capacity(redactions.len());
    let (mut byte, mut point) = (0, 0);
    let mut to = |at: usize| {
        let at = at.max(byte);
        point += text.get(byte..at).map_or(0, |part| part.chars().count());
        byte = at;
        point
    };
    for redaction in redactions {
        let start = to(redaction.original.start as usize);
        spans.push((start, to(redaction.original.end as usize)));
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::super::gold::{GoldKnown, GoldSpan};
    use super::*;

    fn note(text: &str, spans: &[(usize, usize, bool)]) -> GoldNote {
        GoldNote {
            id: "n".to_owned(),
            text: text.to_owned(),
            spans: spans
                .iter()
                .map(|&(start, end, hipaa)| GoldSpan {
                    start,
                    end,
                    category: "NAME".to_owned(),
                    hipaa,
                })
                .collect(),
            complete: true,
            known: GoldKnown::default(),
        }
    }

    #[test]
    fn counts_follow_letters_and_digits() {
        let mut score = Score::default();
        // "é Ann B. ok 2020": the span with its point is covered by its letters.
        let found = score.add_spans(
            &note("é Ann B. ok 2020", &[(2, 8, true), (12, 16, false)]),
            &[(2, 7), (9, 11)],
        );
        assert!(found.misses.is_empty());
        assert_eq!(found.needless, [(9, 11)]);
        let found = score.add_spans(&note("Ann Bee", &[(0, 7, true)]), &[(0, 3)]);
        assert_eq!(found.misses, [Miss { span: 0, left: 3 }]);
        score.add_spans(&note("clean", &[]), &[]);
        assert_eq!(
            (score.notes, score.notes_with_phi, score.notes_leaking),
            (3, 2, 1)
        );
        assert_eq!((score.all.spans, score.all.covered, score.all.touched), (2, 1, 2));
        assert_eq!((score.phi_chars.part, score.phi_chars.whole), (7, 10));
        assert_eq!((score.other_chars.part, score.other_chars.whole), (2, 8));
        assert_eq!((score.redactions.part, score.redactions.whole), (2, 3));
        assert_eq!((score.hard_negatives.part, score.hard_negatives.whole), (0, 1));
    }
}
