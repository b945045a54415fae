//! What each method does to one element.

use std::collections::HashMap;

use clinical::{HashKey, Pseudonyms};

use super::{
    DeidError, Origin,
    compact::zip,
    elements, evaluate,
    json::Json,
    numbers,
    path::Expression,
    people::Texts,
    reference,
    rules::{DateShift, Method, Parameters},
    substitute::{mark, substitute},
    tree::{NodeId, Scalar, Tree},
};

/// What was done to a resource, as bits.
#[derive(Clone, Copy, Default)]
pub(super) struct Labels(pub u8);

impl Labels {
    pub(super) const REDACTED: u8 = 1;
    pub(super) const ABSTRACTED: u8 = 1 << 1;
    pub(super) const HASHED: u8 = 1 << 2;
    pub(super) const PERTURBED: u8 = 1 << 3;
    pub(super) const SUBSTITUTED: u8 = 1 << 4;
    pub(super) const GENERALIZED: u8 = 1 << 5;

    pub(super) fn add(&mut self, labels: u8) {
        self.0 |= labels;
    }

    /// Codes and displays. `CRYTOHASH` is spelled as HL7 spells it.
    pub(super) fn texts(self) -> Vec<(&'static str, &'static str)> {
        let all = [
            (Self::REDACTED, "REDACTED", "redacted"),
            (Self::ABSTRACTED, "ABSTRED", "abstracted"),
            (Self::HASHED, "CRYTOHASH", "cryptographic hash function"),
            (
                Self::PERTURBED,
                "PERTURBED",
                "exact value is replaced with another exact value",
            ),
            (
                Self::SUBSTITUTED,
                "SUBSTITUTED",
                "exact value is replaced with a predefined value",
            ),
            (
                Self::GENERALIZED,
                "GENERALIZED",
                "exact value is replaced with a general value",
            ),
        ];
        let set = all.into_iter().filter(|(bit, _, _)| self.0 & bit != 0);
        set.map(|(_, code, display)| (code, display)).collect()
    }
}

/// The methods with all that they need.
pub(super) struct Methods<'s> {
    pub parameters: &'s Parameters,
    pub origin: Origin<'s>,
    pub texts: &'s Texts<'s>,
    hash: HashKey,
    /// Of no patient: ids stay joined across patients' resources.
    pub ids: Pseudonyms<'s>,
    /// Whose each resource is.
    patients: HashMap<NodeId, [u8; 16]>,
    /// Whose the resource is whose elements come next.
    pub patient: [u8; 16],
}

impl<'s> Methods<'s> {
    pub(super) fn new(
        parameters: &'s Parameters,
        origin: Origin<'s>,
        texts: &'s Texts<'s>,
        patients: HashMap<NodeId, [u8; 16]>,
    ) -> Self {
        let ids = texts.pseudonyms([0; 16]);
        let hash = if parameters.hash_key.is_empty() {
            HashKey::new(ids.id("parameter", "cryptoHashKey").as_bytes())
        } else {
            HashKey::new(parameters.hash_key.as_bytes())
        };
        Self {
            parameters,
            origin,
            texts,
            hash,
            ids,
            patients,
            patient: [0; 16],
        }
    }

    /// Says which resource the next elements belong to.
    pub(super) fn enter(&mut self, resource: NodeId) {
        self.patient = self.patients.get(&resource).copied().unwrap_or_default();
    }

