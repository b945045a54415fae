//! Synthetic requests, and what tests ask of an answer.

use serde_json::{Value, json};

use super::{BundleEntry, Incoming, Refusal, RefusalClass, ReportIn, parse};
use crate::emit::{operation_outcome, schema};

/// Stands in every bad body; no refusal may say it.
pub(super) const ZEBRA: &str = "zebra-4711";

pub(super) fn report(json: &Value) -> ReportIn {
    match parse(json.to_string().as_bytes()) {
        Ok(Incoming::Report(report)) => *report,
        Ok(_) => panic!("not a report"),
        Err(refusal) => panic!("{refusal:?}"),
    }
}

pub(super) fn bundle(json: &Value) -> Vec<BundleEntry> {
    match parse(json.to_string().as_bytes()) {
        Ok(Incoming::Bundle(bundle)) => bundle.entries,
        Ok(_) => panic!("not a Bundle"),
        Err(refusal) => panic!("{refusal:?}"),
    }
}

pub(super) fn refusal(body: &[u8]) -> Refusal {
    let refusal = parse(body).err().expect("a bad body");
    let told = format!("{refusal:?} {refusal} {}", operation_outcome(&refusal.issues));
    assert!(!told.contains("zebra"), "{told}");
    assert!(!refusal.issues.is_empty());
    schema::assert_valid(&operation_outcome(&refusal.issues));
    refusal
}

pub(super) fn good() -> Value {
    json!({
        "resourceType": "DiagnosticReport",
        "identifier": [{ "system": "urn:acc", "value": "A-1" }],
        "status": "final",
        "category": [{ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "CT" }] }],
        "code": { "text": "Chest" },
        "subject": { "identifier": { "system": "urn:mrn", "value": "M-1" } },
        "conclusion": "Lungs are clear.",
    })
}

pub(super) fn changed(pointer: &str, value: Value) -> Value {
    let mut json = good();
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    json.pointer_mut(parent).expect("a parent")[name] = value;
    json
}

pub(super) fn transaction(entries: &[Value]) -> Value {
    json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries })
}

pub(super) fn entry(url: &str, resource: &Value) -> Value {
    json!({ "fullUrl": url, "resource": resource, "request": { "method": "POST", "url": resource["resourceType"] } })
}

pub(super) fn patient(mrn: &str) -> Value {
    json!({ "resourceType": "Patient", "identifier": [{ "system": "urn:mrn", "value": mrn }], "name": [{ "text": "Alex Example" }] })
}

/// Each body is refused for one thing: class, code and place.
pub(super) fn refused<const N: usize>(cases: [(Value, RefusalClass, &str, &str); N]) {
    for (json, class, code, expression) in cases {
        let refusal = refusal(json.to_string().as_bytes());
        assert_eq!(refusal.class, class, "{expression}");
        assert_eq!(refusal.issues[0].code.as_str(), code, "{expression}");
        assert_eq!(refusal.issues[0].expression, [expression]);
        assert_eq!(refusal.issues.len(), 1, "{expression}");
    }
}
