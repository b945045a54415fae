//! How other systems speak to us: FHIR R4 (4.0.1) in and out. No I/O.
//!
//! [`fhir::parse`] turns a request's body into what `records` takes, or says what is wrong and where without
//! repeating a word of it; text and demographics go from the wire straight into [`records::PhiText`].
//! [`emit`] writes what leaves.
//!
//! ```
//! use interop::fhir::{Incoming, SubjectRef, parse};
//!
//! let body = br#"{
//!   "resourceType": "DiagnosticReport", "status": "final", "code": {"text": "Chest"},
//!   "identifier": [{"system": "urn:example:accession", "value": "A-1"}],
//!   "subject": {"identifier": {"system": "urn:example:mrn", "value": "M-1"}},
//!   "conclusion": "Lungs are clear."
//! }"#;
//! let Ok(Incoming::Report(report)) = parse(body) else { panic!("a good report") };
//! assert_eq!(report.submission.identity.expose(), "urn:example:accession|A-1");
//! assert!(matches!(report.subject, SubjectRef::Known(identifiers) if identifiers.len() == 1));
//!
//! let refusal = parse(br#"{"resourceType": "DiagnosticReport", "status": "final"}"#).err().expect("no subject");
//! assert_eq!(refusal.issues[0].expression, ["DiagnosticReport.subject"]);
//! ```

pub mod deid;
pub mod emit;
pub mod fhir;
mod members;
