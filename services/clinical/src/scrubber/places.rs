//! Addresses, cities with their state, postal codes, counties and facilities.

use std::ops::Range;

use regex_automata::meta::BuildError;

use super::codes::is_postal;
use super::context::{goes_on, has_unit, listed, word_before};
use super::facility::{is_own, official_name, own_name};
use super::hit::{Hit, Kind};
use super::lexicon::{Classes, Lexicon};
use super::rules::{RuleSet, group};
use super::token::{Token, fold, tokens};
use super::wide::Wide;
use crate::PhiClass;

/// Codes and names of the states of the United States and its territories (USPS Publication 28, appendix B).
const STATE: &str = "(?:A[LKZR]|C[AOT]|D[CE]|FL|G[AU]|HI|I[DLNA]|K[SY]|LA|M[EDAINSOT]|N[EVHJMYCD]|O[HKR]|P[AR]|RI|S[CD]|T[NX]|UT|V[TAI]|W[AVIY]|\
                     Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida|Georgia|Hawaii|Idaho|Illinois|Indiana|Iowa|\
                     Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|Michigan|Minnesota|Mississippi|Missouri|Montana|Nebraska|Nevada|\
                     New Hampshire|New Jersey|New Mexico|New York|North Carolina|North Dakota|Ohio|Oklahoma|Oregon|Pennsylvania|Rhode Island|\
                     South Carolina|South Dakota|Tennessee|Texas|Utah|Vermont|Virginia|Washington|West Virginia|Wisconsin|Wyoming|Puerto Rico)";

/// Types of streets (USPS Publication 28, appendix C1), as they are written out and shortened.
const STREET: &str = "(?:Streets?|St|Avenue|Ave|Av|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Way|Place|Pl|Terrace|Ter|Parkway|Pkwy|Highway|\
                      Hwy|Circle|Cir|Square|Sq|Trail|Trl|Pike|Turnpike|Loop|Alley|Crescent|Close|Row|Plaza|Path|Run|Ridge|Crossing|Walk|Mews|\
                      STREET|AVENUE|AVE|ROAD|RD|BOULEVARD|BLVD|LANE|LN|DRIVE|COURT|PARKWAY|PKWY|HIGHWAY|HWY|CIRCLE|TERRACE)";

/// Countries before a postal code.
const COUNTRY: &str = "(?:Argentina|Australia|Austria|Belgium|Bolivia|Brazil|Bulgaria|Canada|Chile|China|Colombia|Croatia|Cyprus|Czech(?:ia| Republic)|\
                       Denmark|Ecuador|Egypt|Estonia|Finland|France|Germany|Greece|Greenland|Hungary|Iceland|India|Ireland|Israel|Italy|Japan|\
                       Latvia|Lithuania|Luxembourg|Mexico|Morocco|Netherlands|New Zealand|Norway|Poland|Portugal|Romania|Russia|Serbia|Singapore|\
                       Slovakia|Slovenia|South Africa|Spain|Sweden|Switzerland|Tunisia|Turkey|Ukraine|United Kingdom|United States|Uruguay|USA|UK)";

const FACILITY: &str = "(?:Hospital Cent(?:er|re)|Hospitals?|Clinics?|Med(?:ical)? Ctr|Medical Cent(?:er|re)|Medical Group|Medical Associates|Med Center|Medical Campus|Health Cent(?:er|re)|Health System|Health Network|Health Services|Health Care|Healthcare|Medical Pavilion|Pavilion|\
                        Health|Infirmary|Nursing Home|Nursing Facility|Rehabilitation Cent(?:er|re)|Rehabilitation|Rehab|Hospice|Surgery Cent(?:er|re)|Day Surgery|Cancer (?:Center|Centre|Institute)|Heart (?:Center|Institute)|\
                        Sleep Cent(?:er|re)|Imaging Cent(?:er|re)|Imaging|Radiology|Dialysis|Pediatrics|Family Medicine|Family Practice|Primary Care|Home Health|Senior Cent(?:er|re)|Senior Living|Assisted Living|Urgent Care|Surgical Cent(?:er|re)|\
                        Care Cent(?:er|re)|Wellness Cent(?:er|re)|(?:Neurology|Cardiology|Oncology|Orthopedic|Eye|Women's|Children's|Diagnostic|Pain|Trauma|Community|Outpatient|Specialty) (?:Cent(?:er|re)|Institute|Clinic|Hospital)|\
                        Medical|General|Memorial|Presbyterian|Pharmacy|Laborator(?:y|ies)|University|College|(?:High|Elementary|Middle) School|Academy|Sanatorium|Manor|Institute|Cent(?:er|re))";

