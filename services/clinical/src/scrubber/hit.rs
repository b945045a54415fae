//! What a rule found, and how finds that overlap become one list.

use std::collections::BTreeMap;
use std::ops::Range;

use super::calendar::DateParts;
use super::redaction::{Finder, PhiClass};

/// How the surrogate of a find is made.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Word by word from the pool of names.
    Name,
    /// Digit by digit and letter by letter.
    Code,
    /// A label, up to this byte, which stays, and a code behind it.
    Labelled(usize),
    /// Digits, as a number that is never assigned.
    Phone,
    Email,
    Url,
    /// IP or MAC address.
    Address,
    /// Shifted, where its parts are known.
    Date(Box<DateParts>),
    /// `90+`.
    Age,
    /// House number and words of a street line; its type stays.
    Street,
    /// City, county or facility; words that only say what it is stay.
    Place,
}

/// One find, in bytes of the view.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    pub range: Range<usize>,
    pub class: PhiClass,
    /// The hospital's own data named it.
    pub known: bool,
    pub kind: Kind,
    pub finder: Finder,
    /// How sure, in percent.
    pub sure: u8,
}

impl Hit {
    pub(crate) fn found(range: Range<usize>, class: PhiClass, kind: Kind) -> Self {
        Self {
            range,
            class,
            known: false,
            kind,
            finder: Finder::default(),
            sure: 0,
        }
    }

    pub(crate) fn known(range: Range<usize>, class: PhiClass, kind: Kind) -> Self {
        Self {
            range,
            class,
            known: true,
            kind,
            finder: Finder::KnownValue,
            sure: 100,
        }
    }
}

/// Makes one ordered list without overlaps that covers every letter and digit of every find. The longer find wins
/// where two overlap, at equal length a date (which is shifted, so that intervals stay), then the known one; what the loser
/// covers beyond it is kept as a find of its own.
pub(crate) fn resolve(text: &str, mut hits: Vec<Hit>) -> Vec<Hit> {
    hits.retain(|hit| !hit.range.is_empty());
    // Overlapping finds form groups; within a group the order of preference decides.
    hits.sort_by_key(|hit| (hit.range.start, std::cmp::Reverse(hit.range.end)));
    let mut resolved: Vec<Hit> = Vec::with_capacity(hits.len());
    let mut group: Vec<Hit> = Vec::new();
    let mut reach = 0;
    for hit in hits {
        if hit.range.start >= reach {
            settle(text, &mut group, &mut resolved);
        }
        reach = reach.max(hit.range.end);
        group.push(hit);
    }
    settle(text, &mut group, &mut resolved);
    resolved
}

fn settle(text: &str, group: &mut Vec<Hit>, resolved: &mut Vec<Hit>) {
    if group.len() < 2 {
        resolved.append(group);
        return;
    }
    let date = |hit: &Hit| matches!(hit.kind, Kind::Date(_));
    group.sort_by_key(|hit| {
        let longest = std::cmp::Reverse(hit.range.len());
        (longest, !date(hit), !hit.known, hit.range.start)
    });
    // By first byte; what is placed never overlaps, so that a find's neighbours are found by search.
    let mut placed: BTreeMap<usize, Hit> = BTreeMap::new();
    for hit in group.drain(..) {
        place(text, &hit, &mut placed);
    }
    resolved.extend(placed.into_values());
}

/// Adds the parts of `hit` that no preferred find of its group covers.
fn place(text: &str, hit: &Hit, placed: &mut BTreeMap<usize, Hit>) {
    let before = placed
        .range(..hit.range.start)
        .next_back()
        .map(|(&start, _)| start);
    let mut free = Vec::new();
    let mut from = hit.range.start;
    for (_, other) in placed.range_mut(before.unwrap_or(hit.range.start)..hit.range.end) {
        if other.range.end <= hit.range.start {
            continue;
        }
        other.known |= hit.known;
        if from < other.range.start {
            free.push(from..other.range.start);
        }
        from = from.max(other.range.end);
    }
    if from < hit.range.end {
        free.push(from..hit.range.end);
    }
    let whole = free.first() == Some(&hit.range);
    for part in free {
        if !text
            .get(part.clone())
            .is_some_and(|rest| rest.chars().any(char::is_alphanumeric))
        {
            continue;
        }
        // Half a date or half an address has no form of its own any more.
        let kind = match (&hit.kind, whole) {
            (kind, true) => kind.clone(),
            (Kind::Name, false) => Kind::Name,
            (Kind::Street | Kind::Place, false) => Kind::Place,
            _ => Kind::Code,
        };
        placed.insert(
            part.start,
            Hit {
                range: part,
                class: hit.class,
                known: hit.known,
                kind,
                finder: hit.finder,
                sure: hit.sure,
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(hits: &[(Range<usize>, bool)]) -> Vec<(Range<usize>, bool)> {
        let text = "abcdefghij klmnop";
        let hits = hits
            .iter()
            .map(|(range, known)| Hit {
                range: range.clone(),
                class: PhiClass::Name,
                known: *known,
                kind: Kind::Name,
                finder: Finder::Tagger,
                sure: 50,
            })
            .collect();
        resolve(text, hits)
            .into_iter()
            .map(|hit| (hit.range, hit.known))
            .collect()
    }

    #[test]
    fn everything_found_stays_covered_and_nothing_overlaps() {
        assert_eq!(
            ranges(&[(0..3, false), (5..7, true)]),
            [(0..3, false), (5..7, true)]
        );
        assert_eq!(ranges(&[(0..6, false), (2..4, true)]), [(0..6, true)]);
        assert_eq!(
            ranges(&[(0..6, false), (4..8, false)]),
            [(0..6, false), (6..8, false)]
        );
        assert_eq!(ranges(&[(2..4, false), (2..4, true)]), [(2..4, true)]);
        assert_eq!(
            ranges(&[(0..4, false), (3..9, false), (8..13, true)]),
            [(0..3, false), (3..9, true), (9..13, true)]
        );
    }
}
