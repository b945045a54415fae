//! What happens to which element: rules parsed once, from our own table or from Microsoft's JSON.

use serde::Deserialize;

use super::{
    ccda::ElementRules,
    hl7v2::FieldRules,
    json::Json,
    path::{Expression, NotAPath},
};

/// The rules for every kind of structured document.
pub struct Rules {
    pub(super) fhir: FhirRules,
    pub(super) hl7v2: FieldRules,
    pub(super) ccda: ElementRules,
}

/// A rule set cannot be used. No message repeats what the rule set says.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// The file is no TOML of the tables `[fhir]`, `[hl7v2]` and `[ccda]`.
    #[error("the rules are not the TOML of a de-identification policy")]
    Toml(#[from] toml::de::Error),
    /// The file is no JSON, or not an object with an array `fhirPathRules`.
    #[error(
        "the rules are not a JSON object with an array fhirPathRules of objects with a path and a method"
    )]
    Json,
    /// `fhirVersion` names something else than R4.
    #[error("the rules are for another version of FHIR than R4")]
    Version,
    /// A path that is no `FHIRPath`, or one with functions that rules do not have.
    #[error("the path of rule {0} is not understood")]
    Path(usize),
    /// A method that is none, or that is not supported.
    #[error("the method of rule {0} is not supported")]
    Method(usize),
    /// A setting of a method is missing or out of range.
    #[error("the setting {1} of rule {0} is missing or wrong")]
    Setting(usize, &'static str),
    /// A parameter has the wrong type or is out of range.
    #[error("the parameter {0} is wrong")]
    Parameter(&'static str),
    /// A field or a segment of an HL7 v2 message that is not written as `PID-3`, or an element of C-CDA without a name.
    #[error("the table {0} names something that is no field or element")]
    Field(&'static str),
}

/// The rules for FHIR resources.
pub(super) struct FhirRules {
    pub rules: Vec<Rule>,
    pub parameters: Parameters,
    /// Whether an element that no rule names goes. Ours go; Microsoft's stay.
    pub unlisted_go: bool,
    /// Whether a resource that cannot be processed becomes an empty one rather than an error.
    pub skip_errors: bool,
}

/// One rule.
pub(super) struct Rule {
    /// The resource type that its path begins with; `None` for all.
    pub resource: Option<String>,
    pub target: Target,
    pub method: Method,
}

/// Where a rule leads.
pub(super) enum Target {
    /// The resource.
    Itself,
    /// `nodesByType('X')` or `nodesByType('X').child` alone: looked up among all elements of the resource.
    Type(String, Option<String>),
    /// The same with `nodesByName`.
    Name(String, Option<String>),
    /// Whatever the expression finds.
    Path(Expression),
}

/// What a rule does.
pub(super) enum Method {
    Keep,
    Redact,
    DateShift,
    CryptoHash,
    /// With a value for a primitive or an object for a data type.
    Substitute(Json),
    Perturb {
        span: f64,
        proportional: bool,
        decimals: usize,
    },
    Generalize {
        cases: Vec<(Expression, Expression)>,
        keep_others: bool,
    },
    /// Ids, references and URLs become pseudonyms that still lead to each other.
    Pseudonym,
    /// Free text goes through the scrubber.
    Scrub,
    /// A terminology's words, without the people that the document names.
    Term,
    /// Text inside an attachment goes through the scrubber, anything else goes.
    Attachment,
    /// The first three digits of a ZIP code where they may stay; what is none goes.
    Zip,
    /// Stays, but for years of age over 89, which become 90.
    CapAge,
}

/// How dates move.
pub(super) enum DateShift {
    /// By the patient's own offset, as in texts; the time of day stays.
    Patient,
    /// Not at all: the year stays.
    Years,
    /// By an offset from -50 to 50 days that the key and a prefix give; the time of day goes.
    Key(String, Scope),
}

/// What Microsoft's rules call the date shift scope: within it, dates move by the same offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Resource,
    File,
    Folder,
}

/// What methods share.
pub(super) struct Parameters {
    pub date_shift: DateShift,
    /// Key of `cryptoHash`; empty for one that the scrubber's key gives.
    pub hash_key: String,
    pub partial_ages: bool,
    pub partial_dates: bool,
    pub partial_zips: bool,
    pub restricted_zips: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    fhir: Table,
    hl7v2: super::hl7v2::Table,
    ccda: super::ccda::Table,
    /// The table of the scrubber for texts, which others read.
    #[serde(default, rename = "text")]
    _text: serde::de::IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    partial_dates: bool,
    restricted_zips: Vec<String>,
    rules: Vec<String>,
}

impl Rules {
    /// The rules that this build comes with: `policies/deidentification.toml`.
    ///
    /// # Panics
    /// Never: a test parses the file.
    #[must_use]
    pub fn standard() -> Self {
        // Expect safety: the text is a constant of this build; the test `the_standard_rules_parse` parses it.
        Self::from_toml(include_str!("../../../../policies/deidentification.toml"))
            .expect("the policy parses")
    }

    /// These rules with years for shifted dates, as Safe Harbor has it (45 CFR 164.514(b)(2)(i)(C)). Instants, which have no
    /// year alone, go. Rule sets of Microsoft's format keep their own way with dates.
    #[must_use]
    pub fn with_years(mut self) -> Self {
        if matches!(self.fhir.parameters.date_shift, DateShift::Patient) {
            self.fhir.parameters.date_shift = DateShift::Years;
        }
        self.hl7v2.years = true;
        self.ccda.years = true;
        self
    }

    /// Rules from the tables `[fhir]`, `[hl7v2]` and `[ccda]` of a policy file. What they do not name is removed.
    ///
    /// # Errors
    /// If a table is missing, has an unknown key, or a rule is not understood.
    pub fn from_toml(text: &str) -> Result<Self, RulesError> {
        let file: File = toml::from_str(text)?;
        let rules = file.fhir.rules.iter().enumerate().map(|(at, line)| {
            let (method, path) = line
                .trim()
                .split_once(char::is_whitespace)
                .ok_or(RulesError::Method(at))?;
            let method = own_method(method).ok_or(RulesError::Method(at))?;
            Rule::new(path.trim(), method).map_err(|NotAPath| RulesError::Path(at))
        });
        for zip in &file.fhir.restricted_zips {
            if zip.len() != 3 || !zip.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(RulesError::Parameter("restricted_zips"));
            }
        }
        let hl7v2 = FieldRules::new(&file.hl7v2, &file.fhir.restricted_zips)?;
        let ccda = ElementRules::new(file.ccda, &file.fhir.restricted_zips)?;
        Ok(Self {
            fhir: FhirRules {
                rules: rules.collect::<Result<_, _>>()?,
                parameters: Parameters {
                    date_shift: DateShift::Patient,
                    hash_key: String::new(),
                    partial_ages: false,
                    partial_dates: file.fhir.partial_dates,
                    partial_zips: false,
                    restricted_zips: file.fhir.restricted_zips,
                },
                unlisted_go: true,
                skip_errors: false,
            },
            hl7v2,
            ccda,
        })
    }

    /// Rules for FHIR in the JSON format of Microsoft's FHIR anonymizer, with that tool's meaning: the first rule that
    /// reaches an element decides, and what no rule reaches stays. HL7 v2 and C-CDA, of which that format knows nothing, keep
    /// the [standard](Self::standard) rules.
    ///
    /// # Errors
    /// If it is no such JSON, is for another version of FHIR, or has a path, a method or a setting that is not supported
    /// (`encrypt` is none: its results differ every time).
    pub fn from_json(text: &str) -> Result<Self, RulesError> {
        Ok(Self {
            fhir: super::microsoft::read(text)?,
            ..Self::standard()
        })
    }
}

