//! The members of a JSON object in their order, each value byte for byte.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// A JSON object that is taken apart without being understood: order, repeated names, the digits of numbers and
/// unknown members all stay.
pub(crate) struct Members<'a>(pub(crate) Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_repetition_and_digits_stay() {
        let text = r#"{"b": 1.10, "a": {"x" : [1E2]}, "b": null}"#;
        let Members(members) = serde_json::from_str(text).expect("an object");
        let seen: Vec<(&str, &str)> = members
            .iter()
            .map(|(name, raw)| (name.as_str(), raw.get()))
            .collect();
        assert_eq!(seen, [("b", "1.10"), ("a", r#"{"x" : [1E2]}"#), ("b", "null")]);
        assert!(serde_json::from_str::<Members<'_>>("[1]").is_err());
    }
}
