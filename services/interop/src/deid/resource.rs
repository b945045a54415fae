//! The rules applied to a tree, resource by resource.

use std::collections::HashMap;

use super::{
    DeidError,
    elements::{self, Element},
    evaluate,
    methods::{Labels, Methods},
    rules::{FhirRules, Method, Rule, Target},
    substitute::mark,
    tree::{NodeId, Scalar, Tree},
};

/// Applies the rules to a whole tree.
pub(super) fn apply(rules: &FhirRules, methods: &mut Methods<'_>, tree: &mut Tree) -> Result<(), DeidError> {
    let mut run = Run { rules, methods, tree };
    let result = run.resource(Tree::ROOT);
    match result {
        Ok(_) => {}
        // Some value met a rule that does not fit it: nothing of the document is safe to keep.
        Err(DeidError::Misfit) if rules.skip_errors => {
            for child in tree.node(Tree::ROOT).children.clone() {
                tree.remove(child);
            }
            let mut labels = Labels::default();
            labels.add(Labels::REDACTED);
            tag(tree, Tree::ROOT, labels);
        }
        Err(error) => return Err(error),
    }
    tree.prune(Tree::ROOT);
    Ok(())
}

struct Run<'r, 's> {
    rules: &'r FhirRules,
    methods: &'r mut Methods<'s>,
    tree: &'r mut Tree,
}

impl Run<'_, '_> {
    fn resource(&mut self, id: NodeId) -> Result<Labels, DeidError> {
        self.methods.enter(id);
        let kind = self.tree.kind(id);
        let index = Index::new(self.tree, id);
        let mut labels = Labels::default();
        for rule in &self.rules.rules {
            if rule.resource.as_deref().is_some_and(|resource| resource != kind) {
                continue;
            }
            for node in self.found(rule, id, &index)? {
                self.process(node, &rule.method, &mut labels)?;
            }
        }
        if self.rules.unlisted_go {
            for node in self.tree.below(id, false) {
                self.methods.sweep(self.tree, node, &mut labels);
            }
        }
        for inner in self.tree.inner_resources(id) {
            labels.add(self.resource(inner)?.0);
        }
        if self.tree.name(id) != "contained" {
            tag(self.tree, id, labels);
            if !self.rules.unlisted_go && labels.0 != 0 {
                rewrite_last_updated(self.tree, id);
            }
        }
        Ok(labels)
    }

    fn found(&self, rule: &Rule, id: NodeId, index: &Index) -> Result<Vec<NodeId>, DeidError> {
        let child_of = |nodes: Option<&Vec<NodeId>>, child: &Option<String>| -> Vec<NodeId> {
            let nodes = nodes.map_or(&[][..], Vec::as_slice);
            match child {
                None => nodes.to_vec(),
                Some(child) => nodes
                    .iter()
                    .flat_map(|&node| self.tree.named(node, child).collect::<Vec<_>>())
                    .collect(),
            }
        };
        Ok(match &rule.target {
            Target::Itself => vec![id],
            Target::Type(kind, child) => child_of(index.kinds.get(kind.as_str()), child),
            Target::Name(name, child) => child_of(index.names.get(name.as_str()), child),
            Target::Path(expression) => {
                evaluate::nodes(expression, self.tree, id).map_err(|_| DeidError::Misfit)?
            }
        })
    }

    /// Has the method do its work on a node and on all below it that no earlier rule has had.
    fn process(&mut self, node: NodeId, method: &Method, labels: &mut Labels) -> Result<(), DeidError> {
        if self.tree.node(node).visited {
            return Ok(());
        }
        self.methods.process(self.tree, node, method, labels)?;
        self.tree.node_mut(node).visited = true;
        for child in self.tree.node(node).children.clone() {
            if !self.tree.is_resource(child) {
                self.process(child, method, labels)?;
            }
        }
        Ok(())
    }
}

/// The elements of one resource by their types and names.
struct Index {
    kinds: HashMap<&'static str, Vec<NodeId>>,
    names: HashMap<&'static str, Vec<NodeId>>,
}

impl Index {
    fn new(tree: &Tree, id: NodeId) -> Self {
        let (mut kinds, mut names) = (HashMap::new(), HashMap::new());
        for node in tree.below(id, true) {
            let kind = elements::path_type(tree.kind(node));
            kinds.entry(kind).or_insert_with(Vec::new).push(node);
            names.entry(tree.name(node)).or_insert_with(Vec::new).push(node);
        }
        Self { kinds, names }
    }
}

/// Says in `meta.security` what was done, with the labels of Microsoft's anonymizer (and of HL7's `ObservationValue`, where
/// it has one).
fn tag(tree: &mut Tree, resource: NodeId, labels: Labels) {
    let texts = labels.texts();
    if texts.is_empty() {
        return;
    }
    let Some(meta) = child(tree, resource, "meta") else {
        return;
    };
    let kind = tree.kind(meta);
    for (code, display) in texts {
        let has = |&node: &NodeId| {
            tree.name(node) == "security"
                && tree
                    .child_text(node, "code")
                    .is_some_and(|found| found.eq_ignore_ascii_case(code))
        };
        if tree.node(meta).children.iter().any(has) {
            continue;
        }
        let Some(element) = elements::element(kind, "security") else {
            return;
        };
        let coding = tree.add(Some(meta), element);
        let standard = matches!(code, "REDACTED" | "ABSTRED" | "CRYTOHASH");
        let system = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";
        for (name, value) in [("system", system), ("code", code), ("display", display)] {
            if (name != "system" || standard)
                && let Some(part) = child(tree, coding, name)
            {
                tree.node_mut(part).value = Some(Scalar::Text(value.to_owned()));
            }
        }
        mark(tree, coding);
    }
}

/// Microsoft's anonymizer writes `meta` anew when it adds a label, and then an instant in the form of its library: no
/// noughts at the end of a fraction, and an offset for `Z`.
fn rewrite_last_updated(tree: &mut Tree, resource: NodeId) {
    let meta = tree.named(resource, "meta").next();
    let Some(node) = meta.and_then(|meta| tree.named(meta, "lastUpdated").next()) else {
        return;
    };
    let Some((date, time)) = tree.text(node).and_then(|text| text.split_once('T')) else {
        return;
    };
    let Some(zone) = time.find(['Z', '+', '-']) else {
        return;
    };
    let (clock, zone) = time.split_at(zone);
    let clock = match clock.split_once('.') {
        Some((clock, fraction)) => format!("{clock}.{}", fraction.trim_end_matches('0')),
        None => clock.to_owned(),
    };
    let zone = if zone == "Z" { "+00:00" } else { zone };
    let text = format!("{date}T{}{zone}", clock.trim_end_matches('.'));
    tree.node_mut(node).value = Some(Scalar::Text(text));
}

/// The child of that name, added if it is missing.
fn child(tree: &mut Tree, node: NodeId, name: &str) -> Option<NodeId> {
    let found = tree.named(node, name).next();
    if found.is_some() {
        return found;
    }
    let element: Element = elements::element(tree.kind(node), name)?;
    Some(tree.add(Some(node), element))
}
