//! A resource as a tree of typed elements.

use std::collections::HashSet;

use super::{
    DeidError,
    elements::{self, Element},
    json::Json,
};

/// A node's place in its tree.
pub(super) type NodeId = usize;

/// What a primitive element holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Text(String),
    /// As it is written.
    Number(String),
    Bool(bool),
}

impl Scalar {
    /// The value as FHIR writes it in XML: without quotes.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Number(text) => text,
            Self::Bool(value) => {
                if *value {
                    "true"
                } else {
                    "false"
                }
            }
        }
    }
}

/// An element, with the extensions of a primitive as its children.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// What R4 says about it.
    pub element: Element,
    /// What a primitive holds.
    pub value: Option<Scalar>,
    pub parent: Option<NodeId>,
    pub children: Vec<NodeId>,
    /// Whether a rule has had it: the first rule that reaches an element decides.
    pub visited: bool,
}

/// The tree of one resource, with all that it contains.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: Vec<Node>,
}

impl Tree {
    /// Reads a resource. Elements that R4 does not have are left out: no rule can say what they hold.
    pub(super) fn read(json: &Json) -> Result<Self, DeidError> {
        let mut tree = Self::default();
        tree.resource(json, None, "")?;
        Ok(tree)
    }

    /// Reads an object of the data type `kind` as a tree.
    pub(super) fn read_type(json: &Json, kind: &'static str) -> Result<Self, DeidError> {
        let mut tree = Self::default();
        let root = tree.add(None, root(kind));
        tree.members(json, root)?;
        Ok(tree)
    }

    pub(super) const ROOT: NodeId = 0;

    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    pub(super) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id]
    }

    pub(super) fn kind(&self, id: NodeId) -> &'static str {
        self.nodes[id].element.kind
    }

    pub(super) fn name(&self, id: NodeId) -> &'static str {
        self.nodes[id].element.name
    }

    pub(super) fn text(&self, id: NodeId) -> Option<&str> {
        self.nodes[id].value.as_ref().map(Scalar::text)
    }

    pub(super) fn is_resource(&self, id: NodeId) -> bool {
        elements::resource(self.kind(id)).is_some()
    }

    /// Children called `name`.
    pub(super) fn named<'t>(&'t self, id: NodeId, name: &'t str) -> impl Iterator<Item = NodeId> + 't {
        self.nodes[id]
            .children
            .iter()
            .copied()
            .filter(move |&child| self.name(child) == name)
    }

    /// The value of the first child called `name`.
    pub(super) fn child_text(&self, id: NodeId, name: &str) -> Option<&str> {
        let child = self.nodes[id]
            .children
            .iter()
            .find(|&&child| self.name(child) == name)?;
        self.text(*child)
    }

    /// All below a node, but nothing that belongs to a resource in it; such a resource's own node only with `edges`.
    pub(super) fn below(&self, id: NodeId, edges: bool) -> Vec<NodeId> {
        let mut found = Vec::new();
        let mut stack: Vec<NodeId> = self.nodes[id].children.iter().rev().copied().collect();
        while let Some(at) = stack.pop() {
            let resource = self.is_resource(at);
            if !resource || edges {
                found.push(at);
            }
            if !resource {
                stack.extend(self.nodes[at].children.iter().rev());
            }
        }
        found
    }

    /// The resources that stand in a resource, not those that stand in these.
    pub(super) fn inner_resources(&self, id: NodeId) -> Vec<NodeId> {
        let edges = self.below(id, true);
        edges.into_iter().filter(|&at| self.is_resource(at)).collect()
    }

    /// Adds an element without a value behind its parent's others.
    pub(super) fn add(&mut self, parent: Option<NodeId>, element: Element) -> NodeId {
        let id = self.nodes.len();
        self.nodes.push(Node {
            element,
            value: None,
            parent,
            children: Vec::new(),
            visited: false,
        });
        if let Some(parent) = parent {
            self.nodes[parent].children.push(id);
        }
        id
    }

    /// Takes an element, with all below it, out of the tree.
    pub(super) fn remove(&mut self, id: NodeId) {
        if let Some(parent) = self.nodes[id].parent {
            self.nodes[parent].children.retain(|&child| child != id);
        }
    }

    fn resource(&mut self, json: &Json, parent: Option<NodeId>, name: &'static str) -> Result<(), DeidError> {
        let kind = json
            .get("resourceType")
            .and_then(Json::as_text)
            .and_then(elements::resource);
        let Some(kind) = kind else {
            // A resource inside another that R4 does not know is left out like an unknown element.
            return if parent.is_some() {
                Ok(())
            } else {
                Err(DeidError::UnknownResource)
            };
        };
        let element = Element {
            name,
            kind,
            list: name == "contained",
            choice: false,
        };
        let node = self.add(parent, element);
        self.members(json, node)
    }

    fn members(&mut self, json: &Json, node: NodeId) -> Result<(), DeidError> {
        let Json::Object(members) = json else {
            return Ok(());
        };
        let kind = self.kind(node);
        let known = |name: &str| {
            let plain = name.strip_prefix('_').unwrap_or(name);
            elements::element(kind, plain).filter(|found| elements::is_primitive(found.kind) || plain == name)
        };
        let mut seen = HashSet::new();
        for (name, value) in members {
            if !seen.insert(name.as_str()) {
                return Err(DeidError::Repeated);
            }
            let Some(element) = known(name) else { continue };
            let plain = name.strip_prefix('_').unwrap_or(name);
            if elements::is_primitive(element.kind) {
                // A value and its extensions are one element, read when the first of the two comes.
                let other = if plain == name {
                    format!("_{name}")
                } else {
                    plain.to_owned()
                };
                if seen.contains(other.as_str()) {
                    continue;
                }
                let other = json.get(&other);
                let (values, extensions) = if plain == name {
                    (Some(value), other)
                } else {
                    (other, Some(value))
                };
                self.primitives(values, extensions, element, node)?;
                continue;
            }
            // An array where R4 has one element: the first. One element where R4 has an array: an array of it.
            let items = match value {
                Json::Array(items) if element.list => items.as_slice(),
                Json::Array(items) => items.get(..1).unwrap_or_default(),
                one => std::slice::from_ref(one),
            };
            for item in items.iter().filter(|item| matches!(item, Json::Object(_))) {
                if element.kind == "Resource" {
                    self.resource(item, Some(node), element.name)?;
                } else {
                    let child = self.add(Some(node), element);
                    self.members(item, child)?;
                }
            }
        }
        Ok(())
    }

    fn primitives(
        &mut self,
        values: Option<&Json>,
        extensions: Option<&Json>,
        element: Element,
        parent: NodeId,
    ) -> Result<(), DeidError> {
        fn items(json: Option<&Json>) -> &[Json] {
            match json {
                None => &[],
                Some(Json::Array(items)) => items,
                Some(one) => std::slice::from_ref(one),
            }
        }
        let (values, extensions) = (items(values), items(extensions));
        let length = values.len().max(extensions.len());
        for at in 0..if element.list { length } else { length.min(1) } {
            let value = match values.get(at) {
                Some(Json::Text(text)) => Some(Scalar::Text(text.clone())),
                Some(Json::Number(digits)) => Some(Scalar::Number(digits.clone())),
                Some(Json::Bool(value)) => Some(Scalar::Bool(*value)),
                _ => None,
            };
            let node = self.add(Some(parent), element);
            self.nodes[node].value = value;
            if let Some(extension) = extensions.get(at) {
                self.extensions(extension, node)?;
            }
        }
        Ok(())
    }

    /// A primitive's own id and extensions.
    fn extensions(&mut self, json: &Json, node: NodeId) -> Result<(), DeidError> {
        if let Some(id) = json.get("id").and_then(Json::as_text)
            && let Some(element) = elements::element("Element", "id")
        {
            let child = self.add(Some(node), element);
            self.nodes[child].value = Some(Scalar::Text(id.to_owned()));
        }
        if let Some(Json::Array(items)) = json.get("extension")
            && let Some(element) = elements::element("Element", "extension")
        {
            for item in items {
                let child = self.add(Some(node), element);
                self.members(item, child)?;
            }
        }
        Ok(())
    }

    /// Takes out what has neither a value nor children, but for resources.
    pub(super) fn prune(&mut self, id: NodeId) {
        for child in self.nodes[id].children.clone() {
            self.prune(child);
        }
        let mut children = std::mem::take(&mut self.nodes[id].children);
        children.retain(|&child| {
            let node = &self.nodes[child];
            node.value.is_some() || !node.children.is_empty() || self.is_resource(child)
        });
        self.nodes[id].children = children;
    }
}

