//! What FHIR R4 says its types are made of.

use std::{collections::HashMap, sync::LazyLock};

/// An element of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    /// Its name in paths: `value` for `valueQuantity`.
    pub name: &'static str,
    /// Its type: a primitive (small first letter), a data type, a part of one (`Patient_Contact`) or `Resource`.
    pub kind: &'static str,
    /// Whether JSON writes it as an array.
    pub list: bool,
    /// Whether its type is part of its name in JSON.
    pub choice: bool,
}

struct Type {
    base: &'static str,
    /// By name in JSON.
    elements: HashMap<String, Element>,
}

static TYPES: LazyLock<HashMap<&'static str, Type>> = LazyLock::new(|| {
    let mut open = "";
    let mut types = HashMap::new();
    for line in include_str!("elements.txt").lines() {
        let mut words = line.split(' ');
        match (words.next(), words.next()) {
            (Some("#") | None, _) | (_, None) => {}
            (Some("@"), Some(list)) => open = list,
            (Some(name), Some(base)) => {
                let mut elements = HashMap::new();
                for (element, kind) in words.filter_map(|word| word.split_once(':')) {
                    if let Some(name) = element.strip_suffix("[x]") {
                        for kind in if kind == "@" { open } else { kind }.split('|') {
                            elements.insert(
                                json_name(name, kind),
                                Element {
                                    name,
                                    kind,
                                    list: false,
                                    choice: true,
                                },
                            );
                        }
                        continue;
                    }
                    let (kind, list) = kind.strip_suffix('*').map_or((kind, false), |kind| (kind, true));
                    elements.insert(
                        element.to_owned(),
                        Element {
                            name: element,
                            kind,
                            list,
                            choice: false,
                        },
                    );
                }
                types.insert(name, Type { base, elements });
            }
        }
    }
    types
});

/// The name in JSON of a choice element of type `kind`.
pub(super) fn json_name(name: &str, kind: &str) -> String {
    let mut letters = kind.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    name.chars().chain(first).chain(letters).collect()
}

/// The element that JSON calls `json_name` in the type `kind`, if R4 has it.
pub(super) fn element(kind: &str, json_name: &str) -> Option<Element> {
    let mut at = kind;
    // Types inherit at most four deep.
    while let Some(found) = TYPES.get(at) {
        if let Some(element) = found.elements.get(json_name) {
            return Some(*element);
        }
        at = found.base;
    }
    None
}

/// The resource type of that name, as a name that lives for ever.
pub(super) fn resource(name: &str) -> Option<&'static str> {
    let (name, found) = TYPES.get_key_value(name)?;
    (matches!(found.base, "Resource" | "DomainResource") && *name != "DomainResource").then_some(*name)
}

/// Whether a type holds a value rather than elements.
pub(super) fn is_primitive(kind: &str) -> bool {
    kind.starts_with(|c: char| c.is_ascii_lowercase())
}

/// What `FHIRPath` calls the type: parts of a type have none of their own.
pub(super) fn path_type(kind: &'static str) -> &'static str {
    if kind.contains('_') {
        TYPES.get(kind).map_or("BackboneElement", |found| found.base)
    } else {
        kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_by_their_json_names() {
        let found = element("Observation", "valueQuantity").expect("an element");
        assert_eq!((found.name, found.kind, found.list), ("value", "Quantity", false));
        assert_eq!(element("Patient", "id").map(|found| found.kind), Some("id"));
        assert_eq!(
            element("Patient_Contact", "id").map(|found| found.kind),
            Some("string")
        );
        assert!(element("Patient", "contained").is_some_and(|found| found.list));
        assert_eq!(
            element("Extension", "valueDosage").map(|found| found.kind),
            Some("Dosage")
        );
        assert_eq!(
            element("Encounter_Hospitalization", "preAdmissionIdentifier").map(|found| found.choice),
            Some(false)
        );
        assert_eq!(element("Patient", "vendorNote"), None);
        assert_eq!(resource("Patient"), Some("Patient"));
        assert_eq!(resource("HumanName"), None);
        assert_eq!(path_type("Patient_Contact"), "BackboneElement");
    }
}