    /// Has a method do its work on one node, not on its children.
    pub(super) fn process(
        &self,
        tree: &mut Tree,
        node: NodeId,
        method: &Method,
        labels: &mut Labels,
    ) -> Result<(), DeidError> {
        match method {
            Method::Keep => {}
            Method::Substitute(value) => {
                let kind = tree.kind(node);
                let by = match value {
                    _ if elements::is_primitive(kind) => {
                        let mut by = Tree::read_type(&Json::Null, kind)?;
                        by.node_mut(Tree::ROOT).value = primitive(value);
                        by
                    }
                    Json::Text(text) => {
                        let json = Json::read(text).map_err(|_| DeidError::Misfit)?;
                        Tree::read_type(&json, kind)?
                    }
                    json => Tree::read_type(json, kind)?,
                };
                substitute(tree, node, &by);
                labels.add(Labels::SUBSTITUTED);
            }
            Method::Perturb {
                span,
                proportional,
                decimals,
            } => self.perturb(tree, node, (*span, *proportional, *decimals), labels),
            Method::Generalize { .. } if !elements::is_primitive(tree.kind(node)) => {
                return Err(DeidError::NotApplicable);
            }
            Method::Attachment => self.attachment(tree, node, labels),
            Method::CapAge => numbers::cap_age(tree, node, labels),
            // The others work on values.
            _ => {
                let Some(old) = tree.text(node).map(str::to_owned).filter(|old| !old.is_empty()) else {
                    return Ok(());
                };
                let new = match method {
                    Method::Redact => self.redact(tree, node, &old, labels),
                    Method::DateShift => match tree.kind(node) {
                        "date" | "dateTime" | "instant" => self.shift(tree, node, &old, labels),
                        _ => return Ok(()),
                    },
                    Method::CryptoHash => {
                        labels.add(Labels::HASHED);
                        Some(if is_reference(tree, node) {
                            reference::transform(&old, |id| self.hash.hash(id))
                        } else {
                            self.hash.hash(&hashed_form(tree, node, old))
                        })
                    }
                    Method::Generalize { cases, keep_others } => {
                        labels.add(Labels::GENERALIZED);
                        return generalize(tree, node, cases, *keep_others);
                    }
                    Method::Pseudonym => {
                        labels.add(Labels::HASHED);
                        self.pseudonym(tree, node, &old)
                    }
                    Method::Zip => {
                        labels.add(Labels::ABSTRACTED);
                        Some(zip(&old, &self.parameters.restricted_zips)).filter(|new| !new.is_empty())
                    }
                    Method::Scrub => self.scrub(tree, node, old, labels),
                    Method::Term => {
                        let new = self.texts.scrub_term(self.patient, &old);
                        labels.add(if new == old { 0 } else { Labels::SUBSTITUTED });
                        Some(new)
                    }
                    _ => return Ok(()),
                };
                tree.node_mut(node).value = new.map(Scalar::Text);
            }
        }
        Ok(())
    }

    /// Takes out what no rule named, and what a rule kept although it is one of the document's own identifiers.
    pub(super) fn sweep(&self, tree: &mut Tree, node: NodeId, labels: &mut Labels) {
        let Some(text) = tree.text(node) else { return };
        let known =
            matches!(tree.kind(node), "code" | "string" | "uri" | "canonical") && self.texts.is_known(text);
        if !tree.node(node).visited || known {
            tree.node_mut(node).value = None;
            tree.node_mut(node).visited = true;
            labels.add(Labels::REDACTED);
        }
    }

    fn redact(&self, tree: &Tree, node: NodeId, old: &str, labels: &mut Labels) -> Option<String> {
        let parent = tree.node(node).parent.map_or("", |parent| tree.kind(parent));
        match tree.kind(node) {
            "date" | "dateTime" | "instant" => {
                labels.add(Labels::REDACTED);
                // Beside shifted dates a true year says something about the shift.
                let shifted = matches!(self.parameters.date_shift, DateShift::Patient | DateShift::Years);
                if shifted { None } else { self.year(old) }
            }
            "decimal" if parent == "Age" => {
                labels.add(Labels::REDACTED);
                let young = old.parse::<f64>().is_ok_and(|age| age < 90.0);
                (self.parameters.partial_ages && young).then(|| old.to_owned())
            }
            _ if tree.name(node) == "postalCode" && self.parameters.partial_zips => {
                labels.add(Labels::ABSTRACTED);
                Some(self.partial_zip(old))
            }
            _ => {
                labels.add(Labels::REDACTED);
                None
            }
        }
    }

