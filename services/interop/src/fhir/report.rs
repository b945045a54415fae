//! A `DiagnosticReport` at the door.

use std::sync::Arc;

use records::{PhiText, ReportStatus, ServiceCode, Submission};
use serde_json::value::RawValue;

use super::{
    canonical::Canonical,
    json::Source,
    mentioned::mentioned,
    note, people,
    reference::{Entries, Scope},
    refusal::{Fault, Faults},
    subject::{Patients, SubjectRef, subject},
    wire,
};

/// A report as a request brings it.
pub struct ReportIn {
    /// What `records` takes.
    ///
    /// Its identity is `system|value` of an identifier: of several, an accession number (type `ACSN`) before an `official`
    /// one, that before any other, one that is not `old`, and else the first. A report without identifiers is the same
    /// only when its content is: its identity is `urn:countersign:content|` and the content.
    ///
    /// Its content is the resource as JSON with keys in order and without what belongs to the transport: white space,
    /// `id`, `meta`, references into the request, the names of contained resources. Where the patient is an entry of the
    /// same Bundle, the patient's first identifier stands in place of `subject`.
    pub submission: Submission,
    /// Whose report it is.
    pub subject: SubjectRef,
}

/// Code system of diagnostic service sections.
const SERVICE_SECTIONS: &str = "http://terminology.hl7.org/CodeSystem/v2-0074";
/// Sections that a radiologist reads (HL7 v2 table 0074): radiology, CT, nuclear magnetic resonance, nuclear medicine,
/// the ultrasounds (radiology, obstetric, vascular, cardiac) and radiograph.
const RADIOLOGY: [&str; 10] = ["RAD", "CT", "NMR", "NMS", "RUS", "OUS", "VUS", "RX", "XRC", "CUS"];

/// The request around a report.
#[derive(Clone, Copy)]
pub(super) struct Request<'a, 's> {
    pub(super) source: Source<'a>,
    /// The body, shared by all reports of it.
    pub(super) submitted: &'s Arc<PhiText>,
    pub(super) entries: &'s Entries<'a>,
    pub(super) patients: &'s Patients,
}

/// Reads the report at `at`. No faults in an error means that they are told elsewhere.
pub(super) fn report<'a>(request: Request<'a, '_>, raw: &'a RawValue, at: &str) -> Result<ReportIn, Faults> {
    let wire: wire::DiagnosticReport<'a> = request.source.read(raw, at).map_err(|fault| vec![fault])?;
    let scope = Scope::new(request.source, request.entries, &wire.contained, at)?;

    let status = status(&wire, at);
    let withdrawn = matches!(status, Ok(ReportStatus::Withdrawn(_)));
    let subject = subject(wire.subject.as_ref(), &scope, request.patients, at);
    let service = service(&wire, at);
    let note = note::text(&wire, at, withdrawn);
    let mentioned = mentioned(&wire, &scope);

    match (status, subject, service, note, mentioned) {
        (Ok(status), Ok(subject), Ok(service), Ok(note), Ok(mentioned)) => {
            let content = content(raw, &wire, &scope, &subject);
            let identity = people::ranked(&wire.identifier).into_iter().next();
            let identity =
                identity.unwrap_or_else(|| PhiText::new(format!("urn:countersign:content|{content}")));
            let submission = Submission {
                identity,
                content: PhiText::new(content),
                submitted: Arc::clone(request.submitted),
                resource: PhiText::new(raw.get().to_owned()),
                note,
                mentioned: mentioned.demographics,
                status,
                service,
                practitioners: mentioned.practitioners,
            };
            Ok(ReportIn { submission, subject })
        }
        (status, subject, service, note, mentioned) => {
            let mut faults: Faults = [status.err(), service.err()].into_iter().flatten().collect();
            faults.extend(
                [subject.err(), note.err(), mentioned.err()]
                    .into_iter()
                    .flatten()
                    .flatten(),
            );
            Err(faults)
        }
    }
}

fn status(wire: &wire::DiagnosticReport<'_>, at: &str) -> Result<ReportStatus, Fault> {
    let at = format!("{at}.status");
    match &wire.status {
        None => Err(Fault::required("The report has no status.", at)),
        Some(code) => ReportStatus::parse(code.as_str()).ok_or_else(|| {
            Fault::code(
                "The status is not a code of the value set diagnostic-report-status.",
                at,
            )
        }),
    }
}

/// The first section of table 0074 among the categories; radiology's own sections are one pool, and a report without
/// any is radiology's.
fn service(wire: &wire::DiagnosticReport<'_>, at: &str) -> Result<ServiceCode, Fault> {
    for (category, concept) in wire.category.iter().enumerate() {
        for (index, coding) in concept.coding.iter().enumerate() {
            if coding
                .system
                .as_ref()
                .is_none_or(|system| system.as_str() != SERVICE_SECTIONS)
            {
                continue;
            }
            let Some(code) = &coding.code else { continue };
            let known = ServiceCode::parse(code.as_str()).ok_or_else(|| {
                Fault::code(
                    "The code is not a diagnostic service section (2 to 16 letters and digits).",
                    format!("{at}.category[{category}].coding[{index}].code"),
                )
            })?;
            return Ok(if RADIOLOGY.contains(&known.as_str()) {
                ServiceCode::radiology()
            } else {
                known
            });
        }
    }
    Ok(ServiceCode::radiology())
}

