//! The shared pairs and fixtures, and what must hold for any document.

mod pairs;

use std::{path::PathBuf, sync::LazyLock};

use clinical::Scrubber;
use proptest::prelude::*;
use serde_json::Value;
use time::{Date, Month};

use super::{
    DeidError, Origin, Rules,
    json::Json,
    tree::{Scalar, Tree},
};
use crate::emit::schema::{is_valid, shared};

static SCRUBBER: LazyLock<Scrubber> = LazyLock::new(|| Scrubber::with_secret(&[7; 32]));
static RULES: LazyLock<Rules> = LazyLock::new(Rules::standard);

pub(super) fn scrubber() -> &'static Scrubber {
    &SCRUBBER
}

pub(super) fn today() -> Date {
    Date::from_calendar_date(2026, Month::November, 24).expect("a date")
}

/// The document by the standard rules.
pub(super) fn apply(document: &str) -> String {
    RULES
        .apply(scrubber(), &Origin::on(today()), document)
        .expect("a document")
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// HL7's examples and Synthea's bundles.
fn documents() -> Vec<(PathBuf, String)> {
    let Some(folder) = shared() else {
        eprintln!("skipped: the shared data are not beside this clone");
        return Vec::new();
    };
    let mut documents = Vec::new();
    for folder in [folder.join("examples"), folder.join("synthea")] {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("a file").path();
            let text = std::fs::read_to_string(&path).expect("readable");
            documents.push((path, text));
        }
    }
    documents
}

/// Names, numbers, addresses and birth dates of the patients in a document.
fn patients(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| patients(item, found)),
        Value::Object(members) => {
            if members.get("resourceType") == Some(&Value::from("Patient")) {
                let mut take = |value: &Value| found.extend(value.as_str().map(str::to_owned));
                let all = |name: &str| {
                    members
                        .get(name)
                        .and_then(Value::as_array)
                        .cloned()
                        .unwrap_or_default()
                };
                take(&value["birthDate"]);
                for name in all("name") {
                    take(&name["family"]);
                    name["given"].as_array().into_iter().flatten().for_each(&mut take);
                }
                for identifier in all("identifier") {
                    take(&identifier["value"]);
                }
                for telecom in all("telecom") {
                    take(&telecom["value"]);
                }
                for address in all("address") {
                    take(&address["city"]);
                    address["line"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .for_each(&mut take);
                }
            }
            members.values().for_each(|member| patients(member, found));
        }
        _ => {}
    }
}

fn strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(members) => members.values().for_each(|member| strings(member, found)),
        _ => {}
    }
}

#[test]
fn with_years_no_date_keeps_more_than_its_year() {
    let rules = Rules::standard().with_years();
    let of = |document: &str| {
        rules
            .apply(scrubber(), &Origin::on(today()), document)
            .expect("a document")
    };
    let condition = of(
        r#"{"resourceType": "Condition", "subject": {"reference": "Patient/1"}, "onsetDateTime": "2019-03-14T10:20:30Z",
            "recordedDate": "1931-03-14", "meta": {"lastUpdated": "2019-03-14T10:20:30Z"}}"#,
    );
    let condition = json(&condition);
    assert_eq!(condition["onsetDateTime"], "2019");
    assert!(condition.get("recordedDate").is_none() && condition["meta"].get("lastUpdated").is_none());
    let visit = format!("PV1|1|I{}201903141020", "|".repeat(42));
    let message = of(&format!(
        "MSH|^~\\&|||||20190314102030||ADT^A01|1|P|2.5\rPID|1||7||Quill^Thora||19310314|F\r{visit}"
    ));
    assert!(
        message.contains("|2019|")
            && message.trim_end().ends_with("|2019")
            && !message.contains("0314")
            && !message.contains("1931"),
        "{message}"
    );
}

#[test]
fn all_examples_lose_their_patients() {
    for (name, document) in documents() {
        let out = apply(&document);
        let mut identifiers = Vec::new();
        patients(&json(&document), &mut identifiers);
        let mut texts = Vec::new();
        strings(&json(&out), &mut texts);
        for identifier in identifiers.iter().filter(|identifier| identifier.len() > 3) {
            let is_in = |text: &String| {
                text.match_indices(identifier.as_str()).any(|(at, found)| {
                    let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
                    !word(text[..at].chars().next_back()) && !word(text[at + found.len()..].chars().next())
                })
            };
            assert!(!texts.iter().any(is_in), "{}: {identifier}", name.display());
        }
    }
}

