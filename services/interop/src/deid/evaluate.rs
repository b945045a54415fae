//! What an expression finds in a tree.

mod functions;
#[cfg(test)]
mod tests;

use std::{cmp::Ordering, collections::HashSet};

use super::{
    elements,
    moment::{self, Moment},
    path::{Expression, Operator},
    tree::{NodeId, Scalar, Tree},
};

/// One item of a collection.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    Node(NodeId),
    Text(String),
    Number(f64),
    Bool(bool),
    Moment(String),
}

/// The expression does not fit what it meets: a text compared with a number, a calculation with a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Misfit;

/// A collection.
pub(super) type Items = Vec<Item>;

/// Nodes that the expression finds from `node`.
pub(super) fn nodes(expression: &Expression, tree: &Tree, node: NodeId) -> Result<Vec<NodeId>, Misfit> {
    let found = items(expression, tree, node)?;
    Ok(found
        .into_iter()
        .filter_map(|item| match item {
            Item::Node(id) => Some(id),
            _ => None,
        })
        .collect())
}

/// Whether the expression is true or empty for `node`.
pub(super) fn holds(expression: &Expression, tree: &Tree, node: NodeId) -> Result<bool, Misfit> {
    let found = items(expression, tree, node)?;
    Ok(Evaluation { tree, this: &[] }.truth(&found)?.unwrap_or(true))
}

/// The one value of the expression for `node`; none if it is empty.
pub(super) fn scalar(expression: &Expression, tree: &Tree, node: NodeId) -> Result<Option<Scalar>, Misfit> {
    let found = items(expression, tree, node)?;
    let evaluation = Evaluation { tree, this: &[] };
    let one = evaluation.one(&found)?;
    Ok(one.map(|item| match item {
        Item::Text(text) | Item::Moment(text) => Scalar::Text(text),
        Item::Number(number) => Scalar::Number(shown(number)),
        Item::Bool(value) => Scalar::Bool(value),
        Item::Node(id) => Scalar::Text(tree.text(id).unwrap_or("").to_owned()),
    }))
}

fn items(expression: &Expression, tree: &Tree, node: NodeId) -> Result<Items, Misfit> {
    let input = [Item::Node(node)];
    let evaluation = Evaluation { tree, this: &input };
    evaluation.evaluate(expression, &input)
}

/// Digits of a number, without a fraction where it has none.
pub(super) fn shown(number: f64) -> String {
    if number == 0.0 {
        "0".to_owned()
    } else {
        number.to_string()
    }
}

/// An expression's surroundings.
pub(super) struct Evaluation<'t> {
    pub tree: &'t Tree,
    /// What `$this` is.
    pub this: &'t [Item],
}

