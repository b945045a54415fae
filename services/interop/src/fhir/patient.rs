//! A Patient at the door.

use records::{Demographics, Id, PhiText, kind};
use serde_json::value::RawValue;

use super::{
    canonical,
    json::Source,
    people,
    refusal::{Fault, Faults},
    wire,
};

/// A patient as a request brings it.
#[derive(Clone)]
pub struct PatientIn {
    /// What the patient is looked up by, best first: `system|value` of each identifier. A patient without one has
    /// `urn:countersign:content|` and the canonical resource, so that the same resource is the same patient. One that a
    /// Bundle puts at `Patient/ID` is also (or, without an identifier, only) known as
    /// `urn:countersign:reference|Patient/ID`.
    pub identifiers: Vec<PhiText>,
    /// What the scrubber must find.
    pub demographics: Demographics,
    /// The resource, byte for byte.
    pub resource: PhiText,
}

/// Extensions that name people (FHIR R4 core, and US Core by the same name).
const MAIDEN_NAME: &str = "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName";
/// The extension that names a place.
const BIRTH_PLACE: &str = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace";

/// FHIR R4 value set `administrative-gender`.
const GENDERS: [&str; 4] = ["male", "female", "other", "unknown"];

/// What a patient is looked up by who was referred to and not sent: see [`PatientIn::identifiers`].
pub(super) fn alias(reference: &str) -> PhiText {
    PhiText::new(format!("urn:countersign:reference|{reference}"))
}

/// What [`PatientIn::identifiers`] holds for a patient that a Bundle put at `Patient/ID`, for an `ID` that is a UUID like
/// ours: a report's [`super::SubjectRef::Ours`] that is not ours may be one of the hospital's.
#[must_use]
pub fn reference_alias(id: Id<kind::Patient>) -> PhiText {
    alias(&format!("Patient/{id}"))
}

