//! Tags in the place of identifiers, as Safe Harbor wants them (45 CFR 164.514(b)(2)): of a date the year may stay
//! unless it says that somebody is older than 89, of a postal code its first three digits where more than 20,000
//! people live.

use std::ops::Range;

use super::codes::is_year;
use super::context::{has_unit, listed, word_before};
use super::hit::{Hit, Kind};
use super::redaction::{Finder, PhiClass};
use super::token::{Case, tokens};

/// Areas of three digits with 20,000 people or fewer (45 CFR 164.514(b)(2)(i)(B)), in any census since 2000: the 17 of Census
/// 2000 (HHS OCR, "Guidance Regarding Methods for De-identification", November 2012), those of Census 2010 by its ZCTAs,
/// unpeopled ones among them, and 576, which an estimate from the adults of Census 2020 puts at 18,700. The union, because
/// a note may hold an old address and a digit too few costs nothing.
pub const RESTRICTED_AREAS: [&str; 24] = [
    "036", "059", "063", "102", "202", "203", "204", "205", "369", "556", "576", "692", "753", "772", "790",
    "821", "823", "830", "831", "878", "879", "884", "890", "893",
];

/// Where a tag stands.
pub(super) type Tagged = Range<usize>;

/// The tag for `text[range]`, found as `kind` in the view `read` of the same text. `year` is the current one.
pub(super) fn tag(
    text: &str,
    range: &Range<usize>,
    kind: &Kind,
    class: PhiClass,
    read: &str,
    year: i32,
) -> String {
    let word = class.tag();
    match (kind, class) {
        (Kind::Date(parts), _) => {
            let written = parts
                .year
                .clone()
                .and_then(|at| read.get(at))
                .filter(|written| is_year(written));
            match written.and_then(|written| written.parse::<i32>().ok()) {
                Some(then) if year - then < 90 && then <= year => format!("[{word} {then}]"),
                _ => format!("[{word}]"),
            }
        }
        (Kind::Age, _) => format!("[{word} 90+]"),
        (Kind::Code, PhiClass::Location) => {
            let old = text.get(range.clone()).unwrap_or("");
            let digits: String = old.chars().take_while(char::is_ascii_digit).collect();
            let plus = old.len() == 10 && old.as_bytes().get(5) == Some(&b'-');
            match digits.get(..3) {
                Some(area)
                    if digits.len() == 5 && (old.len() == 5 || plus) && !RESTRICTED_AREAS.contains(&area) =>
                {
                    format!("[ZIP {area}**]")
                }
                Some(_) if digits.len() == 5 && (old.len() == 5 || plus) => "[ZIP 000**]".to_owned(),
                _ => format!("[{word}]"),
            }
        }
        _ => format!("[{word}]"),
    }
}

/// The tags of `text`: its own, or those of an earlier pass.
pub(super) fn is_tag(text: &str) -> Vec<Tagged> {
    const WORDS: [&str; 13] = [
        "NAME", "LOCATION", "DATE", "AGE 90+", "PHONE", "EMAIL", "SSN", "MRN", "ACCOUNT", "DEVICE", "URL",
        "IP", "ID",
    ];
    let mut tags = Vec::new();
    for (start, _) in text.match_indices('[') {
        let rest = &text[start + 1..];
        let Some(end) = rest.bytes().take(16).position(|b| b == b']') else {
            continue;
        };
        let inside = &rest[..end];
        let dated = inside.strip_prefix("DATE ").is_some_and(is_year);
        let zip = inside
            .strip_prefix("ZIP ")
            .and_then(|area| area.strip_suffix("**"))
            .is_some_and(|area| area.len() == 3 && area.bytes().all(|b| b.is_ascii_digit()));
        if dated || zip || WORDS.contains(&inside) {
            tags.push(start..start + end + 2);
        }
    }
    tags
}

/// The parts of `range` that no tag covers and that hold a letter or a digit.
pub(super) fn outside(text: &str, tags: &[Tagged], range: Range<usize>) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut from = range.start;
    let first = tags.partition_point(|tag| tag.end <= range.start);
    for tag in tags[first..].iter().take_while(|tag| tag.start < range.end) {
        parts.push(from..tag.start.max(from));
        from = tag.end;
    }
    parts.push(from..range.end.max(from));
    parts.retain(|part| {
        text.get(part.clone())
            .is_some_and(|part| part.chars().any(char::is_alphanumeric))
    });
    parts
}

/// Words before a bare year that say that it is one.
const WHEN: &str = "in since born from year of dob circa until before after early late around by during";

/// Adds bare years that lie 90 years back or more: whoever was born or operated then is older than 89.
pub(super) fn old_years(text: &str, year: i32, hits: &mut Vec<Hit>) {
    for token in tokens(text)
        .iter()
        .filter(|token| token.case == Case::Digits && token.end - token.start == 4)
    {
        let written = &text[token.range()];
        let old = written
            .parse::<i32>()
            .is_ok_and(|then| (1850..=year - 90).contains(&then));
        let alone = !text[..token.start]
            .ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | ',' | '-' | '$'))
            && !text[token.end..].starts_with(|c: char| c.is_alphanumeric() || matches!(c, '%' | '+'));
        if old && alone && !has_unit(text, token.end) && listed(WHEN, &word_before(text, token.start)) {
            let mut hit = Hit::found(token.range(), PhiClass::Date, Kind::Code);
            hit.finder = Finder::DateFormat;
            hit.sure = Finder::DateFormat.sure();
            hits.push(hit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_recognised() {
        let text = "[NAME] saw [DATE 2019] and [ZIP 100**], [see note], [DATE 19], [[ID]";
        let found: Vec<&str> = is_tag(text).into_iter().map(|tag| &text[tag]).collect();
        assert_eq!(found, ["[NAME]", "[DATE 2019]", "[ZIP 100**]", "[ID]"]);
        let tags = is_tag(text);
        assert_eq!(outside(text, &tags, 3..18).first(), Some(&(6..11)));
        assert!(outside(text, &tags, 0..6).is_empty());
    }

    #[test]
    fn small_areas_lose_their_digits() {
        for (zip, wanted) in [
            ("78701", "[ZIP 787**]"),
            ("03601", "[ZIP 000**]"),
            ("78701-1234", "[ZIP 787**]"),
            ("SW1A 1AA", "[LOCATION]"),
            ("1234567", "[LOCATION]"),
        ] {
            let tag = tag(zip, &(0..zip.len()), &Kind::Code, PhiClass::Location, zip, 2026);
            assert_eq!(tag, wanted, "{zip}");
        }
    }
}
