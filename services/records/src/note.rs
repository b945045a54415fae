//! A note with its owner, and the map back from the note without.

use clinical::{DeidentifiedNote, Redaction, Scrubber, Span};

use crate::{Patient, PhiText};

/// A clinical text and whose it is.
pub struct IdentifiedNote {
    text: PhiText,
    patient: Patient,
}

/// Where each replacement stood. Kept with the identified note and sealed; it holds no text.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct RedactionMap(Vec<Redaction>);

impl IdentifiedNote {
    /// A note of `patient`.
    #[must_use]
    pub const fn new(text: PhiText, patient: Patient) -> Self {
        Self { text, patient }
    }

    /// The text, for the listed doors.
    #[must_use]
    pub const fn text(&self) -> &PhiText {
        &self.text
    }

    /// Whose it is, for the listed doors.
    #[must_use]
    pub const fn patient(&self) -> &Patient {
        &self.patient
    }

    /// Takes out who the patient is.
    #[must_use]
    pub fn deidentify(&self, scrubber: &Scrubber) -> (DeidentifiedNote, RedactionMap) {
        let known = self.patient.demographics.known(self.patient.id);
        let made = scrubber.scrub(self.text.expose(), &known);
        (made.note, RedactionMap(made.redactions))
    }
}

impl RedactionMap {
    /// The replacements in order of position.
    #[must_use]
    pub fn redactions(&self) -> &[Redaction] {
        &self.0
    }

    /// Where a span of the de-identified note stands in the original.
    #[must_use]
    pub fn to_original(&self, span: Span) -> Span {
        clinical::to_original(&self.0, span)
    }
}
