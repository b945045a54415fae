//! What may be said without saying whose: notes after the gateway, and what a classifier says about them.
//!
//! The promise: a [`DeidentifiedNote`] exists only because a [`Scrubber`] made it (or because it came back from storage
//! with the digest it left with). The word means *scrubbed*, not *free of identifiers*: what the rules miss is measured,
//! so such a text is kept as carefully as the original. Nothing in this crate knows a patient, a hospital or a model.
//!
//! ```
//! use clinical::{Known, Scrubber, Span, to_original};
//!
//! let scrubber = Scrubber::new(seal::MacKey::new(&[7; 32]));
//! let known = Known { patient: [1; 16], names: vec!["Ann Example"], ..Known::default() };
//! let text = "Mrs. Example, seen 2026-03-14: small left effusion, 3.4 cm. MRN 0048213.";
//! let scrubbed = scrubber.scrub(text, &known);
//! let note = scrubbed.note.text();
//! assert!(!note.contains("Example") && !note.contains("2026-03-14") && !note.contains("48213"));
//! assert!(note.contains("small left effusion, 3.4 cm"));
//!
//! // Evidence found in the scrubbed text is shown in the original to those who may see it.
//! let start = u32::try_from(note.find("effusion").ok_or("kept")?)?;
//! let found = to_original(&scrubbed.redactions, Span { start, end: start + 8 });
//! assert_eq!(&text[found.start as usize..found.end as usize], "effusion");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod assessment;
pub mod at_rest;
mod digest;
mod explanation;
pub mod leak;
mod note;
mod offsets;
mod probability;
mod pseudonym;
mod scrubber;

pub use assessment::{Assessment, Finding, Impression, Label, NotAssessedReason, Outcome, Reading};
pub use digest::{ModelDigest, NoteDigest};
pub use explanation::{Basis, Counterfactual, Explanation, Interval, Phrase, Span, Unreliable};
pub use note::{DeidentifiedNote, ScrubberVersion};
pub use offsets::{to_original, to_scrubbed, translate};
pub use probability::{NotAProbability, Probability};
pub use pseudonym::{HashKey, PseudonymousId, Pseudonyms};
pub use scrubber::tagging;
pub use scrubber::{Finder, Known, PhiClass, RESTRICTED_AREAS, Redaction, Replacement, Scrubbed, Scrubber};
