//! The whole journey: received, de-identified, assessed, explained, queued, claimed, signed, released, read back.

use store::Door;

use super::helpers::{Options, PASSWORD, Report, TestApp, ehr, hidden, model};

#[test]
fn a_report_goes_in_and_a_signed_answer_comes_out() {
    let app = TestApp::start();
    let report = app.submit(&Report::abnormal(1));
    let task = app.wait_for(&report, "in-progress");
    assert_eq!(task["businessStatus"]["text"], "awaiting review");
    assert!(
        task.get("output").is_none(),
        "nothing leaves before the signature"
    );
    for kind in ["RiskAssessment", "Observation"] {
        let found = app
            .ehr_get(&format!("/fhir/{kind}?focus=DiagnosticReport/{report}"))
            .json();
        assert_eq!(found["total"], 0, "{kind} before the signature");
    }

    let mut physician = app.sign_in("physician");
    let queue = physician.get("/queue");
    assert!(
        queue.body.contains(&format!("/cases/{report}")),
        "the case is in the queue"
    );
    assert!(!queue.body.contains("Quillon1"), "the queue names nobody");
    let page = physician.get(&format!("/cases/{report}"));
    assert!(page.body.contains("Quillon1"), "the case page says whose it is");
    assert!(page.body.contains("abnormal"), "{}", page.body);
    assert!(
        page.body.contains("not proof"),
        "the page says what an explanation is not"
    );

    assert_eq!(physician.act(&report, "claim", &[]).status, 303);
    let refused = physician.act(
        &report,
        "sign",
        &[
            ("decision", "reject"),
            ("comment", "Quillon wrote this"),
            ("password", "a wrong password"),
        ],
    );
    assert_eq!(refused.status, 409);
    // What was typed is still there, but for the password; here the reason is missing as well.
    for kept in [
        "Choose a reason",
        ">Quillon wrote this</textarea>",
        "value=\"reject\" required checked",
    ] {
        assert!(refused.body.contains(kept), "{kept}: {}", refused.body);
    }
    assert!(!refused.body.contains("a wrong password"));
    let refused = physician.act(
        &report,
        "sign",
        &[("decision", "agree"), ("password", "a wrong password")],
    );
    assert_eq!(refused.status, 409);
    assert!(refused.body.contains("password is wrong"), "{}", refused.body);
    let signed = physician.act(&report, "sign", &[("decision", "agree"), ("password", PASSWORD)]);
    assert_eq!(signed.status, 303, "{}", signed.body);

    let task = app.wait_for(&report, "completed");
    let outputs = task["output"].as_array().expect("outputs");
    assert_eq!(outputs.len(), 2);
    let risk = app
        .ehr_get(&format!("/fhir/RiskAssessment?focus=DiagnosticReport/{report}"))
        .json();
    assert_eq!(risk["total"], 1);
    let risk = &risk["entry"][0]["resource"];
    assert_eq!(risk["status"], "final");
    assert!(
        risk["prediction"][0]["probabilityDecimal"]
            .as_f64()
            .expect("a probability")
            > 0.5,
        "{risk}"
    );
    for output in outputs {
        let reference = output["valueReference"]["reference"]
            .as_str()
            .expect("a reference");
        let read = app.ehr_get(&format!("/fhir/{reference}"));
        assert_eq!(read.status, 200, "{reference}");
    }
    let observation = app
        .ehr_get(&format!("/fhir/Observation?focus=DiagnosticReport/{report}"))
        .json();
    assert_eq!(observation["entry"][0]["resource"]["status"], "final");

    let page = physician.get(&format!("/cases/{report}"));
    assert_eq!(page.status, 200);
    assert!(
        page.body.contains("agreed"),
        "the signed case says what was decided"
    );
    assert!(
        page.body.contains("What the model said is in") && !page.body.contains("No suggestion"),
        "there was a suggestion, and the page says where it is"
    );
}