impl Rule {
    /// A rule for what `path` finds.
    pub(super) fn new(path: &str, method: Method) -> Result<Self, NotAPath> {
        let letters = if path.starts_with(|c: char| c.is_ascii_uppercase()) {
            path.find(|c: char| !c.is_ascii_alphabetic())
                .unwrap_or(path.len())
        } else {
            0
        };
        let (resource, rest) = path.split_at(letters);
        let parsed = Expression::parse(path)?;
        let target = if rest.is_empty() {
            Target::Itself
        } else if let Some(target) = lookup(path) {
            target
        } else if let Some(expression) = rest.strip_prefix('.') {
            Target::Path(Expression::parse(expression)?)
        } else if resource.is_empty() {
            Target::Path(parsed)
        } else {
            // The name goes on with something else than letters.
            return Err(NotAPath);
        };
        let general = matches!(resource, "" | "Resource" | "DomainResource");
        Ok(Self {
            resource: (!general).then(|| resource.to_owned()),
            target,
            method,
        })
    }
}

/// The whole path as a look-up: `nodesByType('X')`, perhaps with one child behind it.
fn lookup(path: &str) -> Option<Target> {
    let (by_type, rest) = match path.strip_prefix("nodesByType(") {
        Some(rest) => (true, rest),
        None => (false, path.strip_prefix("nodesByName(")?),
    };
    let (key, rest) = rest.split_once(')')?;
    let key = key.strip_prefix(['\'', '"'])?.strip_suffix(['\'', '"'])?;
    let word = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let child = match rest {
        "" => None,
        rest => Some(rest.strip_prefix('.').filter(|child| word(child))?.to_owned()),
    };
    if !word(key) {
        return None;
    }
    let key = key.to_owned();
    Some(if by_type {
        Target::Type(key, child)
    } else {
        Target::Name(key, child)
    })
}

