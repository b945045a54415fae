//! FHIR R4 (4.0.1) at the door: what a body says, or why it is refused.

mod attachment;
mod bundle;
mod canonical;
mod json;
mod mentioned;
mod narrative;
mod note;
mod patient;
mod people;
mod reference;
mod refusal;
mod report;
mod resource_type;
#[cfg(test)]
mod samples;
mod subject;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;

use records::PhiText;

pub use bundle::{BundleEntry, BundleIn};
pub use patient::{PatientIn, reference_alias};
pub use refusal::{Issue, IssueCode, Refusal, RefusalClass, Severity};
pub use report::ReportIn;
pub use subject::SubjectRef;

use json::Source;
use reference::Entries;
use refusal::Fault;

/// The words of a narrative as lines; none if it is not XHTML.
pub(crate) fn narrative_text(xhtml: &str) -> Option<String> {
    narrative::to_text(xhtml).ok()
}

/// Bytes in UTF-8 that the text of one report may have: some forty thousand words.
pub const MAX_NOTE_BYTES: usize = 256 * 1024;

/// What came in.
pub enum Incoming {
    /// One report.
    Report(Box<ReportIn>),
    /// A transaction.
    Bundle(BundleIn),
    /// One patient.
    Patient(Box<PatientIn>),
}

/// Reads a request's body.
///
/// # Errors
/// [`Refusal`] with every issue that could be found, in our own words.
pub fn parse(body: &[u8]) -> Result<Incoming, Refusal> {
    const TAKEN: &str = "A DiagnosticReport, a Patient or a Bundle of type transaction is taken here.";
    let (source, raw) = Source::open(body)?;
    let envelope: wire::Envelope = source.read(raw, "Resource")?;
    match envelope.resource_type.as_ref().map(wire::Code::as_str) {
        Some("DiagnosticReport") => {
            let request = report::Request {
                source,
                submitted: &submitted(source),
                entries: &Entries::default(),
                patients: &[],
            };
            Ok(Incoming::Report(Box::new(report::report(
                request,
                raw,
                "DiagnosticReport",
            )?)))
        }
        Some("Bundle") => Ok(Incoming::Bundle(bundle::bundle(source, raw, &submitted(source))?)),
        Some("Patient") => Ok(Incoming::Patient(Box::new(patient::patient(
            source, raw, "Patient", None,
        )?))),
        Some(_) => Err(Fault::unsupported(TAKEN, "Resource.resourceType").into()),
        None => Err(Fault::new(
            RefusalClass::Malformed,
            IssueCode::Required,
            format!("The body has no resourceType. {TAKEN}"),
            "Resource.resourceType",
        )
        .into()),
    }
}

fn submitted(source: Source<'_>) -> Arc<PhiText> {
    Arc::new(PhiText::new(source.text().to_owned()))
}
