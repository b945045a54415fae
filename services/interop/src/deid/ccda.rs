//! C-CDA documents (HL7 CDA R2 in XML), element by element.

#[cfg(test)]
mod tests;
mod xml;

use std::collections::{HashMap, HashSet};

use clinical::{Pseudonyms, Scrubber};
use serde::Deserialize;

use super::{
    DeidError, Origin,
    compact::{compact_date, shifted, zip},
    people::{People, Texts},
    rules::RulesError,
};
use xml::{Child, Element, NotXml};

/// The table `[ccda]`: elements by what happens to them, and the attributes that stay.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    keep: Vec<String>,
    date: Vec<String>,
    id: Vec<String>,
    scrub: Vec<String>,
    text: Vec<String>,
    zip: Vec<String>,
    attributes: Vec<String>,
}

/// What happens to an element.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Treatment {
    Keep,
    Date,
    Id,
    Scrub,
    Text,
    Zip,
}

/// The rules for the elements of documents.
pub(super) struct ElementRules {
    elements: HashMap<String, Treatment>,
    attributes: HashSet<String>,
    restricted_zips: Vec<String>,
    /// Dates keep their year alone instead of moving.
    pub years: bool,
}

impl ElementRules {
    pub(super) fn new(table: Table, restricted_zips: &[String]) -> Result<Self, RulesError> {
        let mut elements = HashMap::new();
        for (names, treatment) in [
            (table.keep, Treatment::Keep),
            (table.date, Treatment::Date),
            (table.id, Treatment::Id),
            (table.scrub, Treatment::Scrub),
            (table.text, Treatment::Text),
            (table.zip, Treatment::Zip),
        ] {
            for name in names {
                if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                    return Err(RulesError::Field("ccda"));
                }
                elements.insert(name, treatment);
            }
        }
        Ok(Self {
            elements,
            attributes: table.attributes.into_iter().collect(),
            restricted_zips: restricted_zips.to_vec(),
            years: false,
        })
    }
}

/// De-identifies a document.
pub(super) fn apply(
    rules: &ElementRules,
    scrubber: &Scrubber,
    origin: &Origin<'_>,
    text: &str,
) -> Result<String, DeidError> {
    let root = Element::read(text).map_err(|NotXml| DeidError::NotCcda)?;
    if local(&root.name) != "ClinicalDocument" {
        return Err(DeidError::NotCcda);
    }
    let mut people = People::default();
    read_people(&mut people, &root, "");
    let ids = scrubber.pseudonyms([0; 16]);
    let first = patient_id(&root).unwrap_or_default();
    let patient = *ids.id("patient", &first.to_ascii_lowercase()).as_bytes();
    let texts = Texts::new(scrubber, people);
    let document = Document {
        rules,
        prefix: root.name.strip_suffix("ClinicalDocument").unwrap_or(""),
        texts: &texts,
        ids,
        dates: scrubber.pseudonyms(patient),
        patient,
        today: origin.today,
    };
    let new = document.element(&root, false).ok_or(DeidError::NotCcda)?;
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    new.write(&mut out);
    out.push('\n');
    Ok(out)
}

/// The name without its prefix.
fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// The first identifier of the document's patient.
fn patient_id(element: &Element) -> Option<String> {
    if local(&element.name) == "patientRole" {
        let ids = element.elements().filter(|child| local(&child.name) == "id");
        return ids
            .filter_map(|id| id.attribute("extension").or_else(|| id.attribute("root")))
            .map(str::to_owned)
            .next();
    }
    element.elements().find_map(patient_id)
}

fn read_people(people: &mut People, element: &Element, parent: &str) {
    let name = local(&element.name);
    match name {
        "name" if parent == "patient" => people.names.push(element.words().replace('\n', " ")),
        // Names of substances and organisations are no people's.
        "name" if parent.ends_with("erson") || matches!(parent, "subject" | "guardianPerson") => {
            people.others.push(element.words().replace('\n', " "));
        }
        "telecom" => {
            let value = element.attribute("value").unwrap_or("");
            match value.split_once(':') {
                Some(("mailto" | "http" | "https", rest)) => people.emails.push(rest.to_owned()),
                Some((_, rest)) => people.phones.push(rest.to_owned()),
                None => people.phones.push(value.to_owned()),
            }
        }
        "id" => people
            .identifiers
            .extend(element.attribute("extension").map(str::to_owned)),
        "streetAddressLine" | "city" | "postalCode" | "county" => people.address.push(element.words()),
        "birthTime" if parent == "patient" => {
            people.birth_date = element.attribute("value").and_then(compact_date);
        }
        _ => {}
    }
    for child in element.elements() {
        read_people(people, child, name);
    }
}

struct Document<'d> {
    rules: &'d ElementRules,
    /// Before the names of HL7's own elements, with its colon; mostly none.
    prefix: &'d str,
    texts: &'d Texts<'d>,
    ids: Pseudonyms<'d>,
    dates: Pseudonyms<'d>,
    patient: [u8; 16],
    today: time::Date,
}

