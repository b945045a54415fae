//! Runs of letters and digits that look like a key, without any label.

use std::ops::Range;

use super::codes::{is_measure, is_terminology, is_year};
use super::context::has_unit;
use super::hit::{Hit, Kind};
use crate::PhiClass;

/// Runs of letters and digits that look like a key, without any label.
pub(crate) fn keys(text: &str, hits: &mut Vec<Hit>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let joins = |at: usize| {
            matches!(bytes.get(at), Some(b'-' | b'_' | b'/'))
                && bytes.get(at + 1).is_some_and(u8::is_ascii_alphanumeric)
                && at
                    .checked_sub(1)
                    .and_then(|at| bytes.get(at))
                    .is_some_and(u8::is_ascii_alphanumeric)
        };
        // Runs are looked at once: the search goes on behind this one.
        let mut start = at;
        while start > 0 && at - start < 64 && (bytes[start - 1].is_ascii_alphanumeric() || joins(start - 1)) {
            start -= 1;
        }
        let mut end = at;
        while end < bytes.len() && (bytes[end].is_ascii_alphanumeric() || joins(end)) {
            end += 1;
        }
        if is_key(text, &(start..end)) {
            hits.push(Hit::found(start..end, PhiClass::Other, Kind::Code));
        }
        at = end.max(at + 1);
    }
}

/// Whether a run is a key: seven digits, or seven letters and digits with four digits, in no clinical form.
fn is_key(text: &str, range: &Range<usize>) -> bool {
    let run = &text[range.clone()];
    let digits = run.bytes().filter(u8::is_ascii_digit).count();
    let letters = run.bytes().filter(u8::is_ascii_alphabetic).count();
    let foreign = text[range.end..]
        .chars()
        .next()
        .is_some_and(char::is_alphanumeric)
        || text[..range.start]
            .chars()
            .next_back()
            .is_some_and(char::is_alphanumeric);
    let decimal = text[..range.start].ends_with(['.', ',', '$', '€', '£'])
        || text[range.end..].starts_with(['.', ','])
            && text[range.end + 1..].starts_with(|c: char| c.is_ascii_digit());
    if foreign || digits + letters < 7 || digits < 4 || has_unit(text, range.end) || (decimal && letters == 0)
    {
        return false;
    }
    let parts: Vec<&str> = run.split(['-', '_', '/']).collect();
    if letters == 0 {
        return match parts.as_slice() {
            [_] => !is_coded(text, range.start),
            [a, b] if run.contains('-') => {
                // A range has its larger number behind and is round; two years are a span of time.
                let round = |part: &str| part.len() < 2 || part.ends_with('0');
                let rises = a.len() < b.len() || (a.len() == b.len() && a < b);
                a.len().min(b.len()) >= 2 && !(rises && round(a) && round(b)) && !(is_year(a) && is_year(b))
            }
            _ => !run.contains('/') && parts.iter().any(|part| part.len() > 2),
        };
    }
    // Four digits in a row or letters and digits in turn make a key; words with numbers in them do not.
    let longest_word = parts
        .iter()
        .flat_map(|part| part.split(|c: char| c.is_ascii_digit()))
        .map(|word| {
            if word.bytes().all(|b| b.is_ascii_uppercase()) {
                word.len() / 2
            } else {
                word.len()
            }
        })
        .max()
        .unwrap_or(0);
    let only_year = parts
        .iter()
        .filter(|part| part.bytes().any(|b| b.is_ascii_digit()))
        .all(|part| is_year(part));
    // So long a run with digits in it is no word whatever its letters.
    let long = parts
        .iter()
        .any(|part| part.len() >= 20 && part.bytes().filter(u8::is_ascii_digit).count() >= 3);
    (longest_word <= 4 || long)
        && !only_year
        && !is_clinical(run)
        && !parts.iter().any(|part| is_measure(part))
}

/// Whether the name of a terminology leads to the number at `start`: it stands right before it, in the same sentence.
fn is_coded(text: &str, start: usize) -> bool {
    let head = text[..start].trim_end_matches([' ', ':', '=', '#', '-']);
    let word = head
        .rsplit(|c: char| !c.is_ascii_alphanumeric())
        .next()
        .unwrap_or("");
    is_terminology(word)
}

/// Codes of science and staging that name no person: TNM, reference sequences and variants, registered trials,
/// ICD and LOINC.
pub(crate) fn is_clinical(run: &str) -> bool {
    let lower = run.to_ascii_lowercase();
    let after = |prefix: &str| {
        lower
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let stage = lower.contains('n')
        && lower.contains('m')
        && ["t", "pt", "ct", "yt", "ypt"].iter().any(|prefix| after(prefix));
    let variant = after("rs") || after("nm_") || after("np_") || after("nct") || lower.starts_with("hla-");
    stage || variant
}
