//! Numbers and codes: social security, record, account, licence, device, and whatever looks like a key.

use std::ops::Range;

use regex_automata::meta::BuildError;

use super::context::{has_unit, is_unit, word_before};
use super::hit::{Hit, Kind};
use super::rules::{RuleSet, group};
use crate::PhiClass;

/// What a label promises about the value behind it.
#[derive(Clone, Copy)]
struct Label {
    class: PhiClass,
    /// Fewest letters and digits that the value has.
    least: usize,
    /// Digits needed in the value.
    digits: usize,
}

/// The rules for codes.
pub(crate) struct Codes {
    labels: RuleSet<Label>,
    forms: RuleSet<Form>,
}

/// Identifiers with a form of their own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    SocialSecurity,
    NationalInsurance,
    Vehicle,
    Card,
    BankAccount,
    Medicare,
    DrivingLicence,
    Plate,
}

/// What may stand between a label and its value.
const LINK: &str = "(?:[ \\t]*(?:numbers?|nos?\\.|no|num|nr|ids?|identifier|reference|ref|code|key|is|was|of|\\.|:|#|=|\\||-|\\(|\\[)){0,4}[ \\t]*\\n?[ \\t]*#?[ ]?";
/// A value: letters and digits with single separators, or groups of digits.
const VALUE: &str = "(?P<v>[0-9]{3}(?:[ ][0-9]{3,4}){1,3}|[A-Z0-9]+(?:[-/._:][A-Z0-9]+)*)(?-u:\\b)";

