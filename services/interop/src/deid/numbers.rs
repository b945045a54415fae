//! Numbers with noise, and ages that say no more than 90.

use super::{
    methods::{Labels, Methods},
    tree::{NodeId, Scalar, Tree},
};

impl Methods<'_> {
    /// Adds noise to a number or to a quantity's value: uniform, within half of the span on both sides.
    pub(super) fn perturb(
        &self,
        tree: &mut Tree,
        node: NodeId,
        (span, proportional, decimals): (f64, bool, usize),
        labels: &mut Labels,
    ) {
        const WHOLE: [&str; 3] = ["integer", "positiveInt", "unsignedInt"];
        const QUANTITIES: [&str; 6] = ["Age", "Count", "Distance", "Duration", "Money", "Quantity"];
        let kind = tree.kind(node);
        let value = if kind == "decimal" || WHOLE.contains(&kind) {
            Some(node)
        } else if QUANTITIES.contains(&kind) {
            tree.named(node, "value").next()
        } else {
            None
        };
        let Some(value) = value.filter(|&value| !tree.node(value).visited) else {
            return;
        };
        let Some(old) = tree.text(value).and_then(|old| old.parse::<f64>().ok()) else {
            return;
        };
        let kind = tree.kind(value);
        let decimals = if WHOLE.contains(&kind) { 0 } else { decimals };
        let span = if proportional { span * old } else { span };
        let place = format!(
            "{}/{value}/{old}",
            tree.child_text(Tree::ROOT, "id").unwrap_or("")
        );
        let mut new = old + (self.ids.fraction("perturb", &place) - 0.5) * span;
        if kind == "positiveInt" {
            new = new.max(1.0);
        } else if kind == "unsignedInt" {
            new = new.max(0.0);
        }
        let digits = format!("{new:.decimals$}");
        let digits = if digits
            .trim_start_matches('-')
            .bytes()
            .all(|byte| matches!(byte, b'0' | b'.'))
        {
            digits.trim_start_matches('-').to_owned()
        } else {
            digits
        };
        tree.node_mut(value).value = Some(Scalar::Number(digits));
        for below in tree.below(node, false) {
            tree.node_mut(below).visited = true;
        }
        labels.add(Labels::PERTURBED);
    }
}

/// Years of age over 89 become 90 (45 CFR 164.514(b)(2)(i)(C)), months, weeks and days with them.
pub(super) fn cap_age(tree: &mut Tree, node: NodeId, labels: &mut Labels) {
    if !matches!(tree.kind(node), "Age" | "Quantity" | "Duration") {
        return;
    }
    let unit = tree
        .child_text(node, "code")
        .or_else(|| tree.child_text(node, "unit"))
        .unwrap_or("a");
    let years = match unit.trim().to_ascii_lowercase().as_str() {
        "a" | "year" | "years" | "yr" | "yrs" | "y" => 1.0,
        "mo" | "month" | "months" if tree.kind(node) == "Age" => 12.0,
        "wk" | "week" | "weeks" if tree.kind(node) == "Age" => 52.2,
        "d" | "day" | "days" if tree.kind(node) == "Age" => 365.25,
        _ => return,
    };
    let Some(value) = tree.named(node, "value").next() else {
        return;
    };
    let old = tree.text(value).and_then(|old| old.parse::<f64>().ok());
    if old.is_some_and(|old| old / years >= 90.0) {
        tree.node_mut(value).value = Some(Scalar::Number(format!("{:.0}", 90.0 * years)));
        labels.add(Labels::GENERALIZED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deid::json::Json;

    #[test]
    fn ages_are_capped() {
        let capped = |age: &str| {
            let json = Json::read(age).expect("JSON");
            let mut tree = Tree::read_type(&json, "Age").expect("an age");
            cap_age(&mut tree, Tree::ROOT, &mut Labels::default());
            tree.child_text(Tree::ROOT, "value").map(str::to_owned)
        };
        assert_eq!(capped(r#"{"value": 89, "code": "a"}"#).as_deref(), Some("89"));
        assert_eq!(capped(r#"{"value": 94}"#).as_deref(), Some("90"));
        assert_eq!(
            capped(r#"{"value": 1200, "code": "mo"}"#).as_deref(),
            Some("1080")
        );
        assert_eq!(
            capped(r#"{"value": 1200, "code": "mm"}"#).as_deref(),
            Some("1200")
        );
    }
}
