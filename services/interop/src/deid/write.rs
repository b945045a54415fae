//! A tree as JSON again.

use super::{
    elements,
    json::Json,
    tree::{NodeId, Scalar, Tree},
};

impl Tree {
    /// The tree as JSON.
    pub(super) fn write(&self) -> Json {
        self.object(Self::ROOT)
    }

    fn object(&self, id: NodeId) -> Json {
        let mut members = Vec::new();
        if self.is_resource(id) {
            members.push(("resourceType".to_owned(), Json::Text(self.kind(id).to_owned())));
        }
        let children = &self.node(id).children;
        for (at, &child) in children.iter().enumerate() {
            let element = self.node(child).element;
            let same = |other: &NodeId| {
                let other = self.node(*other).element;
                other.name == element.name && (!element.choice || other.kind == element.kind)
            };
            if children[..at].iter().any(same) {
                continue;
            }
            let all: Vec<NodeId> = children[at..]
                .iter()
                .copied()
                .filter(|other| same(other))
                .collect();
            let name = if element.choice {
                elements::json_name(element.name, element.kind)
            } else {
                element.name.to_owned()
            };
            if elements::is_primitive(element.kind) {
                let values = all.iter().map(|&id| self.primitive(id)).collect();
                let parts = all.iter().map(|&id| {
                    if self.node(id).children.is_empty() {
                        Json::Null
                    } else {
                        self.object(id)
                    }
                });
                let parts: Vec<Json> = parts.collect();
                let hidden = (format!("_{name}"), list(parts, element.list));
                members.extend(filled(name, list(values, element.list)));
                members.extend(filled(hidden.0, hidden.1));
            } else {
                let values = all.iter().map(|&id| self.object(id)).collect();
                members.push((name, list(values, element.list)));
            }
        }
        Json::Object(members)
    }

    fn primitive(&self, id: NodeId) -> Json {
        let node = self.node(id);
        match (&node.value, node.element.kind) {
            (None, _) => Json::Null,
            (Some(Scalar::Bool(value)), _) => Json::Bool(*value),
            (Some(Scalar::Number(digits)), "decimal" | "integer" | "positiveInt" | "unsignedInt") => {
                Json::Number(digits.clone())
            }
            (Some(Scalar::Number(digits)), _) => Json::Text(digits.clone()),
            // A rule may have put text in the place of a number or a truth value.
            (Some(Scalar::Text(text)), "decimal" | "integer" | "positiveInt" | "unsignedInt" | "boolean") => {
                match Json::read(text) {
                    Ok(json @ (Json::Number(_) | Json::Bool(_))) => json,
                    _ => Json::Text(text.clone()),
                }
            }
            (Some(Scalar::Text(text)), _) => Json::Text(text.clone()),
        }
    }
}

fn list(mut values: Vec<Json>, list: bool) -> Json {
    if list {
        Json::Array(values)
    } else if values.is_empty() {
        Json::Null
    } else {
        values.swap_remove(0)
    }
}

/// A member, unless nothing is in it.
fn filled(name: String, value: Json) -> Option<(String, Json)> {
    let empty = match &value {
        Json::Null => true,
        Json::Array(items) => items.iter().all(|item| *item == Json::Null),
        _ => false,
    };
    (!empty).then_some((name, value))
}
