//! JSON whose members keep their order and whose numbers keep their digits.

use std::fmt::Write as _;

use serde_json::value::RawValue;

use crate::members::Members;

/// How deep objects and arrays may stand in each other.
const MAX_DEPTH: usize = 100;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    /// As it is written.
    Number(String),
    Text(String),
    Array(Vec<Self>),
    Object(Vec<(String, Self)>),
}

/// The text is no JSON, or is too deep.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotJson;

impl Json {
    /// Reads one value that fills the text.
    pub(super) fn read(text: &str) -> Result<Self, NotJson> {
        let raw: &RawValue = serde_json::from_str(text).map_err(|_| NotJson)?;
        Self::value(raw, 0)
    }

    fn value(raw: &RawValue, depth: usize) -> Result<Self, NotJson> {
        if depth > MAX_DEPTH {
            return Err(NotJson);
        }
        let text = raw.get();
        match text.as_bytes().first() {
            Some(b'{') => {
                let Members(members) = serde_json::from_str(text).map_err(|_| NotJson)?;
                let members = members
                    .into_iter()
                    .map(|(name, raw)| Ok((name, Self::value(raw, depth + 1)?)));
                Ok(Self::Object(members.collect::<Result<_, NotJson>>()?))
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| NotJson)?;
                let items = items.into_iter().map(|raw| Self::value(raw, depth + 1));
                Ok(Self::Array(items.collect::<Result<_, NotJson>>()?))
            }
            Some(b'"') => serde_json::from_str(text).map(Self::Text).map_err(|_| NotJson),
            Some(b't') => Ok(Self::Bool(true)),
            Some(b'f') => Ok(Self::Bool(false)),
            Some(b'n') => Ok(Self::Null),
            _ => Ok(Self::Number(text.to_owned())),
        }
    }

    /// The member called `name`.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members
                .iter()
                .find(|(member, _)| member == name)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// The value as text.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Writes it without white space.
    pub(super) fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(digits) => out.push_str(digits),
            Self::Text(text) => quote(text, out),
            Self::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (at, (name, value)) in members.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    quote(name, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// Writes a JSON string (RFC 8259, section 7).
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_as_it_went_in() {
        let text = r#"{"b":1.10,"a":{"x":[1E2,null,true,"\"\\\n\u0001é"]},"c":-0}"#;
        let json = Json::read(text).expect("JSON");
        let mut out = String::new();
        json.write(&mut out);
        assert_eq!(out, text);
        assert_eq!(json.get("b"), Some(&Json::Number("1.10".to_owned())));
    }

    #[test]
    fn what_is_no_json_or_too_deep_is_refused() {
        assert_eq!(Json::read("{"), Err(NotJson));
        assert_eq!(Json::read("{} {}"), Err(NotJson));
        let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(Json::read(&deep(MAX_DEPTH)).is_ok());
        assert_eq!(Json::read(&deep(MAX_DEPTH + 2)), Err(NotJson));
        assert_eq!(Json::read(&deep(100_000)), Err(NotJson));
    }
}
