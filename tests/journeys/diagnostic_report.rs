//! What comes in: stored once, kept byte for byte, and refused with words that repeat nothing.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use super::helpers::{Options, Report, TestApp};

fn quiet() -> TestApp {
    TestApp::with(Options { workers: 0 })
}

#[test]
fn the_same_report_is_one_case() {
    let app = quiet();
    let report = Report::abnormal(20);
    let id = app.submit(&report);
    let again = app
        .ehr_post("/fhir", report.bundle().to_string().as_bytes())
        .json();
    assert_eq!(again["entry"][1]["response"]["status"], "200 OK", "{again}");
    // Other white space and another order of keys are no other content.
    let pretty = serde_json::to_string_pretty(&report.bundle()).expect("JSON");
    assert_eq!(
        super::helpers::report_id(&app.ehr_post("/fhir", pretty.as_bytes()).json()),
        id
    );
    assert_eq!(
        app.superuser_sql("SELECT count(*), max(version) FROM report_version"),
        "1|1"
    );
    assert_eq!(app.superuser_sql("SELECT count(*) FROM patient"), "1");
}

#[test]
fn the_same_report_sent_ten_times_at_once_is_one_case() {
    let app = quiet();
    let body = Report::abnormal(21).bundle().to_string();
    std::thread::scope(|scope| {
        let sent: Vec<_> = (0..10)
            .map(|_| scope.spawn(|| app.ehr_post("/fhir", body.as_bytes()).status))
            .collect();
        for answer in sent {
            let status = answer.join().expect("the request ends");
            assert!(matches!(status, 200 | 409 | 503), "{status}");
        }
    });
    assert_eq!(
        app.superuser_sql("SELECT count(*), max(version) FROM report_version"),
        "1|1"
    );
}

#[test]
fn identifiers_of_two_people_are_refused_and_a_hospital_s_own_id_is_known() {
    let app = quiet();
    app.submit(&Report::abnormal(26));
    app.submit(&Report::abnormal(27));
    let mut mixed = Report::abnormal(28).bundle();
    mixed["entry"][0]["resource"]["identifier"] = json!([
        { "system": "https://hospital.example/mrn", "value": "MRN-26" },
        { "system": "https://hospital.example/mrn", "value": "MRN-27" },
    ]);
    let refused = app.ehr_post("/fhir", mixed.to_string().as_bytes());
    assert_eq!(refused.status, 422, "{}", refused.body);
    assert_eq!(refused.json()["issue"][0]["code"], "multiple-matches");
    assert_eq!(
        app.superuser_sql("SELECT count(*) FROM report"),
        "2",
        "nothing of it is stored"
    );

    // A hospital whose own ids are UUIDs puts its Patient first, and names him by that id ever after.
    let own = "Patient/3f0c7d5e-1111-4222-8333-444455556666";
    let mut first = Report::abnormal(29).bundle();
    first["entry"][0]["request"] = json!({ "method": "PUT", "url": own });
    first["entry"][0]["resource"]["id"] = "3f0c7d5e-1111-4222-8333-444455556666".into();
    assert_eq!(app.ehr_post("/fhir", first.to_string().as_bytes()).status, 200);
    let later = Report {
        accession: "ACC-29b".to_owned(),
        ..Report::abnormal(29)
    };
    let answer = app.ehr_post(
        "/fhir/DiagnosticReport",
        later.resource(own).to_string().as_bytes(),
    );
    assert_eq!(answer.status, 201, "{}", answer.body);
    let patients = "SELECT count(*) FROM patient";
    assert_eq!(app.superuser_sql(patients), "3", "and no patient is made twice");
}

#[test]
fn a_single_report_needs_a_known_patient_and_is_kept_byte_for_byte() {
    let app = quiet();
    let report = Report::abnormal(22);
    let unknown = app.ehr_post(
        "/fhir/DiagnosticReport",
        report.resource("Patient/nobody").to_string().as_bytes(),
    );
    assert_eq!(unknown.status, 422, "{}", unknown.body);
    assert_eq!(unknown.json()["issue"][0]["code"], "not-found");
    assert_eq!(
        app.superuser_sql("SELECT count(*) FROM report"),
        "0",
        "nothing is stored of what is refused"
    );

    let mut resource = report.resource("#p");
    let mut patient = report.patient();
    patient["id"] = "p".into();
    resource["contained"] = json!([patient]);
    resource["extension"] = json!([{ "url": "https://hospital.example/ext", "valueDecimal": 1.5 }]);
    let body = resource.to_string().replace("1.5", "1.50");
    let answer = app.ehr_post("/fhir/DiagnosticReport", body.as_bytes());
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(answer.header("etag"), "W/\"1\"");
    let location = answer.header("location");
    let id = location
        .split_once("DiagnosticReport/")
        .expect("a location")
        .1
        .split('/')
        .next()
        .expect("an id");

    let read = app.ehr_get(&format!("/fhir/DiagnosticReport/{id}"));
    assert_eq!(read.status, 200);
    assert_eq!(read.json()["id"], id);
    assert!(
        read.body.contains("\"valueDecimal\":1.50"),
        "numbers keep their digits: {}",
        read.body
    );
    let kept = app.ehr_get(&format!("/fhir/DiagnosticReport/{id}/$submitted"));
    assert_eq!(kept.body, body, "the accepted body is kept byte for byte");
}

