//! Labelled reports from CSV, NDJSON and FHIR, scrubbed.

use std::fs;
use std::path::Path;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use clinical::{Known, Scrubber};
use serde_json::Value;
use training::cleaning::Row;

use super::super::Failure;

/// The rows of a file.
pub(super) struct Read {
    pub(super) rows: Vec<Row>,
    /// Resources of FHIR that hold no report.
    pub(super) skipped: usize,
}

/// A row before it is scrubbed.
#[derive(Default)]
struct Raw {
    uid: Option<String>,
    patient: Option<String>,
    split: Option<String>,
    text: String,
    labels: Vec<String>,
}

/// Reads a file by its ending.
pub(super) fn read(path: &Path, scrubber: &Scrubber) -> Result<Read, Failure> {
    let extension = path
        .extension()
        .map(|extension| extension.to_string_lossy().to_lowercase());
    let mut skipped = 0;
    let raw = match extension.as_deref() {
        Some("csv") => of_csv(path)?,
        Some("ndjson" | "jsonl") => of_lines(path, &mut skipped)?,
        _ => return Err(format!("{}: a file ends in .csv, .ndjson or .jsonl", path.display()).into()),
    };
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let rows = (1..)
        .zip(raw)
        .map(|(number, raw): (usize, Raw)| {
            let uid = raw.uid.unwrap_or_else(|| format!("{stem}/{number}"));
            // One patient gets the same surrogates in all notes.
            let digest = seal::Digest::of(raw.patient.as_deref().unwrap_or(&uid).as_bytes());
            let mut opaque = [0; 16];
            opaque.copy_from_slice(&digest.as_bytes()[..16]);
            let known = Known {
                patient: opaque,
                ..Known::default()
            };
            let clean = scrubber.scrub(&raw.text, &known);
            Row {
                uid,
                patient: raw.patient,
                split: Some(raw.split.unwrap_or_else(|| stem.clone().into_owned())),
                text: clean.note.text().to_owned(),
                labels: raw.labels,
                identifiers: clean.redactions.iter().map(|redaction| redaction.class).collect(),
            }
        })
        .collect();
    Ok(Read { rows, skipped })
}

/// Labels between semicolons.
fn labels(text: &str) -> Vec<String> {
    text.split(';')
        .map(str::trim)
        .filter(|label| !label.is_empty())
        .map(str::to_owned)
        .collect()
}

fn some(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn of_csv(path: &Path) -> Result<Vec<Raw>, Failure> {
    let trouble = |error: &csv::Error| {
        let line = error
            .position()
            .map_or_else(String::new, |at| format!(", line {}", at.line()));
        format!("{} is no CSV file that can be read{line}", path.display())
    };
    let file = fs::File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut reader = csv::Reader::from_reader(file);
    let headers = reader.headers().map_err(|error| trouble(&error))?.clone();
    let column = |names: &[&str]| {
        headers
            .iter()
            .position(|header| names.iter().any(|name| header.trim().eq_ignore_ascii_case(name)))
    };
    let (uid, patient, split) = (
        column(&["uid", "id"]),
        column(&["patient", "patient_id", "subject"]),
        column(&["split"]),
    );
    let (problems, text) = (column(&["Problems", "labels"]), column(&["text"]));
    let (findings, impression) = (column(&["findings"]), column(&["impression"]));
    if text.or(findings).or(impression).is_none() {
        return Err(format!("{} has no column text, findings or impression", path.display()).into());
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| trouble(&error))?;
        let field = |at: Option<usize>| at.and_then(|at| record.get(at)).unwrap_or_default().trim();
        let parts = format!("{} {} {}", field(text), field(findings), field(impression));
        rows.push(Raw {
            uid: some(field(uid)),
            patient: some(field(patient)),
            split: some(field(split)),
            text: parts.trim().to_owned(),
            labels: labels(field(problems)),
        });
    }
    Ok(rows)
}

fn of_lines(path: &Path, skipped: &mut usize) -> Result<Vec<Raw>, Failure> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut rows = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let value: Value = serde_json::from_str(line)
            .map_err(|_| format!("{}, line {number} is no JSON object", path.display()))?;
        let row = if value.get("resourceType").is_some() {
            of_fhir(&value)
        } else {
            Some(of_object(&value))
        };
        match row {
            Some(row) => rows.push(row),
            None => *skipped += 1,
        }
    }
    Ok(rows)
}

/// A text or a number as text.
fn plain(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn of_object(value: &Value) -> Raw {
    let get = |names: &[&str]| names.iter().find_map(|name| plain(value.get(name)));
    let parts = [get(&["text"]), get(&["findings"]), get(&["impression"])];
    let listed = |value: &Value| match value {
        Value::Array(items) => items.iter().filter_map(|item| plain(Some(item))).collect(),
        other => plain(Some(other)).map_or_else(Vec::new, |text| labels(&text)),
    };
    Raw {
        uid: get(&["uid", "id"]),
        patient: get(&["patient", "patient_id", "subject"]),
        split: get(&["split"]),
        text: parts.into_iter().flatten().collect::<Vec<_>>().join(" "),
        labels: ["labels", "Problems", "problems"]
            .iter()
            .find_map(|name| value.get(name))
            .map_or_else(Vec::new, listed),
    }
}

/// FHIR R4: the text of `DiagnosticReport.presentedForm` (or `.conclusion`) and of `DocumentReference.content`, the patient
/// of `.subject`, the labels of `.conclusionCode`. Other resources hold no report.
fn of_fhir(value: &Value) -> Option<Raw> {
    let attachments: Vec<&Value> = match value.get("resourceType")?.as_str()? {
        "DiagnosticReport" => list(value, "presentedForm").collect(),
        "DocumentReference" => list(value, "content")
            .filter_map(|content| content.get("attachment"))
            .collect(),
        _ => return None,
    };
    let mut text: Vec<String> = attachments.into_iter().filter_map(decoded).collect();
    if text.is_empty() {
        text.extend(plain(value.get("conclusion")));
    }
    let label = |concept: &Value| {
        plain(concept.get("text"))
            .or_else(|| list(concept, "coding").find_map(|coding| plain(coding.get("display"))))
    };
    Some(Raw {
        uid: plain(value.get("id")),
        patient: plain(value.get("subject").and_then(|subject| subject.get("reference")))
            .map(|reference| reference.trim_start_matches("Patient/").to_owned()),
        split: None,
        text: text.join("\n"),
        labels: list(value, "conclusionCode").filter_map(label).collect(),
    })
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// The text of an attachment that is plain text.
fn decoded(attachment: &Value) -> Option<String> {
    let kind = attachment
        .get("contentType")
        .and_then(Value::as_str)
        .unwrap_or("text/plain");
    if !kind.starts_with("text/plain") {
        return None;
    }
    let bytes = BASE64_STANDARD.decode(attachment.get("data")?.as_str()?).ok()?;
    String::from_utf8(bytes).ok().and_then(|text| some(&text))
}
