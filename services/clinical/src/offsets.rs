//! From the scrubbed text back to the original, and forth.

use crate::{Redaction, Span};

/// Where `span` of the scrubbed text stands in the original text. A span that cuts a replacement is widened to the
/// whole of it, because half of a surrogate corresponds to nothing. `redactions` are those of one
/// [`crate::Scrubbed`], in its order.
///
/// ```
/// use clinical::{Known, Scrubber, Span, to_original};
///
/// let scrubber = Scrubber::new(seal::MacKey::new(&[7; 32]));
/// let original = "Seen on 03/14/2026: effusion.";
/// let scrubbed = scrubber.scrub(original, &Known::default());
/// let text = scrubbed.note.text();
/// let at = text.find("effusion").ok_or("kept")?;
/// let found = Span { start: u32::try_from(at)?, end: u32::try_from(at + "effusion".len())? };
/// let back = to_original(&scrubbed.redactions, found);
/// assert_eq!(&original[back.start as usize..back.end as usize], "effusion");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn to_original(redactions: &[Redaction], span: Span) -> Span {
    translate(redactions, span, |r| r.scrubbed, |r| r.original)
}

/// Where `span` of the original text stands in the scrubbed text, widened like [`to_original`].
#[must_use]
pub fn to_scrubbed(redactions: &[Redaction], span: Span) -> Span {
    translate(redactions, span, |r| r.original, |r| r.scrubbed)
}

/// Where `span` of one text stands in another that differs from it in `replacements` alone: in order, without overlaps,
/// each `from` the one and `to` the other. Widened like [`to_original`].
#[must_use]
pub fn translate<T>(
    replacements: &[T],
    span: Span,
    from: impl Fn(&T) -> Span,
    to: impl Fn(&T) -> Span,
) -> Span {
    // Outside every replacement a position keeps its distance from the end of the last one before it.
    let shifted = |at: u32, before: usize| {
        before
            .checked_sub(1)
            .and_then(|last| replacements.get(last))
            .map_or(at, |last| {
                to(last).end.saturating_add(at.saturating_sub(from(last).end))
            })
    };
    let start = {
        let before = replacements.partition_point(|r| from(r).end <= span.start);
        match replacements.get(before) {
            Some(cut) if from(cut).start <= span.start => to(cut).start,
            _ => shifted(span.start, before),
        }
    };
    let end = {
        let before = replacements.partition_point(|r| from(r).end < span.end);
        match replacements.get(before) {
            Some(cut) if from(cut).start < span.end => to(cut).end,
            _ => shifted(span.end, before),
        }
    };
    Span {
        start,
        end: end.max(start),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PhiClass;

    fn span(start: u32, end: u32) -> Span {
        Span { start, end }
    }

    fn redactions() -> Vec<Redaction> {
        // original: "ab[cdef]gh[i]j", scrubbed: "ab[XY]gh[ZZZ]j"
        [(span(2, 6), span(2, 4)), (span(8, 9), span(6, 9))]
            .map(|(original, scrubbed)| Redaction {
                original,
                scrubbed,
                class: PhiClass::Name,
                known: false,
                finder: crate::Finder::NameContext,
                sure: 98,
            })
            .to_vec()
    }

    #[test]
    fn positions_outside_move_and_cut_replacements_are_whole() {
        let map = redactions();
        for (scrubbed, original) in [
            (span(0, 2), span(0, 2)),
            (span(4, 6), span(6, 8)),
            (span(9, 10), span(9, 10)),
            (span(3, 5), span(2, 7)),
            (span(1, 3), span(1, 6)),
            (span(7, 8), span(8, 9)),
            (span(0, 10), span(0, 10)),
            (span(5, 5), span(7, 7)),
        ] {
            assert_eq!(to_original(&map, scrubbed), original, "{scrubbed:?}");
        }
        assert_eq!(to_scrubbed(&map, span(6, 8)), span(4, 6));
        assert_eq!(to_scrubbed(&map, span(3, 4)), span(2, 4));
    }

    #[test]
    fn without_replacements_nothing_moves() {
        assert_eq!(to_original(&[], span(3, 9)), span(3, 9));
        assert_eq!(to_scrubbed(&[], span(3, 9)), span(3, 9));
    }
}
