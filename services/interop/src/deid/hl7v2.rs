//! HL7 v2 messages (ER7 encoding, HL7 v2.5.1 section 2.5 and 2.7), field by field.

mod er7;
mod people;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use clinical::{Pseudonyms, Scrubber};
use serde::Deserialize;

use super::{
    DeidError, Origin,
    compact::{shifted, zip},
    people::{People, Texts},
    reference,
    rules::RulesError,
};
use er7::{Delimiters, segments};

/// The table `[hl7v2]`: fields as `PID-3`, by what happens to them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    keep: Vec<String>,
    date: Vec<String>,
    id: Vec<String>,
    coded: Vec<String>,
    address: Vec<String>,
    scrub: Vec<String>,
    /// `OBX-5:OBX-2`: the field behind the colon says what the first one holds.
    typed: Vec<String>,
}

/// What happens to a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Treatment {
    Keep,
    Date,
    Id,
    Coded,
    Address,
    Scrub,
    /// As the field with that number in the same segment says.
    Typed(usize),
}

/// The rules for the fields of messages.
pub(super) struct FieldRules {
    fields: HashMap<String, HashMap<usize, Treatment>>,
    restricted_zips: Vec<String>,
    /// Dates keep their year alone instead of moving.
    pub years: bool,
}

impl FieldRules {
    pub(super) fn new(table: &Table, restricted_zips: &[String]) -> Result<Self, RulesError> {
        let lists = [
            (&table.keep, Treatment::Keep),
            (&table.date, Treatment::Date),
            (&table.id, Treatment::Id),
            (&table.coded, Treatment::Coded),
            (&table.address, Treatment::Address),
            (&table.scrub, Treatment::Scrub),
        ];
        let mut rules: HashMap<String, HashMap<usize, Treatment>> = HashMap::new();
        let mut put = |(segment, number): (&str, usize), treatment| {
            rules
                .entry(segment.to_owned())
                .or_default()
                .insert(number, treatment);
        };
        for (fields, treatment) in lists {
            for field in fields {
                put(field_name(field)?, treatment);
            }
        }
        for field in &table.typed {
            let (field, by) = field.split_once(':').ok_or(RulesError::Field("hl7v2"))?;
            put(field_name(field)?, Treatment::Typed(field_name(by)?.1));
        }
        Ok(Self {
            fields: rules,
            restricted_zips: restricted_zips.to_vec(),
            years: false,
        })
    }
}

/// `PID-3` as segment and number.
fn field_name(text: &str) -> Result<(&str, usize), RulesError> {
    let parsed = text.split_once('-').and_then(|(segment, number)| {
        let plain = segment.len() == 3
            && segment
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        number
            .parse()
            .ok()
            .filter(|&number| plain && number > 0)
            .map(|number| (segment, number))
    });
    parsed.ok_or(RulesError::Field("hl7v2"))
}

/// De-identifies a message or a batch of them.
pub(super) fn apply(
    rules: &FieldRules,
    scrubber: &Scrubber,
    origin: &Origin<'_>,
    text: &str,
) -> Result<String, DeidError> {
    let segments = segments(text);
    let end = if text.contains("\r\n") {
        "\r\n"
    } else if text.contains('\r') {
        "\r"
    } else {
        "\n"
    };
    let mut delimiters = None;
    let mut people = People::default();
    for segment in &segments {
        if let Some(declared) = Delimiters::of(segment) {
            delimiters = Some(declared);
        }
        let delimiters = delimiters.as_ref().ok_or(DeidError::NotEr7)?;
        people::read(&mut people, segment, delimiters);
    }
    let texts = Texts::new(scrubber, people);
    let mut out = String::with_capacity(text.len());
    let mut patient = [0; 16];
    for (at, segment) in segments.iter().enumerate() {
        if let Some(declared) = Delimiters::of(segment) {
            patient = people::patient(&segments[at..], &declared, &texts.pseudonyms([0; 16]));
            delimiters = Some(declared);
        }
        let Some(delimiters) = delimiters.as_ref() else {
            continue;
        };
        let message = Message {
            rules,
            texts: &texts,
            ids: texts.pseudonyms([0; 16]),
            dates: texts.pseudonyms(patient),
            patient,
            today: origin.today,
            delimiters,
        };
        if let Some(segment) = message.segment(segment) {
            out.push_str(&segment);
            out.push_str(end);
        }
    }
    Ok(out)
}

struct Message<'m> {
    rules: &'m FieldRules,
    texts: &'m Texts<'m>,
    ids: Pseudonyms<'m>,
    dates: Pseudonyms<'m>,
    patient: [u8; 16],
    today: time::Date,
    delimiters: &'m Delimiters,
}

