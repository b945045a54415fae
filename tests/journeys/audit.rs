//! Every step is found again in the audit log, and nobody changes it unseen.

use store::Fault;

use super::helpers::{PASSWORD, Report, TestApp, csrf};

fn verify(app: &TestApp) -> store::Verification {
    app.store(async {
        server::pipeline::sequence(&app.app, app.app.tenant)
            .await
            .expect("the sequencer works");
        app.app
            .store
            .verify_log(app.app.tenant, &mut |_, _| {})
            .await
            .expect("the log is read")
    })
}

#[test]
fn every_step_is_an_entry_and_a_changed_byte_is_named() {
    let app = TestApp::start();
    let report = app.submit(&Report::abnormal(40));
    app.wait_for(&report, "in-progress");
    let mut physician = app.sign_in("physician");
    physician.claim_and_agree(&report);
    app.ehr_get(&format!("/fhir/RiskAssessment?focus=DiagnosticReport/{report}"));

    let kinds = app.superuser_sql(&format!(
        "SELECT string_agg(kind, ' ' ORDER BY position) FROM audit_entry WHERE subject_id = '{report}'"
    ));
    let mut wanted = [
        "ReportReceived",
        "CareRelationStarted",
        "NoteDeidentified",
        "CaseAssessed",
        "NoteRead",
        "CaseClaimed",
        "ReportSigned",
        "ReportReleased",
        "ReleaseRead",
    ]
    .iter();
    let mut next = wanted.next();
    for kind in kinds.split(' ') {
        if next == Some(&kind) {
            next = wanted.next();
        }
    }
    assert_eq!(next, None, "in this order: {kinds}");

    // The service's own sequencer may be at work, and then ours leaves it to that one.
    let found = (0..50)
        .map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(100));
            verify(&app)
        })
        .find(|found| found.pending == 0)
        .expect("five seconds are enough for a few entries");
    assert_eq!(found.fault, None);
    assert!(
        found.entries > 20 && found.checkpoints > 0 && found.pending == 0,
        "{found:?}"
    );

    let mut auditor = app.sign_in("auditor");
    let page = auditor.get("/audit?kind=ReportSigned");
    assert!(
        page.body.contains("ReportSigned") && page.body.contains(&report),
        "{}",
        page.body
    );
    assert!(!page.body.contains("Quillon40"));
    assert!(auditor.get("/audit?actor=nonsense").body.contains("no id"));

    // The application cannot change the log, and whoever can is found out.
    assert!(app.sql("UPDATE audit_entry SET kind = 'NoteRead'").is_err());
    assert!(app.sql("DELETE FROM audit_leaf").is_err());
    let target = "(SELECT entry_id FROM audit_leaf WHERE index = 7)";
    let free = "SET session_replication_role = replica;";
    let change = |what: &str| {
        app.superuser_sql(&format!(
            "{free} UPDATE audit_entry SET {what} WHERE id = {target}"
        ))
    };
    change("facts = overlay(facts placing '#' from 1 for 1)");
    assert!(matches!(
        verify(&app).fault,
        Some(Fault::EntryChanged { index: 7, .. })
    ));
    change("facts = overlay(facts placing '{' from 1 for 1)");
    assert_eq!(verify(&app).fault, None);

    // A row and its leaf rewritten together do not fit the signed checkpoint.
    app.superuser_sql(&format!(
        "{free} UPDATE audit_leaf SET index = index + 1000000 WHERE index = 3"
    ));
    assert!(matches!(
        verify(&app).fault,
        Some(Fault::EntryMissing { index: 3 })
    ));
    app.superuser_sql(&format!(
        "{free} UPDATE audit_leaf SET index = 3 WHERE index = 1000003"
    ));
    app.superuser_sql(&format!(
        "{free} UPDATE audit_leaf SET index = CASE index WHEN 4 THEN 1000005 ELSE 1000004 END WHERE index IN (4, 5);
         UPDATE audit_leaf SET index = index - 1000000 WHERE index > 1000000"
    ));
    assert!(
        matches!(verify(&app).fault, Some(Fault::RootDiffers { .. })),
        "entries that changed places"
    );
    app.superuser_sql(&format!(
        "{free} UPDATE audit_leaf SET index = CASE index WHEN 4 THEN 1000005 ELSE 1000004 END WHERE index IN (4, 5);
         UPDATE audit_leaf SET index = index - 1000000 WHERE index > 1000000"
    ));
    app.superuser_sql(&format!(
        "{free} UPDATE audit_checkpoint SET note = replace(note, 'countersign', 'Countersign') WHERE size = (SELECT max(size) FROM audit_checkpoint)"
    ));
    assert!(matches!(
        verify(&app).fault,
        Some(Fault::CheckpointChanged { .. })
    ));
}

#[test]
fn a_refusal_is_an_entry_too() {
    let app = TestApp::with(super::helpers::Options { workers: 0 });
    let mut auditor = app.sign_in("auditor");
    assert_eq!(auditor.get("/queue").status, 403);
    let denied = app.superuser_sql("SELECT facts FROM audit_entry WHERE kind = 'AccessDenied'");
    assert_eq!(denied, r#"{"verb":"ReadQueue"}"#);
    let page = auditor.get("/audit");
    let token = csrf(&page.body);
    assert_eq!(auditor.post("/logout", &[("csrf", &token)]).status, 303);
    assert_ne!(token, PASSWORD);
}

#[test]
fn a_hundredth_of_the_tamper_campaign_names_every_row() {
    let report = server::cli::prove::tamper(26, 7, None).expect("the campaign runs");
    assert_eq!((report.named, report.missed), (report.trials, 0), "{report:?}");
}
