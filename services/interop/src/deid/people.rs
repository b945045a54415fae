//! Who a document is about, and its free text without them.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clinical::{Known, Pseudonyms, Scrubbed, Scrubber};
use time::Date;

use super::{
    moment::Moment,
    reference,
    tree::{NodeId, Tree},
};

/// What a document says about people: everything that must not be found in its texts.
#[derive(Default)]
pub(super) struct People {
    pub names: Vec<String>,
    pub others: Vec<String>,
    pub identifiers: Vec<String>,
    pub phones: Vec<String>,
    pub emails: Vec<String>,
    pub address: Vec<String>,
    pub birth_date: Option<Date>,
}

/// How much goes from a text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Depth {
    /// The people that the document names.
    Known,
    /// They, and whatever has the form of an identifier.
    All,
}

/// One scrubbing: how deep, for which patient, of which text.
type Scrub = (Depth, [u8; 16], String);

/// Scrubs a document's free texts.
pub(super) struct Texts<'s> {
    scrubber: &'s Scrubber,
    people: People,
    /// Identifiers in small letters.
    exact: HashSet<String>,
    /// Texts of a document repeat: displays of codes most of all.
    done: RefCell<HashMap<Scrub, String>>,
}

impl<'s> Texts<'s> {
    pub(super) fn new(scrubber: &'s Scrubber, mut people: People) -> Self {
        for list in [
            &mut people.names,
            &mut people.others,
            &mut people.identifiers,
            &mut people.phones,
            &mut people.emails,
            &mut people.address,
        ] {
            list.retain(|text| !text.trim().is_empty());
            list.sort();
            list.dedup();
        }
        let long = people
            .identifiers
            .iter()
            .chain(&people.phones)
            .chain(&people.emails)
            .chain(&people.names);
        let exact = long
            .filter(|text| text.len() > 4)
            .map(|text| text.to_lowercase())
            .collect();
        Self {
            scrubber,
            people,
            exact,
            done: RefCell::default(),
        }
    }

    pub(super) fn pseudonyms(&self, patient: [u8; 16]) -> Pseudonyms<'s> {
        self.scrubber.pseudonyms(patient)
    }

    /// Whether a text that is no prose is one of the document's identifiers, or has one (or a marked name) as a part.
    pub(super) fn is_known(&self, text: &str) -> bool {
        if without_marked(text) != text {
            return true;
        }
        let text = text.to_lowercase();
        self.exact.contains(text.as_str())
            || text
                .split(|c: char| c.is_whitespace() || matches!(c, '/' | '|' | '#' | '^' | '?' | '=' | '&'))
                .any(|part| self.exact.contains(part))
    }

    /// The text without the people, and without whatever has an identifier's form.
    pub(super) fn scrub(&self, patient: [u8; 16], text: &str) -> String {
        self.scrub_to(Depth::All, patient, text)
    }

    /// A terminology's own words, without the people that the document names: no rule of form knows better than it.
    pub(super) fn scrub_term(&self, patient: [u8; 16], text: &str) -> String {
        self.scrub_to(Depth::Known, patient, text)
    }

    fn scrub_to(&self, depth: Depth, patient: [u8; 16], text: &str) -> String {
        if !text.chars().any(char::is_alphanumeric) {
            return text.to_owned();
        }
        let key = (depth, patient, text.to_owned());
        if let Some(done) = self.done.borrow().get(&key) {
            return done.clone();
        }
        let known = Known {
            patient,
            names: words(&self.people.names),
            others: words(&self.people.others),
            identifiers: words(&self.people.identifiers),
            phones: words(&self.people.phones),
            emails: words(&self.people.emails),
            address: words(&self.people.address),
            birth_date: self.people.birth_date,
        };
        let text = without_marked(text);
        let scrubbed = self.scrubber.scrub(&text, &known);
        let new = match depth {
            Depth::All => scrubbed.note.text().to_owned(),
            Depth::Known => only_known(&text, &scrubbed),
        };
        self.done.borrow_mut().insert(key, new.clone());
        new
    }

    /// A narrative's words as paragraphs of scrubbed text; none where it is not XHTML.
    pub(super) fn scrub_xhtml(&self, patient: [u8; 16], xhtml: &str) -> Option<String> {
        let text = crate::fhir::narrative_text(xhtml)?;
        let mut out = String::from("<div xmlns=\"http://www.w3.org/1999/xhtml\">");
        for line in self
            .scrub(patient, &text)
            .lines()
            .filter(|line| !line.trim().is_empty())
        {
            out.push_str("<p>");
            out.push_str(&quick_xml::escape::escape(line));
            out.push_str("</p>");
        }
        out.push_str("</div>");
        Some(out)
    }

    /// The base64 of a scrubbed text; none where the data are no UTF-8 text.
    pub(super) fn scrub_data(&self, patient: [u8; 16], content_type: &str, data: &str) -> Option<String> {
        let media = content_type.split(';').next().unwrap_or("").trim();
        if !(media.eq_ignore_ascii_case("text/plain") || media.is_empty()) {
            return None;
        }
        let packed: Vec<u8> = data.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let text = String::from_utf8(STANDARD.decode(packed).ok()?).ok()?;
        // A file of another kind may be valid UTF-8 by chance.
        if text
            .chars()
            .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}'))
        {
            return None;
        }
        Some(STANDARD.encode(self.scrub(patient, &text)))
    }
}