#[test]
fn references_still_lead_to_their_resources() {
    let out = json(&apply(
        r##"{"resourceType": "Bundle", "type": "collection", "entry": [
        {"fullUrl": "http://h.example/fhir/Patient/12", "resource": {"resourceType": "Patient", "id": "12", "birthDate": "1960-05-06"}},
        {"fullUrl": "urn:uuid:0d1f2a6e-8b0a-4f0e-9d53-6a3f1ff0c6ab", "resource": {"resourceType": "Observation",
          "contained": [{"resourceType": "Specimen", "id": "s"}], "specimen": {"reference": "#s"},
          "status": "final", "subject": {"reference": "Patient/12", "display": "Rosalind Ferncastle"}, "effectiveDateTime": "2020-05-06"}},
        {"resource": {"resourceType": "DiagnosticReport", "status": "final", "result": [{"reference": "urn:uuid:0d1f2a6e-8b0a-4f0e-9d53-6a3f1ff0c6ab"}],
          "conclusion": "Rosalind Ferncastle, born 05/06/1960: small effusion."}}]}"##,
    ));
    let entry = |at: usize| &out["entry"][at];
    let id = entry(0)["resource"]["id"].as_str().expect("an id");
    assert_eq!(
        entry(1)["resource"]["subject"]["reference"],
        format!("Patient/{id}")
    );
    assert_eq!(
        entry(0)["fullUrl"],
        format!("https://deidentified.invalid/fhir/Patient/{id}")
    );
    assert_eq!(
        entry(1)["fullUrl"],
        entry(2)["resource"]["result"][0]["reference"]
    );
    let specimen = &entry(1)["resource"]["contained"][0]["id"];
    assert_eq!(
        entry(1)["resource"]["specimen"]["reference"],
        format!("#{}", specimen.as_str().expect("an id"))
    );
    // Twenty years apart in days, before and after.
    let date = |value: &Value| {
        let text = value.as_str().expect("a date");
        super::compact::compact_date(&text.replace('-', "")).expect("a date")
    };
    let days = date(&entry(1)["resource"]["effectiveDateTime"]) - date(&entry(0)["resource"]["birthDate"]);
    assert_eq!(days.whole_days(), 21_915);
    let conclusion = entry(2)["resource"]["conclusion"].as_str().expect("text");
    assert!(
        conclusion.contains("small effusion") && !conclusion.contains("Ferncastle"),
        "{conclusion}"
    );
}

#[test]
fn attachments_lines_and_ages() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let data = STANDARD.encode("Rosalind Ferncastle has a small effusion.");
    let text = format!(
        r#"{{"resourceType":"Patient","id":"1","name":[{{"given":["Rosalind"],"family":"Ferncastle"}}],"birthDate":"1920-01-01"}}
{{"resourceType":"DocumentReference","subject":{{"reference":"Patient/1"}},"content":[{{"attachment":{{"contentType":"text/plain","data":"{data}","title":"Rosalind"}}}},{{"attachment":{{"contentType":"application/pdf","data":"{data}"}}}}]}}
{{"resourceType":"Condition","subject":{{"reference":"Patient/1"}},"onsetAge":{{"value":94,"unit":"years","code":"a"}},"note":[{{"text":"Ms. Ferncastle, 94 years old"}}]}}"#
    );
    let out = apply(&text);
    let lines: Vec<Value> = out.lines().map(json).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["birthDate"], Value::Null);
    let attachments = &lines[1]["content"];
    let read = STANDARD
        .decode(attachments[0]["attachment"]["data"].as_str().expect("data"))
        .expect("base64");
    let read = String::from_utf8(read).expect("text");
    assert!(
        read.contains("small effusion") && !read.contains("Ferncastle"),
        "{read}"
    );
    assert_eq!(attachments[0]["attachment"]["title"], Value::Null);
    assert_eq!(attachments[1]["attachment"]["data"], Value::Null);
    assert_eq!(lines[2]["onsetAge"]["value"], 90);
    assert!(!out.contains("94"), "{out}");
}

/// Puts a sentinel into every text of a tree, and says in what kind of element each one is.
fn plant(tree: &mut Tree, sentinel: impl Fn(usize) -> String) -> Vec<String> {
    let mut planted = Vec::new();
    let mut resources = vec![Tree::ROOT];
    while let Some(resource) = resources.pop() {
        resources.extend(tree.inner_resources(resource));
        for node in tree.below(resource, false) {
            if let Some(Scalar::Text(_)) = tree.node(node).value {
                let parent = tree.node(node).parent.map_or("", |parent| tree.kind(parent));
                tree.node_mut(node).value = Some(Scalar::Text(sentinel(planted.len())));
                planted.push(format!("{} {parent}.{}", tree.kind(node), tree.name(node)));
            }
        }
    }
    planted
}

/// A word for a number, in letters: digits that the scrubber replaces would make one sentinel of another.
fn sentinel(at: usize) -> String {
    let digits = at.to_string();
    let letters = digits.bytes().map(|digit| char::from(b'A' + (digit - b'0')));
    format!("QQ{}QQ", letters.collect::<String>())
}

