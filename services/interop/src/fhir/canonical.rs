//! One text for one content, however it was written and carried.
//!
//! Close to RFC 8785 (keys in order, no white space, one spelling of every string), but numbers keep their digits:
//! in FHIR 1.10 and 1.1 differ in precision (R4, datatypes, `decimal`).

use std::collections::HashMap;

use serde_json::value::RawValue;

use crate::members::Members;

/// What is left out or renamed because it belongs to the transport.
#[derive(Clone, Copy)]
pub(super) struct Canonical<'r> {
    /// Stands for `subject` where the request itself brings the patient: what the patient is known by.
    pub(super) subject: Option<&'r str>,
    /// Positions of the contained resources by id: an id is a name for one message, so its position is written.
    pub(super) contained: Option<&'r HashMap<String, usize>>,
    /// Whether a reference points to another part of the request.
    pub(super) inside: &'r dyn Fn(&str) -> bool,
}

/// Which part of a resource is being written.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Root,
    Contained,
    ContainedResource(usize),
    Element,
}

/// A resource that stands alone.
pub(super) const ALONE: Canonical<'static> = Canonical {
    subject: None,
    contained: None,
    inside: &|_| false,
};

impl Canonical<'_> {
    /// The canonical text of a resource without its `id`, its `meta`, and references into the request.
    pub(super) fn text(&self, resource: &RawValue) -> String {
        let mut out = String::with_capacity(resource.get().len());
        self.value(&mut out, resource, Part::Root);
        out
    }

    // Recursion safety: a body deeper than `json::MAX_DEPTH` was refused before.
    fn value(&self, out: &mut String, raw: &RawValue, part: Part) {
        match raw.get().as_bytes().first() {
            Some(b'{') => match serde_json::from_str(raw.get()) {
                Ok(members) => self.object(out, members, part),
                Err(_) => out.push_str(raw.get()),
            },
            Some(b'[') => match serde_json::from_str::<Vec<&RawValue>>(raw.get()) {
                Ok(items) => {
                    out.push('[');
                    for (index, item) in items.into_iter().enumerate() {
                        if index > 0 {
                            out.push(',');
                        }
                        let part = if part == Part::Contained {
                            Part::ContainedResource(index)
                        } else {
                            Part::Element
                        };
                        self.value(out, item, part);
                    }
                    out.push(']');
                }
                Err(_) => out.push_str(raw.get()),
            },
            Some(b'"') => match text_of(raw) {
                Some(text) => string(out, &text),
                // A lone surrogate has no other spelling.
                None => out.push_str(raw.get()),
            },
            _ => out.push_str(raw.get()),
        }
    }

    fn object(&self, out: &mut String, Members(mut members): Members<'_>, part: Part) {
        members.sort_by(|(left, _), (right, _)| left.cmp(right));
        out.push('{');
        let start = out.len();
        for (name, raw) in members {
            let before = out.len();
            if before > start {
                out.push(',');
            }
            string(out, &name);
            out.push(':');
            let written = match (part, name.as_str()) {
                (Part::Root, "id" | "meta") => false,
                (Part::Root, "subject") if self.subject.is_some() => {
                    string(out, self.subject.unwrap_or_default());
                    true
                }
                (Part::Root, "contained") => {
                    self.value(out, raw, Part::Contained);
                    true
                }
                (Part::ContainedResource(index), "id") => {
                    out.push_str(&index.to_string());
                    true
                }
                (_, "reference") => self.reference(out, raw),
                _ => {
                    self.value(out, raw, Part::Element);
                    true
                }
            };
            if !written {
                out.truncate(before);
            }
        }
        out.push('}');
    }

    fn reference(&self, out: &mut String, raw: &RawValue) -> bool {
        let Some(reference) = text_of(raw) else {
            self.value(out, raw, Part::Element);
            return true;
        };
        let id = reference.strip_prefix('#');
        let position = id.and_then(|id| self.contained?.get(id));
        match position {
            Some(position) => string(out, &format!("#{position}")),
            None if reference.starts_with("urn:uuid:") || (self.inside)(&reference) => return false,
            None => string(out, &reference),
        }
        true
    }
}

fn text_of(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

fn string(out: &mut String, text: &str) {
    // A Value's Display is JSON with one spelling for each character.
    out.push_str(&serde_json::Value::from(text).to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> String {
        ALONE.text(serde_json::from_str(json).expect("valid JSON"))
    }

    #[test]
    fn white_space_order_and_spelling_do_not_count() {
        let one = text(r#"{"b": [1.10, true], "a": {"d": "\u0041/é", "c": null}}"#);
        let two = text("{\"a\":{\"c\":null,\n\"d\":\"A\\/\\u00e9\"},\"b\":[ 1.10,true ]}");
        assert_eq!(one, two);
        assert_eq!(one, r#"{"a":{"c":null,"d":"A/é"},"b":[1.10,true]}"#);
    }

    #[test]
    fn content_counts_down_to_the_digits() {
        assert_ne!(text(r#"{"a": 1.10}"#), text(r#"{"a": 1.1}"#));
        assert_ne!(text(r#"{"a": "x"}"#), text(r#"{"a": "x "}"#));
        assert_ne!(text(r#"{"a": [1, 2]}"#), text(r#"{"a": [2, 1]}"#));
    }

    #[test]
    fn transport_does_not_count() {
        assert_eq!(
            text(r#"{"id": "1", "meta": {"versionId": "7"}, "a": {"id": "kept"}}"#),
            r#"{"a":{"id":"kept"}}"#
        );
        assert_eq!(
            text(r#"{"x": {"reference": "urn:uuid:0", "display": "D"}}"#),
            r#"{"x":{"display":"D"}}"#
        );
        let rules = Canonical {
            subject: Some("s|v"),
            contained: None,
            inside: &|reference| reference == "Encounter/1",
        };
        let raw = r#"{"subject": {"reference": "Patient/1"}, "encounter": {"reference": "Encounter/1"}, "z": {"reference": "A/1"}}"#;
        let raw: &RawValue = serde_json::from_str(raw).expect("valid JSON");
        assert_eq!(
            rules.text(raw),
            r#"{"encounter":{},"subject":"s|v","z":{"reference":"A/1"}}"#
        );
    }

    #[test]
    fn contained_resources_count_by_position() {
        let report = |a: &str, b: &str, used: &str| {
            let json = format!(
                r##"{{"contained": [{{"id": "{a}", "x": 1}}, {{"id": "{b}", "x": 2}}], "p": {{"reference": "#{used}"}}}}"##
            );
            let contained = HashMap::from([(a.to_owned(), 0), (b.to_owned(), 1)]);
            let rules = Canonical {
                contained: Some(&contained),
                ..ALONE
            };
            rules.text(serde_json::from_str(&json).expect("valid JSON"))
        };
        assert_eq!(report("a", "b", "b"), report("m", "n", "n"));
        assert_ne!(report("a", "b", "b"), report("a", "b", "a"));
    }

    #[test]
    fn a_lone_surrogate_stays_as_it_stands() {
        assert_eq!(text(r#"{"a": "\ud800"}"#), r#"{"a":"\ud800"}"#);
    }
}