/// The element that a tree's root is.
pub(super) const fn root(kind: &'static str) -> Element {
    Element {
        name: "",
        kind,
        list: false,
        choice: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(text: &str) -> String {
        let mut tree = Tree::read(&Json::read(text).expect("JSON")).expect("a resource");
        tree.prune(Tree::ROOT);
        let mut out = String::new();
        tree.write().write(&mut out);
        out
    }

    #[test]
    fn a_resource_comes_back() {
        for text in [
            r#"{"resourceType":"Patient","name":[{"family":"A","_family":{"extension":[{"url":"u","valueString":"v"}]},"given":["B",null],"_given":[null,{"id":"x"}]}],"_birthDate":{"extension":[{"url":"u","valueDateTime":"2000"}]},"multipleBirthInteger":2}"#,
            r#"{"resourceType":"Observation","contained":[{"resourceType":"Patient","id":"p"}],"valueQuantity":{"value":1.50}}"#,
        ] {
            assert_eq!(through(text), text);
        }
    }

    #[test]
    fn what_r4_does_not_have_is_left_out() {
        assert_eq!(
            through(
                r#"{"resourceType":"Patient","vendor":{"a":"b"},"active":true,"communication":{"language":{"text":"x"}},"contained":[{"resourceType":"Alien"}],"name":"no object"}"#
            ),
            r#"{"resourceType":"Patient","active":true,"communication":[{"language":{"text":"x"}}]}"#
        );
        let read = |text: &str| Tree::read(&Json::read(text).expect("JSON")).map(|_| ());
        assert_eq!(
            read(r#"{"resourceType":"Alien"}"#),
            Err(DeidError::UnknownResource)
        );
        assert_eq!(read("[]"), Err(DeidError::UnknownResource));
        assert_eq!(
            read(r#"{"resourceType":"Patient","id":"a","id":"b"}"#),
            Err(DeidError::Repeated)
        );
    }
}
