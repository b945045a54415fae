//! Which phrases are taken away, and what text is left.

use crate::phrase::{Unit, ends_sentence};

/// One sample: for each unit whether it stays. At least one unit always does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mask {
    kept: Vec<bool>,
}

impl Mask {
    pub(crate) fn of(kept: &[bool]) -> Self {
        Self { kept: kept.to_vec() }
    }

    /// For each unit whether it stays.
    pub(crate) fn kept(&self) -> &[bool] {
        &self.kept
    }
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