fn own_method(name: &str) -> Option<Method> {
    Some(match name {
        "keep" => Method::Keep,
        "redact" => Method::Redact,
        "dateShift" => Method::DateShift,
        "pseudonym" => Method::Pseudonym,
        "scrub" => Method::Scrub,
        "term" => Method::Term,
        "attachment" => Method::Attachment,
        "zip" => Method::Zip,
        "capAge" => Method::CapAge,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_rules_parse() {
        assert!(Rules::standard().fhir.rules.len() > 30);
    }

    #[test]
    fn paths_become_targets() {
        let rule = |path: &str| Rule::new(path, Method::Keep).expect("a path");
        assert_eq!(rule("Patient.name").resource.as_deref(), Some("Patient"));
        assert!(matches!(rule("Patient").target, Target::Itself));
        assert!(matches!(rule("Resource").target, Target::Itself));
        assert_eq!(rule("Resource.id").resource, None);
        assert!(matches!(
            rule("nodesByType('date')").target,
            Target::Type(_, None)
        ));
        assert!(matches!(
            rule("nodesByName(\"a\").b").target,
            Target::Name(_, Some(_))
        ));
        assert!(matches!(
            rule("nodesByType('date').where(true)").target,
            Target::Path(_)
        ));
        assert!(matches!(
            rule("Patient.nodesByType('date')").target,
            Target::Path(_)
        ));
        assert!(Rule::new("Patient[0].name", Method::Keep).is_err());
    }

    #[test]
    fn a_wrong_table_is_refused_by_its_place() {
        let file = include_str!("../../../../policies/deidentification.toml");
        let refused = |old: &str, new: &str| {
            assert!(file.contains(old), "{old}");
            Rules::from_toml(&file.replacen(old, new, 1))
                .err()
                .expect("refused")
                .to_string()
        };
        assert_eq!(
            refused("\"pseudonym Resource.id\"", "\"shred Resource.id\""),
            "the method of rule 0 is not supported"
        );
        assert_eq!(
            refused("\"pseudonym Resource.id\"", "\"keep Resource..id\""),
            "the path of rule 0 is not understood"
        );
        assert_eq!(
            refused("\"036\"", "\"36\""),
            "the parameter restricted_zips is wrong"
        );
        assert!(matches!(
            Rules::from_toml(&file.replacen("partial_dates", "partial_date", 1)),
            Err(RulesError::Toml(_))
        ));
    }
}
