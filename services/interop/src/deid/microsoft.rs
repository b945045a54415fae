//! Rule sets in the JSON format of Microsoft's FHIR anonymizer (its documentation: `docs/FHIR-anonymization.md`).

use super::{
    json::Json,
    path::{Expression, NotAPath},
    rules::{DateShift, FhirRules, Method, Parameters, Rule, RulesError, Scope},
};

/// Reads a rule set.
pub(super) fn read(text: &str) -> Result<FhirRules, RulesError> {
    let json = Json::read(text.trim_start_matches('\u{feff}')).map_err(|_| RulesError::Json)?;
    if let Some(version) = text_of(&json, "fhirVersion")
        && !version.is_empty()
        && !version.eq_ignore_ascii_case("R4")
    {
        return Err(RulesError::Version);
    }
    let skip_errors = match text_of(&json, "processingErrors").or_else(|| text_of(&json, "processingError")) {
        Some(word) if word.eq_ignore_ascii_case("skip") => true,
        Some(word) if word.eq_ignore_ascii_case("raise") || word.is_empty() => false,
        None => false,
        Some(_) => return Err(RulesError::Parameter("processingErrors")),
    };
    let Some(Json::Array(rules)) = json.get("fhirPathRules") else {
        return Err(RulesError::Json);
    };
    let rules = rules.iter().enumerate().map(|(at, rule)| {
        let (Some(path), Some(method)) = (text_of(rule, "path"), text_of(rule, "method")) else {
            return Err(RulesError::Json);
        };
        let method = read_method(at, method, rule)?;
        Rule::new(path.trim(), method).map_err(|NotAPath| RulesError::Path(at))
    });
    Ok(FhirRules {
        rules: rules.collect::<Result<_, _>>()?,
        parameters: parameters(json.get("parameters"))?,
        unlisted_go: false,
        skip_errors,
    })
}

fn text_of<'j>(json: &'j Json, name: &str) -> Option<&'j str> {
    json.get(name).and_then(Json::as_text)
}