    /// The first three digits where 20,000 people live behind them (45 CFR 164.514(b)(2)(i)(B)), noughts for the others.
    fn partial_zip(&self, old: &str) -> String {
        let restricted = self
            .parameters
            .restricted_zips
            .iter()
            .any(|zip| old.starts_with(zip.as_str()));
        let keep = if restricted { 0 } else { 3 };
        let digit = |(at, c): (usize, char)| if at >= keep && c.is_ascii_digit() { '0' } else { c };
        old.chars().enumerate().map(digit).collect()
    }

    fn pseudonym(&self, tree: &Tree, node: NodeId, old: &str) -> Option<String> {
        let id = |id: &str| reference::uuid(&self.ids, id);
        match tree.kind(node) {
            _ if is_reference(tree, node) => reference::pseudonym(old, false, id),
            "uri" | "url" | "canonical" => reference::pseudonym(old, true, id),
            _ => Some(id(old)),
        }
    }

    fn scrub(&self, tree: &Tree, node: NodeId, old: String, labels: &mut Labels) -> Option<String> {
        let new = match tree.kind(node) {
            "code" | "boolean" | "integer" | "decimal" | "positiveInt" | "unsignedInt" => return Some(old),
            "base64Binary" => None,
            "xhtml" => self.texts.scrub_xhtml(self.patient, &old),
            _ => Some(self.texts.scrub(self.patient, &old)),
        };
        if new.as_ref() != Some(&old) {
            labels.add(Labels::SUBSTITUTED);
        }
        new
    }

    /// `Attachment` or `Binary`: text is scrubbed, and nothing else stays but its type and language.
    fn attachment(&self, tree: &mut Tree, node: NodeId, labels: &mut Labels) {
        if !matches!(tree.kind(node), "Attachment" | "Binary") {
            return;
        }
        let kind = tree.child_text(node, "contentType").unwrap_or("").to_owned();
        for child in tree.node(node).children.clone() {
            if tree.node(child).visited {
                continue;
            }
            match tree.name(child) {
                "contentType" | "language" => {}
                "data" => {
                    let new = tree
                        .text(child)
                        .and_then(|data| self.texts.scrub_data(self.patient, &kind, data));
                    labels.add(if new.is_some() {
                        Labels::SUBSTITUTED
                    } else {
                        Labels::REDACTED
                    });
                    tree.node_mut(child).value = new.map(Scalar::Text);
                }
                _ => {
                    labels.add(Labels::REDACTED);
                    tree.remove(child);
                    continue;
                }
            }
            mark(tree, child);
        }
    }
}

/// Values of a rule set as a primitive's.
fn primitive(json: &Json) -> Option<Scalar> {
    match json {
        Json::Text(text) => Some(Scalar::Text(text.clone())),
        Json::Number(digits) => Some(Scalar::Number(digits.clone())),
        Json::Bool(value) => Some(Scalar::Bool(*value)),
        Json::Null => None,
        Json::Array(_) | Json::Object(_) => {
            let mut text = String::new();
            json.write(&mut text);
            Some(Scalar::Text(text))
        }
    }
}

fn is_reference(tree: &Tree, node: NodeId) -> bool {
    let parent = tree.node(node).parent;
    tree.name(node) == "reference" && parent.is_some_and(|parent| tree.kind(parent) == "Reference")
}

/// The text whose hash is taken: truth values with a capital, as .NET writes them.
fn hashed_form(tree: &Tree, node: NodeId, old: String) -> String {
    match tree.node(node).value {
        Some(Scalar::Bool(true)) => "True".to_owned(),
        Some(Scalar::Bool(false)) => "False".to_owned(),
        _ => old,
    }
}

fn generalize(
    tree: &mut Tree,
    node: NodeId,
    cases: &[(Expression, Expression)],
    keep_others: bool,
) -> Result<(), DeidError> {
    for (when, then) in cases {
        if evaluate::holds(when, tree, node).map_err(|_| DeidError::Misfit)? {
            let new = evaluate::scalar(then, tree, node).map_err(|_| DeidError::Misfit)?;
            tree.node_mut(node).value = new;
            return Ok(());
        }
    }
    if !keep_others {
        tree.node_mut(node).value = None;
    }
    Ok(())
}