impl Evaluation<'_> {
    pub(super) fn evaluate(&self, expression: &Expression, input: &[Item]) -> Result<Items, Misfit> {
        Ok(match expression {
            Expression::This => self.this.to_vec(),
            Expression::Empty => Vec::new(),
            Expression::Text(text) => vec![Item::Text(text.clone())],
            Expression::Number(number) => vec![Item::Number(*number)],
            Expression::Bool(value) => vec![Item::Bool(*value)],
            Expression::Moment(moment) => vec![Item::Moment(moment.clone())],
            Expression::Member(before, name) => {
                let before = self.before(before.as_deref(), input)?;
                before.iter().flat_map(|item| self.members(item, name)).collect()
            }
            Expression::Call(before, function, arguments) => {
                let before = self.before(before.as_deref(), input)?;
                self.call(*function, before, arguments)?
            }
            Expression::Index(list, index) => {
                let list = self.evaluate(list, input)?;
                let index = self.evaluate(index, input)?;
                match self.number(&index)? {
                    // Cast safety: a saturating cast; what is no place in the list is no item.
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "saturates"
                    )]
                    Some(at) if at >= 0.0 => list.get(at as usize).cloned().into_iter().collect(),
                    _ => Vec::new(),
                }
            }
            Expression::Negative(inner) => {
                let inner = self.evaluate(inner, input)?;
                self.number(&inner)?
                    .map(|number| Item::Number(-number))
                    .into_iter()
                    .collect()
            }
            Expression::Typed(is, inner, kind) => {
                let inner = self.evaluate(inner, input)?;
                if *is {
                    inner
                        .first()
                        .map(|item| Item::Bool(self.is(item, kind)))
                        .into_iter()
                        .collect()
                } else {
                    inner.into_iter().filter(|item| self.is(item, kind)).collect()
                }
            }
            Expression::Binary(operator, left, right) => {
                let left = self.evaluate(left, input)?;
                let right = self.evaluate(right, input)?;
                self.operate(*operator, left, right)?
            }
        })
    }

    fn before(&self, before: Option<&Expression>, input: &[Item]) -> Result<Items, Misfit> {
        before.map_or_else(|| Ok(input.to_vec()), |before| self.evaluate(before, input))
    }

    /// Children of that name; or the item itself, if the name is that of its type or of a base of resources.
    pub(super) fn members(&self, item: &Item, name: &str) -> Items {
        let Item::Node(id) = item else { return Vec::new() };
        if name.starts_with(|c: char| c.is_ascii_uppercase()) {
            let same = self.tree.kind(*id) == name || matches!(name, "Resource" | "DomainResource");
            return if same { vec![item.clone()] } else { Vec::new() };
        }
        self.tree.named(*id, name).map(Item::Node).collect()
    }

    pub(super) fn is(&self, item: &Item, kind: &str) -> bool {
        match item {
            Item::Node(id) => elements::path_type(self.tree.kind(*id)) == kind,
            Item::Text(_) => matches!(kind, "String" | "string"),
            Item::Number(number) => {
                matches!(kind, "Decimal" | "decimal")
                    || (number.fract() == 0.0 && matches!(kind, "Integer" | "integer"))
            }
            Item::Bool(_) => matches!(kind, "Boolean" | "boolean"),
            Item::Moment(_) => matches!(kind, "Date" | "DateTime" | "Time"),
        }
    }

    /// The item's own value.
    pub(super) fn value(&self, item: &Item) -> Option<Item> {
        let Item::Node(id) = item else {
            return Some(item.clone());
        };
        let text = self.tree.text(*id)?;
        Some(match self.tree.kind(*id) {
            "decimal" | "integer" | "positiveInt" | "unsignedInt" => Item::Number(text.parse().ok()?),
            "boolean" => Item::Bool(text == "true"),
            "date" | "dateTime" | "instant" | "time" => Item::Moment(text.to_owned()),
            _ => Item::Text(text.to_owned()),
        })
    }

    /// The value of a collection of one; none of an empty one.
    pub(super) fn one(&self, items: &[Item]) -> Result<Option<Item>, Misfit> {
        match items {
            [] => Ok(None),
            [item] => Ok(self.value(item)),
            _ => Err(Misfit),
        }
    }

    pub(super) fn number(&self, items: &[Item]) -> Result<Option<f64>, Misfit> {
        match self.one(items)? {
            None => Ok(None),
            Some(Item::Number(number)) => Ok(Some(number)),
            Some(_) => Err(Misfit),
        }
    }

    /// Text of a collection of one; dates are texts here, so that they can be cut.
    pub(super) fn word(&self, items: &[Item]) -> Result<Option<String>, Misfit> {
        match self.one(items)? {
            None => Ok(None),
            Some(Item::Text(text) | Item::Moment(text)) => Ok(Some(text)),
            Some(_) => Err(Misfit),
        }
    }

    /// A collection as a truth value: one item that is none is true (`FHIRPath`, section 4.5).
    pub(super) fn truth(&self, items: &[Item]) -> Result<Option<bool>, Misfit> {
        match items {
            [] => Ok(None),
            [item] => Ok(Some(!matches!(self.value(item), Some(Item::Bool(false))))),
            _ => Err(Misfit),
        }
    }

    fn operate(&self, operator: Operator, left: Items, right: Items) -> Result<Items, Misfit> {
        let truth = |value: Option<bool>| value.map(Item::Bool).into_iter().collect();
        let number = |value: Option<f64>| {
            value
                .filter(|value| value.is_finite())
                .map(Item::Number)
                .into_iter()
                .collect()
        };
        Ok(match operator {
            Operator::And | Operator::Or | Operator::Xor | Operator::Implies => {
                truth(logic(operator, self.truth(&left)?, self.truth(&right)?))
            }
            Operator::Union => distinct(left.into_iter().chain(right).collect()),
            Operator::In => truth(self.one(&left)?.map(|item| self.holds_item(&right, &item))),
            Operator::Contains => truth(self.one(&right)?.map(|item| self.holds_item(&left, &item))),
            Operator::Equal => truth(self.equal(&left, &right)),
            Operator::NotEqual => truth(self.equal(&left, &right).map(|equal| !equal)),
            Operator::Equivalent => truth(Some(self.equivalent(&left, &right))),
            Operator::NotEquivalent => truth(Some(!self.equivalent(&left, &right))),
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
                let (Some(left), Some(right)) = (self.one(&left)?, self.one(&right)?) else {
                    return Ok(Vec::new());
                };
                truth(compare(&left, &right)?.map(|order| match operator {
                    Operator::Less => order.is_lt(),
                    Operator::LessOrEqual => order.is_le(),
                    Operator::Greater => order.is_gt(),
                    _ => order.is_ge(),
                }))
            }
            Operator::Concatenate => {
                let text = self.word(&left)?.unwrap_or_default() + &self.word(&right)?.unwrap_or_default();
                vec![Item::Text(text)]
            }
            Operator::Plus
            | Operator::Minus
            | Operator::Times
            | Operator::Divide
            | Operator::Div
            | Operator::Mod => {
                if operator == Operator::Plus
                    && !matches!(self.one(&left)?, Some(Item::Number(_)))
                    && !matches!(self.one(&right)?, Some(Item::Number(_)))
                {
                    let texts = self.word(&left)?.zip(self.word(&right)?);
                    return Ok(texts
                        .map(|(left, right)| Item::Text(left + &right))
                        .into_iter()
                        .collect());
                }
                let numbers = self.number(&left)?.zip(self.number(&right)?);
                number(numbers.map(|(left, right)| match operator {
                    Operator::Plus => left + right,
                    Operator::Minus => left - right,
                    Operator::Times => left * right,
                    Operator::Divide => left / right,
                    Operator::Div => (left / right).trunc(),
                    _ => left % right,
                }))
            }
        })
    }

    fn holds_item(&self, items: &[Item], item: &Item) -> bool {
        items
            .iter()
            .any(|other| self.value(other).is_some_and(|other| same(&other, item)))
    }

    fn equal(&self, left: &[Item], right: &[Item]) -> Option<bool> {
        if left.is_empty() || right.is_empty() {
            return None;
        }
        let same = |(left, right): (&Item, &Item)| match (self.value(left), self.value(right)) {
            (Some(left), Some(right)) => same(&left, &right),
            _ => left == right,
        };
        Some(left.len() == right.len() && left.iter().zip(right).all(same))
    }

    fn equivalent(&self, left: &[Item], right: &[Item]) -> bool {
        let folded = |items: &[Item]| -> Vec<String> {
            let text = |item: &Item| match self.value(item) {
                Some(Item::Text(text) | Item::Moment(text)) => text.to_lowercase(),
                Some(Item::Number(number)) => shown(number),
                Some(Item::Bool(value)) => value.to_string(),
                Some(Item::Node(_)) | None => String::new(),
            };
            let mut folded: Vec<String> = items.iter().map(text).collect();
            folded.sort();
            folded
        };
        folded(left) == folded(right)
    }

    pub(super) fn filter(&self, items: Items, criterion: &Expression) -> Result<Items, Misfit> {
        let mut out = Vec::new();
        for item in items {
            let this = std::slice::from_ref(&item);
            let inner = Evaluation {
                tree: self.tree,
                this,
            };
            let found = inner.evaluate(criterion, this)?;
            if inner.truth(&found)? == Some(true) {
                out.push(item);
            }
        }
        Ok(out)
    }
}

