//! Pairs and fixtures of other tools.

use serde_json::Value;

use super::{apply, documents, json, scrubber, today};
use crate::{
    deid::{DeidError, Origin, Rules},
    emit::schema::shared,
};

#[test]
fn microsofts_pairs_come_out_as_expected() {
    let Some(folder) = shared() else {
        eprintln!("skipped: the shared data are not beside this clone");
        return;
    };
    let pairs =
        std::fs::read_to_string(folder.join("deid_ms_fhir_anonymizer_pairs.jsonl")).expect("readable");
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in pairs.lines() {
        let pair = json(line);
        count += 1;
        let rules = Rules::from_json(&pair["config"].to_string()).expect("rules");
        let out = rules.apply(scrubber(), &Origin::on(today()), &pair["input"].to_string());
        let out = out.map(|out| json(&out));
        if out.as_ref() != Ok(&pair["expected"]) {
            wrong.push(format!("{}: {out:?}\nexpected {}", pair["id"], pair["expected"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert_eq!(count, 11);
    let sample =
        std::fs::read_to_string(folder.join("deid_ms_r4_safe_harbor_config.json")).expect("readable");
    let sample = Rules::from_json(&sample).expect("rules");
    for (name, document) in documents() {
        let out = sample.apply(scrubber(), &Origin::on(today()), &document);
        assert!(out.is_ok(), "{}: {:?}", name.display(), out.err());
    }
}

/// The result of one of Microsoft's rules on a resource.
fn by_rule(rule: &str, resource: &str) -> Result<Value, DeidError> {
    let parameters = r#"{"dateShiftKey": "k", "cryptoHashKey": "k", "enablePartialAgesForRedact": true}"#;
    let config = format!(r#"{{"fhirPathRules": [{rule}], "parameters": {parameters}}}"#);
    let rules = Rules::from_json(&config).expect("rules");
    let out = rules.apply(scrubber(), &Origin::on(today()), resource)?;
    let mut out = json(&out);
    out.as_object_mut().expect("an object").remove("meta");
    Ok(out)
}

#[test]
fn microsofts_methods_mean_what_they_mean_there() {
    let resource = r#"{"resourceType": "Condition", "id": "c", "onsetAge": {"value": 91, "unit": "a"}, "recordedDate": "2020-05",
        "subject": {"reference": "Patient/1", "display": "D"}, "stage": [{"type": {"text": "t"}}]}"#;
    let of = |rule: &str| by_rule(rule, resource).expect("it fits");
    assert_eq!(
        of(r#"{"path": "Condition.onset as Age", "method": "redact"}"#)["onsetAge"],
        Value::Null
    );
    // A date without a day cannot be shifted, and years do not stay here.
    assert_eq!(
        of(r#"{"path": "nodesByType('dateTime')", "method": "dateShift"}"#)["recordedDate"],
        Value::Null
    );
    let hashed = of(r#"{"path": "Condition.subject", "method": "cryptoHash"}"#);
    let reference = hashed["subject"]["reference"].as_str().expect("a reference");
    assert!(reference.starts_with("Patient/") && reference.len() == 72);
    assert_eq!(hashed["subject"]["display"].as_str().map(str::len), Some(64));
    let perturbed = of(r#"{"path": "Condition.onset", "method": "perturb", "span": 6, "roundTo": 1}"#);
    let age = perturbed["onsetAge"]["value"].as_f64().expect("a number");
    assert!((88.0..=94.0).contains(&age) && perturbed["onsetAge"]["unit"] == "a");
    let kept = of(
        r#"{"path": "Condition.subject.display", "method": "keep"}, {"path": "Condition.subject", "method": "redact"}"#,
    );
    assert_eq!(kept["subject"], serde_json::json!({"display": "D"}));
    let substituted = of(
        r#"{"path": "nodesByName('type')", "method": "substitute", "replaceWith": {"coding": [{"code": "x"}]}}"#,
    );
    assert_eq!(
        substituted["stage"][0]["type"],
        serde_json::json!({"coding": [{"code": "x"}]})
    );
    let generalized =
        of(r#"{"path": "nodesByType('Age').value", "method": "generalize", "cases": {"$this > 89": "90"}}"#);
    assert_eq!(generalized["onsetAge"]["value"], 90);
    let complex = by_rule(
        r#"{"path": "Condition.subject", "method": "generalize", "cases": {"true": "1"}}"#,
        resource,
    );
    assert_eq!(complex, Err(DeidError::NotApplicable));
    let misfit = by_rule(
        r#"{"path": "Condition.id", "method": "generalize", "cases": {"$this > 1": "1"}}"#,
        resource,
    );
    assert_eq!(misfit, Err(DeidError::Misfit));
}

#[test]
fn no_sentinel_survives_in_the_fixtures() {
    let Some(folder) = shared() else {
        eprintln!("skipped: the shared data are not beside this clone");
        return;
    };
    let fixtures =
        std::fs::read_to_string(folder.join("deid_cosyte_structured_fixtures.jsonl")).expect("readable");
    for line in fixtures.lines() {
        let fixture = json(line);
        let out = apply(fixture["text"].as_str().expect("text"));
        assert!(!out.contains("ZZ"), "{}: {out}", fixture["id"]);
        for kept in ["2951-2", "value=\"140\" unit=\"mmol/L\"", "314076", "Sodium"] {
            assert!(out.contains(kept), "{kept}: {out}");
        }
    }
}