#[test]
fn an_explanation_is_pinned_in_the_log_and_a_document_once_it_is_signed() {
    let app = TestApp::start();
    let report = app.submit(&Report::abnormal(71));
    app.wait_for(&report, "in-progress");
    let facts = app.superuser_sql(&format!(
        "SELECT facts FROM audit_entry WHERE kind = 'CaseAssessed' AND subject_id = '{report}'"
    ));
    let facts: serde_json::Value = serde_json::from_str(facts.trim()).expect("one entry");
    let word = |name: &str| facts[name].as_str().unwrap_or_default().to_owned();
    assert_eq!(word("model"), model().digest().to_string());
    assert_eq!((word("seed").len(), word("outcome").len()), (16, 64), "{facts}");
    assert!(
        !word("kernel").is_empty() && !word("precision").is_empty(),
        "{facts}"
    );
    assert_eq!(facts["samples"], 96);
    assert_eq!(facts["method"], 4);
    // What comes back from the database is what the log pinned, to the last bit of every number.
    let pinned = app.store(async {
        let mut tx = app.app.begin(Door::Work).await.expect("a transaction");
        let id = report.parse().expect("an id");
        let case = tx.case(app.app.tenant, id).await.expect("readable");
        let case = case.expect("the case").case();
        let said = tx.said(&case).await.expect("readable").expect("assessed");
        let (note, _) = tx
            .deidentified_note(&case)
            .await
            .expect("readable")
            .expect("scrubbed");
        records::outcome_digest(&said, note.digest()).map(|digest| digest.to_string())
    });
    assert_eq!(pinned, Some(word("outcome")));

    let mut physician = app.sign_in("physician");
    let document = format!("/cases/{report}/report");
    let early = physician.get(&document);
    assert_eq!(early.status, 409);
    assert_eq!(physician.get(&format!("{document}.pdf")).status, 409);
    assert!(
        !early.body.contains("Quillon71"),
        "before the signature there is no document"
    );
    physician.claim_and_agree(&report);
    let signed = physician.get(&document);
    assert_eq!(signed.status, 200);
    for part in [
        "Quillon71",
        "agreed",
        "not proof",
        "explain --replay",
        "Evidence, strongest first",
    ] {
        assert!(signed.body.contains(part), "the document has {part}");
    }
    let policy = signed.header("content-security-policy");
    assert!(
        policy.contains("style-src 'sha256-") && policy.contains("default-src 'none'"),
        "{policy}"
    );
    let pdf = format!("{document}.pdf");
    let printed = physician.get(&pdf);
    assert_eq!(printed.status, 200);
    assert_eq!(printed.header("content-type"), "application/pdf");
    assert!(printed.body.starts_with("%PDF-1.7"));
    let name = printed.header("content-disposition");
    assert!(name.starts_with("inline; filename=\"case-"), "{name}");
    let mut auditor = app.sign_in("auditor");
    assert_eq!(auditor.get(&document).status, 403);
    assert_eq!(auditor.get(&pdf).status, 403);
}

#[test]
fn the_ehr_reads_back_exactly_what_was_signed() {
    let app = TestApp::start();
    let reports: Vec<String> = (60..66)
        .map(|number| app.submit(&Report::abnormal(number)))
        .collect();
    for report in &reports {
        app.wait_for(report, "in-progress");
    }
    let mut physician = app.sign_in("physician");
    let signed = [&reports[1], &reports[4]];
    for report in signed {
        physician.claim_and_agree(report);
    }
    for report in &reports {
        let wanted = u64::from(signed.contains(&report));
        for kind in ["RiskAssessment", "Observation"] {
            let found = app
                .ehr_get(&format!("/fhir/{kind}?focus=DiagnosticReport/{report}"))
                .json();
            assert_eq!(found["total"], wanted, "{kind} of {report}");
        }
        let task = app
            .ehr_get(&format!("/fhir/Task?focus=DiagnosticReport/{report}"))
            .json();
        assert_eq!(
            u64::from(task["entry"][0]["resource"].get("output").is_some()),
            wanted,
            "{task}"
        );
    }
}

#[test]
fn a_physician_may_amend_and_reject() {
    let app = TestApp::start();
    let amended = app.submit(&Report::normal(2));
    let rejected = app.submit(&Report::abnormal(3));
    app.wait_for(&amended, "in-progress");
    app.wait_for(&rejected, "in-progress");
    let mut physician = app.sign_in("physician");

    physician.act(&amended, "claim", &[]);
    let label = model().labels()[0].as_str().to_owned();
    let unknown = [
        ("decision", "amend"),
        ("impression", "abnormal"),
        ("finding", "no such"),
        ("password", PASSWORD),
    ];
    assert_eq!(physician.act(&amended, "sign", &unknown).status, 409);
    let fields = [
        ("decision", "amend"),
        ("impression", "abnormal"),
        ("finding", &label),
        ("password", PASSWORD),
    ];
    assert_eq!(physician.act(&amended, "sign", &fields).status, 303);
    let found = app
        .ehr_get(&format!("/fhir/Observation?focus=DiagnosticReport/{amended}"))
        .json();
    let observation = &found["entry"][0]["resource"];
    assert_eq!(
        observation["component"][0]["code"]["text"],
        label.as_str(),
        "{observation}"
    );

    physician.act(&rejected, "claim", &[]);
    let without_reason = physician.act(
        &rejected,
        "sign",
        &[("decision", "reject"), ("password", PASSWORD)],
    );
    assert_eq!(without_reason.status, 409);
    let fields = [
        ("decision", "reject"),
        ("reason", "out-of-scope"),
        ("password", PASSWORD),
    ];
    assert_eq!(physician.act(&rejected, "sign", &fields).status, 303);
    let found = app
        .ehr_get(&format!("/fhir/RiskAssessment?focus=DiagnosticReport/{rejected}"))
        .json();
    let risk = &found["entry"][0]["resource"];
    assert_eq!(risk["status"], "cancelled");
    assert!(
        risk.get("prediction").is_none(),
        "a refused suggestion does not leave"
    );
}

