//! Whole addresses, as several countries write them.
//!
//! A find is often only the part of an address that looks like a name (`Marchbanks` in `36, rue Marchbanks` with `82785 Oakhollow` below).
//! The number of the house, the word that says what kind of street it is, the postal code and the code of the region beside it go
//! with it: 45 CFR 164.514(b)(2)(i)(B) names all of them.

mod part;
mod street;

use regex_automata::meta::{BuildError, Regex};

use super::extend::is_address_gap;
use super::hit::{Hit, Kind};
use super::redaction::Finder;
use super::token::Case;
use super::words::Words;
use crate::PhiClass;
use part::Part;
use street::{BEFORE, house, is_compound, led};

/// Most words that are added on one side of a find.
const REACH: usize = 16;

/// The rules for whole addresses.
pub(crate) struct Addresses {
    postal: Regex,
}

impl Addresses {
    pub(crate) fn new() -> Result<Self, Box<BuildError>> {
        // Universal Postal Union, "Postal addressing systems": digits with a country's letter, a hyphen or a blank between them;
        // the Netherlands; Canada; the United Kingdom; Ireland.
        let postal = "(?:(?:[A-Z]{1,2}-)?[0-9]{4,6}(?:-[0-9]{3,4})?|[0-9]{8}|[0-9]{2}-[0-9]{3}|[0-9]{3} [0-9]{2}|[0-9]{4} ?[A-Z]{2}|\
                      [A-Z][0-9][A-Z] ?[0-9][A-Z][0-9]|[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][A-Z]{2}|[A-Z][0-9][0-9W] ?[0-9A-Z]{4})(?-u:\\b)";
        Ok(Self {
            postal: Regex::new(postal).map_err(Box::new)?,
        })
    }

    /// Adds streets whose own words say that they are streets, with their number: `Thornquiststraat 12`, `36, rue de Marchbanks`.
    pub(crate) fn find(words: &Words<'_>, hits: &mut Vec<Hit>) {
        for at in 0..words.list.len() {
            let word = &words.list[at];
            let found = if word.case == Case::Title && is_compound(words, at) {
                house(words, at).map(|last| at..last + 1)
            } else if BEFORE.has(word) {
                led(words, at)
            } else {
                None
            };
            if let Some(found) = found {
                let range = words.tokens[found.start].start..words.tokens[found.end - 1].end;
                hits.push(Hit::found(range, PhiClass::Location, Kind::Place));
            }
        }
    }

    /// Makes the finds in `hits` (in order, without overlaps) that are parts of addresses longer; they stay so. What the tagger took for
    /// a person's name is one where a street's number and kind stand beside it.
    pub(crate) fn complete(&self, words: &Words<'_>, hits: &mut [Hit]) {
        // One past the last byte of the address that the finds so far are part of.
        let mut reached = None;
        for at in 0..hits.len() {
            let limit = hits.get(at + 1).map_or(words.text.len(), |next| next.range.start);
            let joined = hits
                .get(at + 1)
                .is_some_and(|next| next.class == PhiClass::Location);
            let floor = at.checked_sub(1).map_or(0, |before| hits[before].range.end);
            let Some(hit) = hits.get_mut(at) else { break };
            let name = hit.class == PhiClass::Name && hit.finder == Finder::Tagger;
            if hit.known || !(name || hit.class == PhiClass::Location) {
                continue;
            }
            let first = words.tokens.partition_point(|token| token.end <= hit.range.start);
            let end = words.tokens.partition_point(|token| token.start < hit.range.end);
            // A find within a word or a number is none of ours.
            let whole = words
                .tokens
                .get(first)
                .is_some_and(|token| token.start >= hit.range.start)
                && end > first
                && words.tokens[end - 1].end <= hit.range.end;
            if !whole {
                continue;
            }
            let follows = reached
                .is_some_and(|end: usize| words.text.get(end..hit.range.start).is_some_and(is_address_gap));
            let mut part = Part {
                words,
                first,
                end,
                floor,
                limit,
                follows,
                name,
            };
            for _ in 0..REACH {
                let before = (part.first, part.end);
                part.left();
                part.right(&self.postal);
                if (part.first, part.end) == before {
                    break;
                }
                part.name = false;
            }
            if joined && (part.is_numbered() || part.is_street() || follows) {
                part.bridge();
            }
            if name && (part.first, part.end) == (first, end) {
                reached = follows.then_some(hit.range.end);
                continue;
            }
            if name {
                (hit.class, hit.kind) = (PhiClass::Location, Kind::Place);
            }
            if part.first < first {
                hit.range.start = words.tokens[part.first].start;
            }
            if part.end > end {
                hit.range.end = hit.range.end.max(words.tokens[part.end - 1].end);
            }
            reached = (part.is_numbered() || part.is_street() || follows).then_some(hit.range.end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::scrub;

    /// What is found in `text`, one find behind the other where nothing but blanks and commas stands between.
    fn taken(text: &str) -> String {
        let mut mask = vec![false; text.len()];
        for redaction in scrub(text).redactions {
            mask[redaction.original.start as usize..redaction.original.end as usize].fill(true);
        }
        text.char_indices()
            .map(|(at, c)| if mask[at] && c.is_alphanumeric() { '_' } else { c })
            .collect()
    }

    #[test]
    fn addresses_of_other_countries_go_whole() {
        for text in [
            "55, boulevard Thornquist\n82785 Oakhollow",
            "Brankovicstraat 12\n1386MH\nOakhollow",
            "Thornquistgasse 3/6, 02826 Oakhollow",
            "ul. Brankovicza 05/15\n82-947 Oakhollow",
            "rue de Marchbanks 372",
            "Brankovic utca 109.\nH-8181 Oakhollow",
            "4/51 Marchbanks Piazza\nNorth Oakhollow, TAS, 2607",
            "22 Marchbanks Street H95 6F7K Oakhollow Ville",
            "Contrada Brankovic, 984\n41038, Oakhollow (MN)",
            "66 Marchbanks Radial",
            "33105 Marchbanks Throughway\nOakhollow, NU B8B5J5",
            "Marchbanksbacken 8C, 6359 Oakhollow",
            "Flat 40Z\nMarchbanks Tunnel",
        ] {
            let found = taken(&format!("The resident's home is {text}. He was seen."));
            let all: String = text
                .chars()
                .map(|c| if c.is_alphanumeric() { '_' } else { c })
                .collect();
            assert!(found.contains(&all), "{text}: {found}");
        }
    }

    #[test]
    fn what_stands_beside_an_address_stays() {
        for text in [
            "Scoring 4 of 10, monitoring 3 days.",
            "Avenue of spread for 3 days.",
            "The route 3 times daily, via NG tube 12 Fr.",
            "2 Fr Foley Point 3.",
        ] {
            assert_eq!(taken(text), text);
        }
        let text =
            taken("Lives at 12 Marchbanks Street in Oakhollow. WBC 12000, CD4 2019 cells. Chest is clear.");
        assert!(
            text.ends_with("WBC 12000, CD4 2019 cells. Chest is clear."),
            "{text}"
        );
    }
}
