//! The door as a whole.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    samples::{ZEBRA, changed, entry, good, patient, refusal, refused, report, transaction},
    *,
};
use crate::emit::schema;

#[test]
fn bad_bodies_say_what_and_where() {
    use RefusalClass::{Malformed, NotSupported, TooLarge, Unprocessable};
    let without = |name: &str| {
        let mut json = good();
        json.as_object_mut().expect("an object").remove(name);
        json["x"] = json!(ZEBRA);
        json
    };
    let cases = [
        (
            json!({ "resourceType": ZEBRA }),
            NotSupported,
            "not-supported",
            "Resource.resourceType",
        ),
        (
            json!({ "resourceType": 7 }),
            Malformed,
            "structure",
            "Resource.resourceType",
        ),
        (
            json!({ "x": ZEBRA }),
            Malformed,
            "required",
            "Resource.resourceType",
        ),
        (json!([ZEBRA]), Malformed, "structure", "Resource"),
        (json!(ZEBRA), Malformed, "structure", "Resource"),
        (
            without("status"),
            Unprocessable,
            "required",
            "DiagnosticReport.status",
        ),
        (
            without("subject"),
            Unprocessable,
            "required",
            "DiagnosticReport.subject",
        ),
        (
            without("conclusion"),
            Unprocessable,
            "required",
            "DiagnosticReport.presentedForm",
        ),
        (
            changed("/status", json!(ZEBRA)),
            Unprocessable,
            "code-invalid",
            "DiagnosticReport.status",
        ),
        (
            changed("/status", json!([ZEBRA])),
            Malformed,
            "structure",
            "DiagnosticReport.status",
        ),
        (
            changed("/conclusion", json!({ ZEBRA: 1 })),
            Malformed,
            "structure",
            "DiagnosticReport.conclusion",
        ),
        (
            changed("/identifier/0/value", json!([[ZEBRA]])),
            Malformed,
            "structure",
            "DiagnosticReport.identifier[0].value",
        ),
        (
            changed("/category/0/coding/0/code", json!(ZEBRA)),
            Unprocessable,
            "code-invalid",
            "DiagnosticReport.category[0].coding[0].code",
        ),
        (
            changed("/conclusion", json!(ZEBRA.repeat(30_000))),
            TooLarge,
            "too-long",
            "DiagnosticReport.conclusion",
        ),
        (
            changed("/contained", json!([ZEBRA])),
            Malformed,
            "structure",
            "DiagnosticReport.contained[0]",
        ),
    ];
    refused(cases);
}

#[test]
fn bytes_that_are_no_json_say_where_they_fail() {
    for (body, said) in [
        (&b"{\"resourceType\": zebra}"[..], "line 1, column 18"),
        (b"{\"zebra\": \n [1,}", "line 2, column 5"),
        (b"{\"zebra\": \"\xff\"}", "offset 11"),
        (b"", "too early"),
    ] {
        let refusal = refusal(body);
        assert_eq!(refusal.class, RefusalClass::Malformed);
        assert_eq!(refusal.issues[0].code, IssueCode::Structure);
        assert!(
            refusal.issues[0].diagnostics.contains(said),
            "{}",
            refusal.issues[0].diagnostics
        );
    }
    let deep = format!(
        "{{\"resourceType\":\"Patient\",\"zebra\":{}1{}}}",
        "[".repeat(500_000),
        "]".repeat(500_000)
    );
    assert!(
        refusal(deep.as_bytes()).issues[0]
            .diagnostics
            .contains("100 deep")
    );
}

#[test]
fn several_issues_are_told_at_once() {
    let body = json!({ "resourceType": "DiagnosticReport", "status": ZEBRA, "presentedForm": [{ "contentType": "application/pdf", "data": "AA==" }] });
    let refusal = refusal(body.to_string().as_bytes());
    let told: Vec<(&str, &str)> = refusal
        .issues
        .iter()
        .map(|issue| (issue.code.as_str(), issue.expression[0].as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("code-invalid", "DiagnosticReport.status"),
            ("required", "DiagnosticReport.subject"),
            ("not-supported", "DiagnosticReport.presentedForm[0].contentType"),
        ]
    );
    assert_eq!(refusal.class, RefusalClass::NotSupported);
}

#[test]
fn a_large_patient_is_not_read_a_thousand_times() {
    let mut large = patient("M-1");
    large["photo"] = json!([{ "data": "A".repeat(1_000_000) }]);
    let reports = (0..100).map(|index| {
        let mut report = good();
        report["identifier"][0]["value"] = json!(format!("A-{index}"));
        report["subject"] = json!({ "reference": "urn:uuid:1" });
        entry(&format!("urn:uuid:r{index}"), &report)
    });
    let entries: Vec<Value> = std::iter::once(entry("urn:uuid:1", &large))
        .chain(reports)
        .collect();
    let refusal = refusal(transaction(&entries).to_string().as_bytes());
    assert_eq!(refusal.class, RefusalClass::TooLarge);
    assert_eq!(refusal.issues[0].code, IssueCode::TooCostly);
}

#[test]
fn faults_of_a_patient_are_told_once() {
    let mut broken = patient("M-1");
    broken["gender"] = json!(ZEBRA);
    let mut report = good();
    report["subject"] = json!({ "reference": "urn:uuid:1" });
    let refusal = refusal(
        transaction(&[entry("urn:uuid:1", &broken), entry("urn:uuid:2", &report)])
            .to_string()
            .as_bytes(),
    );
    assert_eq!(refusal.issues.len(), 1);
    assert_eq!(refusal.issues[0].expression, ["Bundle.entry[0].resource.gender"]);
}