#[test]
fn two_physicians_cannot_hold_one_case() {
    let app = TestApp::start();
    let report = app.submit(&Report::abnormal(4));
    app.wait_for(&report, "in-progress");
    let (mut first, mut second) = (app.sign_in("physician"), app.sign_in("colleague"));
    assert_eq!(first.act(&report, "claim", &[]).status, 303);
    assert_eq!(
        first.act(&report, "claim", &[]).status,
        303,
        "to claim twice changes nothing"
    );
    assert_eq!(second.act(&report, "claim", &[]).status, 409);
    let stolen = second.act(&report, "sign", &[("decision", "agree"), ("password", PASSWORD)]);
    assert_eq!(stolen.status, 409, "nobody signs what another holds");
    assert_eq!(first.act(&report, "unclaim", &[]).status, 303);
    second.claim_and_agree(&report);
    app.wait_for(&report, "completed");
}

#[test]
fn a_claim_ends_by_itself() {
    let app = TestApp::start();
    let report = app.submit(&Report::abnormal(5));
    app.wait_for(&report, "in-progress");
    assert_eq!(app.sign_in("physician").act(&report, "claim", &[]).status, 303);
    // Longer than the lease, and than an idle session: both sign in afterwards.
    app.clock.advance(time::Duration::minutes(31));
    let (mut first, mut second) = (app.sign_in("physician"), app.sign_in("colleague"));
    let late = first.act(&report, "sign", &[("decision", "agree"), ("password", PASSWORD)]);
    assert_eq!(late.status, 409, "a lease that is over signs nothing");
    app.store(async {
        server::pipeline::expire(&app.app)
            .await
            .expect("leases are looked at");
    });
    second.claim_and_agree(&report);
    app.wait_for(&report, "completed");
}

#[test]
fn a_newer_version_makes_suggestion_and_claim_void() {
    let app = TestApp::start();
    let old = Report::abnormal(6);
    let report = app.submit(&old);
    app.wait_for(&report, "in-progress");
    let mut physician = app.sign_in("physician");
    assert_eq!(physician.act(&report, "claim", &[]).status, 303);
    let open = physician.get(&format!("/cases/{report}")).body;
    let (csrf, version) = (hidden(&open, "csrf"), hidden(&open, "version"));

    let new = Report {
        status: "corrected",
        text: Report::normal(6).text,
        ..old.clone()
    };
    assert_eq!(app.submit(&new), report, "the same identifier is the same case");
    let fields = [
        ("csrf", csrf.as_str()),
        ("version", version.as_str()),
        ("decision", "agree"),
        ("password", PASSWORD),
    ];
    let refused = physician.post(&format!("/cases/{report}/sign"), &fields);
    assert_eq!(refused.status, 409, "an open signing is refused");
    assert!(refused.body.contains("newer version"), "{}", refused.body);
    app.wait_for(&report, "in-progress");
    // The new version claimed in another tab does not make the old tab's form good.
    assert_eq!(physician.act(&report, "claim", &[]).status, 303);
    let refused = physician.post(&format!("/cases/{report}/sign"), &fields);
    assert_eq!(refused.status, 409, "a decision on an old version is refused");
    physician.claim_and_agree(&report);
    app.wait_for(&report, "completed");
    let result = app
        .ehr_get(&format!("/fhir/RiskAssessment?focus=DiagnosticReport/{report}"))
        .json();
    let id = result["entry"][0]["resource"]["id"]
        .as_str()
        .expect("an id")
        .to_owned();

    // What was signed before the hospital changed its mind is told as superseded, and the new version starts afresh.
    let newest = Report {
        status: "amended",
        ..old
    };
    app.submit(&newest);
    let stale = app.ehr_get(&format!("/fhir/RiskAssessment/{id}")).json();
    assert_eq!(stale["status"], "entered-in-error");
    let task = app.wait_for(&report, "in-progress");
    assert!(task.get("output").is_none());

    let withdrawn = Report {
        status: "entered-in-error",
        ..newest
    };
    app.submit(&withdrawn);
    assert_eq!(
        app.ehr_get(&format!("/fhir/Task/{report}")).json()["status"],
        "entered-in-error"
    );
    assert_eq!(
        physician.get(&format!("/cases/{report}")).status,
        404,
        "a withdrawn report is not reviewed"
    );
}

