//! Notes with gold spans, against which the gateway is measured.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::Known;

/// One note with what a human or a generator says is an identifier. No `Debug`: it holds identifiers.
#[derive(Clone, Deserialize)]
pub struct GoldNote {
    /// Name of the row.
    pub id: String,
    /// The text.
    pub text: String,
    /// Identifiers, and other spans that are neither to be found nor to be left.
    #[serde(default)]
    pub spans: Vec<GoldSpan>,
    /// Whether every identifier of the text is annotated; where not, only recall is scored.
    #[serde(default = "yes")]
    pub complete: bool,
    /// What the hospital knows about the patient.
    #[serde(default)]
    pub known: GoldKnown,
}

const fn yes() -> bool {
    true
}

/// One annotated span, in code points.
#[derive(Clone, Deserialize)]
pub struct GoldSpan {
    /// First code point.
    pub start: usize,
    /// Behind the last code point.
    pub end: usize,
    /// Class of the identifier, as the set names it.
    #[serde(default)]
    pub category: String,
    /// Whether 45 CFR 164.514(b)(2)(i) asks for its removal.
    #[serde(default)]
    pub hipaa: bool,
}

/// Identifiers known from elsewhere: an object with the fields of [`Known`] (or their usual other names) holding a text
/// or a list, or a bare list of texts. A value whose field says nothing is sorted by its form.
#[derive(Clone, Default, Deserialize)]
#[serde(from = "Given")]
pub struct GoldKnown {
    names: Vec<String>,
    others: Vec<String>,
    identifiers: Vec<String>,
    phones: Vec<String>,
    emails: Vec<String>,
    address: Vec<String>,
    birth_date: Option<time::Date>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Given {
    Fields(BTreeMap<String, Value>),
    Value(Value),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Text(String),
    Number(i64),
    List(Vec<Self>),
    Fields(BTreeMap<String, Self>),
    Nothing(()),
}

impl From<Given> for GoldKnown {
    fn from(given: Given) -> Self {
        let mut this = Self::default();
        match given {
            Given::Fields(fields) => this.fields(fields, ""),
            Given::Value(value) => this.value("", value),
        }
        this
    }
}

impl GoldKnown {
    /// As the scrubber takes it, for the patient with this opaque id.
    #[must_use]
    pub fn known(&self, patient: [u8; 16]) -> Known<'_> {
        Known {
            patient,
            names: self.names.iter().map(String::as_str).collect(),
            others: self.others.iter().map(String::as_str).collect(),
            identifiers: self.identifiers.iter().map(String::as_str).collect(),
            phones: self.phones.iter().map(String::as_str).collect(),
            emails: self.emails.iter().map(String::as_str).collect(),
            address: self.address.iter().map(String::as_str).collect(),
            birth_date: self.birth_date,
        }
    }

    pub(super) fn add_name(&mut self, name: &str) {
        self.names.push(name.to_owned());
    }

    pub(super) fn add_identifier(&mut self, identifier: &str) {
        self.identifiers.push(identifier.to_owned());
    }

    pub(super) fn add_address(&mut self, line: &str) {
        self.address.push(line.to_owned());
    }

    pub(super) fn add_phone(&mut self, phone: &str) {
        self.phones.push(phone.to_owned());
    }

    pub(super) fn add_birth_date(&mut self, year: usize, month: usize, day: usize) {
        self.birth_date = date(&format!("{year}-{month:02}-{day:02}"));
    }

    fn fields(&mut self, fields: BTreeMap<String, Value>, above: &str) {
        // {"type": "MRN", "value": "0048213"} and the like name their class in another field.
        let class = ["type", "class", "category", "label", "kind"]
            .iter()
            .find_map(|name| match fields.get(*name) {
                Some(Value::Text(class)) => Some(class.clone()),
                _ => None,
            });
        for (name, value) in fields {
            let name = match (&class, name.as_str()) {
                (Some(_), "type" | "class" | "category" | "label" | "kind") => continue,
                (Some(class), "value" | "text" | "values") => class.clone(),
                _ => name,
            };
            self.value(&format!("{above} {name}").to_lowercase(), value);
        }
    }

    fn value(&mut self, field: &str, value: Value) {
        match value {
            Value::Text(text) => self.text(field, text),
            Value::Number(number) => self.text(field, number.to_string()),
            Value::List(list) => {
                for value in list {
                    self.value(field, value);
                }
            }
            Value::Fields(fields) => self.fields(fields, field),
            Value::Nothing(()) => {}
        }
    }

    fn text(&mut self, field: &str, text: String) {
        let has = |words: &[&str]| words.iter().any(|word| field.contains(word));
        if has(&["birth", "dob"]) {
            self.birth_date = self.birth_date.or_else(|| date(&text));
        } else if has(&["mail", "url", "web"]) {
            self.emails.push(text);
        } else if has(&["phone", "fax", "tel", "mobile", "cell"]) {
            self.phones.push(text);
        } else if has(&[
            "address", "street", "city", "zip", "postal", "geo", "location", "line", "county", "district",
        ]) {
            self.address.push(text);
        } else if has(&[
            "relative",
            "other",
            "clinician",
            "provider",
            "physician",
            "doctor",
            "contact",
            "spouse",
            "mother",
            "father",
            "kin",
            "guarantor",
            "guardian",
            "emergency",
            "attending",
            "nurse",
            "author",
        ]) {
            self.others.push(text);
        } else if has(&["name", "family", "given", "patient", "alias", "maiden", "nick"])
            && !text.chars().any(|c| c.is_ascii_digit())
        {
            self.names.push(text);
        } else if has(&[
            "mrn", "id", "ssn", "account", "number", "record", "visit", "plan", "member", "licen",
        ]) {
            self.identifiers.push(text);
        } else {
            self.by_form(text);
        }
    }

    fn by_form(&mut self, text: String) {
        let digits = text.chars().filter(char::is_ascii_digit).count();
        if text.contains('@') || text.contains("://") {
            self.emails.push(text);
        } else if let (None, Some(date)) = (self.birth_date, date(&text)) {
            self.birth_date = Some(date);
        } else if digits == 0 {
            self.names.push(text);
        } else if text.contains(' ') && text.chars().filter(|c| c.is_alphabetic()).count() > 5 {
            self.address.push(text);
        } else {
            self.identifiers.push(text);
        }
    }
}

/// `2026-03-14`, with or without a time behind it, `03/14/2026` or `20260314`.
fn date(text: &str) -> Option<time::Date> {
    let head = text.split(['T', ' ']).next()?;
    let parts: Vec<u16> = head
        .split(['-', '/', '.'])
        .map(str::parse)
        .collect::<Result<_, _>>()
        .ok()?;
    let (year, month, day) = match *parts.as_slice() {
        [year, month, day] if year > 31 => (year, month, day),
        [month, day, year] if month <= 12 => (year, month, day),
        [day, month, year] => (year, month, day),
        [_] if head.len() == 8 => (
            head.get(..4)?.parse().ok()?,
            head.get(4..6)?.parse().ok()?,
            head.get(6..)?.parse().ok()?,
        ),
        _ => return None,
    };
    let month = time::Month::try_from(u8::try_from(month).ok()?).ok()?;
    time::Date::from_calendar_date(i32::from(year), month, u8::try_from(day).ok()?).ok()
}
