//! A note after the gateway.

use crate::{NoteDigest, Span};

/// A note that went through [`crate::Scrubber`]. The word means *scrubbed*, not *free of identifiers*:
/// leakage is measured, so the text stays out of logs all the same (no `Debug`, `Display`, `Serialize`).
#[derive(Clone, PartialEq, Eq)]
pub struct DeidentifiedNote {
    text: String,
    redacted: Vec<Span>,
    digest: NoteDigest,
    scrubber: ScrubberVersion,
}

/// Version of the scrubbing rules. A stored note says which rules it went through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScrubberVersion(pub u32);

impl DeidentifiedNote {
    /// Only the scrubber and [`crate::at_rest`] call this.
    pub(crate) fn from_scrubbed(text: String, redacted: Vec<Span>, scrubber: ScrubberVersion) -> Self {
        let digest = NoteDigest::new(seal::Digest::of(text.as_bytes()));
        Self {
            text,
            redacted,
            digest,
            scrubber,
        }
    }

    /// The scrubbed text, for the classifier and for storage under encryption.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where surrogates or tags stand in the text, in order: what is there says nothing about the patient's health.
    #[must_use]
    pub fn redacted(&self) -> &[Span] {
        &self.redacted
    }

    /// SHA-256 of the text.
    #[must_use]
    pub const fn digest(&self) -> NoteDigest {
        self.digest
    }

    /// The rules that it went through.
    #[must_use]
    pub const fn scrubber(&self) -> ScrubberVersion {
        self.scrubber
    }
}
