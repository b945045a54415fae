//! The elements that are read, as FHIR R4 spells them. Free text and demographics go into [`PhiText`]; nothing here has
//! `Debug` or `Serialize`. What is not listed is ignored here and kept in the verbatim text.

use records::PhiText;
use serde::Deserialize;
use serde_json::value::RawValue;

/// A code, URI or type name: compared with what we know, and never shown.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Code(String);

impl Code {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What every resource says of itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Envelope {
    pub(super) resource_type: Option<Code>,
    pub(super) id: Option<Code>,
}

#[derive(Deserialize)]
pub(super) struct Coding {
    pub(super) system: Option<Code>,
    pub(super) code: Option<Code>,
}

#[derive(Deserialize, Default)]
pub(super) struct CodeableConcept {
    #[serde(default)]
    pub(super) coding: Vec<Coding>,
}

#[derive(Deserialize)]
pub(super) struct Identifier {
    #[serde(rename = "use")]
    pub(super) usage: Option<Code>,
    #[serde(rename = "type", default)]
    pub(super) kind: CodeableConcept,
    pub(super) system: Option<Code>,
    pub(super) value: Option<PhiText>,
}

#[derive(Deserialize)]
pub(super) struct Reference {
    #[serde(rename = "reference")]
    pub(super) literal: Option<PhiText>,
    #[serde(rename = "type")]
    pub(super) kind: Option<Code>,
    pub(super) identifier: Option<Identifier>,
    pub(super) display: Option<PhiText>,
}

#[derive(Deserialize)]
pub(super) struct HumanName {
    pub(super) text: Option<PhiText>,
    pub(super) family: Option<PhiText>,
    /// A given name may be null where only an extension says something about it.
    #[serde(default)]
    pub(super) given: Vec<Option<PhiText>>,
}

#[derive(Deserialize)]
pub(super) struct ContactPoint {
    pub(super) system: Option<Code>,
    pub(super) value: Option<PhiText>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Address {
    pub(super) text: Option<PhiText>,
    #[serde(default)]
    pub(super) line: Vec<Option<PhiText>>,
    pub(super) city: Option<PhiText>,
    pub(super) district: Option<PhiText>,
    pub(super) postal_code: Option<PhiText>,
}

#[derive(Deserialize)]
pub(super) struct Contact {
    pub(super) name: Option<HumanName>,
    #[serde(default)]
    pub(super) telecom: Vec<ContactPoint>,
    pub(super) address: Option<Address>,
}

/// Of the extensions, only those that name people and places.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Extension {
    pub(super) url: Option<Code>,
    pub(super) value_string: Option<PhiText>,
    pub(super) value_address: Option<Address>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Patient {
    #[serde(default)]
    pub(super) extension: Vec<Extension>,
    #[serde(default)]
    pub(super) identifier: Vec<Identifier>,
    #[serde(default)]
    pub(super) name: Vec<HumanName>,
    #[serde(default)]
    pub(super) telecom: Vec<ContactPoint>,
    pub(super) gender: Option<Code>,
    pub(super) birth_date: Option<PhiText>,
    #[serde(default)]
    pub(super) address: Vec<Address>,
    #[serde(default)]
    pub(super) contact: Vec<Contact>,
    #[serde(default)]
    pub(super) general_practitioner: Vec<Reference>,
}

#[derive(Deserialize)]
pub(super) struct Practitioner {
    #[serde(default)]
    pub(super) identifier: Vec<Identifier>,
    #[serde(default)]
    pub(super) name: Vec<HumanName>,
}

#[derive(Deserialize)]
pub(super) struct PractitionerRole<'a> {
    #[serde(borrow, default)]
    pub(super) contained: Vec<&'a RawValue>,
    #[serde(default)]
    pub(super) identifier: Vec<Identifier>,
    pub(super) practitioner: Option<Reference>,
}

#[derive(Deserialize)]
pub(super) struct Participant {
    pub(super) individual: Option<Reference>,
}

#[derive(Deserialize)]
pub(super) struct Encounter<'a> {
    #[serde(borrow, default)]
    pub(super) contained: Vec<&'a RawValue>,
    #[serde(default)]
    pub(super) identifier: Vec<Identifier>,
    #[serde(default)]
    pub(super) participant: Vec<Participant>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Attachment {
    pub(super) content_type: Option<Code>,
    pub(super) data: Option<PhiText>,
    pub(super) url: Option<PhiText>,
}

#[derive(Deserialize)]
pub(super) struct Narrative {
    pub(super) div: Option<PhiText>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DiagnosticReport<'a> {
    pub(super) text: Option<Narrative>,
    #[serde(borrow, default)]
    pub(super) contained: Vec<&'a RawValue>,
    #[serde(default)]
    pub(super) identifier: Vec<Identifier>,
    #[serde(default)]
    pub(super) based_on: Vec<Reference>,
    pub(super) status: Option<Code>,
    #[serde(default)]
    pub(super) category: Vec<CodeableConcept>,
    pub(super) subject: Option<Reference>,
    pub(super) encounter: Option<Reference>,
    #[serde(default)]
    pub(super) performer: Vec<Reference>,
    #[serde(default)]
    pub(super) results_interpreter: Vec<Reference>,
    #[serde(default)]
    pub(super) imaging_study: Vec<Reference>,
    pub(super) conclusion: Option<PhiText>,
    #[serde(default)]
    pub(super) presented_form: Vec<Attachment>,
}

#[derive(Deserialize)]
pub(super) struct Request {
    pub(super) method: Option<Code>,
    pub(super) url: Option<PhiText>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry<'a> {
    pub(super) full_url: Option<PhiText>,
    #[serde(borrow)]
    pub(super) resource: Option<&'a RawValue>,
    pub(super) request: Option<Request>,
}

#[derive(Deserialize)]
pub(super) struct Bundle<'a> {
    #[serde(rename = "type")]
    pub(super) kind: Option<Code>,
    #[serde(borrow, default)]
    pub(super) entry: Vec<Entry<'a>>,
}