/// A capitalised word of a place's name.
///
/// Its letters are not counted: a match has few words whatever their length, so that searching again behind a refused one
/// stays linear, and counting would multiply the automaton's states.
const WORD: &str = "(?:(?:St|Mt|Ft)\\.|[A-Z\\u{c0}-\\u{17f}][A-Za-z\\u{c0}-\\u{17f}]*(?:['.&-][A-Za-z\\u{c0}-\\u{17f}]+){0,3})";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    Street,
    Box,
    CityStateZip,
    CityState,
    Zip,
    County,
    Facility,
    Lives,
    PostcodeUk,
    /// A mailing address of the armed forces.
    Military,
    Corner,
    Country,
    Suite,
    /// A postal code alone, where somebody was seen.
    SeenAt,
}

/// The rules for places.
pub(crate) struct Places {
    forms: RuleSet<Rule>,
    /// Rules that start with a word before the place; apart, because they would hide the forms behind it.
    led: RuleSet<Rule>,
    wide: Wide,
}

impl Places {
    pub(crate) fn new() -> Result<Self, Box<BuildError>> {
        let direction = "(?:(?:N|S|E|W|NE|NW|SE|SW|North|South|East|West)\\.?[ \\t]+)?";
        let unit = "(?:,?[ \\t\\n]{0,3}(?:Apartment|Apt|Suite|Ste|Unit|Rm|Room|Floor|Fl|Building|Bldg|Lot|apt|suite|unit|APT|STE|SUITE|UNIT|#)\\.?[ ]?#?[ ]?[A-Za-z0-9-]{1,6}(?-u:\\b))?";
        let city = format!("(?P<c>{WORD}(?:[ ]{WORD}){{0,3}})");
        let rules: Vec<(Rule, String)> = vec![
            (
                Rule::Street,
                format!(
                    "(?-u:\\b)[0-9]{{1,6}}[A-Za-z]?(?:[-/][0-9]{{1,4}})?,?[ \\t]+{direction}(?:(?:{WORD}|[0-9]{{1,3}}(?:st|nd|rd|th))[ \\t\\n]{{1,3}}){{1,4}}{STREET}(?-u:\\b)\\.?(?:[ ](?:N|S|E|W|NE|NW|SE|SW)(?-u:\\b)\\.?)?{unit}"
                ),
            ),
            (
                Rule::Box,
                "(?i)(?-u:\\b)P\\.?[ ]?O\\.?[ ]?Box[ ]?#?[0-9]{1,6}(?-u:\\b)".into(),
            ),
            (
                Rule::CityStateZip,
                format!(
                    "(?-u:\\b){city},?[ \\t\\n]{{1,3}}(?P<s>{STATE})[ ,\\t\\n]{{1,3}}(?P<z>[0-9]{{5}}(?:-[0-9]{{4}})?)(?-u:\\b)"
                ),
            ),
            (
                Rule::Zip,
                format!("(?-u:\\b){STATE},?[ \\t\\n]{{1,3}}(?P<z>[0-9]{{5}}(?:-[0-9]{{4}})?)(?-u:\\b)"),
            ),
            (
                Rule::CityState,
                format!("(?-u:\\b){city},[ \\t\\n]{{1,2}}(?P<s>{STATE})(?-u:\\b)"),
            ),
            (
                Rule::Facility,
                format!(
                    "(?-u:\\b)(?P<c>(?:{WORD}|and|of|the|for|at|&)(?:[ ](?:{WORD}|and|of|the|for|&)){{0,5}})[ ]{FACILITY}(?-u:\\b)(?P<t>(?:[ ](?:of|in|at)[ ]|,[ ]|[ ]){WORD}(?:[ ]{WORD})?(?:,[ ]{STATE}(?-u:\\b))?)?"
                ),
            ),
            (Rule::County, format!("(?-u:\\b){city}[ ]County(?-u:\\b)")),
            // Armed forces (USPS Publication 28, section 225): unit or ship, then APO, FPO or DPO with AA, AE or AP.
            (
                Rule::Military,
                "(?i)(?:(?-u:\\b)(?:PSC|Unit|CMR|USN?[SV]|USCGC)[ ][^\\n,]{1,30}(?:,?[ ]Box[ ][0-9]{1,6})?[ ,\\t\\n]{1,4})?(?-u:\\b)(?:APO|FPO|DPO)[ ,]{1,2}A[AEP](?-u:\\b)(?:[ ][0-9]{5}(?:-[0-9]{4})?(?-u:\\b))?".into(),
            ),
            (
                Rule::Corner,
                "(?-u:\\b)[Tt]he corner of (?:(?:ul|u|rkp|St|Ave|Rd|Dr|Blvd|[NSEW]|[0-9]{1,3})\\.[ ]|[^\\n,.;?!]){2,60}"
                    .into(),
            ),
            (
                Rule::Country,
                format!("(?i)(?-u:\\b){COUNTRY}[ ,]{{1,2}}(?P<z>[0-9]{{4,6}})(?-u:\\b)"),
            ),
            (
                Rule::Suite,
                "(?-u:\\b)(?:Apartment|APARTMENT|Apt|APT|apt|Suite|SUITE|Ste|STE)\\.?[ ]?#?[ ]?(?:[0-9]{1,5}[A-Za-z]?|[A-Z][0-9]{1,4})(?-u:\\b)".into(),
            ),
            (
                Rule::PostcodeUk,
                "(?-u:\\b)(?:GIR ?0AA|[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][ABD-HJLNP-UW-Z]{2})(?-u:\\b)".into(),
            ),
        ];
        let led = vec![
            (
                Rule::Lives,
                format!(
                    "(?i:(?-u:\\b)(?:liv(?:es?|ed|ing)|resid(?:es?|ed|ing)|resident|moved|relocated|born|raised|native|travel(?:s|l?ed|l?ing)?|trip|\
                     visit(?:ed|ing)|transferred|hometown|city|town|offices?|clinics?|hospital|facility|based|commutes|flew|returned|accident|works|\
                     practice|center)(?:[ ]back)?[ ](?:alone[ ]|here[ ])?(?:in|to|from|of|at|near|is)[ ](?:downtown[ ]|nearby[ ]|rural[ ])?){city}"
                ),
            ),
            (
                Rule::Lives,
                format!(
                    "(?i:(?-u:\\b)(?:seen|treated|evaluated|diagnosed|admitted|managed|followed|consulted|operated|examined|hospitalized|\
                     performed|done|conducted|discharged|referred|reviewed|records)[ ](?:here[ ]|on[ ])?(?:at|to|from)[ ]){city}"
                ),
            ),
            (
                Rule::Zip,
                "(?i)(?-u:\\b)(?:zip(?:[ -]?code)?|post(?:al[ ]?)?code)[ ]?[:#=|]?[ ]?(?:is[ ])?(?P<z>[0-9]{5}(?:-[0-9]{3,4})?|[0-9]{4}[ ][A-Z]{2}|[0-9]{4,6}|[0-9]{3}[ ][0-9]{2,3})(?-u:\\b)"
                    .into(),
            ),
            // `evaluated at 00501`.
            (
                Rule::SeenAt,
                "(?i)(?-u:\\b)(?:seen|treated|evaluated|assessed|admitted|hospitali[sz]ed|visited|diagnosed|followed|managed|clinics?|hospital|office|patient|pt|practice|facility|based|city|town|area|from)\
                 (?:[ ](?:our|a|the|an|clinic|hospital|office|facility|location|zip|code|who|was|is|last|recently)){0,3}[ ](?:in|at|near|from|of|around)[ ](?P<z>[0-9]{5})(?-u:\\b)".into(),
            ),
            (
                Rule::SeenAt,
                "(?i)(?-u:\\b)(?:(?:at|in|near)[ ](?P<z>[0-9]{5})[ ](?:on|last|this)(?-u:\\b)|from[ ](?P<y>[0-9]{5})(?:,[ ]|\\.|[ ](?:who|with)(?-u:\\b)))".into(),
            ),
            (
                Rule::Zip,
                "(?i)(?-u:\\b)(?:liv(?:es?|ed|ing)|resid(?:es?|ed|ing)|resident|address|moved|located)[ ](?:in|at|to|of|near)[ ](?P<z>[0-9]{5}(?:-[0-9]{4})?)(?-u:\\b)".into(),
            ),
        ];
        Ok(Self {
            forms: RuleSet::new(rules)?,
            led: RuleSet::new(led)?,
            wide: Wide::new(),
        })
    }