/// The items without repetitions; two nodes are the same only if they are one.
pub(super) fn distinct(items: Items) -> Items {
    let mut nodes = HashSet::new();
    let mut out: Items = Vec::new();
    for item in items {
        let new = match &item {
            Item::Node(id) => nodes.insert(*id),
            value => !out
                .iter()
                .any(|other| !matches!(other, Item::Node(_)) && same(other, value)),
        };
        if new {
            out.push(item);
        }
    }
    out
}

/// Three-valued logic (`FHIRPath`, section 6.5).
fn logic(operator: Operator, left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match operator {
        Operator::And => match (left, right) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        },
        Operator::Or => {
            logic(Operator::And, left.map(|value| !value), right.map(|value| !value)).map(|value| !value)
        }
        Operator::Xor => left.zip(right).map(|(left, right)| left != right),
        _ => logic(Operator::Or, left.map(|value| !value), right),
    }
}

fn same(left: &Item, right: &Item) -> bool {
    match (left, right) {
        (Item::Number(left), Item::Number(right)) => left.total_cmp(right).is_eq(),
        // A date written in a rule as a text, or the other way round.
        (Item::Text(left) | Item::Moment(left), Item::Text(right) | Item::Moment(right)) => left == right,
        (left, right) => left == right,
    }
}

fn compare(left: &Item, right: &Item) -> Result<Option<Ordering>, Misfit> {
    match (left, right) {
        (Item::Number(left), Item::Number(right)) => Ok(left.partial_cmp(right)),
        (Item::Moment(left), Item::Moment(right)) => {
            if !left.contains('-') && left.contains(':') {
                return Ok(Some(
                    left.trim_start_matches('T').cmp(right.trim_start_matches('T')),
                ));
            }
            let (left, right) = (
                Moment::read(left).ok_or(Misfit)?,
                Moment::read(right).ok_or(Misfit)?,
            );
            Ok(moment::compare(&left, &right))
        }
        (Item::Text(left), Item::Text(right)) => Ok(Some(left.cmp(right))),
        _ => Err(Misfit),
    }
}