impl Document<'_> {
    /// What the rules leave of an element; `time` where its parts are times.
    fn element(&self, element: &Element, time: bool) -> Option<Element> {
        let name = local(&element.name);
        // HL7's own extensions stay under their names; a vendor's prefix is a vendor's meaning.
        let prefix = element.name.strip_suffix(name).unwrap_or("");
        if prefix != self.prefix && prefix != "sdtc:" {
            return None;
        }
        let treatment = *self.rules.elements.get(name)?;
        let kind = element
            .attribute("xsi:type")
            .unwrap_or("")
            .rsplit(':')
            .next()
            .unwrap_or("");
        let mut new = Element {
            name: element.name.clone(),
            ..Element::default()
        };
        match treatment {
            Treatment::Id => {
                new.attributes = self.id(element);
                return Some(new);
            }
            Treatment::Scrub => {
                let text = self.texts.scrub(self.patient, &element.words());
                new.children = vec![Child::Text(text)];
            }
            Treatment::Text | Treatment::Zip => {
                let text = element.words();
                let text = match treatment {
                    Treatment::Zip => zip(&text, &self.rules.restricted_zips),
                    _ if self.texts.is_known(&text) => String::new(),
                    _ => super::people::without_marked(&text),
                };
                new.children = vec![Child::Text(text)];
            }
            Treatment::Keep if name == "value" && matches!(kind, "ST" | "ED" | "SC") => {
                let text = self.texts.scrub(self.patient, &element.words());
                new.attributes = self.attributes(element, name, false);
                new.children = vec![Child::Text(text)];
                return Some(new);
            }
            // Names, addresses, telephones and ids as values.
            Treatment::Keep if matches!(kind, "AD" | "EN" | "PN" | "ON" | "TN" | "TEL" | "II" | "URL") => {
                return None;
            }
            Treatment::Keep | Treatment::Date => {
                let time = time
                    || treatment == Treatment::Date
                    || matches!(kind, "TS" | "IVL_TS" | "PIVL_TS" | "EIVL_TS");
                new.attributes = self.attributes(element, name, time && !matches!(name, "period" | "width"));
                new.children = self.children(element, time);
                return Some(new);
            }
        }
        new.attributes = self.attributes(element, name, false);
        Some(new)
    }

    fn children(&self, element: &Element, time: bool) -> Vec<Child> {
        let children = element.children.iter().filter_map(|child| match child {
            Child::Element(child) => self.element(child, time).map(Child::Element),
            // White space between elements, so that a document in lines stays one.
            Child::Text(text) if text.trim().is_empty() => Some(Child::Text(text.clone())),
            Child::Text(_) => None,
        });
        let children: Vec<Child> = children.collect();
        let blank = children.iter().all(|child| matches!(child, Child::Text(_)));
        if blank { Vec::new() } else { children }
    }

    fn attributes(&self, element: &Element, name: &str, time: bool) -> Vec<(String, String)> {
        let attributes = element.attributes.iter().filter_map(|(attribute, value)| {
            let new = match attribute.as_str() {
                // HL7's own arc and the code systems registered with it.
                "displayName"
                    if element
                        .attribute("codeSystem")
                        .is_some_and(|system| system.starts_with("2.16.840.1.113883.")) =>
                {
                    self.texts.scrub_term(self.patient, value)
                }
                "displayName" => self.texts.scrub(self.patient, value),
                "value" if time => shifted(
                    value.trim(),
                    (!self.rules.years).then_some(&self.dates),
                    self.today,
                )?,
                "value" => self.number(element, value)?,
                "root" | "extension" if matches!(name, "templateId" | "typeId") => template(value)?,
                declared if declared.starts_with("xmlns") && namespace(value) => value.clone(),
                listed if self.rules.attributes.contains(listed) && !self.texts.is_known(value) => {
                    super::people::without_marked(value)
                }
                _ => return None,
            };
            Some((attribute.clone(), new))
        });
        attributes.collect()
    }

    /// A value that is a number or a truth value; years over 89 become 90.
    fn number(&self, element: &Element, value: &str) -> Option<String> {
        let listed = self.rules.attributes.contains("value");
        let number = value
            .trim()
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite() && listed);
        let years = matches!(element.attribute("unit"), Some("a" | "yr" | "year" | "years"));
        match number {
            Some(number) if years && number >= 90.0 => Some("90".to_owned()),
            Some(_) => Some(value.to_owned()),
            None => matches!(value, "true" | "false").then(|| value.to_owned()),
        }
    }

    /// An OID that stands for root and extension: 2.25 and a number of 128 bits (ITU-T X.667).
    fn id(&self, element: &Element) -> Vec<(String, String)> {
        let (root, extension) = (element.attribute("root"), element.attribute("extension"));
        if root.is_none() && extension.is_none() {
            return vec![("nullFlavor".to_owned(), "NI".to_owned())];
        }
        let id = self.ids.id(root.unwrap_or(""), extension.unwrap_or(""));
        vec![(
            "root".to_owned(),
            format!("2.25.{}", u128::from_be_bytes(*id.as_bytes())),
        )]
    }
}

/// An OID, a date of a version, or the name of CDA's schema.
fn template(value: &str) -> Option<String> {
    let fits = value == "POCD_HD000040"
        || value
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
    fits.then(|| value.to_owned())
}

fn namespace(value: &str) -> bool {
    matches!(
        value,
        "urn:hl7-org:v3"
            | "urn:hl7-org:sdtc"
            | "urn:hl7-org:v3/voc"
            | "http://www.w3.org/2001/XMLSchema-instance"
    )
}
