//! Pseudonyms for structured data: ids that stay joined, dates that keep their intervals.

use std::fmt;

use time::{Date, Duration};

use crate::Scrubber;

/// Draws the pseudonyms of one patient's structured data with a scrubber's key.
///
/// Dates move by the same days as in the patient's scrubbed texts, so that a note and its resource still agree.
/// Without the key nothing can be recomputed from a list of numbers or names.
#[derive(Clone, Copy)]
pub struct Pseudonyms<'k> {
    key: &'k seal::MacKey,
    patient: [u8; 16],
    days: u16,
}

/// What stands for an id: 128 bits of HMAC-SHA-256, shown in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PseudonymousId([u8; 16]);

/// A key that another system shares with us, for hashes that both must compute alike (HMAC-SHA-256, RFC 2104).
#[derive(Clone)]
pub struct HashKey(seal::MacKey);

impl Scrubber {
    /// A scrubber from 32 secret bytes, for those who have no other business with keys.
    #[must_use]
    pub fn with_secret(secret: &[u8; 32]) -> Self {
        Self::new(seal::MacKey::new(secret))
    }

    /// Pseudonyms for the patient with the opaque id `patient`: the one that [`crate::Known::patient`] has for the
    /// same patient's texts.
    #[must_use]
    pub fn pseudonyms(&self, patient: [u8; 16]) -> Pseudonyms<'_> {
        Pseudonyms {
            key: &self.key,
            patient,
            days: days(&self.key, &patient),
        }
    }
}

impl Pseudonyms<'_> {
    /// What stands for `value`, an id within `system` (a URI, a type of number, or nothing): the same for the same patient,
    /// system and value.
    #[must_use]
    pub fn id(&self, system: &str, value: &str) -> PseudonymousId {
        let mut id = [0; 16];
        id.copy_from_slice(&self.bytes(b"id", system, value)[..16]);
        PseudonymousId(id)
    }

    /// The day that stands for `date`, or `None` at the calendar's beginning. Intervals between a patient's dates stay.
    #[must_use]
    pub fn shift(&self, date: Date) -> Option<Date> {
        date.checked_sub(Duration::days(i64::from(self.days)))
    }

    /// A number in 0 to 1 (1 excluded) that belongs to `value` within `system`: noise that is the same every time.
    #[must_use]
    pub fn fraction(&self, system: &str, value: &str) -> f64 {
        let bytes = self.bytes(b"fraction", system, value);
        // Four bytes fit a double exactly.
        let number = bytes
            .iter()
            .take(4)
            .fold(0_u32, |number, &byte| (number << 8) | u32::from(byte));
        f64::from(number) / (f64::from(u32::MAX) + 1.0)
    }

    fn bytes(&self, what: &[u8], system: &str, value: &str) -> [u8; 32] {
        let parts: [&[u8]; 5] = [
            b"pseudonym",
            what,
            &self.patient,
            system.as_bytes(),
            value.as_bytes(),
        ];
        *self.key.digest(&parts).as_bytes()
    }
}

impl PseudonymousId {
    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for PseudonymousId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl HashKey {
    /// A key from secret bytes of any length.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(seal::MacKey::of(secret))
    }

    /// HMAC-SHA-256 of `value` in 64 hexadecimal digits.
    #[must_use]
    pub fn hash(&self, value: &str) -> String {
        self.0.plain(value.as_bytes()).to_string()
    }
}

/// Days that every date of the patient moves back, 1 to 364.
pub(crate) fn days(key: &seal::MacKey, patient: &[u8; 16]) -> u16 {
    let parts: [&[u8]; 5] = [b"surrogate", patient, b"date", b"offset", &0_u32.to_be_bytes()];
    let digest = key.digest(&parts);
    let number = digest
        .as_bytes()
        .iter()
        .take(8)
        .fold(0_u64, |number, &byte| (number << 8) | u64::from(byte));
    1 + u16::try_from(number % 364).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Known;

    fn scrubber() -> Scrubber {
        Scrubber::new(seal::MacKey::new(&[7; 32]))
    }

    #[test]
    fn ids_agree_within_a_patient_and_a_system_only() {
        let scrubber = scrubber();
        let one = scrubber.pseudonyms([1; 16]);
        assert_eq!(one.id("mrn", "12"), scrubber.pseudonyms([1; 16]).id("mrn", "12"));
        assert_ne!(one.id("mrn", "12"), one.id("mrn", "13"));
        assert_ne!(one.id("mrn", "12"), one.id("mrn1", "2"));
        assert_ne!(one.id("mrn", "12"), scrubber.pseudonyms([2; 16]).id("mrn", "12"));
        let shown = one.id("mrn", "12").to_string();
        assert_eq!(shown.len(), 32);
        assert!(shown.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let fraction = one.fraction("a", "b");
        assert!((0.0..1.0).contains(&fraction));
    }

    #[test]
    fn dates_move_as_in_the_patients_texts() {
        let scrubber = scrubber();
        let date = Date::from_calendar_date(2026, time::Month::March, 14).expect("a date");
        for patient in 0..20 {
            let known = Known {
                patient: [patient; 16],
                ..Known::default()
            };
            let note = scrubber.scrub("Seen on 2026-03-14.", &known);
            let shifted = scrubber.pseudonyms(known.patient).shift(date).expect("a date");
            assert!(note.note.text().contains(&shifted.to_string()));
        }
    }

    #[test]
    fn a_shared_key_hashes_as_elsewhere() {
        // RFC 4231, test case 2.
        assert_eq!(
            HashKey::new(b"Jefe").hash("what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
