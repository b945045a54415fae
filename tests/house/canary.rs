//! A note full of unique tokens: none of them in any log line, span, error, job, audit row or page but the listed doors.

use std::{
    fmt::Write as _,
    io::Write,
    sync::{Arc, Mutex, OnceLock},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use tracing_subscriber::{fmt::MakeWriter, layer::SubscriberExt, util::SubscriberInitExt};

use crate::journeys::helpers::{PASSWORD, TestApp, report_id};

/// Everything that this test binary logs, at the finest level, with spans.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("the log is whole").extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn captured() -> &'static Captured {
    static LOG: OnceLock<Captured> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Captured::default();
        let spans = tracing_subscriber::fmt::format::FmtSpan::FULL;
        tracing_subscriber::registry()
            .with(
                tracing_subscriber::fmt::layer()
                    .json()
                    .with_span_events(spans)
                    .with_writer(log.clone()),
            )
            .init();
        log
    })
}

/// Tokens that stand for whatever may identify somebody.
struct Canary {
    /// In the demographics and, as such, in the text: the gateway must find them.
    known: Vec<&'static str>,
    /// Elsewhere in the resource.
    carried: Vec<&'static str>,
    /// Words of the text that nothing calls an identifier: they reach the classifier, and still no log.
    text: Vec<&'static str>,
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one story, and the list of doors reads best in one place"
)]
fn no_token_of_a_note_is_printed_anywhere_but_at_the_listed_doors() {
    let log = captured();
    let app = TestApp::start();
    let canary = Canary {
        known: vec![
            "Qxvalbrook",
            "Zythandra",
            "QX-7719042",
            "Vlimmerstraat",
            "555-0199-7731",
        ],
        carried: vec!["Ystervonk", "ACC-QZ-88123", "Grombelfax"],
        text: vec!["plorvaxic", "zendrilobe", "quasimurk"],
    };
    let note = format!(
        "Patient Zythandra Qxvalbrook (MRN QX-7719042), Vlimmerstraat 12, call 555-0199-7731. The {} heart is enlarged. A {} effusion is seen with {} atelectasis. Impression: cardiomegaly and effusion.",
        canary.text[0], canary.text[1], canary.text[2]
    );
    let patient = "urn:uuid:99999999-2222-4333-8444-555555555555";
    let bundle = json!({
        "resourceType": "Bundle", "type": "transaction",
        "entry": [
            { "fullUrl": patient, "request": { "method": "POST", "url": "Patient" }, "resource": {
                "resourceType": "Patient",
                "identifier": [{ "system": "https://hospital.example/mrn", "value": "QX-7719042" }],
                "name": [{ "family": "Qxvalbrook", "given": ["Zythandra"] }],
                "telecom": [{ "system": "phone", "value": "555-0199-7731" }],
                "address": [{ "line": ["Vlimmerstraat 12"] }],
                "birthDate": "1961-05-06",
            } },
            { "request": { "method": "POST", "url": "DiagnosticReport" }, "resource": {
                "resourceType": "DiagnosticReport",
                "identifier": [{ "system": "https://hospital.example/accession", "value": "ACC-QZ-88123" }],
                "status": "final", "code": { "text": "Grombelfax" },
                "subject": { "reference": patient, "display": "Ystervonk" },
                "presentedForm": [{ "contentType": "text/plain", "data": STANDARD.encode(&note) }],
            } },
        ],
    });
    let all: Vec<&str> = [&canary.known[..], &canary.carried[..], &canary.text[..]].concat();
    let clean = |place: &str, text: &str| {
        for token in &all {
            assert!(!text.contains(token), "{place} prints {token}");
        }
    };

    let sent = app.ehr_post("/fhir", bundle.to_string().as_bytes());
    assert_eq!(sent.status, 200, "{}", sent.body);
    clean("the answer to a submission", &sent.body);
    let report = report_id(&sent.json());
    clean("the Task", &app.wait_for(&report, "in-progress").to_string());

    // Refusals of bodies and addresses that hold tokens.
    let broken = bundle.to_string().replace("\"final\"", "\"Qxvalbrook\"");
    clean(
        "an error of the FHIR door",
        &app.ehr_post("/fhir", broken.as_bytes()).body,
    );
    clean(
        "malformed JSON's error",
        &app.ehr_post("/fhir", format!("{note}{{").as_bytes()).body,
    );
    clean(
        "an unknown address",
        &app.ehr_get("/fhir/Patient?name=Qxvalbrook").body,
    );
    clean(
        "a bad parameter",
        &app.ehr_get("/fhir/Task?focus=Patient/Qxvalbrook").body,
    );
    let mut physician = app.sign_in("physician");
    clean("the queue", &physician.get("/queue").body);
    clean(
        "a page that is not there",
        &physician.get("/cases/Qxvalbrook").body,
    );
    clean(
        "a bad parameter of the portal",
        &physician.get("/queue?from=Qxvalbrook").body,
    );

    // The listed door: the case page says whose it is, and shows the note.
    let page = physician.get(&format!("/cases/{report}")).body;
    for token in canary.known.iter().chain(&canary.text) {
        assert!(page.contains(token), "the case page must show {token}");
    }
    // What the model read is on the page too, and has none of what identifies.
    let read = page
        .split("What the model read")
        .nth(1)
        .expect("the page shows what the model read");
    let read = read.split("</details>").next().unwrap_or_default();
    assert!(read.contains(canary.text[0]), "the block has the text");
    for token in &canary.known {
        assert!(
            !read.contains(token),
            "the gateway let {token} through to the model"
        );
    }
    clean(
        "the report of an unsigned case",
        &physician.get(&format!("/cases/{report}/report")).body,
    );
    physician.act(&report, "claim", &[]);
    let comment = "Qxvalbrook asked for zendrilobe";
    let label = crate::journeys::helpers::model().labels()[0].as_str().to_owned();
    let fields = [
        ("decision", "amend"),
        ("impression", "abnormal"),
        ("finding", label.as_str()),
        ("comment", comment),
        ("password", PASSWORD),
    ];
    assert_eq!(physician.act(&report, "sign", &fields).status, 303);
    // The other listed door of the portal.
    let document = physician.get(&format!("/cases/{report}/report")).body;
    for token in canary.known.iter().chain(&canary.text) {
        assert!(document.contains(token), "the report must show {token}");
    }
    clean(
        "the queue after signing",
        &physician.get("/queue?show=signed").body,
    );
    for kind in ["Task", "RiskAssessment", "Observation"] {
        clean(
            kind,
            &app.ehr_get(&format!("/fhir/{kind}?focus=DiagnosticReport/{report}"))
                .body,
        );
    }
    let mut auditor = app.sign_in("auditor");
    clean("the audit page", &auditor.get("/audit").body);
    clean(
        "the audit page's filter",
        &auditor.get("/audit?actor=Qxvalbrook&since=zendrilobe").body,
    );
    clean("the metrics", &app.anonymous("GET", "/metrics", &[], b"").body);
    let back = app.ehr_get(&format!("/fhir/DiagnosticReport/{report}")).body;
    assert!(
        back.contains("Grombelfax"),
        "the listed door: the EHR reads back what it sent"
    );

    // Every row of every table, sealed columns included, and the database's own log of statements is off.
    let tables =
        app.superuser_sql("SELECT string_agg(tablename, ' ') FROM pg_tables WHERE schemaname = 'public'");
    let mut dump = String::new();
    for table in tables.split(' ') {
        let _ = writeln!(
            dump,
            "{}",
            app.superuser_sql(&format!("SELECT t::text FROM {table} t"))
        );
        let columns = app.superuser_sql(&format!(
            "SELECT string_agg(column_name, ' ') FROM information_schema.columns WHERE table_name = '{table}' AND data_type = 'bytea'"
        ));
        for column in columns.split_whitespace() {
            let script = format!("SELECT encode({column}, 'escape') FROM {table} WHERE {column} IS NOT NULL");
            let _ = writeln!(dump, "{}", app.superuser_sql(&script));
        }
    }
    assert!(dump.len() > 10_000, "the tables were read");
    clean("the database", &dump);
    drop(app);

    let logged = String::from_utf8_lossy(&log.0.lock().expect("the log is whole")).into_owned();
    assert!(
        logged.contains("server.request.answer") && logged.contains("request refused"),
        "the log was captured"
    );
    // The tests' own HTTP client logs what it sends; the service's lines and spans are what counts.
    let logged: Vec<&str> = logged
        .lines()
        .filter(|line| !line.contains("\"target\":\"ureq"))
        .collect();
    let logged = logged.join("\n");
    clean("the log", &logged);
}