#[test]
fn only_those_with_a_care_relation_see_a_case() {
    let app = TestApp::start();
    let report = app.submit(&Report::abnormal(7));
    app.wait_for(&report, "in-progress");
    let mut stranger = app.sign_in("stranger");
    assert!(!stranger.get("/queue").body.contains(&report));
    assert_eq!(
        stranger.get(&format!("/cases/{report}")).status,
        404,
        "that it exists is a secret"
    );
    for who in ["auditor", "administrator"] {
        let mut other = app.sign_in(who);
        assert_eq!(other.get(&format!("/cases/{report}")).status, 403, "{who}");
    }

    // The performer of the order is one of those, whatever pool he is in.
    let mut resource = Report::abnormal(8).bundle();
    resource["entry"][1]["resource"]["performer"] =
        serde_json::json!([{ "identifier": { "system": "https://staff.example", "value": "p-3" } }]);
    let answer = app.ehr_post("/fhir", resource.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.body);
    let his = super::helpers::report_id(&answer.json());
    app.wait_for(&his, "in-progress");
    assert_eq!(stranger.get(&format!("/cases/{his}")).status, 200);
    assert!(stranger.get("/queue").body.contains(&his));

    // Relations end.
    app.clock.advance(time::Duration::days(31));
    let mut physician = app.sign_in("physician");
    assert_eq!(physician.get(&format!("/cases/{report}")).status, 404);
}

#[test]
fn another_system_sees_nothing_of_a_report() {
    let app = TestApp::with(Options { workers: 0 });
    let report = app.submit(&Report::abnormal(9));
    let other = app.store(ehr(&app.app, "Another EHR"));
    let bearer = format!("Bearer {other}");
    let headers = [("Authorization", bearer.as_str())];
    for path in [
        format!("/fhir/DiagnosticReport/{report}"),
        format!("/fhir/Task/{report}"),
    ] {
        assert_eq!(app.anonymous("GET", &path, &headers, b"").status, 404, "{path}");
    }
    let found = app
        .anonymous(
            "GET",
            &format!("/fhir/Task?focus=DiagnosticReport/{report}"),
            &headers,
            b"",
        )
        .json();
    assert_eq!(found["total"], 0);
}

#[test]
fn the_database_itself_shows_no_suggestion_before_the_signature() {
    let app = TestApp::start();
    let report = app.submit(&Report::abnormal(10));
    app.wait_for(&report, "in-progress");
    let count = |door: &str| {
        let script =
            format!("BEGIN; SET LOCAL countersign.door = '{door}'; SELECT count(*) FROM assessment; COMMIT;");
        app.sql(&script).expect("the count is read")
    };
    assert_eq!(
        [count("ehr"), count("audit"), count("admin"), count("portal")],
        ["0", "0", "0", "1"]
    );
    let unsigned = app.sql(
        "INSERT INTO release (id, tenant_id, version_id, signature_id, client_id, result, released_at)
         SELECT gen_random_uuid(), tenant_id, id, gen_random_uuid(), client_id, '', now() FROM report_version",
    );
    assert!(
        unsigned
            .expect_err("no release without a signature")
            .contains("foreign key")
    );
    app.sign_in("physician").claim_and_agree(&report);
    assert_eq!(count("ehr"), "1");
}

#[test]
fn a_note_longer_than_the_window_is_read_in_windows_and_says_so() {
    let app = TestApp::start();
    // One sentence sixty times is unlike any report, and would not be assessed.
    let sentences = "The heart has an ordinary size and the lungs are clear of consolidation. No effusion or pneumothorax is \
                     seen. The bones are intact. ";
    let text = format!("{}There is a large left pleural effusion.", sentences.repeat(9));
    let report = app.submit(&Report {
        text,
        ..Report::abnormal(11)
    });
    app.wait_for(&report, "in-progress");
    let page = app.sign_in("physician").get(&format!("/cases/{report}"));
    assert!(page.body.contains("overlapping windows"), "{}", page.body);
}