    /// The places of `text`, in order.
    pub(crate) fn find(&self, lexicon: &Lexicon, text: &str, hits: &mut Vec<Hit>) {
        for rules in [&self.forms, &self.led] {
            rules.each(text, |rule, range, captures| {
                let named = group(captures, "c");
                let found = match rule {
                    Rule::Street => is_street(text, &range).then_some((range, Kind::Street)),
                    Rule::Box | Rule::Military | Rule::Corner | Rule::Suite => Some((range, Kind::Street)),
                    Rule::Zip | Rule::Country => group(captures, "z").map(|zip| (zip, Kind::Code)),
                    Rule::SeenAt => group(captures, "z")
                        .or_else(|| group(captures, "y"))
                        .filter(|zip| !text[zip.clone()].ends_with("000") && !is_amount(text, zip.end))
                        .map(|zip| (zip, Kind::Code)),
                    Rule::PostcodeUk => {
                        let sure = text[range.clone()].contains(' ')
                            || is_postal(text, range.start)
                            || range.len() == text.trim().len();
                        sure.then_some((range, Kind::Code))
                    }
                    Rule::Lives => named
                        .and_then(|city| self.lived_in(lexicon, text, &city))
                        .map(|city| (city, Kind::Place)),
                    Rule::Facility => {
                        let tail = group(captures, "t");
                        let own = tail.as_ref().is_none_or(|tail| is_own(lexicon, text, tail));
                        let end = tail
                            .as_ref()
                            .filter(|_| !own)
                            .map_or(range.end, |tail| tail.start);
                        let located = own && tail.is_some();
                        named
                            .and_then(|named| {
                                own_name(lexicon, text, &named)
                                    .or_else(|| official_name(text, &named, located))
                            })
                            .map(|start| (start..end, Kind::Place))
                    }
                    _ => named
                        .and_then(|named| {
                            // `California, Texas` are two states.
                            let wide = rule == Rule::CityState && self.wide.is_wide(&text[named.clone()]);
                            if wide {
                                return None;
                            }
                            whole_name(lexicon, text, rule, &named, &range, group(captures, "z"))
                        })
                        .map(|start| (start..range.end, Kind::Place)),
                };
                let taken = found.is_some();
                hits.extend(found.map(|(range, kind)| Hit::found(range, PhiClass::Location, kind)));
                taken
            });
        }
    }

