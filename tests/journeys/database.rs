//! The database goes away and comes back: 503 with Retry-After, and nothing half-written.

use super::helpers::{Options, Report, TestApp};

#[test]
fn without_the_database_the_caller_is_told_to_try_again() {
    let app = TestApp::with(Options { workers: 0 });
    let name = app.connection.database().to_owned();
    app.submit(&Report::abnormal(30));
    // Nobody may connect any more, and who is connected is thrown out: for the service its database is away.
    let superuser = |script: &str| super::helpers::maintenance(script);
    superuser(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"));
    superuser(&format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    ));

    let answer = app.ehr_post("/fhir", Report::abnormal(31).bundle().to_string().as_bytes());
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(!answer.header("retry-after").is_empty());
    assert_eq!(answer.json()["issue"][0]["code"], "transient");
    assert_eq!(
        app.anonymous("GET", "/healthz", &[], b"").status,
        200,
        "the process lives"
    );
    assert_eq!(
        app.anonymous("GET", "/readyz", &[], b"").status,
        503,
        "but cannot work"
    );

    superuser(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"));
    assert_eq!(
        app.superuser_sql("SELECT count(*) FROM report"),
        "1",
        "nothing was half-written"
    );
    let answer = app.ehr_post("/fhir", Report::abnormal(31).bundle().to_string().as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(app.anonymous("GET", "/readyz", &[], b"").status, 200);
}
