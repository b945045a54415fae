//! What a reference points to: a contained resource, another entry of the Bundle, or something outside.

use std::{cell::Cell, collections::HashMap};

use records::PhiText;
use serde_json::value::RawValue;

use super::{
    json::Source,
    refusal::{Fault, Faults, IssueCode, RefusalClass},
    resource_type::resource_type,
    wire,
};

/// Bytes that may be read in all by following references: one large resource that a thousand reports point to would
/// otherwise be read a thousand times.
const MAX_FOLLOWED: usize = 32 * 1024 * 1024;

/// A resource of the request and its place.
#[derive(Clone)]
pub(super) struct Located<'a> {
    pub(super) raw: &'a RawValue,
    /// The place in `FHIRPath`.
    pub(super) at: String,
    /// Its type.
    pub(super) kind: &'static str,
    /// Which entry of the Bundle it is; `None` for a contained resource.
    pub(super) entry: Option<usize>,
}

/// The resources of a Bundle by the references that find them.
#[derive(Default)]
pub(super) struct Entries<'a> {
    pub(super) resources: Vec<Located<'a>>,
    by_reference: HashMap<String, usize>,
    followed: Cell<usize>,
}

impl<'a> Entries<'a> {
    /// Files the resource of an entry under everything that may point to it.
    pub(super) fn add(
        &mut self,
        resource: Located<'a>,
        references: impl IntoIterator<Item = String>,
    ) -> Result<(), Fault> {
        let index = self.resources.len();
        for reference in references {
            if *self.by_reference.entry(reference).or_insert(index) != index {
                return Err(Fault::new(
                    RefusalClass::Unprocessable,
                    IssueCode::Invariant,
                    "Two entries answer to the same reference (fullUrl, or resource type and id).",
                    resource.at,
                ));
            }
        }
        self.resources.push(resource);
        Ok(())
    }

    fn find(&self, reference: &str) -> Option<&Located<'a>> {
        self.by_reference
            .get(unversioned(reference))
            .map(|index| &self.resources[*index])
    }

    /// Counts what is read by following a reference.
    pub(super) fn follow(&self, resource: &Located<'_>) -> Result<(), Fault> {
        self.followed
            .set(self.followed.get().saturating_add(resource.raw.get().len()));
        if self.followed.get() > MAX_FOLLOWED {
            return Err(Fault::new(
                RefusalClass::TooLarge,
                IssueCode::TooCostly,
                "Too many reports point to too large resources; send them in smaller Bundles.",
                resource.at.clone(),
            ));
        }
        Ok(())
    }
}

/// Where the references of one resource are looked up.
pub(super) struct Scope<'a, 's> {
    pub(super) source: Source<'a>,
    pub(super) entries: &'s Entries<'a>,
    /// Positions of the contained resources by id.
    pub(super) contained_ids: HashMap<String, usize>,
    contained: Vec<Option<Located<'a>>>,
}

impl<'a, 's> Scope<'a, 's> {
    /// The scope of the resource at `at` with these contained resources.
    pub(super) fn new(
        source: Source<'a>,
        entries: &'s Entries<'a>,
        contained: &[&'a RawValue],
        at: &str,
    ) -> Result<Self, Faults> {
        let mut scope = Self {
            source,
            entries,
            contained_ids: HashMap::new(),
            contained: Vec::new(),
        };
        let mut faults = Vec::new();
        for (index, raw) in contained.iter().enumerate() {
            let at = format!("{at}.contained[{index}]");
            match source.read::<wire::Envelope>(raw, &at) {
                Ok(envelope) => {
                    let id = envelope.id.as_ref().map_or("", wire::Code::as_str).to_owned();
                    if !id.is_empty() && scope.contained_ids.insert(id, index).is_some() {
                        faults.push(Fault::new(
                            RefusalClass::Unprocessable,
                            IssueCode::Invariant,
                            "Two contained resources have the same id.",
                            at.clone(),
                        ));
                    }
                    let kind = envelope
                        .resource_type
                        .as_ref()
                        .and_then(|kind| resource_type(kind.as_str()));
                    scope.contained.push(kind.map(|kind| Located {
                        raw,
                        at,
                        kind,
                        entry: None,
                    }));
                }
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() { Ok(scope) } else { Err(faults) }
    }

    /// The resource of the request that `reference` points to.
    pub(super) fn find(&self, reference: &str) -> Option<&Located<'a>> {
        match reference.strip_prefix('#') {
            Some("") => None,
            Some(id) => self
                .contained_ids
                .get(id)
                .and_then(|index| self.contained[*index].as_ref()),
            None => self.entries.find(reference),
        }
    }

    /// Whether `reference` points to another entry of the Bundle.
    pub(super) fn in_bundle(&self, reference: &str) -> bool {
        self.entries.find(reference).is_some()
    }
}

/// A reference without the version that it may ask for.
pub(super) fn unversioned(reference: &str) -> &str {
    reference
        .split_once("/_history/")
        .map_or(reference, |(resource, _)| resource)
}

/// Type and id of a literal reference, `Type/id` or `https://…/Type/id` (FHIR R4, section 2.3.0.1), without a version.
pub(super) fn type_and_id(reference: &str) -> Option<(&'static str, &str)> {
    let (before, id) = unversioned(reference).rsplit_once('/')?;
    let kind = resource_type(before.rsplit('/').next().unwrap_or(before))?;
    let good = (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.');
    good.then_some((kind, id))
}

/// Type and identifier of a conditional reference, `Type?identifier=system|value` (FHIR R4, section 3.1.0.11.2).
pub(super) fn conditional(reference: &str) -> Option<(&'static str, PhiText)> {
    let (kind, query) = reference.split_once('?')?;
    let kind = resource_type(kind)?;
    let token = percent_decoded(query.strip_prefix("identifier=")?)?;
    let (system, value) = token.split_once('|').unwrap_or(("", &token));
    // A second parameter would have to match, too, which is not looked at here.
    let good = !value.is_empty() && !query.contains('&');
    good.then(|| (kind, PhiText::new(format!("{system}|{value}"))))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            let digits = std::str::from_utf8(digits)
                .ok()
                .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn literal_references_are_taken_apart() {
        assert_eq!(type_and_id("Patient/a-1"), Some(("Patient", "a-1")));
        assert_eq!(
            type_and_id("https://ehr.example/fhir/Patient/1/_history/3"),
            Some(("Patient", "1"))
        );
        for none in [
            "Patient",
            "Zebra/1",
            "Patient/",
            "Patient/a b",
            "urn:uuid:1",
            "#a",
        ] {
            assert_eq!(type_and_id(none), None, "{none}");
        }
    }

    #[test]
    fn conditional_references_are_decoded() {
        let texts =
            |reference: &str| conditional(reference).map(|(kind, text)| (kind, text.expose().to_owned()));
        assert_eq!(
            texts("Patient?identifier=urn%3Aexample%3Amrn%7CM%201"),
            Some(("Patient", "urn:example:mrn|M 1".to_owned()))
        );
        assert_eq!(
            texts("Practitioner?identifier=7"),
            Some(("Practitioner", "|7".to_owned()))
        );
        for none in [
            "Patient?name=x",
            "Patient?identifier=a|",
            "Patient?identifier=%+1",
            "Patient?identifier=%f",
            "Patient?identifier=a|b&x=1",
        ] {
            assert_eq!(texts(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn any_reference_is_taken_apart_or_not(reference in ".{0,80}") {
            let _ = (type_and_id(&reference), conditional(&reference), unversioned(&reference));
        }
    }
}