    /// A city behind a word of living or coming from.
    fn lived_in(&self, lexicon: &Lexicon, text: &str, city: &Range<usize>) -> Option<Range<usize>> {
        let start = first_name(lexicon, text, city)?;
        let wide = self.wide.is_wide(text[city.clone()].trim_end_matches('.'));
        // `seen at T5` is a vertebra, `Ward B` a ward.
        let letters = text[start..city.end]
            .chars()
            .take_while(|c| c.is_alphabetic())
            .count();
        let numbered = text[city.end..].starts_with(|c: char| c.is_ascii_digit());
        (start == city.start && letters > 1 && !numbered && !wide)
            .then(|| start..last_name(lexicon, text, city))
    }
}

/// Where a city, county or facility starts within its match; `None` where the words name none.
fn whole_name(
    lexicon: &Lexicon,
    text: &str,
    rule: Rule,
    named: &Range<usize>,
    range: &Range<usize>,
    zip: Option<Range<usize>>,
) -> Option<usize> {
    match rule {
        // Without a city's name the state stays and the postal code goes.
        Rule::CityStateZip => first_name(lexicon, text, named).or(zip.map(|zip| zip.start)),
        Rule::CityState => first_name(lexicon, text, named).filter(|&start| is_located(text, start, range)),
        _ => first_name(lexicon, text, named),
    }
}

/// Whether five digits go on as an amount: a unit, a decimal, a range.
fn is_amount(text: &str, end: usize) -> bool {
    goes_on(text, end, &['.', ',', '-', '/']) || has_unit(text, end)
}

/// `3 Abdominal Ct` and `2 mm ST` are no streets.
fn is_street(text: &str, range: &Range<usize>) -> bool {
    let line = &text[range.clone()];
    let number = line.bytes().take_while(u8::is_ascii_digit).count();
    let doctor = line.ends_with("Dr") || line.ends_with("Dr.");
    let named = text[range.end..]
        .trim_start_matches(['.', ' '])
        .starts_with(char::is_uppercase)
        && !text[range.end..].starts_with(['\n', ',']);
    let part = text[..range.start].ends_with(['.', '/']);
    !(part || (doctor && named) || has_unit(text, range.start + number))
}

/// Where a place's own name starts in a run of capitalised words: behind the words that start a sentence.
fn first_name(lexicon: &Lexicon, text: &str, run: &Range<usize>) -> Option<usize> {
    let words = &text[run.clone()];
    let named = |token: &Token| {
        let folded = fold(&words[token.range()]);
        token.is_capital() && (!lexicon.classes(&folded).is(Classes::COMMON) || listed(NAME_STARTS, &folded))
    };
    tokens(words)
        .into_iter()
        .find(named)
        .map(|token| run.start + token.start)
}

