//! Which phrases are taken away, and what text is left.

use crate::phrase::{Unit, ends_sentence};
use crate::random::SplitMix64;

/// One sample: for each unit whether it stays. At least one unit always does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mask {
    kept: Vec<bool>,
}

impl Mask {
    #[cfg(test)]
    pub(crate) fn of(kept: &[bool]) -> Self {
        Self { kept: kept.to_vec() }
    }

    /// Whether every unit stays.
    pub(crate) fn is_whole(&self) -> bool {
        self.kept.iter().all(|&kept| kept)
    }

    /// For each unit whether it stays.
    pub(crate) fn kept(&self) -> &[bool] {
        &self.kept
    }
}

/// Draws `samples` masks over `units` (at least 2) units. The first keeps everything; each other one takes away a
/// uniform number of units from 1 to all but one, chosen without replacement, as `lime_text.py` does (which may also
/// take all).
pub(crate) fn draw(units: usize, samples: u32, seed: u64) -> Vec<Mask> {
    let mut random = SplitMix64(seed);
    let mut order: Vec<usize> = (0..units).collect();
    (0..samples)
        .map(|sample| {
            let mut kept = vec![true; units];
            if sample > 0 && units > 1 {
                let away = 1 + random.below(units - 1);
                // The first `away` steps of a Fisher-Yates shuffle are a draw without replacement.
                for at in 0..away {
                    let other = at + random.below(units - at);
                    order.swap(at, other);
                    kept[order[at]] = false;
                }
            }
            Mask { kept }
        })
        .collect()
}

/// The text without the phrases that `mask` takes away. A phrase goes with the punctuation behind it, but the end of a
/// sentence stays where the sentence has words left.
pub(crate) fn apply(text: &str, units: &[Unit], mask: &Mask) -> String {
    let part = |start: u32, end: u32| text.get(start as usize..end as usize).unwrap_or("");
    let head = units.first().map_or(text, |first| part(0, first.start));
    let mut out = String::with_capacity(text.len());
    out.push_str(head.trim_start());
    let mut pending = "";
    for (unit, &kept) in units.iter().zip(mask.kept()) {
        let separator = part(unit.end, unit.next);
        if kept {
            out.push_str(pending);
            out.push_str(part(unit.start, unit.end));
            pending = separator;
        } else if !pending.is_empty() && ends_sentence(separator) && !ends_sentence(pending) {
            pending = separator;
        }
    }
    out.push_str(pending.trim_end());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phrase::units;

    #[test]
    fn masks_keep_one_unit_and_remove_one() {
        let masks = draw(5, 200, 9);
        assert!(masks[0].kept().iter().all(|&kept| kept));
        let mut counts = [0; 5];
        for mask in &masks[1..] {
            let kept = mask.kept().iter().filter(|&&kept| kept).count();
            assert!((1..5).contains(&kept));
            for (count, &kept) in counts.iter_mut().zip(mask.kept()) {
                *count += u32::from(kept);
            }
        }
        // Every unit is kept about half of the time.
        assert!(counts.iter().all(|count| (60..140).contains(count)), "{counts:?}");
        assert_eq!(masks, draw(5, 200, 9));
    }

    #[test]
    fn what_is_left_reads_like_text() {
        let text = "FINDINGS: Heart is large, with edema.  Lungs clear. No effusion.";
        let units = units(text);
        assert_eq!(units.len(), 5);
        let left = |kept: [bool; 5]| apply(text, &units, &Mask::of(&kept));
        assert_eq!(
            left([true, true, false, true, true]),
            "FINDINGS: Heart is large.  Lungs clear. No effusion."
        );
        assert_eq!(left([true, false, false, true, false]), "FINDINGS.  Lungs clear.");
        assert_eq!(left([false, false, false, false, true]), "No effusion.");
        assert_eq!(left([true; 5]), text);
    }
}