#[test]
fn old_versions_stay_readable() {
    let app = quiet();
    let first = Report::abnormal(23);
    let id = app.submit(&first);
    app.submit(&Report {
        status: "amended",
        text: "The lungs are clear.".to_owned(),
        ..first
    });
    let read = |path: &str| app.ehr_get(&format!("/fhir/DiagnosticReport/{id}{path}"));
    assert_eq!(read("").json()["status"], "amended");
    assert_eq!(read("/_history/1").json()["status"], "final");
    assert_eq!(read("/_history/2").header("etag"), "W/\"2\"");
    assert_eq!(read("/_history/3").status, 404);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table of bad inputs")]
fn bad_input_is_refused_with_what_and_where() {
    const SECRET: &str = "Zyxwvut-4711";
    let app = quiet();
    let report = Report {
        family: SECRET.to_owned(),
        ..Report::abnormal(24)
    };
    app.ehr_post("/fhir", Report::normal(24).bundle().to_string().as_bytes());
    let known = app.superuser_sql("SELECT id FROM patient");
    let subject = format!("Patient/{known}");
    let with = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut resource = report.resource(&subject);
        resource["identifier"][0]["value"] = SECRET.into();
        change(&mut resource);
        resource.to_string().into_bytes()
    };
    let form = |media: &str, data: &[u8]| json!([{ "contentType": media, "data": STANDARD.encode(data) }]);
    let mut invalid_utf8 = with(&|_| {});
    let at = invalid_utf8
        .windows(5)
        .position(|window| window == b"final")
        .expect("the status");
    invalid_utf8[at] = 0xff;
    let cases: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        (
            "malformed JSON",
            format!("{{\"resourceType\": \"DiagnosticReport\", \"{SECRET}\"").into_bytes(),
            400,
            "",
        ),
        ("nothing", Vec::new(), 400, ""),
        (
            "wrong type",
            format!("{{\"resourceType\": \"{SECRET}\"}}").into_bytes(),
            422,
            "resourceType",
        ),
        ("a patient", report.patient().to_string().into_bytes(), 422, ""),
        (
            "no subject",
            with(&|r| {
                r.as_object_mut().expect("an object").remove("subject");
            }),
            422,
            "DiagnosticReport.subject",
        ),
        (
            "no text",
            with(&|r| {
                r.as_object_mut().expect("an object").remove("presentedForm");
            }),
            422,
            "",
        ),
        (
            "empty text",
            with(&|r| r["presentedForm"] = form("text/plain", b" \n ")),
            422,
            "",
        ),
        (
            "no status",
            with(&|r| {
                r.as_object_mut().expect("an object").remove("status");
            }),
            422,
            "DiagnosticReport.status",
        ),
        (
            "unknown status",
            with(&|r| r["status"] = SECRET.into()),
            422,
            "DiagnosticReport.status",
        ),
        (
            "a picture",
            with(&|r| r["presentedForm"] = form("image/png", b"png")),
            422,
            "presentedForm",
        ),
        (
            "a PDF",
            with(&|r| r["presentedForm"] = form("application/pdf", b"%PDF")),
            422,
            "presentedForm",
        ),
        (
            "no base64",
            with(&|r| r["presentedForm"] = json!([{ "contentType": "text/plain", "data": SECRET }])),
            422,
            "presentedForm",
        ),
        (
            "text that is no UTF-8",
            with(&|r| r["presentedForm"] = form("text/plain", b"a\xff\xfeb")),
            422,
            "presentedForm",
        ),
        ("a body that is no UTF-8", invalid_utf8, 400, ""),
        (
            "1 MB of text",
            with(&|r| r["presentedForm"] = form("text/plain", "word ".repeat(200_000).as_bytes())),
            413,
            "",
        ),
        ("5 MB", vec![b' '; 5 * 1024 * 1024], 413, ""),
        (
            "status of a wrong kind",
            with(&|r| r["status"] = json!([SECRET])),
            422,
            "DiagnosticReport.status",
        ),
    ];
    for (what, body, status, place) in cases {
        let answer = app.ehr_post("/fhir/DiagnosticReport", &body);
        let outcome = answer.json();
        assert_eq!(outcome["resourceType"], "OperationOutcome", "{what}");
        assert!(
            answer.status == status || (answer.status == 400 && status == 422),
            "{what}: {} {}",
            answer.status,
            answer.body
        );
        assert!(
            !answer.body.contains(SECRET),
            "{what} is repeated: {}",
            answer.body
        );
        assert!(answer.body.contains(place), "{what}: {}", answer.body);
        assert!(
            outcome["issue"][0]["diagnostics"]
                .as_str()
                .is_some_and(|text| text.len() > 10),
            "{what}: {outcome}"
        );
    }
    assert_eq!(
        app.superuser_sql("SELECT count(*) FROM report"),
        "1",
        "nothing refused was stored"
    );
}
