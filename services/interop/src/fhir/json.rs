//! A body as JSON: valid all through, not too deep, and read into types with the place of whatever does not fit.
//!
//! serde's own messages repeat what they found, so none of them leaves: an error is a position, a path and a rule.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::{error::Category, value::RawValue};
use serde_path_to_error::{Path, Segment};

use super::{
    refusal::{Fault, IssueCode, RefusalClass},
    wire,
};

/// How deep objects and arrays may stand in each other. FHIR's own examples need about twenty; `serde_json` stops at 128.
pub(super) const MAX_DEPTH: usize = 100;

/// A body that is valid JSON.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    text: &'a str,
}

impl<'a> Source<'a> {
    /// Takes a body in.
    pub(super) fn open(body: &'a [u8]) -> Result<(Self, &'a RawValue), Fault> {
        let text = std::str::from_utf8(body).map_err(|error| {
            Fault::unreadable(format!(
                "The body is not UTF-8: the first wrong byte is at offset {}.",
                error.valid_up_to()
            ))
        })?;
        let source = Self { text };
        // `&RawValue` walks over the whole text without recursion and so finds every error of syntax.
        let raw: &'a RawValue =
            serde_json::from_str(text).map_err(|error| Fault::unreadable(source.syntax(&error, 0)))?;
        match too_deep(text) {
            Some(offset) => {
                let (line, column) = source.position(offset);
                Err(Fault::unreadable(format!(
                    "Objects and arrays stand in each other more than {MAX_DEPTH} deep at line {line}, column {column}."
                )))
            }
            None => Ok((source, raw)),
        }
    }

    /// The body, byte for byte.
    pub(super) const fn text(self) -> &'a str {
        self.text
    }

    /// Reads a value of this body that stands at the element `base`.
    pub(super) fn read<T: Deserialize<'a>>(&self, raw: &'a RawValue, base: &str) -> Result<T, Fault> {
        let mut deserializer = serde_json::Deserializer::from_str(raw.get());
        serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            let place = expression(base, error.path());
            let offset = self.offset(raw);
            let sentence = match error.inner().classify() {
                Category::Data => {
                    let (line, column) = self.position(offset + local_offset(raw.get(), error.inner()));
                    format!(
                        "An element is repeated or has another JSON type than FHIR R4 gives it, before line {line}, column {column}."
                    )
                }
                Category::Syntax | Category::Eof | Category::Io => self.syntax(error.inner(), offset),
            };
            Fault::new(RefusalClass::Malformed, IssueCode::Structure, sentence, place)
        })
    }

    fn syntax(&self, error: &serde_json::Error, offset: usize) -> String {
        let (line, column) = self.position(offset + local_offset(&self.text[offset..], error));
        if error.is_eof() {
            format!("The JSON ends too early, at line {line}, column {column}.")
        } else {
            format!("The JSON is not valid at line {line}, column {column}.")
        }
    }

    /// Where in the body a value of it begins; the raw values are slices of the body.
    fn offset(&self, raw: &RawValue) -> usize {
        let offset = raw.get().as_ptr().addr().wrapping_sub(self.text.as_ptr().addr());
        if self.text.is_char_boundary(offset) {
            offset
        } else {
            0
        }
    }

    /// Line and column, both from 1; columns count bytes.
    fn position(&self, offset: usize) -> (usize, usize) {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        let line = before.split(|byte| *byte == b'\n').count();
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        (line, column)
    }
}

/// `serde_json` counts lines from 1 and columns in bytes from 1, the column of the last byte read.
fn local_offset(text: &str, error: &serde_json::Error) -> usize {
    let line_start: usize = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum();
    line_start + error.column().saturating_sub(1)
}

/// Offset of the first bracket that stands too deep in a text that is valid JSON.
fn too_deep(text: &str) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (offset, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Some(offset);
                }
            }
            b'}' | b']' if !in_string => depth -= 1,
            _ => {}
        }
    }
    None
}