#[test]
fn of_planted_strings_only_listed_ones_survive() {
    // Beside codes from value sets: what names a terminology or a unit, and texts that went through the scrubber.
    const LISTED: &[&str] = &[
        "uri Coding.system",
        "string Coding.version",
        "string Coding.display",
        "string CodeableConcept.text",
        "string Quantity.unit",
        "uri Quantity.system",
        "string Duration.unit",
        "uri Duration.system",
        "uri Reference.type",
        "xhtml Narrative.div",
        "string Address.state",
        "string Address.country",
        "string Dosage.text",
        "string Dosage.patientInstruction",
        "string DiagnosticReport.conclusion",
        "string DiagnosticReport_Media.comment",
        "string Observation.value",
        "string Observation_Component.value",
        "string Observation_ReferenceRange.text",
        "string Condition.onset",
        "string Composition.title",
        "string Composition_Section.title",
        "string DocumentReference.description",
        "string Communication_Payload.content",
        "string ServiceRequest.patientInstruction",
        "string ImagingStudy.description",
        "string ImagingStudy_Series.description",
        "string CarePlan.title",
        "string List.title",
        "string AllergyIntolerance_Reaction.description",
        "string QuestionnaireResponse_Item.text",
        "string QuestionnaireResponse_Item.linkId",
        "string QuestionnaireResponse_Answer.value",
    ];
    let mut survived = std::collections::BTreeSet::new();
    let mut count = 0;
    for (_, document) in documents() {
        let mut tree = Tree::read(&Json::read(&document).expect("JSON")).expect("a resource");
        let planted = plant(&mut tree, sentinel);
        let mut document = String::new();
        tree.write().write(&mut document);
        let out = apply(&document);
        for (at, place) in planted.iter().enumerate() {
            count += 1;
            let free = place.starts_with("code ")
                || place.starts_with("markdown ")
                || LISTED.contains(&place.as_str());
            if !free && out.contains(&sentinel(at)) {
                survived.insert(place.clone());
            }
        }
    }
    assert!(survived.is_empty(), "of {count}: {survived:#?}");
}

#[test]
fn marked_names_survive_nowhere() {
    for (name, document) in documents() {
        let mut tree = Tree::read(&Json::read(&document).expect("JSON")).expect("a resource");
        plant(&mut tree, |at| format!("seen: ZZLEAK{at}, (ZZOTHER)"));
        let mut document = String::new();
        tree.write().write(&mut document);
        let out = apply(&document);
        assert!(!out.contains("ZZ"), "{}", name.display());
    }
}

#[test]
fn documents_that_are_none_are_refused() {
    let refused = |text: &str| RULES.apply(scrubber(), &Origin::on(today()), text);
    assert_eq!(refused(""), Err(DeidError::Unrecognised));
    assert_eq!(refused("Dear colleague"), Err(DeidError::Unrecognised));
    assert_eq!(refused("{\"a\": "), Err(DeidError::NotJson));
    assert_eq!(refused("{\"a\": 1}"), Err(DeidError::UnknownResource));
}

/// Any JSON below a patient's members.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[A-Za-z0-9 :/#.é-]{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        let name = "(id|_id|name|given|family|text|div|extension|url|valueString|contained|resourceType|birthDate|address|identifier|value|meta|x)";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(name, inner, 0..5).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_makes_it_panic(value in any_json(), kind in "(Patient|Observation|Bundle|Binary)") {
        let _ = RULES.apply(scrubber(), &Origin::on(today()), &value.to_string());
        let mut resource = value;
        if let Value::Object(members) = &mut resource {
            members.insert("resourceType".to_owned(), Value::from(kind));
            // What it cannot use it leaves out; it refuses nothing that has a type.
            let out = RULES.apply(scrubber(), &Origin::on(today()), &resource.to_string());
            prop_assert!(out.is_ok());
        }
    }
}

#[test]
fn most_examples_stay_valid() {
    // An element that R4 requires went with a person's name or a place in it, and nothing else was in it.
    const INVALID: [&str; 6] = [
        "audit",
        "provenance",
        "encounter",
        "document",
        "servicerequest-example-edu",
        "message-request-link",
    ];
    for (name, document) in documents() {
        let file = name.file_name().unwrap_or_default().display().to_string();
        // The schema has a branch for every resource type: the large ones take minutes.
        if document.len() > 60_000 || INVALID.iter().any(|kind| file.starts_with(kind)) {
            continue;
        }
        let out = json(&apply(&document));
        if is_valid(&json(&document)) {
            assert!(is_valid(&out), "{file}: {out:#}");
        }
    }
}
