//! Ages over 89, which 45 CFR 164.514(b)(2)(i)(C) wants as one class of 90 and older.

use std::ops::Range;

use regex_automata::meta::BuildError;
use regex_automata::util::captures::Captures;

use super::context::{goes_on, listed, word_after, word_before};
use super::hit::{Hit, Kind};
use super::redaction::Finder;
use super::rules::{RuleSet, group};
use crate::PhiClass;

/// The rules for ages.
pub(crate) struct Ages {
    rules: RuleSet<Rule>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// The words around the number say that it is an age.
    Sure,
    /// A label before it does.
    Labelled,
    /// Somebody stands before it, and nothing that makes it a measurement behind it.
    Alone,
    /// Years, which may be a span of time.
    Years,
    /// A letter for the sex, which may be a unit.
    Sex,
}

/// 90 to 130 in digits.
const NUMBER: &str = "(?P<n>9[0-9]|1[0-2][0-9]|130)";
/// 90 to 120 in words.
const WORDS: &str = "(?P<n>ninety(?:[- ](?:one|two|three|four|five|six|seven|eight|nine))?|(?:(?:a|one)[- ])?hundred(?:[- ]and)?\
                     (?:[- ](?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen))?)";
const YEARS: &str = "(?:years?|yrs?\\.?|y)";

impl Ages {
    pub(crate) fn new() -> Result<Self, Box<BuildError>> {
        let rules = vec![
            // 94-year-old: the whole goes, because its parts say the same.
            (
                Rule::Sure,
                format!("(?i)(?-u:\\b)(?P<whole>{NUMBER}-{YEARS}-olds?(?-u:\\b))"),
            ),
            (
                Rule::Sure,
                format!("(?i)(?-u:\\b){NUMBER}[ -]?{YEARS}[ -]?(?:olds?|of age)(?-u:\\b)"),
            ),
            (
                Rule::Sure,
                format!("(?i)(?-u:\\b){NUMBER}(?:[ -]?(?:y/?o|y\\.[ ]?o\\.?|yr[s]?/?[ ]?o)(?-u:\\b))"),
            ),
            (
                Rule::Sure,
                format!("(?i)(?-u:\\b){WORDS}[ -]{YEARS}[ -](?:olds?|of age)(?-u:\\b)"),
            ),
            (
                Rule::Labelled,
                format!(
                    "(?i)(?:(?-u:\\b)aged?|(?-u:\\b)ages|âgée?|âge)(?:[ ]*[:=|]|[ ]is|[ ]was|[ ]of|[ ]at|[ ]now)?[ \\t]*(?:{NUMBER}(?-u:\\b))"
                ),
            ),
            (Rule::Sure, format!("(?i)(?-u:\\b)(?:aged)[ ]{WORDS}(?-u:\\b)")),
            (
                Rule::Sure,
                format!("(?i)(?-u:\\b)(?:turned|turning|turns)[ ]{NUMBER}(?-u:\\b)"),
            ),
            (
                Rule::Sure,
                format!("(?i)(?-u:\\b){NUMBER}(?P<tail>th|st|nd|rd)?[ ]birthday(?-u:\\b)"),
            ),
            // `alive at 96`, `lived to 97`.
            (
                Rule::Labelled,
                format!(
                    "(?i)(?-u:\\b)(?:died|dead|death|deceased|dementia|alive|living|lived|survived|passed(?:[ ]away)?|mother|father|aunt|uncle|grand(?:mother|father|ma|pa))[ ](?:at|to|until|till)[ ](?:age[ ])?(?:{NUMBER}(?-u:\\b))"
                ),
            ),
            // `Mother 92, well`, `he's 90.`
            (
                Rule::Alone,
                format!(
                    "(?i)(?-u:\\b)(?:mother|father|mom|mum|dad|wife|husband|sister|brother|aunt|uncle|grand(?:mother|father|mama?|papa|ma|pa)|s?he(?:['’]s|[ ]is|[ ]was)|shes|hes)(?:[ ]|,[ ]|[ ]\\()(?:{NUMBER}(?-u:\\b))"
                ),
            ),
            (Rule::Years, format!("(?i)(?-u:\\b){NUMBER}[ -]{YEARS}(?-u:\\b)")),
            (
                Rule::Sex,
                format!("(?-u:\\b){NUMBER}[ -]?(?P<sex>[MF]|[WBHA][MF]|AA[MF])(?-u:\\b)"),
            ),
            (
                Rule::Sure,
                format!("(?i)(?-u:\\b){NUMBER}[ ](?:male|female|man|woman|gentleman|lady)(?-u:\\b)"),
            ),
        ];
        Ok(Self {
            rules: RuleSet::new(rules)?,
        })
    }

    /// The ages over 89 of `text`, in order.
    pub(crate) fn find(&self, text: &str, hits: &mut Vec<Hit>) {
        self.rules.each(text, |rule, range, captures| {
            let hit = age(text, rule, &range, captures);
            let taken = hit.is_some();
            hits.extend(hit.map(|range| Hit::found(range, PhiClass::Age, Kind::Age)));
            taken
        });
    }
}

