//! A stored resource under our id.

use records::{Id, PhiText, Version, kind};
use serde_json::{Value, value::RawValue};
use time::OffsetDateTime;

use super::moment::instant;
use crate::members::Members;

/// The stored text is no JSON object, or its `meta` is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stored resource is not a JSON object")]
pub struct NotAResource;

/// The resource as it was sent with `id`, `meta.versionId` and `meta.lastUpdated` set, as FHIR R4 (section 3.1.0.8) asks
/// of a server. Every other member stays where it was, byte for byte.
///
/// # Errors
/// [`NotAResource`] for a text that `fhir::parse` did not take.
pub fn with_server_id(
    raw: &PhiText,
    id: Id<kind::Report>,
    version: Version,
    last_updated: OffsetDateTime,
) -> Result<String, NotAResource> {
    let object = members(raw.expose())?;
    let sent = |wanted: &str| {
        object
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, raw)| *raw)
    };
    sent("resourceType").ok_or(NotAResource)?;
    let ours = [
        ("id", text(&id.to_string())),
        ("meta", meta(sent("meta"), version, last_updated)?),
    ];
    let (mut due_id, mut due_meta) = (true, true);

    let mut out = Writer::new(raw.expose().len() + 256);
    for (name, value) in &object {
        match name.as_str() {
            // Where it stood; a second one, which FHIR does not allow, goes.
            "id" if std::mem::take(&mut due_id) => out.member(name, &ours[0].1),
            "meta" if std::mem::take(&mut due_meta) => out.member(name, &ours[1].1),
            "id" | "meta" => {}
            _ => out.member(name, value.get()),
        }
        if name == "resourceType" {
            for (missing, json) in ours.iter().filter(|(name, _)| sent(name).is_none()) {
                out.member(missing, json);
            }
        }
    }
    Ok(out.finish())
}

fn meta(
    sent: Option<&RawValue>,
    version: Version,
    last_updated: OffsetDateTime,
) -> Result<String, NotAResource> {
    let mut out = Writer::new(128);
    out.member("versionId", &text(&version.get().to_string()));
    out.member("lastUpdated", &text(&instant(last_updated)));
    if let Some(sent) = sent {
        for (name, value) in members(sent.get())? {
            if !matches!(name.as_str(), "versionId" | "lastUpdated") {
                out.member(&name, value.get());
            }
        }
    }
    Ok(out.finish())
}

fn members(text: &str) -> Result<Vec<(String, &RawValue)>, NotAResource> {
    serde_json::from_str(text)
        .map(|Members(members)| members)
        .map_err(|_| NotAResource)
}

fn text(value: &str) -> String {
    Value::from(value).to_string()
}

struct Writer(String);

impl Writer {
    fn new(capacity: usize) -> Self {
        let mut out = String::with_capacity(capacity);
        out.push('{');
        Self(out)
    }

    fn member(&mut self, name: &str, json: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&text(name));
        self.0.push(':');
        self.0.push_str(json);
    }

    fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn with(raw: &str) -> Result<String, NotAResource> {
        let id = Id::from_uuid(uuid::Uuid::from_u128(1));
        with_server_id(
            &PhiText::new(raw.to_owned()),
            id,
            Version::FIRST,
            datetime!(2027-01-02 03:04:05 UTC),
        )
    }

    const ID: &str = r#""id":"00000000-0000-0000-0000-000000000001""#;
    const VERSION: &str = r#""versionId":"1","lastUpdated":"2027-01-02T03:04:05.000Z""#;

    #[test]
    fn everything_else_stays_byte_for_byte() {
        let raw = r#"{ "x-unknown" : {"a":  1.10, "b": 1E2}, "resourceType":"DiagnosticReport","conclusion":"caf\u00e9 \/","z":null }"#;
        assert_eq!(
            with(raw),
            Ok(format!(
                r#"{{"x-unknown":{{"a":  1.10, "b": 1E2}},"resourceType":"DiagnosticReport",{ID},"meta":{{{VERSION}}},"conclusion":"caf\u00e9 \/","z":null}}"#
            ))
        );
    }

    #[test]
    fn what_was_sent_is_replaced_in_its_place() {
        let raw = r#"{"resourceType":"DiagnosticReport","a":1,"id":"theirs","meta":{"profile":["urn:p"],"versionId":"9","tag":[ ]},"b":2,"id":"again"}"#;
        assert_eq!(
            with(raw),
            Ok(format!(
                r#"{{"resourceType":"DiagnosticReport","a":1,{ID},"meta":{{{VERSION},"profile":["urn:p"],"tag":[ ]}},"b":2}}"#
            ))
        );
    }

    #[test]
    fn what_is_no_resource_is_refused() {
        for raw in ["", "[]", "{}", r#"{"resourceType":"DiagnosticReport","meta":7}"#] {
            assert_eq!(with(raw), Err(NotAResource), "{raw}");
        }
    }
}
