//! Whose report it is.

use records::{Id, PhiText, kind};

use super::{
    patient::{self, PatientIn, alias},
    people,
    reference::{Scope, conditional, type_and_id, unversioned},
    refusal::{Fault, Faults, IssueCode, RefusalClass},
    wire,
};

/// The patient that a report names.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each report of a request, and it is taken apart at once"
)]
pub enum SubjectRef {
    /// One that we gave an id: `Patient/UUID` and no identifier.
    Ours(Id<kind::Patient>),
    /// Texts to look up, each of which may find the patient: `urn:countersign:reference|Patient/x` for a reference and
    /// `system|value` for an identifier.
    Known(Vec<PhiText>),
    /// One that the request brings: contained, or in the same Bundle.
    Given(PatientIn),
}

/// Patients of the Bundle by their entry, read before the reports; `None` where the reading found faults.
pub(super) type Patients = [Option<PatientIn>];

/// Reads the subject of the report at `at`. No faults in an error means that they are told elsewhere.
pub(super) fn subject(
    subject: Option<&wire::Reference>,
    scope: &Scope<'_, '_>,
    patients: &Patients,
    at: &str,
) -> Result<SubjectRef, Faults> {
    let at = format!("{at}.subject");
    let one = |fault| Err(vec![fault]);
    let Some(subject) = subject else {
        return one(Fault::required("The report names no patient.", at));
    };
    if subject
        .kind
        .as_ref()
        .is_some_and(|kind| kind.as_str() != "Patient")
    {
        return one(not_a_patient(format!("{at}.type")));
    }
    let identifier = subject.identifier.as_ref().and_then(people::identifier);
    let reference = subject
        .literal
        .as_ref()
        .map_or("", |reference| reference.expose().trim());
    if reference.is_empty() {
        return match identifier {
            Some(identifier) => Ok(SubjectRef::Known(vec![identifier])),
            None => one(Fault::required(
                "The subject has neither a reference nor an identifier with a value.",
                at,
            )),
        };
    }
    let place = format!("{at}.reference");
    if let Some(found) = scope.find(reference) {
        if found.kind != "Patient" {
            return one(not_a_patient(place));
        }
        return match found.entry {
            Some(entry) => {
                scope.entries.follow(found).map_err(|fault| vec![fault])?;
                patients
                    .get(entry)
                    .cloned()
                    .flatten()
                    .map(SubjectRef::Given)
                    .ok_or_else(Vec::new)
            }
            None => patient::patient(scope.source, found.raw, &found.at, None).map(SubjectRef::Given),
        };
    }
    if reference.starts_with('#') || reference.starts_with("urn:") {
        // An identifier beside a reference into nowhere still says who it is.
        return match (identifier, reference.starts_with('#')) {
            (Some(identifier), false) => Ok(SubjectRef::Known(vec![identifier])),
            _ => one(Fault::new(
                RefusalClass::Unprocessable,
                IssueCode::NotFound,
                "The reference points to nothing in this request.",
                place,
            )),
        };
    }
    let (found, text) = if let Some((found, text)) = conditional(reference) {
        (found, text)
    } else if let Some((found, id)) = type_and_id(reference) {
        let relative = unversioned(reference);
        let ours = if relative.len() == "Patient/".len() + 36 && identifier.is_none() {
            id.parse().ok()
        } else {
            None
        };
        if let (Some(ours), "Patient") = (ours, found) {
            return Ok(SubjectRef::Ours(ours));
        }
        (found, alias(relative))
    } else {
        return one(Fault::value(
            "The reference is neither Patient/ID nor a URL that ends so.",
            place,
        ));
    };
    if found != "Patient" {
        return one(not_a_patient(place));
    }
    Ok(SubjectRef::Known(
        std::iter::once(text).chain(identifier).collect(),
    ))
}