/// The text with the replacements of what the document itself names, and of nothing else.
fn only_known(text: &str, scrubbed: &Scrubbed) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for redaction in scrubbed.redactions.iter().filter(|redaction| redaction.known) {
        let (old, new) = (redaction.original, redaction.scrubbed);
        out.push_str(text.get(from..old.start as usize).unwrap_or(""));
        out.push_str(
            scrubbed
                .note
                .text()
                .get(new.start as usize..new.end as usize)
                .unwrap_or(""),
        );
        from = old.end as usize;
    }
    out.push_str(text.get(from..).unwrap_or(""));
    out
}

/// Hospitals mark test patients, and people who have left, by `ZZ` before the name (`ZZTEST`, as in VistA): no word of
/// any language of ours begins so in capitals, and such words go whatever the scrubber thinks of them.
pub(super) fn without_marked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_inclusive(|c: char| !c.is_alphanumeric()) {
        let letters = word.trim_end_matches(|c: char| !c.is_alphanumeric());
        if letters.len() > 3 && letters.starts_with("ZZ") {
            out.push_str("[removed]");
            out.push_str(&word[letters.len()..]);
        } else {
            out.push_str(word);
        }
    }
    out
}

fn words(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}

impl People {
    /// Adds whatever the resources of a tree say about people.
    pub(super) fn read(&mut self, tree: &Tree) {
        let mut resources = vec![Tree::ROOT];
        while let Some(resource) = resources.pop() {
            resources.extend(tree.inner_resources(resource));
            let patient = tree.kind(resource) == "Patient";
            for node in tree.below(resource, false) {
                self.read_element(tree, node, patient);
            }
        }
    }

    fn read_element(&mut self, tree: &Tree, node: NodeId, patient: bool) {
        let text = |name: &str| tree.child_text(node, name).map(str::to_owned);
        match tree.kind(node) {
            "HumanName" => {
                let parts = ["given", "family"].iter().flat_map(|part| tree.named(node, part));
                let parts: Vec<&str> = parts.filter_map(|part| tree.text(part)).collect();
                let own = patient
                    && tree
                        .node(node)
                        .parent
                        .is_some_and(|parent| tree.kind(parent) == "Patient");
                let list = if own { &mut self.names } else { &mut self.others };
                list.push(parts.join(" "));
                list.extend(text("text"));
            }
            "ContactPoint" => {
                let list = match tree.child_text(node, "system") {
                    Some("email" | "url") => &mut self.emails,
                    _ => &mut self.phones,
                };
                list.extend(text("value"));
            }
            "Identifier" => self.identifiers.extend(text("value")),
            // A reference's display names a person, unless it leads to a thing.
            "Reference" => {
                let kind = tree
                    .child_text(node, "reference")
                    .and_then(reference::resource_type);
                if matches!(
                    kind,
                    Some("Patient" | "Practitioner" | "RelatedPerson" | "Person")
                ) {
                    self.others.extend(text("display"));
                }
            }
            "Address" => {
                let lines = ["line", "city", "postalCode", "text"]
                    .iter()
                    .flat_map(|part| tree.named(node, part));
                self.address
                    .extend(lines.filter_map(|part| tree.text(part)).map(str::to_owned));
            }
            "date" if patient && tree.name(node) == "birthDate" => {
                let moment = tree
                    .text(node)
                    .and_then(Moment::read)
                    .filter(|moment| moment.day.is_some());
                self.birth_date = moment.and_then(|moment| moment.first_day()).or(self.birth_date);
            }
            _ => {}
        }
    }
}

/// Whose each resource of a tree is, as the pseudonym of the patient's id: itself for a patient, else its subject, else
/// the patient of the resource around it, else the only patient of the document, else nobody else's.
pub(super) fn patients(tree: &Tree, ids: &Pseudonyms<'_>) -> HashMap<NodeId, [u8; 16]> {
    let key = |id: &str| *ids.id("patient", &id.to_ascii_lowercase()).as_bytes();
    let mut all = vec![(Tree::ROOT, None)];
    let mut at = 0;
    while let Some(&(resource, _)) = all.get(at) {
        all.extend(
            tree.inner_resources(resource)
                .into_iter()
                .map(|inner| (inner, Some(resource))),
        );
        at += 1;
    }
    let mut patients = all
        .iter()
        .filter(|(resource, _)| tree.kind(*resource) == "Patient");
    let only = match (patients.next(), patients.next()) {
        (Some((patient, _)), None) => tree.child_text(*patient, "id").map(key),
        _ => None,
    };
    let mut found = HashMap::new();
    for (resource, around) in all {
        let own = tree.child_text(resource, "id");
        let subject = if tree.kind(resource) == "Patient" {
            own.map(key)
        } else {
            subject(tree, resource).map(key)
        };
        let around = around.filter(|_| tree.name(resource) == "contained");
        let around = around.and_then(|around| found.get(&around).copied());
        let patient = subject
            .or(around)
            .or(only)
            .unwrap_or_else(|| key(own.unwrap_or("")));
        found.insert(resource, patient);
    }
    found
}

fn subject(tree: &Tree, resource: NodeId) -> Option<&str> {
    const NAMES: [&str; 6] = ["subject", "patient", "for", "beneficiary", "individual", "who"];
    let references = NAMES.iter().flat_map(|name| tree.named(resource, name));
    references
        .filter(|&node| tree.kind(node) == "Reference")
        .find_map(|node| {
            let reference = tree.child_text(node, "reference")?;
            let other = reference::resource_type(reference).is_some_and(|kind| kind != "Patient");
            if other {
                None
            } else {
                reference::inner_id(reference)
            }
        })
}