impl Codes {
    pub(crate) fn new() -> Result<Self, Box<BuildError>> {
        let label = |class, least, digits| Label { class, least, digits };
        let labels: Vec<(Label, &str)> = vec![
            (
                label(PhiClass::Mrn, 2, 2),
                "mrns?|mr[ ]?#|mr[ ]no|dossier|rec0?rd|rec|med(?:ical)?\\.?[ ]?rec(?:ord)?s?|(?:hospital|unit)[ ](?:number|no)|chart|(?:patient|pt|subject|study subject)\\.?[ ]?(?:id|identifier|number|no)|record[ ](?:number|no|#|id)|epi[cs]?[ ]id|nhs|nas",
            ),
            (
                label(PhiClass::Ssn, 4, 4),
                "ssn[ ]ending(?:[ ]in)?|va[ ](?:pt|patient|vet)?[ ,]{0,2}last[ ](?:4|four)|ssn[ ,]{0,2}last[ -]?(?:4|four)(?:[ ]digits)?|last[ ](?:4|four)(?:[ ]digits)?[ ]of[ ](?:the[ ]|her[ ]|his[ ])?(?:ssn|social)|ssn|social security|ss#|soc[ ]sec|sin|national insurance|itin|tin",
            ),
            // `License NY 288104`, `PSY 20418`: the state or the board before the number.
            (
                label(PhiClass::Account, 5, 5),
                "licen[cs]e[ ](?:no\\.?[ ])?[a-z]{2,3}|lic\\.?[ ][a-z]{2,3}|psy|rph|lcsw|lmft",
            ),
            (
                label(PhiClass::Account, 4, 3),
                "(?:acct|account|card|policy)[ ](?:number[ ])?ending(?:[ ]in|[ ]with)?|acct|account|acc[ ]?#|billing|bill|invoice|policy|member(?:ship)?|subscriber|group|grp|beneficiary|insurance|health[ ]plan|plan[ ](?:id|number|no|#)|medicare|medicaid|mbi|hicn?|claim|dea|npi|licen[cs]e|lic|dl|driver'?s[ ]licen[cs]e|passport|certificate|cert|iban|routing|credit[ ]card|card|authorization|auth|prescription|rx|state[ ]id|green[ ]card|visa",
            ),
            (
                label(PhiClass::Device, 4, 3),
                "vin|serial|s/n|sn|udi|device|imei|license[ ]plate|plate|vehicle|(?:car|vehicle)[ ]reg(?:istration)?|registration|implant[ ](?:id|number|no)|lot|pacemaker[ ](?:id|serial)",
            ),
            (label(PhiClass::Other, 3, 3), "badge|permit"),
            (
                label(PhiClass::Other, 4, 3),
                "accession|acc|accn|specimen|(?:job|document|dictation|transcription)[ ]?(?:#|:|number|no|id)|encounter|visit[ ](?:number|no|id|#)|visit[ ]?#|fin|csn|har|case[ ](?:number|no|id|#)|case[ ]?#|order[ ](?:number|no|id|#)|order[ ]?#|requisition|req|ticket|reference|ref|confirmation|badge|employee|user(?:name)?|login|ids?|identifiers?|uid|uuid|guid|study[ ](?:id|uid|number)|instance[ ]uid|site[ ]id|barcode|tracking|ein|(?:fingerprint|voice[ ]?print|faceprint|face[ ]scan|retina(?:l[ ]scan)?|iris[ ]scan|palm[ ]?print|biometrics?)(?:[ ](?:template|scan|hash|record|file|profile|sample|token))?",
            ),
        ];
        // Registration plates: letters and digits with a blank or a hyphen, perhaps behind their state.
        let plates = (
            label(PhiClass::Device, 5, 2),
            "(?i)(?-u:\\b)(?:(?:license[ ])?plates?|tags?|n-number)(?:[ ](?:no\\.?|number|#))?[ :#]{1,3}(?:[A-Z]{2}[ ])?\
             (?-i:(?P<v>[A-Z]{2,3}[ -]?[0-9]{2,5}|[0-9]{1,3}[ -]?[A-Z]{2,3}[ -]?[0-9]{1,4}|N[0-9]{2,5}[A-Z]{0,2}|[A-Z]{3}[0-9]{4}))(?-u:\\b)"
                .to_owned(),
        );
        let labels = labels
            .into_iter()
            .map(|(label, words)| (label, format!("(?i)(?-u:\\b)(?:{words})(?:'s)?{LINK}{VALUE}")));
        let labels = std::iter::once(plates).chain(labels).collect();
        let forms = vec![
            // What is left of one where all but its last digits are hidden.
            (Form::SocialSecurity, "(?:\\*{3}|(?-u:\\b)[Xx]{3})-(?:\\*{2}|[Xx]{2})-[0-9]{4}(?-u:\\b)".to_owned()),
            // Social security number (20 CFR 422.103), with its dashes, blanks or points.
            (Form::SocialSecurity, "(?-u:\\b)[0-9]{3}(?:-[0-9]{2}-|[ ][0-9]{2}[ ]|\\.[0-9]{2}\\.|-[ ][0-9]{2}[ ]-[ ])[0-9]{4}(?-u:\\b)".to_owned()),
            // Vehicle identification number (ISO 3779).
            (Form::Vehicle, "(?-u:\\b)[A-HJ-NPR-Z0-9]{17}(?-u:\\b)".to_owned()),
            // Payment card (ISO/IEC 7812), in groups or not.
            (Form::Card, "(?-u:\\b)(?:[0-9]{4}[ -]?){3}[0-9]{1,7}(?-u:\\b)|(?-u:\\b)3[0-9]{3}[ -][0-9]{6}[ -][0-9]{5}(?-u:\\b)".to_owned()),
            // International bank account number (ISO 13616), in groups or not.
            (Form::BankAccount, "(?-u:\\b)[A-Z]{2}[0-9]{2}(?:[ ]?[A-Z0-9]{4}){2,7}(?:[ ]?[A-Z0-9]{1,3})?(?-u:\\b)".to_owned()),
            // Medicare beneficiary identifier (CMS, 11 characters without S, L, O, I, B, Z).
            (Form::Medicare, "(?i)(?-u:\\b)[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9][0-9]-?[AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9][0-9]-?[AC-HJKMNP-RT-Y]{2}[0-9]{2}(?-u:\\b)".to_owned()),
            // National insurance number (HMRC NIM39110): two letters, six digits, a letter from A to D.
            (Form::NationalInsurance, "(?-u:\\b)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z][ ]?(?:(?:[0-9]{2}[ ]?){3}|[0-9]{3}[ ][0-9]{3}[ ])[A-D](?-u:\\b)".to_owned()),
            // Driver number of Great Britain (DVLA): five of the surname, six digits, initials, check.
            (Form::DrivingLicence, "(?-u:\\b)[A-Z9]{5}[ ]?[0-9]{3}[ ]?[0-9]{3}[ ]?[A-Z9]{2}[0-9][A-Z0-9]{2}(?:[ ]?[0-9]{2})?(?-u:\\b)".to_owned()),
            // Temporary reference number (HMRC NIM39325): two digits, a letter, five digits.
            (Form::NationalInsurance, "(?-u:\\b)[0-9]{2}[ ]?[A-Z][ ]?[0-9]{3}[ ]?[0-9]{2}(?-u:\\b)".to_owned()),
            // Business identifier code (ISO 9362) behind its label.
            (Form::DrivingLicence, "(?-u:\\b)(?:BIC|SWIFT)(?:[ ]code)?[ :#/]{1,3}[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?(?-u:\\b)".to_owned()),
            // Registration mark of Great Britain since 2001 (DVLA INF104): two letters, two digits, three letters.
            (Form::Plate, "(?-u:\\b)[A-HJ-PR-Y]{2}[0-9]{2}[ ][A-HJ-PR-Z]{3}(?-u:\\b)".to_owned()),
        ];
        Ok(Self {
            labels: RuleSet::new(labels)?,
            forms: RuleSet::new(forms)?,
        })
    }

