//! Names, telephone numbers, addresses and identifiers as lists of text for the scrubber.

use std::collections::HashSet;

use records::{Demographics, PhiText};

use super::wire;

/// Words of a name that is given in one piece which are no name.
const TITLES: [&str; 14] = [
    "mr", "mrs", "ms", "miss", "dr", "prof", "jr", "sr", "ii", "iii", "md", "do", "phd", "rn",
];

/// A name in full, in parts, and in the orders that notes use.
pub(super) fn name(name: &wire::HumanName, into: &mut Vec<PhiText>) {
    let given: Vec<&str> = name
        .given
        .iter()
        .flatten()
        .map(|part| part.expose().trim())
        .filter(|part| !part.is_empty())
        .collect();
    let family = name
        .family
        .as_ref()
        .map(|part| part.expose().trim())
        .filter(|part| !part.is_empty());
    let mut add = |text: String| into.push(PhiText::new(text));
    if let Some(text) = &name.text {
        add(text.expose().to_owned());
        if given.is_empty() && family.is_none() {
            for word in text
                .expose()
                .split(|c: char| c.is_whitespace() || matches!(c, ',' | '^' | '(' | ')' | '"'))
            {
                let letters = word.chars().filter(|c| c.is_alphabetic()).count();
                let bare = word.trim_end_matches('.').to_lowercase();
                if letters >= 2 && !TITLES.contains(&bare.as_str()) {
                    add(word.to_owned());
                }
            }
        }
    }
    if let Some(family) = family {
        add(family.to_owned());
        if let Some(first) = given.first() {
            add(format!("{first} {family}"));
            add(format!("{family}, {first}"));
        }
        if given.len() > 1 {
            add(format!("{} {family}", given.join(" ")));
            add(format!("{family}, {}", given.join(" ")));
        }
    }
    for part in given {
        add(part.to_owned());
    }
}

/// Telephone and fax numbers, e-mail and web addresses.
pub(super) fn telecom(points: &[wire::ContactPoint], into: &mut Demographics) {
    for point in points {
        let Some(value) = &point.value else { continue };
        match point.system.as_ref().map_or("", wire::Code::as_str) {
            "email" | "url" => into.emails.push(value.clone()),
            "phone" | "fax" | "pager" | "sms" => into.phones.push(value.clone()),
            _ if value.expose().contains('@') => into.emails.push(value.clone()),
            _ => into.phones.push(value.clone()),
        }
    }
}

/// Everything of an address that is smaller than a state (45 CFR 164.514(b)(2)(i)(B)).
pub(super) fn address(address: &wire::Address, into: &mut Demographics) {
    let parts = address.line.iter().flatten().chain(
        [
            &address.text,
            &address.city,
            &address.district,
            &address.postal_code,
        ]
        .into_iter()
        .flatten(),
    );
    into.address.extend(parts.cloned());
}

/// `system|value` of an identifier, which is what it is looked up by; `None` without a value. Without a system it begins
/// with the bar (FHIR R4, token search); a bar in the system, which no URI has, is written `%7C`.
pub(super) fn identifier(identifier: &wire::Identifier) -> Option<PhiText> {
    let value = identifier
        .value
        .as_ref()
        .map(|value| value.expose().trim())
        .filter(|value| !value.is_empty())?;
    let system = identifier
        .system
        .as_ref()
        .map_or("", |system| system.as_str().trim())
        .replace('|', "%7C");
    Some(PhiText::new(format!("{system}|{value}")))
}

/// The identifiers of one thing as `system|value`, the one to know it by first: an accession number (type `ACSN` of HL7 v2
/// table 0203) before an `official` identifier, that before any other, and `old` ones last; else as they stand.
pub(super) fn ranked(identifiers: &[wire::Identifier]) -> Vec<PhiText> {
    let mut ranked: Vec<(u8, PhiText)> = identifiers
        .iter()
        .filter_map(|one| {
            let accession = one
                .kind
                .coding
                .iter()
                .any(|coding| coding.code.as_ref().is_some_and(|code| code.as_str() == "ACSN"));
            let rank = match one.usage.as_ref().map_or("", wire::Code::as_str) {
                "old" => 3,
                _ if accession => 0,
                "official" => 1,
                _ => 2,
            };
            Some((rank, identifier(one)?))
        })
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    let mut texts = ranked.into_iter().map(|(_, text)| text).collect();
    distinct(&mut texts);
    texts
}

