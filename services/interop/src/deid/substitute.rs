//! An element's value replaced by a given one, but for the parts that an earlier rule has had.

use super::tree::{NodeId, Tree};

/// Puts `replacement` in the place of `node`, and marks all of it as visited. What earlier rules decided about parts of
/// `node` stays.
pub(super) fn substitute(tree: &mut Tree, node: NodeId, replacement: &Tree) {
    substitute_node(tree, node, Some((replacement, Tree::ROOT)));
    mark(tree, node);
}

/// Marks a node and all below it as visited.
pub(super) fn mark(tree: &mut Tree, node: NodeId) {
    tree.node_mut(node).visited = true;
    for child in tree.node(node).children.clone() {
        mark(tree, child);
    }
}

/// Whether an earlier rule has had the node or anything in it.
fn is_kept(tree: &Tree, node: NodeId) -> bool {
    let node = tree.node(node);
    node.visited || node.children.iter().any(|&child| is_kept(tree, child))
}

fn substitute_node(tree: &mut Tree, node: NodeId, by: Option<(&Tree, NodeId)>) {
    if tree.node(node).visited {
        return;
    }
    let mut names: Vec<&'static str> = Vec::new();
    if let Some((other, at)) = by {
        for &child in &other.node(at).children {
            if !names.contains(&other.name(child)) {
                names.push(other.name(child));
            }
        }
        for name in &names {
            let mut targets = other.named(at, name);
            let olds: Vec<NodeId> = tree.named(node, name).collect();
            for old in olds {
                if tree.node(old).visited {
                    targets.next();
                } else if let Some(target) = targets.next() {
                    substitute_node(tree, old, Some((other, target)));
                } else if is_kept(tree, old) {
                    substitute_node(tree, old, None);
                } else {
                    tree.remove(old);
                }
            }
            let left: Vec<NodeId> = targets.collect();
            for target in left {
                copy(tree, node, other, target);
            }
        }
    }
    for child in tree.node(node).children.clone() {
        if names.contains(&tree.name(child)) || tree.node(child).visited {
            continue;
        }
        if is_kept(tree, child) {
            substitute_node(tree, child, None);
        } else {
            tree.remove(child);
        }
    }
    let value = by.and_then(|(other, at)| other.node(at).value.clone());
    if let Some((other, at)) = by
        && tree.node(node).element.choice
        && other.node(at).element.choice
    {
        tree.node_mut(node).element = other.node(at).element;
    }
    tree.node_mut(node).value = value;
}

fn copy(tree: &mut Tree, parent: NodeId, from: &Tree, at: NodeId) {
    let new = tree.add(Some(parent), from.node(at).element);
    tree.node_mut(new).value.clone_from(&from.node(at).value);
    for &child in &from.node(at).children {
        copy(tree, new, from, child);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deid::json::Json;

    #[test]
    fn earlier_decisions_stay() {
        let json = |text: &str| Json::read(text).expect("JSON");
        let text = r#"{"resourceType":"Patient","address":[{"city":"A","line":["a","b"],"period":{"start":"2000"}}]}"#;
        let mut tree = Tree::read(&json(text)).expect("a resource");
        let address = tree.named(Tree::ROOT, "address").next().expect("one");
        let kept = tree
            .below(address, false)
            .into_iter()
            .find(|&id| tree.name(id) == "start")
            .expect("one");
        tree.node_mut(kept).visited = true;
        let by = Tree::read_type(&json(r#"{"line":["x"],"state":"S"}"#), "Address").expect("an address");
        substitute(&mut tree, address, &by);
        let mut out = String::new();
        tree.write().write(&mut out);
        assert_eq!(
            out,
            r#"{"resourceType":"Patient","address":[{"line":["x"],"period":{"start":"2000"},"state":"S"}]}"#
        );
    }
}