/// Every example of FHIR's own is taken or refused in order; a refusal names no word of it.
#[test]
fn the_examples_of_the_standard_are_taken_or_refused() {
    let Some(folder) = schema::shared() else {
        eprintln!("skipped: FHIR's examples are not beside this clone");
        return;
    };
    let (mut reports, mut patients, mut others) = (0, 0, 0);
    for file in std::fs::read_dir(folder.join("examples")).expect("a folder") {
        let body = std::fs::read(file.expect("a file").path()).expect("a readable file");
        let kind =
            serde_json::from_slice::<Value>(&body).expect("an example is JSON")["resourceType"].clone();
        match (parse(&body), kind.as_str()) {
            (Ok(Incoming::Report(report)), Some("DiagnosticReport")) => {
                assert!(!report.submission.note.is_blank());
                reports += 1;
            }
            (Ok(Incoming::Patient(patient)), Some("Patient")) => {
                assert!(!patient.identifiers.is_empty());
                patients += 1;
            }
            (Ok(Incoming::Bundle(_)), Some("Bundle")) => {}
            // Those of HL7's examples that say nothing in words.
            (Err(refusal), Some("DiagnosticReport")) => {
                assert_eq!(refusal.issues[0].code, IssueCode::Required);
                assert_eq!(refusal.issues[0].expression, ["DiagnosticReport.presentedForm"]);
            }
            (Err(refusal), Some("Bundle")) => assert!(refusal.issues[0].expression[0].starts_with("Bundle.")),
            (Err(refusal), Some(kind)) => {
                assert_ne!(kind, "Patient");
                assert_eq!(
                    refusal.class,
                    RefusalClass::NotSupported,
                    "{kind}: {:?}",
                    refusal.issues
                );
                others += 1;
            }
            (_, kind) => panic!("{kind:?} was taken as something else"),
        }
    }
    assert!(
        reports >= 4 && patients >= 8 && others >= 100,
        "{reports} {patients} {others}"
    );
}

/// Whole records of synthetic patients: the reports without text (of laboratories) are named, and without them the
/// transaction is taken.
#[test]
fn synthetic_records_are_taken_whole() {
    let Some(folder) = schema::shared() else {
        eprintln!("skipped: the synthetic records are not beside this clone");
        return;
    };
    let mut taken = 0;
    for file in std::fs::read_dir(folder.join("synthea")).expect("a folder") {
        let body = std::fs::read(file.expect("a file").path()).expect("a readable file");
        let mut record: Value = serde_json::from_slice(&body).expect("a record is JSON");
        let refusal = parse(&body).err().expect("a report without text, or no report");
        if refusal.issues[0].expression == ["Bundle.entry"] {
            continue;
        }
        let mut silent = std::collections::BTreeSet::new();
        for issue in &refusal.issues {
            assert_eq!(issue.code, IssueCode::Required);
            let index = issue.expression[0]
                .strip_prefix("Bundle.entry[")
                .and_then(|rest| rest.split(']').next());
            silent.insert(
                index
                    .and_then(|index| index.parse::<usize>().ok())
                    .expect("an entry"),
            );
        }
        let entries = record["entry"].as_array_mut().expect("entries");
        for index in silent.into_iter().rev() {
            entries.remove(index);
        }
        let Ok(Incoming::Bundle(bundle)) = parse(record.to_string().as_bytes()) else {
            panic!("a good record")
        };
        for entry in bundle.entries {
            if let BundleEntry::Report(report) = entry {
                let SubjectRef::Given(patient) = &report.subject else {
                    panic!("the patient is in the record")
                };
                assert!(!patient.demographics.names.is_empty() && !report.submission.note.is_blank());
                assert!(!report.submission.practitioners.is_empty());
                taken += 1;
            }
        }
    }
    assert!(taken >= 30, "{taken}");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop_oneof![
            "Patient",
            "DiagnosticReport",
            "Bundle",
            "transaction",
            "final",
            "#a",
            "urn:uuid:1",
            "Patient/1",
            "text/plain",
            "YWJj"
        ]
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        let name = prop_oneof![
            proptest::sample::select(wire::NAMES).prop_map(str::to_owned),
            ".{0,6}"
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(name, inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_are_taken_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn any_json_is_taken_or_refused(kind in prop_oneof![Just("DiagnosticReport"), Just("Patient"), Just("Bundle")], json in any_json()) {
        let mut json = json;
        if let Some(object) = json.as_object_mut() {
            object.insert("resourceType".to_owned(), Value::from(kind));
        }
        let _ = parse(json.to_string().as_bytes());
    }

    #[test]
    fn any_element_may_be_anything(name in proptest::sample::select(wire::NAMES), json in any_json(), in_bundle in any::<bool>()) {
        let mut report = good();
        report[name] = json;
        let body = if in_bundle { transaction(&[entry("urn:uuid:1", &patient("1")), entry("urn:uuid:2", &report)]) } else { report };
        let _ = parse(body.to_string().as_bytes());
    }

    #[test]
    fn a_cut_body_is_refused(cut in 0_usize..300) {
        let body = good().to_string();
        prop_assume!(cut < body.len());
        let refusal = refusal(&body.as_bytes()[..cut]);
        prop_assert_eq!(refusal.class, RefusalClass::Malformed);
    }

    #[test]
    fn the_text_comes_through_as_it_was_written(text in "[^\\x00]{1,200}") {
        prop_assume!(!text.trim().is_empty());
        let submission = report(&changed("/conclusion", json!(text))).submission;
        prop_assert_eq!(submission.note.expose(), text.as_str());
    }
}