    /// The codes of `text`.
    pub(crate) fn find(&self, text: &str, hits: &mut Vec<Hit>) {
        self.labels.each(text, |label, range, captures| {
            let value = group(captures, "v").filter(|value| is_value(text, value, label));
            let taken = value.is_some();
            hits.extend(value.map(|value| {
                // `Patient ID: X77231` is one identifier with its label; of others the value alone is.
                let whole = ["patient id", "site id", "subject id"].iter().any(|label| {
                    text[range.clone()]
                        .get(..label.len())
                        .is_some_and(|head| head.eq_ignore_ascii_case(label))
                });
                if whole {
                    Hit::found(
                        range.start..value.end,
                        label.class,
                        Kind::Labelled(value.start - range.start),
                    )
                } else {
                    Hit::found(value, label.class, Kind::Code)
                }
            }));
            taken
        });
        self.forms.each(text, |form, range, _| {
            let value = &text[range.clone()];
            let digits = value.bytes().filter(u8::is_ascii_digit).count();
            let (fits, class) = match form {
                Form::SocialSecurity => (is_alone(text, &range), PhiClass::Ssn),
                Form::NationalInsurance => (true, PhiClass::Ssn),
                Form::Vehicle => ((3..17).contains(&digits), PhiClass::Device),
                Form::Card => (digits >= 13 && luhn(value), PhiClass::Account),
                Form::BankAccount => (digits >= 6 && value.len() >= 15, PhiClass::Account),
                Form::Medicare | Form::DrivingLicence => (true, PhiClass::Account),
                // `IN 20 MIN` is a time.
                Form::Plate => (!is_unit(&value[5..].to_ascii_lowercase()), PhiClass::Device),
            };
            if fits {
                hits.push(Hit::found(range, class, Kind::Code));
            }
            fits
        });
    }
}

/// Whether the value behind a label is one: digits enough, and neither a bare year nor a measurement.
fn is_value(text: &str, range: &Range<usize>, label: Label) -> bool {
    let value = &text[range.clone()];
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let length = value.chars().filter(|c| c.is_alphanumeric()).count();
    if digits < label.digits || length < label.least || has_unit(text, range.end) {
        return false;
    }
    let decimal = value.contains('.') && !value.bytes().any(|b| b.is_ascii_alphabetic());
    let time = value.contains(':') && value.len() <= 5;
    !decimal && !time && (label.class == PhiClass::Mrn || !is_year(value)) && !is_measure(value)
}

/// Names of terminologies, before whose codes no identifier stands.
pub(crate) fn is_terminology(word: &str) -> bool {
    matches!(
        word.to_ascii_uppercase().as_str(),
        "CPT"
            | "ICD"
            | "HCPCS"
            | "SNOMED"
            | "LOINC"
            | "NDC"
            | "DRG"
            | "RXNORM"
            | "RXCUI"
            | "OMIM"
            | "PMID"
            | "ATC"
            | "UNII"
    )
}

/// Four digits that are a bare year.
pub(crate) fn is_year(value: &str) -> bool {
    value.len() == 4
        && (value.starts_with("19") || value.starts_with("20"))
        && value.bytes().all(|b| b.is_ascii_digit())
}

/// Digits followed by letters that are a unit (`500mg`), a duration (`30day`) or the like.
pub(crate) fn is_measure(value: &str) -> bool {
    let letters: String = value
        .chars()
        .filter(|c| c.is_alphabetic())
        .flat_map(char::to_lowercase)
        .collect();
    // Letters between digits (`99L99999`) are no unit.
    let tail = value.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '-' | '/'));
    let split = tail.bytes().any(|b| b.is_ascii_digit());
    !letters.is_empty() && value.starts_with(|c: char| c.is_ascii_digit()) && is_unit(&letters) && !split
}

/// Whether no digit, point or hyphen joins the find to something longer.
fn is_alone(text: &str, range: &Range<usize>) -> bool {
    !text[..range.start].ends_with(['-', '.', '/']) && !text[range.end..].starts_with(['-', '/'])
}

