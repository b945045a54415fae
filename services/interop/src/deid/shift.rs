//! Dates moved, or cut to their year.

use super::{
    methods::{Labels, Methods},
    moment::{self, Moment},
    rules::{DateShift, Scope},
    tree::{NodeId, Tree},
};

impl Methods<'_> {
    /// The year of a date, where years may stay and it reveals no age over 89.
    pub(super) fn year(&self, old: &str) -> Option<String> {
        let moment = Moment::read(old).filter(|_| self.parameters.partial_dates)?;
        (!moment.reveals_age(self.origin.today)).then(|| format!("{:04}", moment.year))
    }

    /// The date moved, or its year where it cannot be.
    pub(super) fn shift(&self, tree: &Tree, node: NodeId, old: &str, labels: &mut Labels) -> Option<String> {
        let shifted = Moment::read(old)
            .filter(|moment| !moment.reveals_age(self.origin.today))
            .and_then(|moment| self.shifted(tree, &moment));
        if shifted.is_some() {
            labels.add(Labels::PERTURBED);
            return shifted;
        }
        labels.add(Labels::REDACTED);
        // An instant is exact or nothing (FHIR R4, section 2.24.0.1).
        let exact = matches!(self.parameters.date_shift, DateShift::Years) && tree.kind(node) == "instant";
        if exact { None } else { self.year(old) }
    }

    /// The moved date; none where it has no day.
    fn shifted(&self, tree: &Tree, moment: &Moment<'_>) -> Option<String> {
        moment.day?;
        let date = moment.first_day()?;
        match &self.parameters.date_shift {
            DateShift::Years => None,
            DateShift::Patient => {
                let moved = self.texts.pseudonyms(self.patient).shift(date)?;
                Some(moment::written(moved) + moment.time)
            }
            DateShift::Key(key, scope) => {
                let moved = moment::moved(date, self.offset(tree, key, *scope))?;
                Some(moment::written(moved) + &midnight(moment.time))
            }
        }
    }

    /// Days from -50 to 50: the bytes of prefix and key, read as a number to the base 131, modulo 101.
    fn offset(&self, tree: &Tree, key: &str, scope: Scope) -> i64 {
        if let Some(days) = key
            .strip_prefix("fixedOffset:")
            .and_then(|days| days.trim().parse().ok())
        {
            return days;
        }
        let prefix = match scope {
            Scope::Resource => "",
            Scope::File => self.origin.file,
            Scope::Folder => self.origin.folder,
        };
        let prefix = if prefix.is_empty() {
            tree.child_text(Tree::ROOT, "id").unwrap_or("")
        } else {
            prefix
        };
        let own;
        let key = if key.is_empty() {
            own = self.ids.id("parameter", "dateShiftKey").to_string();
            own.as_str()
        } else {
            key
        };
        let bytes = prefix.bytes().chain(key.bytes());
        bytes.fold(0, |sum, byte| (sum * 131 + i64::from(byte)) % 101) - 50
    }
}

/// A time of day as noughts, its zone unchanged.
fn midnight(time: &str) -> String {
    let zone = time.rfind(['Z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at(zone);
    let clock: String = clock
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    clock + zone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_become_midnight() {
        assert_eq!(midnight("T01:02:03.45-01:30"), "T00:00:00.00-01:30");
        assert_eq!(midnight("T01:02:03Z"), "T00:00:00Z");
        assert_eq!(midnight(""), "");
    }
}