/// Every element name above: a place in an error is spelled from this list and from nothing else.
pub(super) const NAMES: &[&str] = &[
    "address",
    "basedOn",
    "birthDate",
    "category",
    "city",
    "code",
    "coding",
    "conclusion",
    "contact",
    "contained",
    "contentType",
    "data",
    "display",
    "district",
    "div",
    "encounter",
    "entry",
    "extension",
    "family",
    "fullUrl",
    "gender",
    "generalPractitioner",
    "given",
    "id",
    "identifier",
    "imagingStudy",
    "individual",
    "line",
    "method",
    "name",
    "participant",
    "performer",
    "postalCode",
    "practitioner",
    "presentedForm",
    "reference",
    "request",
    "resource",
    "resourceType",
    "resultsInterpreter",
    "status",
    "subject",
    "system",
    "telecom",
    "text",
    "type",
    "url",
    "use",
    "value",
    "valueAddress",
    "valueString",
];

#[cfg(test)]
mod tests {
    use serde::de::{Deserializer, Visitor, value::Error};

    use super::*;

    /// Answers a derived `Deserialize` with nothing and keeps the names that it asked for.
    struct Asked<'l>(&'l mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Asked<'_> {
        type Error = Error;

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Error> {
            *self.0 = fields;
            Err(serde::de::Error::custom("asked"))
        }

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
            Err(serde::de::Error::custom("no struct"))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    fn fields<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
        let mut names: &'static [&'static str] = &[];
        assert!(T::deserialize(Asked(&mut names)).is_err());
        assert!(!names.is_empty());
        names
    }

    #[test]
    fn every_element_can_be_named_in_an_error() {
        let all = [
            fields::<Envelope>(),
            fields::<Coding>(),
            fields::<CodeableConcept>(),
            fields::<Identifier>(),
            fields::<Reference>(),
            fields::<HumanName>(),
            fields::<ContactPoint>(),
            fields::<Address>(),
            fields::<Contact>(),
            fields::<Extension>(),
            fields::<Patient>(),
            fields::<Practitioner>(),
            fields::<PractitionerRole<'_>>(),
            fields::<Participant>(),
            fields::<Encounter<'_>>(),
            fields::<Attachment>(),
            fields::<Narrative>(),
            fields::<DiagnosticReport<'_>>(),
            fields::<Request>(),
            fields::<Entry<'_>>(),
            fields::<Bundle<'_>>(),
        ];
        for name in all.into_iter().flatten() {
            assert!(NAMES.contains(name), "{name}");
        }
        assert!(NAMES.is_sorted());
    }
}