impl Message<'_> {
    /// The segment with what the rules leave of it; none if they do not know it.
    fn segment(&self, segment: &str) -> Option<String> {
        let name = segment.get(..3)?;
        let header = Delimiters::of(segment).is_some();
        let none = HashMap::new();
        let rules = match self.rules.fields.get(name) {
            Some(rules) => rules,
            None if header => &none,
            None => return None,
        };
        let separator = self.delimiters.field;
        let fields: Vec<&str> = segment.split(separator).collect();
        // The separator itself is the first field of a header.
        let number = |at: usize| if header { at + 1 } else { at };
        let at = |number: usize| if header { number.wrapping_sub(1) } else { number };
        let mut new: Vec<String> = vec![name.to_owned()];
        for (place, field) in fields.iter().enumerate().skip(1) {
            let number = number(place);
            if header && number == 2 {
                new.push(self.delimiters.declared());
                continue;
            }
            let treatment = match rules.get(&number) {
                Some(Treatment::Typed(by)) => {
                    let kind = fields.get(at(*by)).copied().unwrap_or("");
                    let unit = if name == "OBX" {
                        fields.get(6).copied().unwrap_or("")
                    } else {
                        ""
                    };
                    new.push(self.repetitions(field, |part| self.typed(kind, unit, part)));
                    continue;
                }
                Some(treatment) => *treatment,
                None => {
                    new.push(String::new());
                    continue;
                }
            };
            new.push(self.repetitions(field, |part| self.treat(treatment, part)));
        }
        while new.len() > 1 && new.last().is_some_and(String::is_empty) {
            new.pop();
        }
        Some(new.join(&separator.to_string()))
    }

    fn repetitions(&self, field: &str, treat: impl Fn(&str) -> String) -> String {
        let separator = self.delimiters.repetition;
        let mut parts: Vec<String> = field.split(separator).map(treat).collect();
        while parts.last().is_some_and(String::is_empty) {
            parts.pop();
        }
        parts.join(&separator.to_string())
    }

    /// Applies `treat` to the numbered components.
    fn components(&self, part: &str, treat: impl Fn(usize, &str) -> String) -> String {
        let separator = self.delimiters.component;
        let parts = part.split(separator).enumerate();
        let mut parts: Vec<String> = parts.map(|(at, component)| treat(at + 1, component)).collect();
        while parts.last().is_some_and(String::is_empty) {
            parts.pop();
        }
        parts.join(&separator.to_string())
    }

    fn treat(&self, treatment: Treatment, part: &str) -> String {
        match treatment {
            Treatment::Keep => self.kept(part),
            Treatment::Date => self.components(part, |_, component| self.date(component)),
            Treatment::Id => self.components(part, |at, component| match at {
                1 => self.id(component),
                5 => self.kept(component),
                _ => String::new(),
            }),
            Treatment::Coded => self.components(part, |at, component| match at {
                2 | 5 if self.is_standard(part, at + 1) => self.term(component),
                1 | 3 | 4 | 6 | 7 | 8 | 10..=12 | 14..=16 => self.kept(component),
                2 | 5 | 9 | 13 => self.scrubbed(component),
                _ => String::new(),
            }),
            Treatment::Address => self.components(part, |at, component| match at {
                4 | 6 | 7 => self.kept(component),
                5 => zip(component, &self.rules.restricted_zips),
                _ => String::new(),
            }),
            Treatment::Scrub => self.scrubbed(part),
            Treatment::Typed(_) => String::new(),
        }
    }

    /// An observation's value by its type (HL7 table 0125).
    fn typed(&self, kind: &str, unit: &str, part: &str) -> String {
        let numeric = |part: &str| {
            let sign = |byte: u8| {
                byte.is_ascii_digit()
                    || matches!(
                        byte,
                        b'.' | b'+' | b'-' | b'<' | b'>' | b'=' | b':' | b'/' | b'e' | b'E' | b' '
                    )
            };
            part.bytes()
                .all(|byte| sign(byte) || char::from(byte) == self.delimiters.component)
        };
        match kind {
            "NM" | "SN" | "SI" | "NA" | "MA" | "TM" if numeric(part) => {
                let years = unit.split(self.delimiters.component).next().unwrap_or("");
                let years = matches!(
                    years.to_ascii_lowercase().as_str(),
                    "a" | "yr" | "yrs" | "year" | "years"
                );
                if years && part.trim().parse::<f64>().is_ok_and(|age| age >= 90.0) {
                    "90".to_owned()
                } else {
                    part.to_owned()
                }
            }
            "CE" | "CWE" | "CNE" | "CF" => self.treat(Treatment::Coded, part),
            "DT" | "DTM" | "TS" | "DR" => self.treat(Treatment::Date, part),
            "ID" | "IS" => self.kept(part),
            "" | "NM" | "SN" | "SI" | "NA" | "MA" | "TM" | "TX" | "FT" | "ST" => self.scrubbed(part),
            // Names, addresses, numbers of people, documents in base64.
            _ => String::new(),
        }
    }

    /// The part as it is, unless it is one of the message's identifiers.
    fn kept(&self, part: &str) -> String {
        if self.texts.is_known(&self.delimiters.unescape(part)) {
            String::new()
        } else {
            part.to_owned()
        }
    }

    fn id(&self, component: &str) -> String {
        let value = self.delimiters.unescape(component);
        let value = value.trim();
        if value.is_empty() || value == "\"\"" {
            return String::new();
        }
        // Twenty characters fit every id of HL7 v2.5.1 that matters here: MSH-10 has no more.
        reference::uuid(&self.ids, value)
            .replace('-', "")
            .chars()
            .take(20)
            .collect()
    }

    fn scrubbed(&self, part: &str) -> String {
        let text = self.delimiters.unescape(part);
        self.delimiters.escape(&self.texts.scrub(self.patient, &text))
    }

    /// Whether the component with that number names a coding system that is published (HL7 table 0396).
    fn is_standard(&self, part: &str, number: usize) -> bool {
        let system = part
            .split(self.delimiters.component)
            .nth(number - 1)
            .unwrap_or("");
        matches!(
            system,
            "LN" | "SCT"
                | "SNM"
                | "I9"
                | "I9C"
                | "I10"
                | "I10C"
                | "ICD10CM"
                | "ICD10PCS"
                | "C4"
                | "CPT"
                | "RXNORM"
                | "NDC"
                | "CVX"
                | "MVX"
                | "UCUM"
        ) || system.starts_with("HL7")
    }

    fn term(&self, component: &str) -> String {
        let text = self.delimiters.unescape(component);
        self.delimiters
            .escape(&self.texts.scrub_term(self.patient, &text))
    }

    fn date(&self, component: &str) -> String {
        shifted(
            component.trim(),
            (!self.rules.years).then_some(&self.dates),
            self.today,
        )
        .unwrap_or_default()
    }
}
