//! Login names, passwords, names of files and machine-readable zones: unique codes that are words as often as numbers
//! (45 CFR 164.514(b)(2)(i)(R)).

use std::ops::Range;

use regex_automata::meta::BuildError;

use super::context::listed;
use super::hit::{Hit, Kind};
use super::rules::{RuleSet, group};
use crate::PhiClass;

/// The rules for logins, files and zones.
pub(crate) struct Logins {
    rules: RuleSet<Rule>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// A label with a colon: whatever follows is the value.
    Marked,
    /// A label without one: the value is no word that goes on with the sentence.
    Spoken,
    /// A name on a network of people.
    Network,
    File,
    Zone,
}

const LABEL: &str = "user[ _-]?(?:name|id)|login(?:[ _-]?(?:name|id))?|log-in|screen[ ]name|pass(?:word|wd|code|phrase)|pwd?|skype(?:[ ]id)?|\
                     twitter|instagram|snapchat|telegram|linkedin|handle";

impl Logins {
    pub(crate) fn new() -> Result<Self, Box<BuildError>> {
        let value = "(?P<v>[^\\s\\\\,;\"'<>()\\[\\]{}]{2,64})";
        Ok(Self {
            rules: RuleSet::new(vec![
                (
                    Rule::Marked,
                    format!("(?i)(?:(?-u:\\b)|\\\\n)(?:{LABEL})[ \\t]{{0,3}}[:=][ \\t]{{0,3}}[\"']?{value}"),
                ),
                (
                    Rule::Spoken,
                    format!("(?i)(?:(?-u:\\b)|\\\\n)(?:username|login|password|passcode|pwd?|skype)[ ](?:is[ ])?\\(?[\"']?{value}"),
                ),
                (
                    Rule::Network,
                    "(?i)(?-u:\\b)(?P<v>[a-z0-9][a-z0-9._-]{2,40})[ ]on[ ](?:skype|twitter|instagram|facebook|snapchat|telegram|whatsapp)(?-u:\\b)".into(),
                ),
                (
                    Rule::Marked,
                    "(?i)(?-u:\\b)(?:my|skype|user)[ ]id[ ](?:is|:)[ ]?(?P<v>[a-z]{2,30}[._][a-z0-9._]{2,40})".into(),
                ),
                (
                    Rule::File,
                    "(?i)(?-u:\\b)(?P<v>[a-z0-9][a-z0-9_.-]{1,80}\\.(?:jpe?g|png|gif|bmp|tiff?|heic|webp|dcm|dicom|pdf|docx?|xlsx?|rtf|wav|mp[34]|mov|avi|hl7|zip))(?-u:\\b)".into(),
                ),
                // Machine-readable zones (ICAO Doc 9303): lines of capitals, digits and fillers.
                (Rule::Zone, "(?P<v>[A-Z0-9][A-Z0-9<]{10,60}<[A-Z0-9<]{2,60})".into()),
            ])?,
        })
    }

    /// The logins, files and zones of `text`, in order.
    pub(crate) fn find(&self, text: &str, hits: &mut Vec<Hit>) {
        self.rules.each(text, |rule, _, captures| {
            let value = group(captures, "v").and_then(|value| accepted(text, rule, value));
            let taken = value.is_some();
            hits.extend(value.map(|value| Hit::found(value, PhiClass::Other, Kind::Code)));
            taken
        });
    }
}

/// Words that follow a label without a colon and are no value.
const SENTENCE: &str = "and as at been before by can could did does expired failed field fields for form from had has have if in is \
    issues may must name names no not of on or page pages policy problem prompt protected protection required reset screen \
    should site that the to via was were which will with without would";

fn accepted(text: &str, rule: Rule, value: Range<usize>) -> Option<Range<usize>> {
    let trimmed = text[value.clone()].trim_end_matches(['.', ':', '!', '?', '\\']);
    let value = value.start..value.start + trimmed.len();
    // A quoted line break (`\npassword:`) ends a value.
    let end = trimmed.find("\\n").map_or(value.end, |at| value.start + at);
    let value = value.start..end;
    let word = text[value.clone()].to_ascii_lowercase();
    let fits = match rule {
        Rule::Marked | Rule::File => true,
        Rule::Spoken => !listed(SENTENCE, &word),
        Rule::Network => {
            !listed(SENTENCE, &word)
                && (word.contains(['.', '_']) || word.bytes().any(|b| b.is_ascii_digit()))
        }
        Rule::Zone => word.contains("<<"),
    };
    (fits && !value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let mut hits = Vec::new();
        Logins::new().expect("patterns compile").find(text, &mut hits);
        hits.into_iter().map(|hit| &text[hit.range]).collect()
    }

    #[test]
    fn logins_files_and_zones_are_found() {
        for (text, wanted) in [
            ("Username: quill password: 7thgoose", vec!["quill", "7thgoose"]),
            ("login thora pw acorn!", vec!["thora", "acorn"]),
            ("write to thora.quill on Skype", vec!["thora.quill"]),
            ("see quill_face_2.JPG, attached", vec!["quill_face_2.JPG"]),
            (
                "P<UTOQUILL<<THORA<<<<<<<<<<<<",
                vec!["P<UTOQUILL<<THORA<<<<<<<<<<<<"],
            ),
        ] {
            assert_eq!(found(text), wanted, "{text}");
        }
    }

    #[test]
    fn sentences_are_left() {
        for text in [
            "password reset",
            "the login page",
            "She relied on facebook",
            "p < 0.05",
            "Dose<10 mg",
            "handles well",
            "e.g. 3.5",
        ] {
            assert!(found(text).is_empty(), "{text}: {:?}", found(text));
        }
    }
}