/// A setting that may be written as a number or as a text.
fn word_of(json: &Json, name: &str) -> Option<String> {
    match json.get(name)? {
        Json::Text(text) | Json::Number(text) => Some(text.clone()),
        Json::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

fn read_method(at: usize, name: &str, rule: &Json) -> Result<Method, RulesError> {
    Ok(match name.to_ascii_lowercase().as_str() {
        "keep" => Method::Keep,
        "redact" => Method::Redact,
        "dateshift" => Method::DateShift,
        "cryptohash" => Method::CryptoHash,
        "substitute" => {
            let value = rule
                .get("replaceWith")
                .ok_or(RulesError::Setting(at, "replaceWith"))?;
            Method::Substitute(value.clone())
        }
        "perturb" => perturb(at, rule)?,
        "generalize" => generalize(at, rule)?,
        _ => return Err(RulesError::Method(at)),
    })
}

fn perturb(at: usize, rule: &Json) -> Result<Method, RulesError> {
    let wrong = |setting| move || RulesError::Setting(at, setting);
    let span = word_of(rule, "span").and_then(|span| span.parse::<f64>().ok());
    let span = span
        .filter(|span| span.is_finite() && *span >= 0.0)
        .ok_or_else(wrong("span"))?;
    let decimals = match rule.get("roundTo") {
        None => 2,
        Some(_) => word_of(rule, "roundTo")
            .and_then(|decimals| decimals.parse::<usize>().ok())
            .filter(|decimals| *decimals <= 28)
            .ok_or_else(wrong("roundTo"))?,
    };
    let proportional = match word_of(rule, "rangeType") {
        Some(kind) if kind.eq_ignore_ascii_case("proportional") => true,
        Some(kind) if kind.eq_ignore_ascii_case("fixed") => false,
        None if rule.get("rangeType").is_none() => false,
        _ => return Err(wrong("rangeType")()),
    };
    Ok(Method::Perturb {
        span,
        proportional,
        decimals,
    })
}

fn generalize(at: usize, rule: &Json) -> Result<Method, RulesError> {
    let Some(Json::Object(cases)) = rule.get("cases") else {
        return Err(RulesError::Setting(at, "cases"));
    };
    let cases = cases.iter().map(|(when, then)| {
        let then = match then {
            Json::Text(text) | Json::Number(text) => text.as_str(),
            Json::Bool(true) => "true",
            Json::Bool(false) => "false",
            _ => return Err(RulesError::Setting(at, "cases")),
        };
        let parse = |text| Expression::parse(text).map_err(|NotAPath| RulesError::Setting(at, "cases"));
        Ok((parse(when)?, parse(then)?))
    });
    let keep_others = match word_of(rule, "otherValues") {
        Some(word) if word.eq_ignore_ascii_case("keep") => true,
        Some(word) if word.eq_ignore_ascii_case("redact") => false,
        None if rule.get("otherValues").is_none() => false,
        _ => return Err(RulesError::Setting(at, "otherValues")),
    };
    Ok(Method::Generalize {
        cases: cases.collect::<Result<_, _>>()?,
        keep_others,
    })
}

const ZIPS: &str = "restrictedZipCodeTabulationAreas";

fn parameters(json: Option<&Json>) -> Result<Parameters, RulesError> {
    let none = Json::Object(Vec::new());
    let json = json.unwrap_or(&none);
    let text = |name: &'static str| match json.get(name) {
        None | Some(Json::Null) => Ok(String::new()),
        Some(Json::Text(text)) => Ok(text.clone()),
        Some(_) => Err(RulesError::Parameter(name)),
    };
    let flag = |name: &'static str| match json.get(name) {
        None | Some(Json::Null) => Ok(false),
        Some(Json::Bool(value)) => Ok(*value),
        Some(_) => Err(RulesError::Parameter(name)),
    };
    let scope = match text("dateShiftScope")?.to_ascii_lowercase().as_str() {
        "" | "resource" => Scope::Resource,
        "file" => Scope::File,
        "folder" => Scope::Folder,
        _ => return Err(RulesError::Parameter("dateShiftScope")),
    };
    let restricted_zips = match json.get(ZIPS) {
        None | Some(Json::Null) => Vec::new(),
        Some(Json::Array(zips)) => {
            let zips = zips.iter().map(|zip| zip.as_text().map(str::to_owned));
            zips.collect::<Option<_>>().ok_or(RulesError::Parameter(ZIPS))?
        }
        Some(_) => return Err(RulesError::Parameter(ZIPS)),
    };
    Ok(Parameters {
        date_shift: DateShift::Key(text("dateShiftKey")?, scope),
        hash_key: text("cryptoHashKey")?,
        partial_ages: flag("enablePartialAgesForRedact")?,
        partial_dates: flag("enablePartialDatesForRedact")?,
        partial_zips: flag("enablePartialZipCodesForRedact")?,
        restricted_zips,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(rule: &str) -> Result<FhirRules, RulesError> {
        read(&format!(r#"{{"fhirPathRules": [{rule}]}}"#))
    }

    #[test]
    fn settings_are_checked() {
        for good in [
            r#"{"path": "Patient", "method": "DATESHIFT"}"#,
            r#"{"path": "Patient.name", "method": "substitute", "replaceWith": {"family": "x"}}"#,
            r#"{"path": "nodesByType('Age')", "method": "perturb", "span": "0.1", "rangeType": "Proportional", "roundTo": 0}"#,
            r#"{"path": "Patient.birthDate", "method": "generalize", "cases": {"$this >= @1990": "@1990"}, "otherValues": "keep"}"#,
        ] {
            assert!(rule(good).is_ok(), "{good}");
        }
        for bad in [
            r#"{"path": "Patient"}"#,
            r#"{"path": "Patient..", "method": "keep"}"#,
            r#"{"path": "Patient", "method": "encrypt"}"#,
            r#"{"path": "Patient", "method": "substitute"}"#,
            r#"{"path": "Patient", "method": "perturb"}"#,
            r#"{"path": "Patient", "method": "perturb", "span": -1}"#,
            r#"{"path": "Patient", "method": "perturb", "span": 1, "roundTo": 29}"#,
            r#"{"path": "Patient", "method": "generalize", "cases": {"$that": "1"}}"#,
            r#"{"path": "Patient", "method": "generalize", "cases": {"true": "1"}, "otherValues": "burn"}"#,
        ] {
            assert!(rule(bad).is_err(), "{bad}");
        }
        assert!(matches!(
            read(r#"{"fhirVersion": "Stu3", "fhirPathRules": []}"#),
            Err(RulesError::Version)
        ));
        assert!(matches!(read("[]"), Err(RulesError::Json)));
        assert!(matches!(
            read(r#"{"fhirPathRules": [], "parameters": {"dateShiftScope": "planet"}}"#),
            Err(RulesError::Parameter("dateShiftScope"))
        ));
    }
}
