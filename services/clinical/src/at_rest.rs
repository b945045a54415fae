//! The one door back from storage; `store` alone may call it (`tests/house/doors.rs`).

use crate::{DeidentifiedNote, NoteDigest, ScrubberVersion, Span};

/// The stored text is not the text that was scrubbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// The text's digest differs from the recorded one.
    #[error("a stored note does not match its digest")]
    DigestMismatch,
    /// Recorded by rules that this build does not know.
    #[error("a stored note was scrubbed by rules newer than this build")]
    UnknownScrubber,
}

/// Restores a note that [`crate::Scrubber::scrub`] made, with the places of its replacements, when its digest and version
/// still agree.
///
/// # Errors
/// [`RestoreError`] when the text was changed or a newer scrubber made it.
pub fn restore_note(
    text: String,
    redacted: Vec<Span>,
    digest: NoteDigest,
    scrubber: ScrubberVersion,
) -> Result<DeidentifiedNote, RestoreError> {
    if scrubber > crate::Scrubber::VERSION {
        return Err(RestoreError::UnknownScrubber);
    }
    let note = DeidentifiedNote::from_scrubbed(text, redacted, scrubber);
    if note.digest() == digest {
        Ok(note)
    } else {
        Err(RestoreError::DigestMismatch)
    }
}