fn not_a_patient(at: String) -> Fault {
    Fault::unsupported(
        "The subject is not a Patient; reports on groups, devices and places are not taken.",
        at,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::{Incoming, Refusal, parse};

    const OURS: &str = "0190c5f6-6d3a-7c1e-8a2b-000000000001";

    fn of(subject: &str, contained: &str) -> Result<SubjectRef, Refusal> {
        let json = format!(
            r#"{{"resourceType": "DiagnosticReport", "status": "final", "contained": [{contained}], "subject": {subject}, "conclusion": "Clear."}}"#
        );
        parse(json.as_bytes()).map(|incoming| match incoming {
            Incoming::Report(report) => report.subject,
            Incoming::Patient(_) | Incoming::Bundle(_) => panic!("it is a report"),
        })
    }

    fn known(subject: &str) -> Vec<String> {
        match of(subject, "") {
            Ok(SubjectRef::Known(texts)) => texts.iter().map(|text| text.expose().to_owned()).collect(),
            _ => panic!("{subject} is looked up"),
        }
    }

    #[test]
    fn a_uuid_is_ours_and_everything_else_is_looked_up() {
        let ours = of(&format!(r#"{{"reference": "Patient/{OURS}"}}"#), "");
        assert!(matches!(ours, Ok(SubjectRef::Ours(id)) if id.to_string() == OURS));
        let versioned = of(&format!(r#"{{"reference": "Patient/{OURS}/_history/2"}}"#), "");
        assert!(matches!(versioned, Ok(SubjectRef::Ours(_))));
        assert_eq!(
            known(r#"{"reference": "Patient/x-1"}"#),
            ["urn:countersign:reference|Patient/x-1"]
        );
        assert_eq!(
            known(r#"{"reference": "https://ehr.example/fhir/Patient/1"}"#),
            ["urn:countersign:reference|https://ehr.example/fhir/Patient/1"]
        );
        assert_eq!(
            known(r#"{"identifier": {"system": "urn:s", "value": "7"}}"#),
            ["urn:s|7"]
        );
        assert_eq!(
            known(r#"{"reference": "Patient/x", "identifier": {"system": "urn:s", "value": "7"}}"#),
            ["urn:countersign:reference|Patient/x", "urn:s|7"]
        );
        assert_eq!(
            known(&format!(
                r#"{{"reference": "Patient/{OURS}", "identifier": {{"system": "urn:s", "value": "7"}}}}"#
            )),
            [
                format!("urn:countersign:reference|Patient/{OURS}"),
                "urn:s|7".to_owned()
            ]
        );
        assert_eq!(
            known(r#"{"reference": "Patient?identifier=urn:s%7C7"}"#),
            ["urn:s|7"]
        );
        assert_eq!(
            known(r#"{"reference": "urn:uuid:0", "identifier": {"value": "7"}}"#),
            ["|7"]
        );
    }

    #[test]
    fn a_contained_patient_is_given() {
        let given = of(
            r##"{"reference": "#p"}"##,
            r#"{"resourceType": "Patient", "id": "p", "identifier": [{"value": "7"}]}"#,
        );
        let Ok(SubjectRef::Given(patient)) = given else {
            panic!("contained")
        };
        assert_eq!(patient.identifiers[0].expose(), "|7");
        assert_eq!(
            patient.resource.expose(),
            r#"{"resourceType": "Patient", "id": "p", "identifier": [{"value": "7"}]}"#
        );
    }

    #[test]
    fn what_names_nobody_is_refused_at_its_element() {
        let device = r#"{"resourceType": "Device", "id": "p"}"#;
        let broken = r#"{"resourceType": "Patient", "id": "p", "gender": "zebra"}"#;
        let cases = [
            ("{}", "", "required", "subject"),
            (r#"{"display": "zebra"}"#, "", "required", "subject"),
            (
                r#"{"identifier": {"system": "zebra"}}"#,
                "",
                "required",
                "subject",
            ),
            (
                r#"{"reference": "Group/1"}"#,
                "",
                "not-supported",
                "subject.reference",
            ),
            (r#"{"reference": "zebra"}"#, "", "value", "subject.reference"),
            (
                r#"{"type": "Device", "reference": "Patient/1"}"#,
                "",
                "not-supported",
                "subject.type",
            ),
            (
                r#"{"reference": "urn:uuid:zebra"}"#,
                "",
                "not-found",
                "subject.reference",
            ),
            (
                r##"{"reference": "#zebra"}"##,
                "",
                "not-found",
                "subject.reference",
            ),
            (r##"{"reference": "#"}"##, "", "not-found", "subject.reference"),
            (
                r##"{"reference": "#p"}"##,
                device,
                "not-supported",
                "subject.reference",
            ),
            (
                r##"{"reference": "#p"}"##,
                broken,
                "code-invalid",
                "contained[0].gender",
            ),
        ];
        for (subject, contained, code, element) in cases {
            let refusal = of(subject, contained)
                .err()
                .unwrap_or_else(|| panic!("{subject} names nobody"));
            assert_eq!(refusal.issues[0].code.as_str(), code, "{subject}");
            assert_eq!(
                refusal.issues[0].expression,
                [format!("DiagnosticReport.{element}")],
                "{subject}"
            );
            assert!(!format!("{refusal:?}").contains("zebra"));
        }
    }
}