/// Reads the Patient at `at`; `alias` is what else it is looked up by.
pub(super) fn patient<'a>(
    source: Source<'a>,
    raw: &'a RawValue,
    at: &str,
    alias: Option<PhiText>,
) -> Result<PatientIn, Faults> {
    let wire: wire::Patient = source.read(raw, at).map_err(|fault| vec![fault])?;
    let mut faults = Vec::new();
    if let Some(gender) = &wire.gender
        && !GENDERS.contains(&gender.as_str())
    {
        faults.push(Fault::code(
            "The gender is not one of male, female, other and unknown.",
            format!("{at}.gender"),
        ));
    }
    if wire
        .birth_date
        .as_ref()
        .is_some_and(|date| !is_date(date.expose()))
    {
        faults.push(Fault::value(
            "The birth date is not a FHIR date (YYYY, YYYY-MM or YYYY-MM-DD).",
            format!("{at}.birthDate"),
        ));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut identifiers = people::ranked(&wire.identifier);
    if identifiers.is_empty() && alias.is_none() {
        identifiers.push(PhiText::new(format!(
            "urn:countersign:content|{}",
            canonical::ALONE.text(raw)
        )));
    }
    identifiers.extend(alias);
    Ok(PatientIn {
        identifiers,
        demographics: demographics(wire),
        resource: PhiText::new(raw.get().to_owned()),
    })
}

fn demographics(wire: wire::Patient) -> Demographics {
    let mut known = Demographics {
        birth_date: wire.birth_date,
        ..Demographics::default()
    };
    known.gender = wire.gender.map(|gender| PhiText::new(gender.as_str().to_owned()));
    for name in &wire.name {
        people::name(name, &mut known.names);
    }
    people::values(&wire.identifier, &mut known.identifiers);
    people::telecom(&wire.telecom, &mut known);
    for address in &wire.address {
        people::address(address, &mut known);
    }
    for contact in &wire.contact {
        if let Some(name) = &contact.name {
            people::name(name, &mut known.others);
        }
        people::telecom(&contact.telecom, &mut known);
        if let Some(address) = &contact.address {
            people::address(address, &mut known);
        }
    }
    known.others.extend(
        wire.general_practitioner
            .into_iter()
            .filter_map(|reference| reference.display),
    );
    for extension in wire.extension {
        match extension.url.as_ref().map_or("", wire::Code::as_str) {
            MAIDEN_NAME => known.others.extend(extension.value_string),
            BIRTH_PLACE => {
                if let Some(address) = &extension.value_address {
                    people::address(address, &mut known);
                }
            }
            _ => {}
        }
    }
    people::tidy(&mut known);
    known
}

/// FHIR R4 `date`: a year, a month or a day that the calendar has.
fn is_date(text: &str) -> bool {
    let digits =
        |part: &str, length: usize| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = text.split('-');
    let year = parts
        .next()
        .filter(|part| digits(part, 4))
        .and_then(|part| part.parse::<i32>().ok());
    let part = |part: Option<&str>| {
        part.map_or(
            Some(1_u8),
            |part| if digits(part, 2) { part.parse().ok() } else { None },
        )
    };
    let (month, day) = (part(parts.next()), part(parts.next()));
    let (Some(year @ 1..), Some(month), Some(day), None) = (year, month, day, parts.next()) else {
        return false;
    };
    time::Month::try_from(month).is_ok_and(|month| time::Date::from_calendar_date(year, month, day).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::{Incoming, IssueCode, Refusal, RefusalClass, parse};

    fn sent(json: &str) -> Result<PatientIn, Refusal> {
        parse(json.as_bytes()).map(|incoming| match incoming {
            Incoming::Patient(patient) => *patient,
            Incoming::Report(_) | Incoming::Bundle(_) => panic!("it is a Patient"),
        })
    }

    fn exposed(texts: &[PhiText]) -> Vec<&str> {
        texts.iter().map(PhiText::expose).collect()
    }

    const WHOLE: &str = r#"{"resourceType": "Patient", "id": "p",
        "extension": [
            {"url": "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName", "valueString": "Sample"},
            {"url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueAddress": {"city": "Northtown"}},
            {"url": "urn:example:other", "valueInteger": 3}],
        "identifier": [{"system": "urn:example:mrn", "value": "M-100"}, {"use": "official", "system": "urn:example:nat", "value": "N-200"}],
        "name": [{"family": "Example", "given": ["Alex"]}],
        "telecom": [{"system": "phone", "value": "555-0100"}, {"system": "email", "value": "alex@example.org"}],
        "gender": "female", "birthDate": "1970-02-28",
        "address": [{"text": "1 Main Street, Townsville", "line": ["1 Main Street", null], "city": "Townsville", "district": "Any County", "state": "ZZ", "postalCode": "00000"}],
        "contact": [{"name": {"text": "Robin Friend"}, "telecom": [{"system": "phone", "value": "555-0101"}], "address": {"city": "Southtown"}}],
        "generalPractitioner": [{"display": "Dr. Pat Family"}]}"#;

    #[test]
    fn everything_that_names_the_patient_is_taken() {
        let patient = sent(WHOLE).expect("a good patient");
        assert_eq!(
            exposed(&patient.identifiers),
            ["urn:example:nat|N-200", "urn:example:mrn|M-100"]
        );
        assert_eq!(patient.resource.expose(), WHOLE);
        let known = &patient.demographics;
        assert_eq!(
            exposed(&known.names),
            ["Example", "Alex Example", "Example, Alex", "Alex"]
        );
        assert_eq!(
            exposed(&known.others),
            ["Robin Friend", "Robin", "Friend", "Dr. Pat Family", "Sample"]
        );
        assert_eq!(exposed(&known.identifiers), ["M-100", "N-200"]);
        assert_eq!(exposed(&known.phones), ["555-0100", "555-0101"]);
        assert_eq!(exposed(&known.emails), ["alex@example.org"]);
        assert_eq!(
            exposed(&known.address),
            [
                "1 Main Street",
                "1 Main Street, Townsville",
                "Townsville",
                "Any County",
                "00000",
                "Southtown",
                "Northtown"
            ]
        );
        assert_eq!(known.birth_date.as_ref().map(PhiText::expose), Some("1970-02-28"));
        assert_eq!(known.gender.as_ref().map(PhiText::expose), Some("female"));
    }

    #[test]
    fn a_patient_without_identifiers_is_known_by_content() {
        let one =
            sent(r#"{"resourceType": "Patient", "id": "1", "name": [{"text": "A B"}]}"#).expect("a patient");
        let two = sent(r#"{"name": [{"text":"A B"}], "resourceType": "Patient"}"#).expect("a patient");
        assert_eq!(
            exposed(&one.identifiers),
            [r#"urn:countersign:content|{"name":[{"text":"A B"}],"resourceType":"Patient"}"#]
        );
        assert_eq!(exposed(&one.identifiers), exposed(&two.identifiers));
    }

    #[test]
    fn wrong_codes_and_dates_are_refused_together() {
        let refusal = sent(r#"{"resourceType": "Patient", "gender": "zebra", "birthDate": "1970-02-30"}"#)
            .err()
            .expect("both are wrong");
        assert_eq!(refusal.class, RefusalClass::Unprocessable);
        assert_eq!(refusal.issues[0].code, IssueCode::CodeInvalid);
        assert_eq!(refusal.issues[0].expression, ["Patient.gender"]);
        assert_eq!(refusal.issues[1].code, IssueCode::Value);
        assert_eq!(refusal.issues[1].expression, ["Patient.birthDate"]);
        assert!(!format!("{refusal:?}").contains("zebra"));
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for good in ["1970", "1970-02", "2000-02-29"] {
            assert!(is_date(good), "{good}");
        }
        for bad in [
            "",
            "70",
            "0000",
            "1970-13",
            "1970-2",
            "1970-02-30",
            "1970-02-28-01",
            "1970-02-28T00:00",
            "１９７０",
        ] {
            assert!(!is_date(bad), "{bad}");
        }
    }
}