fn content(
    raw: &RawValue,
    wire: &wire::DiagnosticReport<'_>,
    scope: &Scope<'_, '_>,
    subject: &SubjectRef,
) -> String {
    let reference = wire.subject.as_ref().and_then(|subject| subject.literal.as_ref());
    let from_bundle = reference.is_some_and(|reference| scope.in_bundle(reference.expose().trim()));
    let patient = match subject {
        SubjectRef::Given(patient) if from_bundle => patient.identifiers.first().map(PhiText::expose),
        SubjectRef::Given(_) | SubjectRef::Known(_) | SubjectRef::Ours(_) => None,
    };
    let inside = |reference: &str| scope.in_bundle(reference);
    Canonical {
        subject: patient,
        contained: Some(&scope.contained_ids),
        inside: &inside,
    }
    .text(raw)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::fhir::{
        Incoming, parse,
        samples::{changed, good, report},
    };

    #[test]
    fn a_good_report_is_taken_whole() {
        let body = format!(" \n{}\n", serde_json::to_string_pretty(&good()).expect("JSON"));
        let Ok(Incoming::Report(report)) = parse(body.as_bytes()) else {
            panic!("a good report")
        };
        let submission = report.submission;
        assert_eq!(submission.identity.expose(), "urn:acc|A-1");
        assert_eq!(submission.submitted.expose(), body);
        assert_eq!(submission.resource.expose(), body.trim());
        assert_eq!(submission.note.expose(), "Lungs are clear.");
        assert_eq!(submission.status.as_str(), "final");
        assert_eq!(submission.service.as_str(), "RAD");
        assert!(submission.practitioners.is_empty());
    }

    #[test]
    fn the_same_content_is_the_same_and_any_change_is_not() {
        let content = |json: &Value| report(json).submission.content;
        let base = content(&good());
        let mut transported = good();
        transported["id"] = json!("other");
        transported["meta"] = json!({ "versionId": "3" });
        transported["result"] = json!([{ "reference": "urn:uuid:5" }]);
        let mut expected = good();
        expected["result"] = json!([{}]);
        assert!(content(&transported) == content(&expected));
        // Other white space and other order of keys.
        let pretty = serde_json::to_string_pretty(&good()).expect("JSON");
        let Ok(Incoming::Report(spaced)) = parse(pretty.as_bytes()) else {
            panic!("a good report")
        };
        assert!(spaced.submission.content == base);
        let reversed = r#"{"conclusion": "Lungs are clear.", "subject": {"identifier": {"value": "M-1", "system": "urn:mrn"}}, "code": {"text": "Chest"},
        "category": [{"coding": [{"code": "CT", "system": "http://terminology.hl7.org/CodeSystem/v2-0074"}]}], "status": "final",
        "identifier": [{"value": "A-1", "system": "urn:acc"}], "resourceType": "DiagnosticReport"}"#;
        let Ok(Incoming::Report(reversed)) = parse(reversed.as_bytes()) else {
            panic!("a good report")
        };
        assert!(reversed.submission.content == base);

        for change in [
            changed("/status", json!("amended")),
            changed("/status", json!("entered-in-error")),
            changed("/conclusion", json!("Lungs are clear")),
            changed("/subject/identifier/value", json!("M-2")),
            changed("/extra", json!(1)),
        ] {
            let submission = report(&change).submission;
            assert!(submission.content != base, "{change}");
            assert_eq!(submission.identity.expose(), "urn:acc|A-1");
        }
    }

    #[test]
    fn a_report_without_identifiers_is_known_by_content() {
        let mut json = good();
        json.as_object_mut().expect("an object").remove("identifier");
        let submission = report(&json).submission;
        assert_eq!(
            submission.identity.expose(),
            format!("urn:countersign:content|{}", submission.content.expose())
        );
    }

    #[test]
    fn services_fold_to_reading_pools() {
        for (code, service) in [("RUS", "RAD"), ("rad", "RAD"), ("LAB", "LAB"), ("PAT", "PAT")] {
            assert_eq!(
                report(&changed("/category/0/coding/0/code", json!(code)))
                    .submission
                    .service
                    .as_str(),
                service
            );
        }
        let other = changed("/category/0/coding/0/system", json!("urn:other"));
        assert_eq!(report(&other).submission.service.as_str(), "RAD");
    }

    #[test]
    fn a_withdrawn_report_needs_no_text() {
        let mut json = changed("/status", json!("entered-in-error"));
        json.as_object_mut().expect("an object").remove("conclusion");
        let submission = report(&json).submission;
        assert!(submission.note.is_blank());
        assert!(matches!(
            submission.status,
            records::ReportStatus::Withdrawn("entered-in-error")
        ));
    }
}
