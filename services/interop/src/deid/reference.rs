//! Ids inside references (FHIR R4, section 2.3.0.1): literal URLs, `urn:uuid:`, `urn:oid:` and fragments.

use clinical::Pseudonyms;

use super::elements;

/// Where absolute URLs lead after de-identification: nowhere (RFC 2606, section 2).
const BASE: &str = "https://deidentified.invalid/fhir/";

/// The reference with its id transformed, as Microsoft's anonymizer does it; the whole text where no id is found in it.
pub(super) fn transform(reference: &str, hash: impl Fn(&str) -> String) -> String {
    if let Some(id) = reference.strip_prefix('#') {
        return format!("#{}", hash(id));
    }
    if let Some(id) = reference.strip_prefix("urn:uuid:").filter(|id| is_uuid(id)) {
        return format!("urn:uuid:{}", hash(id));
    }
    if let Some(id) = reference.strip_prefix("urn:oid:").filter(|id| is_oid(id)) {
        return format!("urn:oid:{}", hash(id));
    }
    if let Some((prefix, id, suffix)) = literal(reference) {
        return format!("{prefix}{}{suffix}", hash(id));
    }
    hash(reference)
}

/// The reference with a pseudonym for its id: relative where it was relative, a [`BASE`] before it for an absolute `url`.
/// None where it is no literal reference.
pub(super) fn pseudonym(reference: &str, url: bool, id: impl Fn(&str) -> String) -> Option<String> {
    if let Some(inner) = reference.strip_prefix('#') {
        return Some(format!("#{}", id(inner)));
    }
    if let Some(inner) = reference
        .strip_prefix("urn:uuid:")
        .or_else(|| reference.strip_prefix("urn:oid:"))
    {
        return Some(format!("urn:uuid:{}", id(inner)));
    }
    if url && elements::resource(reference).is_some() {
        return Some(reference.to_owned());
    }
    let (prefix, inner, _) = literal(reference)?;
    let kind = prefix.trim_end_matches('/').rsplit('/').next()?;
    let base = if url && prefix.contains("://") { BASE } else { "" };
    Some(format!("{base}{kind}/{}", id(inner)))
}

/// The id that a reference holds, wherever it leads.
pub(super) fn inner_id(reference: &str) -> Option<&str> {
    reference
        .strip_prefix("urn:uuid:")
        .or_else(|| reference.strip_prefix('#'))
        .or_else(|| literal(reference).map(|(_, id, _)| id))
}

/// The resource type that a literal reference names.
pub(super) fn resource_type(reference: &str) -> Option<&str> {
    let (prefix, _, _) = literal(reference)?;
    prefix.trim_end_matches('/').rsplit('/').next()
}

/// A pseudonym in the form of a UUID, which is also a FHIR id.
pub(super) fn uuid(ids: &Pseudonyms<'_>, value: &str) -> String {
    // A UUID is the same in any case, and an id is often a UUID.
    let digits = ids
        .id(
            "id",
            &if is_uuid(value) {
                value.to_ascii_lowercase()
            } else {
                value.to_owned()
            },
        )
        .to_string();
    [0..8, 8..12, 12..16, 16..20, 20..32]
        .map(|group| &digits[group])
        .join("-")
}

/// What stands before the id, the id, and a version behind it.
fn literal(reference: &str) -> Option<(&str, &str, &str)> {
    let (rest, suffix) = match reference.find("/_history/") {
        Some(at) if is_id(&reference[at + "/_history/".len()..]) => reference.split_at(at),
        Some(_) => return None,
        None => (reference, ""),
    };
    let (before, id) = rest.rsplit_once('/')?;
    let (base, kind) = match before.rfind('/') {
        Some(at) => before.split_at(at + 1),
        None => ("", before),
    };
    let http = base.is_empty() || {
        let rest = base
            .strip_prefix("http://")
            .or_else(|| base.strip_prefix("https://"));
        rest.is_some_and(|rest| {
            rest.bytes().all(|byte| {
                byte.is_ascii_alphanumeric()
                    || matches!(byte, b'\\' | b'/' | b'.' | b':' | b'%' | b'$' | b'-' | b'_')
            })
        })
    };
    (http && is_id(id) && elements::resource(kind).is_some()).then(|| (&rest[..=before.len()], id, suffix))
}

fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn is_oid(text: &str) -> bool {
    text.starts_with(['0', '1', '2'])
        && text.contains('.')
        && text
            .split('.')
            .all(|arc| !arc.is_empty() && arc.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_in_references() {
        let hash = |id: &str| format!("<{id}>");
        for (reference, wanted) in [
            ("Patient/12", "Patient/<12>"),
            ("http://a.b/fhir/Patient/12", "http://a.b/fhir/Patient/<12>"),
            ("Patient/12/_history/3", "Patient/<12>/_history/3"),
            ("#p1", "#<p1>"),
            ("urn:oid:1.2.3", "urn:oid:<1.2.3>"),
            (
                "urn:uuid:C757873D-EC9A-4326-A141-556F43239520",
                "urn:uuid:<C757873D-EC9A-4326-A141-556F43239520>",
            ),
            ("urn:uuid:1", "<urn:uuid:1>"),
            ("Planet/12", "<Planet/12>"),
            ("Patient?identifier=1", "<Patient?identifier=1>"),
        ] {
            assert_eq!(transform(reference, hash), wanted);
        }
    }

    #[test]
    fn pseudonyms_lead_to_each_other_and_nowhere_else() {
        let id = |id: &str| format!("<{id}>");
        for (reference, url, wanted) in [
            ("Patient/12", false, Some("Patient/<12>")),
            (
                "http://a.b/fhir/Patient/12/_history/4",
                false,
                Some("Patient/<12>"),
            ),
            (
                "http://a.b/fhir/Patient/12",
                true,
                Some("https://deidentified.invalid/fhir/Patient/<12>"),
            ),
            ("urn:uuid:7", true, Some("urn:uuid:<7>")),
            ("Patient", true, Some("Patient")),
            ("http://hospital.example/mrn", true, None),
            ("Patient?name=x", false, None),
        ] {
            assert_eq!(pseudonym(reference, url, id).as_deref(), wanted, "{reference}");
        }
        assert_eq!(inner_id("http://a.b/Patient/1"), Some("1"));
        assert_eq!(resource_type("http://a.b/Patient/1"), Some("Patient"));
    }
}