/// The place in `FHIRPath`. Only names of the standard are spelled: the path ends before any other.
fn expression(base: &str, path: &Path) -> String {
    let mut out = base.to_owned();
    for segment in path {
        match segment {
            Segment::Seq { index } => {
                // A String takes every write.
                let _ = write!(out, "[{index}]");
            }
            Segment::Map { key } => {
                let Some(name) = wire::NAMES.iter().find(|name| *name == key) else {
                    break;
                };
                out.push('.');
                out.push_str(name);
            }
            Segment::Enum { .. } | Segment::Unknown => break,
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::{Refusal, wire::DiagnosticReport};

    fn refused(body: &[u8]) -> Refusal {
        match Source::open(body) {
            Err(fault) => fault.into(),
            Ok((source, raw)) => match source.read::<DiagnosticReport<'_>>(raw, "DiagnosticReport") {
                Err(fault) => fault.into(),
                Ok(_) => panic!("it was read"),
            },
        }
    }

    fn sentence(body: &[u8]) -> String {
        refused(body).issues[0].diagnostics.clone()
    }

    #[test]
    fn syntax_errors_say_line_and_column() {
        assert_eq!(
            sentence(b"{\n  \"a\": zebra\n}"),
            "The JSON is not valid at line 2, column 8."
        );
        assert_eq!(
            sentence(b"{\"a\": 1"),
            "The JSON ends too early, at line 1, column 7."
        );
        assert!(sentence(b"").starts_with("The JSON ends too early"));
        assert!(sentence(b"{} zebra").starts_with("The JSON is not valid at line 1, column 4"));
        assert_eq!(
            sentence(b"{\"a\": \"\xff\"}"),
            "The body is not UTF-8: the first wrong byte is at offset 7."
        );
    }

    #[test]
    fn types_that_do_not_fit_say_the_element_and_nothing_of_the_value() {
        let refusal =
            refused(b"{\"performer\": [{\"display\": \"ok\"},\n {\"display\": {\"zebra\": \"zebra\"}}]}");
        assert_eq!(
            refusal.issues[0].expression,
            ["DiagnosticReport.performer[1].display"]
        );
        assert!(
            refusal.issues[0].diagnostics.contains("line 2"),
            "{}",
            refusal.issues[0].diagnostics
        );
        assert!(!format!("{refusal:?}").contains("zebra"));
        let refusal = refused(b"{\"status\": \"zebra\", \"status\": \"zebra\"}");
        assert_eq!(refusal.class, RefusalClass::Malformed);
        assert!(!format!("{refusal:?}").contains("zebra"));
    }

    #[test]
    fn a_lone_surrogate_is_an_error_of_the_element() {
        let refusal = refused(br#"{"conclusion": "\ud800 zebra"}"#);
        assert_eq!(refusal.issues[0].expression, ["DiagnosticReport.conclusion"]);
        assert!(!format!("{refusal:?}").contains("zebra"));
    }

    #[test]
    fn depth_is_counted_outside_strings_only() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Source::open(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(
            sentence(nested(MAX_DEPTH + 1).as_bytes()),
            "Objects and arrays stand in each other more than 100 deep at line 1, column 101."
        );
        assert!(sentence(nested(1_000_000).as_bytes()).contains("deep"));
        let text = format!("\"{}\\\"{}\"", "[".repeat(200), "{".repeat(200));
        assert!(Source::open(text.as_bytes()).is_ok());
    }

    #[test]
    fn positions_count_from_the_start_of_the_body() {
        let body = "{\"a\":\n {\"status\": 7}}";
        let Ok((source, _)) = Source::open(body.as_bytes()) else {
            panic!("valid JSON")
        };
        let members: std::collections::BTreeMap<String, &RawValue> =
            serde_json::from_str(body).expect("an object");
        let Err(fault) = source.read::<DiagnosticReport<'_>>(members["a"], "Bundle.entry[0].resource") else {
            panic!("a number is no code")
        };
        let refusal = Refusal::from(fault);
        assert_eq!(refusal.issues[0].expression, ["Bundle.entry[0].resource.status"]);
        assert!(
            refusal.issues[0].diagnostics.contains("line 2, column 13"),
            "{}",
            refusal.issues[0].diagnostics
        );
    }
}