/// Adds the ages over 89 that stand behind the names in `hits` (in order): `Example, 94.`, `Example (94)`.
pub(crate) fn behind_names(text: &str, hits: &mut Vec<Hit>) {
    let mut found = Vec::new();
    for (at, hit) in hits.iter().enumerate() {
        if hit.class != PhiClass::Name {
            continue;
        }
        let rest = &text[hit.range.end..];
        let Some(rest) = [", ", " ("].iter().find_map(|lead| rest.strip_prefix(lead)) else {
            continue;
        };
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let old = rest[..digits]
            .parse::<u8>()
            .is_ok_and(|age| (90..=130).contains(&age));
        let behind = &rest[digits..];
        let ends = behind.is_empty()
            || behind.starts_with([')', ';', ',', '\n'])
            || behind.starts_with('.') && !goes_on(behind, 0, &['.']);
        let start = text.len() - rest.len();
        let free = hits
            .get(at + 1)
            .is_none_or(|next| next.range.start >= start + digits);
        if old && ends && free {
            let mut age = Hit::found(start..start + digits, PhiClass::Age, Kind::Age);
            age.finder = Finder::AgeFormat;
            age.sure = Finder::AgeFormat.sure();
            found.push(age);
        }
    }
    if !found.is_empty() {
        hits.append(&mut found);
        hits.sort_by_key(|hit| hit.range.start);
    }
}

fn age(text: &str, rule: Rule, range: &Range<usize>, captures: &Captures) -> Option<Range<usize>> {
    let number = group(captures, "n")?;
    let previous = text[..number.start].chars().next_back();
    let behind = text[number.end..].chars().next();
    let part = previous.is_some_and(|c| matches!(c, '.' | '/' | ',' | '<' | '>' | '+'))
        || behind == Some('+')
        || goes_on(text, number.end, &['.']);
    let fits = match rule {
        Rule::Sure => true,
        Rule::Labelled => !matches!(behind, Some('%' | '/' | '-')),
        Rule::Alone => {
            matches!(behind, None | Some(',' | ';' | ')' | '!' | '?' | '\n')) || behind == Some('.')
        }
        // A span of years is no age unless somebody has it.
        Rule::Years => {
            let (before, next) = (word_before(text, range.start), word_after(text, range.end));
            (next.is_empty() || listed(HAVERS, &next)) && !listed(SPANS, &before)
        }
        Rule::Sex => is_patient(text, range.start, range.end),
    };
    let start = group(captures, "whole").unwrap_or(number);
    let end = group(captures, "tail").map_or(start.end, |tail| tail.end);
    (fits && !part).then_some(start.start..end)
}

/// Words behind a number of years that somebody has.
const HAVERS: &str = "male female man woman with who and presenting";

/// Words before a number of years that is a span of time.
const SPANS: &str = "for over in last past the within every than of after about";

/// Words before a number that is a temperature or a rise to one.
const HOT: &str = "temp temperature fever febrile tmax t to of at was tm max over above";

/// What a person does behind their age and sex.
const DOING: &str = "with w who presents presenting presented admitted here hx brought found pmh c s h p transferred complains \
    complaining seen status history sent from on";

/// Whether `93M` or `101F` is a person and no temperature, dose or size: something a person does must follow.
fn is_patient(text: &str, start: usize, end: usize) -> bool {
    !listed(HOT, &word_before(text, start)) && listed(DOING, &word_after(text, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ages(text: &str) -> Vec<&str> {
        let mut hits = Vec::new();
        Ages::new().expect("patterns compile").find(text, &mut hits);
        hits.into_iter().map(|hit| &text[hit.range]).collect()
    }

    #[test]
    fn ages_over_89_are_found() {
        for (text, age) in [
            ("a 94-year-old man", "94-year-old"),
            ("94 year old", "94"),
            ("101 yrs old", "101"),
            ("92 y/o F", "92"),
            ("92yo F", "92"),
            ("92 y.o. woman", "92"),
            ("aged 101", "101"),
            ("Age: 97", "97"),
            ("98 years of age", "98"),
            ("ninety-four-year-old", "ninety-four"),
            ("a hundred and two years old", "a hundred and two"),
            ("93M with cough", "93M"),
            ("93 F presenting", "93 F"),
            ("turned 95", "95"),
            ("grandmother alive at 96 in good health", "96"),
            ("her father lived to 97", "97"),
            ("Mother 92, well.", "92"),
            ("He's 90.", "90"),
            ("her 90th birthday", "90th"),
            ("90 years old", "90"),
            ("a 95 male", "95"),
        ] {
            let found = ages(text);
            let wanted = age.trim_end_matches(['M', 'F']).trim_end();
            assert!(
                found == [age] || found == [wanted] || found == [age.trim_end_matches('.')],
                "{text}: {found:?}"
            );
        }
    }

    #[test]
    fn ages_behind_names_are_found() {
        let text = "Thora (94), Thoralf, 92. Thora 93 kg, Thoralf, 98.6 F";
        let mut hits: Vec<Hit> = text
            .match_indices("Thora")
            .map(|(at, _)| {
                let end = at + text[at..].find([' ', ',']).expect("goes on");
                Hit::found(at..end, PhiClass::Name, Kind::Name)
            })
            .collect();
        behind_names(text, &mut hits);
        let found: Vec<&str> = hits
            .iter()
            .filter(|hit| hit.class == PhiClass::Age)
            .map(|hit| &text[hit.range.clone()])
            .collect();
        assert_eq!(found, ["94", "92"]);
    }

    #[test]
    fn other_numbers_and_younger_ages_are_left() {
        for text in [
            "an 89-year-old man",
            "45 y/o",
            "HR 94",
            "SpO2 95%",
            "temp 101 F",
            "febrile to 101F with chills",
            "for 95 years",
            "100 years ago",
            "90+ years old",
            "0.94 year",
            "page 94",
            "dose 100 M",
            "aged 95%",
            "140 years old",
        ] {
            assert!(ages(text).is_empty(), "{text}: {:?}", ages(text));
        }
    }
}