/// Where it ends: before the first word that is no name.
fn last_name(lexicon: &Lexicon, text: &str, run: &Range<usize>) -> usize {
    let words = &text[run.clone()];
    let mut end = run.start;
    for token in tokens(words) {
        let folded = fold(&words[token.range()]);
        if end > run.start && lexicon.classes(&folded).is(Classes::COMMON) && !listed(NAME_ENDS, &folded) {
            break;
        }
        end = run.start + token.end;
    }
    end
}

/// Whether `City, ST` is a place: without a postal code letters such as MD, PA or OR mean other things too.
fn is_located(text: &str, start: usize, range: &Range<usize>) -> bool {
    let state = text[range.clone()].rsplit([' ', '\n', '\t']).next().unwrap_or("");
    let before = word_before(text, start);
    let numbered = text[..start]
        .trim_end_matches([' ', ',', '\n'])
        .ends_with(|c: char| c.is_ascii_digit());
    listed(LED, &before) || listed(STREET_ENDS, &before) || numbered || !listed(OTHER_CODES, state)
}

/// Codes of states that mean something else in a note: without a postal code they need a word of place before them.
const OTHER_CODES: &str =
    "MD PA OR IN ME OK HI OH DE CO MA MS ID AL LA MI DC CT PR MO NE NC SC ND SD MT AR GA CA";

/// Words before a city.
const LED: &str = "in from of at near to city address home lives resides";

/// Words that a street line ends with.
const STREET_ENDS: &str = "street st ave avenue rd road blvd ln lane dr drive court way";

/// Common words that cities' names start with.
pub(crate) const NAME_STARTS: &str =
    "new north south east west green little long spring grand great saint st fort";

/// Common words that cities' names end with.
const NAME_ENDS: &str = "city falls spring beach park point center";

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> Vec<&str> {
        let mut hits = Vec::new();
        Places::new()
            .expect("patterns compile")
            .find(&Lexicon::new(), text, &mut hits);
        super::super::hit::resolve(text, hits)
            .into_iter()
            .map(|hit| &text[hit.range])
            .collect()
    }

    #[test]
    fn addresses_are_found() {
        for (text, wanted) in [
            ("at 3309 Old Mill Rd, please", vec!["3309 Old Mill Rd"]),
            ("at 12 N. Acorn Street Apt 4B", vec!["12 N. Acorn Street Apt 4B"]),
            ("at 9 W 42nd St.", vec!["9 W 42nd St."]),
            ("at P.O. Box 3309", vec!["P.O. Box 3309"]),
            (
                "at 12 Acorn Ave, Oak Hollow, TX 75001",
                vec!["12 Acorn Ave", "Oak Hollow, TX 75001"],
            ),
            ("home in Oakville, CT.", vec!["Oakville, CT"]),
            ("moved to Springfield last year", vec!["Springfield"]),
            ("ZIP code: 75001-1234", vec!["75001-1234"]),
            ("from Wayne County", vec!["Wayne County"]),
            ("seen at Lakeview Hospital", vec!["Lakeview Hospital"]),
            (
                "at St. Barnabas Medical Center",
                vec!["St. Barnabas Medical Center"],
            ),
            (
                "at Children's Hospital of Oakville",
                vec!["Children's Hospital of Oakville"],
            ),
            ("at Oakville General on", vec!["Oakville General"]),
            ("treated at St. Barnabas's.", vec!["St. Barnabas's"]),
            ("at SW1A 1AA", vec!["SW1A 1AA"]),
        ] {
            assert_eq!(places(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_no_place_is_left() {
        for text in [
            "2 Chest CT scans",
            "seen in Pain Clinic",
            "The Hospital",
            "admitted to Hospital",
            "Chest, PA and lateral",
            "2 mm ST depression",
            "lives in Texas",
            "moved from Germany",
            "a trip to Portugal",
            "travelled to South Africa",
            "Outpatient Clinic",
            "Emergency Department",
            "3 Views. Chest",
            "Heart size, PA view",
            "transferred from ICU",
            "discharged from Surgery",
            "Primary Care follow-up",
            "Health maintenance",
            "Diagnosed in Adults",
            "12345 cells",
            "treated at Home",
            "General Hospital policy",
            "works at home. Lives alone",
            "lesion seen at T5 and L2",
        ] {
            assert!(places(text).is_empty(), "{text}: {:?}", places(text));
        }
    }
}
