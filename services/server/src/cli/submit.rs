//! Sending reports as an EHR would.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode, thread, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;

use super::{Failure, database::data_folder, demo::TOKEN_FILE, say};
use crate::outbound::{Answer, FhirClient, OutboundError};

/// Send reports from a CSV file through the API, as an EHR would: one transaction Bundle a row, with a synthetic Patient.
#[derive(Args)]
pub struct SubmitArgs {
    /// CSV with the columns uid, findings, impression (the text is both, with a blank between)
    #[arg(long, value_name = "FILE")]
    csv: PathBuf,
    /// FHIR base address
    #[arg(
        long,
        env = "COUNTERSIGN_URL",
        default_value = "http://127.0.0.1:8080/fhir",
        value_name = "URL"
    )]
    url: String,
    /// Bearer token; without it that of the demo EHR of `up`
    #[arg(long, env = "COUNTERSIGN_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Data folder of `up`, where the demo EHR's token is
    #[arg(long, env = "COUNTERSIGN_DATA", value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Send this many rows at most
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Do not wait until every report is in the review queue
    #[arg(long)]
    no_wait: bool,
}

/// A row; other columns are passed over.
#[derive(Deserialize)]
struct Row {
    uid: String,
    #[serde(default)]
    findings: String,
    #[serde(default)]
    impression: String,
}

/// A report on its way out.
pub struct Outgoing<'a> {
    /// Given name.
    pub given: &'a str,
    /// Family name.
    pub family: &'a str,
    /// Date of birth, `YYYY-MM-DD`.
    pub birth_date: Option<&'a str>,
    /// Administrative gender.
    pub gender: &'a str,
    /// Medical record number.
    pub mrn: &'a str,
    /// Accession number.
    pub accession: &'a str,
    /// Text of the report.
    pub text: &'a str,
}

/// A transaction Bundle of a Patient and his `DiagnosticReport` (FHIR R4).
#[must_use]
pub fn bundle(report: &Outgoing<'_>) -> String {
    let (patient, diagnostic) = (
        "urn:uuid:6f2b7c52-3d0e-4c7c-9a55-0d0d5e1b7a01",
        "urn:uuid:6f2b7c52-3d0e-4c7c-9a55-0d0d5e1b7a02",
    );
    let mut who = serde_json::json!({
        "resourceType": "Patient",
        "identifier": [{
            "type": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR" }] },
            "system": "https://countersign.example/mrn",
            "value": report.mrn,
        }],
        "name": [{ "use": "official", "family": report.family, "given": [report.given] }],
        "gender": report.gender,
    });
    if let Some(date) = report.birth_date {
        who["birthDate"] = date.into();
    }
    serde_json::json!({
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            { "fullUrl": patient, "resource": who, "request": { "method": "POST", "url": "Patient" } },
            {
                "fullUrl": diagnostic,
                "resource": {
                    "resourceType": "DiagnosticReport",
                    "identifier": [{
                        "type": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN" }] },
                        "system": "https://countersign.example/accession",
                        "value": report.accession,
                    }],
                    "status": "final",
                    "category": [{ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "RAD" }] }],
                    "code": { "coding": [{ "system": "http://loinc.org", "code": "36643-5", "display": "XR Chest 2 Views" }] },
                    "subject": { "reference": patient },
                    "presentedForm": [{ "contentType": "text/plain; charset=utf-8", "data": STANDARD.encode(report.text) }],
                },
                "request": { "method": "POST", "url": "DiagnosticReport" },
            },
        ],
    })
    .to_string()
}

