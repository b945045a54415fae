//! Who an HL7 v2 message is about: names, numbers, addresses and phones by field.

use clinical::Pseudonyms;

use super::er7::Delimiters;
use crate::deid::{compact::compact_date, people::People};

/// How a field holds people.
#[derive(Clone, Copy)]
enum Holds {
    /// XPN of the patient.
    Name,
    /// XPN of somebody else.
    OtherName,
    /// XCN: a number, a family name, given names.
    Person,
    /// NDL: the same as subcomponents of the first component.
    NamedLocation,
    /// CX, EI or a bare number.
    Number,
    Address,
    Phone,
    BirthDate,
}

/// Fields of HL7 v2.5.1 (chapters 3, 4, 6, 7 and 9) that name or reach people.
const FIELDS: &[(&str, &[usize], Holds)] = &[
    ("PID", &[5, 6, 9], Holds::Name),
    ("PID", &[2, 3, 4, 18, 19, 20, 21], Holds::Number),
    ("PID", &[7], Holds::BirthDate),
    ("PID", &[11], Holds::Address),
    ("PID", &[13, 14, 40], Holds::Phone),
    ("PD1", &[4], Holds::Person),
    ("MRG", &[7], Holds::Name),
    ("MRG", &[1, 2, 3, 4, 5, 6], Holds::Number),
    ("NK1", &[2, 30], Holds::OtherName),
    ("NK1", &[33, 37], Holds::Number),
    ("NK1", &[4, 32], Holds::Address),
    ("NK1", &[5, 6, 31], Holds::Phone),
    ("PV1", &[7, 8, 9, 17, 52], Holds::Person),
    ("PV1", &[5, 19, 50], Holds::Number),
    ("ORC", &[10, 11, 12, 19], Holds::Person),
    ("ORC", &[2, 3, 4], Holds::Number),
    ("ORC", &[14, 23], Holds::Phone),
    ("OBR", &[10, 16, 28], Holds::Person),
    ("OBR", &[32, 33, 34, 35], Holds::NamedLocation),
    ("OBR", &[2, 3], Holds::Number),
    ("OBR", &[17], Holds::Phone),
    ("OBX", &[16, 25], Holds::Person),
    ("TXA", &[5, 9, 10, 11, 22, 23], Holds::Person),
    ("TXA", &[12, 13, 14, 15], Holds::Number),
    ("ROL", &[4], Holds::Person),
    ("DG1", &[16], Holds::Person),
    ("PR1", &[8, 11, 12], Holds::Person),
    ("EVN", &[5], Holds::Person),
    ("RXA", &[10], Holds::Person),
    ("GT1", &[3, 4], Holds::OtherName),
    ("GT1", &[2, 12, 19], Holds::Number),
    ("GT1", &[5], Holds::Address),
    ("GT1", &[6, 7], Holds::Phone),
    ("IN1", &[16], Holds::OtherName),
    ("IN1", &[36, 49], Holds::Number),
    ("IN1", &[19], Holds::Address),
    ("IN2", &[2, 6, 8, 61], Holds::Number),
];

/// Adds what a segment says about people.
pub(super) fn read(people: &mut People, segment: &str, delimiters: &Delimiters) {
    let fields: Vec<&str> = segment.split(delimiters.field).collect();
    let name = fields.first().copied().unwrap_or("");
    for (_, numbers, holds) in FIELDS.iter().filter(|(segment, _, _)| *segment == name) {
        for field in numbers.iter().filter_map(|&number| fields.get(number)) {
            for repetition in field.split(delimiters.repetition) {
                read_field(people, repetition, *holds, delimiters);
            }
        }
    }
}

fn read_field(people: &mut People, field: &str, holds: Holds, delimiters: &Delimiters) {
    let components: Vec<String> = field
        .split(delimiters.component)
        .map(|part| {
            let first = part.split(delimiters.subcomponent).next().unwrap_or("");
            delimiters.unescape(first).trim().to_owned()
        })
        .collect();
    let part = |number: usize| components.get(number - 1).cloned().unwrap_or_default();
    let name = |from: usize| {
        let parts = [part(from + 1), part(from + 2), part(from)];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(" ")
    };
    match holds {
        Holds::Name => people.names.push(name(1)),
        Holds::OtherName => people.others.push(name(1)),
        Holds::Person => {
            people.others.push(name(2));
            people.identifiers.push(part(1));
        }
        Holds::NamedLocation => {
            let first = field.split(delimiters.component).next().unwrap_or("");
            let parts: Vec<String> = first
                .split(delimiters.subcomponent)
                .map(|part| delimiters.unescape(part))
                .collect();
            let part = |at: usize| parts.get(at).map_or("", String::as_str);
            people.others.push([part(2), part(1)].join(" "));
            people.identifiers.push(part(0).to_owned());
        }
        Holds::Number => people.identifiers.push(part(1)),
        Holds::Address => people.address.extend([part(1), part(2), part(3), part(5)]),
        Holds::Phone => {
            people.phones.extend([part(1), part(12), part(6) + &part(7)]);
            people.emails.push(part(4));
        }
        Holds::BirthDate => people.birth_date = compact_date(&part(1)).or(people.birth_date),
    }
}

/// Whose the message is whose header is the first of `segments`: the pseudonym of its first patient identifier.
pub(super) fn patient(segments: &[&str], delimiters: &Delimiters, ids: &Pseudonyms<'_>) -> [u8; 16] {
    let message = segments
        .iter()
        .enumerate()
        .take_while(|(at, segment)| *at == 0 || Delimiters::of(segment).is_none());
    let pid = message
        .map(|(_, segment)| *segment)
        .find(|segment| segment.starts_with("PID"));
    let identifier = pid.and_then(|pid| {
        let fields: Vec<&str> = pid.split(delimiters.field).collect();
        let candidates = [3, 2, 18, 4]
            .into_iter()
            .filter_map(|number| fields.get(number).copied());
        let first = candidates.map(|field| {
            field
                .split([delimiters.component, delimiters.repetition])
                .next()
                .unwrap_or("")
        });
        first
            .map(str::trim)
            .find(|value| !value.is_empty() && *value != "\"\"")
    });
    *ids.id("patient", &identifier.unwrap_or("").to_ascii_lowercase())
        .as_bytes()
}