/// The values alone, which a note may repeat.
pub(super) fn values<'i>(
    identifiers: impl IntoIterator<Item = &'i wire::Identifier>,
    into: &mut Vec<PhiText>,
) {
    into.extend(
        identifiers
            .into_iter()
            .filter_map(|identifier| identifier.value.clone()),
    );
}

/// Takes out blank texts and repetitions; the first of each stays where it is.
pub(super) fn distinct(texts: &mut Vec<PhiText>) {
    let mut seen = HashSet::new();
    let keep: Vec<bool> = texts
        .iter()
        .map(|text| !text.is_blank() && seen.insert(text.expose()))
        .collect();
    let mut keep = keep.into_iter();
    texts.retain(|_| keep.next().unwrap_or(false));
}

/// Takes out blank texts and repetitions of every list.
pub(super) fn tidy(demographics: &mut Demographics) {
    for list in [
        &mut demographics.names,
        &mut demographics.others,
        &mut demographics.identifiers,
        &mut demographics.phones,
        &mut demographics.emails,
        &mut demographics.address,
    ] {
        distinct(list);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exposed(texts: &[PhiText]) -> Vec<&str> {
        texts.iter().map(PhiText::expose).collect()
    }

    #[test]
    fn a_name_is_known_in_full_and_in_parts() {
        let mut names = Vec::new();
        name(
            &serde_json::from_str(r#"{"family": "Example", "given": ["Alex", null, "Bo"]}"#).expect("a name"),
            &mut names,
        );
        assert_eq!(
            exposed(&names),
            [
                "Example",
                "Alex Example",
                "Example, Alex",
                "Alex Bo Example",
                "Example, Alex Bo",
                "Alex",
                "Bo"
            ]
        );
        let mut names = Vec::new();
        name(
            &serde_json::from_str(r#"{"text": "Dr. Kim Li, MD"}"#).expect("a name"),
            &mut names,
        );
        assert_eq!(exposed(&names), ["Dr. Kim Li, MD", "Kim", "Li"]);
    }

    #[test]
    fn the_identifier_to_know_it_by_comes_first() {
        let identifiers: Vec<wire::Identifier> = serde_json::from_str(
            r#"[{"use": "old", "value": "0"}, {"system": "s|t", "value": " 1 "}, {"use": "official", "system": "o", "value": "2"},
                {"type": {"coding": [{"code": "ACSN"}]}, "system": "a", "value": "3"}, {"system": "empty"}, {"system": "o", "value": "2"}]"#,
        )
        .expect("identifiers");
        assert_eq!(exposed(&ranked(&identifiers)), ["a|3", "o|2", "s%7Ct|1", "|0"]);
    }

    #[test]
    fn contact_points_go_by_their_system() {
        let points: Vec<wire::ContactPoint> = serde_json::from_str(
            r#"[{"system": "phone", "value": "1"}, {"system": "email", "value": "2"}, {"value": "a@b.example"}, {"value": "3"}, {"system": "fax"}]"#,
        )
        .expect("contact points");
        let mut known = Demographics::default();
        telecom(&points, &mut known);
        assert_eq!(exposed(&known.phones), ["1", "3"]);
        assert_eq!(exposed(&known.emails), ["2", "a@b.example"]);
    }

    #[test]
    fn lists_are_tidied() {
        let mut texts: Vec<PhiText> = ["b", " ", "a", "b"]
            .into_iter()
            .map(|text| PhiText::new(text.to_owned()))
            .collect();
        distinct(&mut texts);
        assert_eq!(exposed(&texts), ["b", "a"]);
    }
}