/// ISO/IEC 7812-1 annex B.
fn luhn(value: &str) -> bool {
    let digits = value
        .bytes()
        .rev()
        .filter(u8::is_ascii_digit)
        .map(|b| u32::from(b - b'0'));
    let sum: u32 = digits
        .enumerate()
        .map(|(at, digit)| {
            if at % 2 == 1 {
                digit * 2 - if digit > 4 { 9 } else { 0 }
            } else {
                digit
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether a five-digit number is announced as a postal code; used by the rules for places.
pub(crate) fn is_postal(text: &str, start: usize) -> bool {
    matches!(
        word_before(text, start).as_str(),
        "zip" | "zipcode" | "postal" | "postcode"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str) -> Vec<&str> {
        let mut hits = Vec::new();
        Codes::new().expect("patterns compile").find(text, &mut hits);
        super::super::keys::keys(text, &mut hits);
        let mut found: Vec<&str> = super::super::hit::resolve(text, hits)
            .into_iter()
            .map(|hit| &text[hit.range])
            .collect();
        found.dedup();
        found
    }

    #[test]
    fn labelled_codes_are_found() {
        for (text, code) in [
            ("MRN: 00482913", "00482913"),
            ("MRN 48213", "48213"),
            ("(MRN#AB-1204)", "AB-1204"),
            ("MR# 4821", "4821"),
            ("medical record number is 48-29-13", "48-29-13"),
            ("chart no. 8812", "8812"),
            ("Patient ID: X77231", "Patient ID: X77231"),
            ("Acct # 5512-88", "5512-88"),
            ("account number 551288", "551288"),
            ("Accession: CR-26-00412", "CR-26-00412"),
            ("Policy #: ZX 1", ""),
            ("policy number HP4471", "HP4471"),
            ("DEA AB1234563", "AB1234563"),
            ("NPI 1234567893", "1234567893"),
            ("license no. D-44172", "D-44172"),
            ("serial number SN44172X", "SN44172X"),
            ("VIN 2QZKB41J9XL700318", "2QZKB41J9XL700318"),
            ("last four of SSN 4471", "4471"),
            ("SSN 219-09-9999", "219-09-9999"),
            ("219 09 9999", "219 09 9999"),
            ("ID: 987654321", "987654321"),
            ("Case #44172", "44172"),
            ("NHS number 943 476 5919", "943 476 5919"),
            ("card 4111 1111 1111 1111", "4111 1111 1111 1111"),
            ("IBAN DE89 3704 0044 0532 0130 00", "DE89 3704 0044 0532 0130 00"),
            ("MBI 1EG4-TE5-MK73", "1EG4-TE5-MK73"),
        ] {
            let found = codes(text);
            assert_eq!(found.first().copied().unwrap_or(""), code, "{text}: {found:?}");
            assert!(found.len() <= 1, "{text}: {found:?}");
        }
    }

    #[test]
    fn keys_without_label_are_found() {
        for code in [
            "12345678",
            "AB-123456",
            "F-2208417",
            "QRX-31-80452",
            "A1B2C3D4",
            "123-456-789",
            "731-2086",
            "0031X752K8",
        ] {
            assert_eq!(codes(&format!("see {code} there")), [code]);
        }
        // A terminology gives codes to what follows it at once, not to the next sentence.
        assert_eq!(codes("Check the ICD. 273436715 was seen."), ["273436715"]);
        assert!(codes("SNOMED: 44054006 and LOINC 23456789").is_empty());
    }

    #[test]
    fn clinical_numbers_are_left() {
        for text in [
            "COVID-19 in 2020",
            "2010-2015",
            "1500-2000 mL",
            "neutrophils 1500-8000",
            "platelets 150000-450000",
            "1000mcg daily",
            "T12-L1",
            "pT2bN1M0",
            "rs1801133",
            "NCT01234567",
            "CA19-9",
            "CHA2DS2-VASc",
            "Tc99m",
            "post-2015",
            "1,200,000",
            "1200000 copies",
            "series 3 image 45",
            "policy of 2019",
            "case 3",
            "specimen A",
            "order 2 units",
            "3.4 x 2.1 cm",
            "10-20-30 mg",
            "HLA-B27",
            "SARS-CoV-2",
            "24-48hours",
            "visit 3",
            "acc 120 mL",
            "ID consult 2",
            "FOLFOX6",
            "lot of 12 fluids",
        ] {
            assert!(codes(text).is_empty(), "{text}: {:?}", codes(text));
        }
    }

    #[test]
    fn luhn_is_checked() {
        assert!(luhn("4111 1111 1111 1111") && !luhn("4111 1111 1111 1112"));
        assert_eq!(codes("count 41111111 11111112"), ["41111111", "11111112"]);
    }
}