/// # Errors
/// [`Failure`] when the file cannot be read or the server does not answer.
pub fn run(args: &SubmitArgs) -> Result<ExitCode, Failure> {
    let token = if let Some(token) = &args.token {
        token.clone()
    } else {
        let file = data_folder(args.data.as_deref())?.join(TOKEN_FILE);
        let kept = std::fs::read_to_string(&file).map_err(|_| {
            format!(
                "no token: give --token, or start `countersign up` first (looked in {})",
                file.display()
            )
        })?;
        kept.trim().to_owned()
    };
    let rows = read(args)?;
    let client = FhirClient::new(&args.url, token);
    let style = |what: &str| {
        ProgressStyle::with_template(&format!(
            "{what:<10} {{bar:40}} {{pos}}/{{len}}  {{per_sec}}  ETA {{eta}}"
        ))
    };
    let bar = ProgressBar::new(rows.len() as u64).with_style(style("sending")?);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut reports = Vec::new();
    for row in &rows {
        let text = format!("{} {}", row.findings, row.impression);
        let text = text.trim();
        if text.is_empty() {
            *counts.entry("without text, passed over").or_default() += 1;
            bar.inc(1);
            continue;
        }
        let (mrn, accession) = (format!("OPENI-{}", row.uid), format!("OPENI-CXR-{}", row.uid));
        let body = bundle(&Outgoing {
            given: "Synthetic",
            family: &format!("Patient-{}", row.uid),
            birth_date: None,
            gender: "unknown",
            mrn: &mrn,
            accession: &accession,
            text,
        });
        let answer = patiently(|| client.post("", &body))?;
        let outcome = if answer.status == 200 {
            let (report, status) =
                of_response(&answer.body).ok_or("the server's answer is no transaction response")?;
            reports.push(report);
            if status.starts_with("201") {
                "new"
            } else {
                "known already"
            }
        } else {
            tracing::warn!(status = answer.status, uid = row.uid, "a report was refused");
            "refused"
        };
        *counts.entry(outcome).or_default() += 1;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let summary: Vec<String> = counts
        .iter()
        .map(|(what, count)| format!("{count} {what}"))
        .collect();
    say(format_args!("{} rows sent: {}.", rows.len(), summary.join(", ")));
    if !args.no_wait {
        wait(
            &client,
            &reports,
            &ProgressBar::new(reports.len() as u64).with_style(style("in queue")?),
        )?;
    }
    Ok(if counts.contains_key("refused") {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn read(args: &SubmitArgs) -> Result<Vec<Row>, Failure> {
    let mut reader = csv::Reader::from_path(&args.csv)
        .map_err(|error| format!("{} cannot be read: {}", args.csv.display(), kind(&error)))?;
    let rows: Result<Vec<Row>, csv::Error> = reader
        .deserialize()
        .take(args.limit.unwrap_or(usize::MAX))
        .collect();
    rows.map_err(|error| {
        let line = error.position().map_or(0, csv::Position::line);
        format!(
            "{}, line {line}: not the columns uid, findings, impression",
            args.csv.display()
        )
        .into()
    })
}

/// What is wrong with a file, without its content.
fn kind(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Io(error) => error.kind().to_string(),
        _ => "it is no CSV".to_owned(),
    }
}

/// Asks again after a while where the server says that it is busy or its database away; gives up after two minutes.
fn patiently(ask: impl Fn() -> Result<Answer, OutboundError>) -> Result<Answer, Failure> {
    let mut waited = 0;
    loop {
        let answer = ask();
        let again = match &answer {
            Ok(answer) => matches!(answer.status, 429 | 503).then(|| answer.retry_after.unwrap_or(2)),
            Err(_) => Some(2),
        };
        match again {
            Some(seconds) if waited < 120 => {
                let seconds = seconds.clamp(1, 30);
                waited += seconds;
                thread::sleep(Duration::from_secs(seconds));
            }
            _ => return Ok(answer?),
        }
    }
}

/// Id and status of the report in a transaction response.
fn of_response(body: &str) -> Option<(String, String)> {
    let body: serde_json::Value = serde_json::from_str(body).ok()?;
    body["entry"].as_array()?.iter().find_map(|entry| {
        let response = &entry["response"];
        let location = response["location"].as_str()?;
        let (_, after) = location.split_once("DiagnosticReport/")?;
        Some((
            after.split('/').next()?.to_owned(),
            response["status"].as_str()?.to_owned(),
        ))
    })
}

/// Waits until every report is in the review queue, or further.
fn wait(client: &FhirClient, reports: &[String], bar: &ProgressBar) -> Result<(), Failure> {
    let mut open: Vec<&String> = reports.iter().collect();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    while !open.is_empty() {
        let mut still = Vec::new();
        for report in open {
            let answer = patiently(|| client.get(&format!("/Task/{report}")))?;
            let task: serde_json::Value = serde_json::from_str(&answer.body)?;
            match task["status"].as_str() {
                Some("received") => still.push(report),
                Some(status) => {
                    *counts.entry(status.to_owned()).or_default() += 1;
                    bar.inc(1);
                }
                None => return Err("the server's Task has no status".into()),
            }
            // The oldest is assessed first: while it waits, so do the others.
            if !still.is_empty() {
                break;
            }
        }
        if let Some(first) = still.first() {
            let from = reports.iter().position(|report| report == *first).unwrap_or(0);
            still = reports[from..].iter().collect();
            thread::sleep(Duration::from_millis(500));
        }
        open = still;
    }
    bar.finish_and_clear();
    let summary: Vec<String> = counts
        .iter()
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    say(format_args!(
        "{} reports are through: {} (in-progress means: waits for a physician).",
        reports.len(),
        summary.join(", ")
    ));
    Ok(())
}
