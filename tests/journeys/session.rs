//! Signing in and out.

use super::helpers::{Browser, Options};
use super::helpers::{PASSWORD, TestApp, csrf};

fn quiet() -> TestApp {
    TestApp::with(Options { workers: 0 })
}

fn try_to_sign_in(app: &TestApp, username: &str, password: &str) -> u16 {
    let mut browser = Browser::new(app);
    let token = csrf(&browser.get("/login").body);
    let fields = [
        ("csrf", token.as_str()),
        ("username", username),
        ("password", password),
        ("next", ""),
    ];
    browser.post("/login", &fields).status
}

#[test]
fn wrong_passwords_and_unknown_names_look_the_same_and_lock_the_account() {
    let app = quiet();
    assert_eq!(try_to_sign_in(&app, "nobody-here", PASSWORD), 401);
    for _ in 0..5 {
        assert_eq!(try_to_sign_in(&app, "physician", "wrong"), 401);
    }
    assert_eq!(try_to_sign_in(&app, "physician", PASSWORD), 401, "locked");
    app.clock.advance(time::Duration::minutes(16));
    assert_eq!(try_to_sign_in(&app, "physician", PASSWORD), 303, "for a while");
}

#[test]
fn sessions_end() {
    let app = quiet();
    let mut browser = app.sign_in("physician");
    let page = browser.get("/queue");
    assert_eq!(page.status, 200);
    let old = Browser::with(&app, browser.cookies());
    assert_eq!(
        browser.post("/logout", &[("csrf", "forged")]).status,
        403,
        "a form from elsewhere"
    );
    assert_eq!(
        browser.post("/logout", &[("csrf", &csrf(&page.body))]).status,
        303
    );
    let mut old = old;
    assert_eq!(
        old.get("/queue").status,
        303,
        "a session that was ended is of no use to a thief"
    );

    let mut idle = app.sign_in("physician");
    app.clock.advance(time::Duration::minutes(20));
    assert_eq!(idle.get("/queue").header("location"), "/login");
}

#[test]
fn pages_are_sealed_off() {
    let app = quiet();
    let page = app.sign_in("physician").get("/queue");
    assert!(
        page.header("content-security-policy")
            .contains("default-src 'none'")
    );
    assert_eq!(page.header("cache-control"), "no-store");
    assert!(!page.header("x-request-id").is_empty());
    let cookie = app.anonymous("GET", "/login", &[], b"").header("set-cookie");
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
}

#[test]
fn a_system_gets_a_token_for_its_secret() {
    let app = quiet();
    let id = app.superuser_sql("SELECT id FROM client");
    let ask = |secret: &str| {
        let body = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        app.anonymous("POST", "/oauth/token", &headers, body.as_bytes())
    };
    assert_eq!(ask("wrong").status, 401);
    let granted = ask("a+secret+of+the+tests");
    assert_eq!(granted.status, 200, "{}", granted.body);
    let token = granted.json()["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let bearer = format!("Bearer {token}");
    let search = "/fhir/Task?focus=DiagnosticReport/00000000-0000-7000-8000-000000000000";
    let with = |bearer: &str| {
        app.anonymous("GET", search, &[("Authorization", bearer)], b"")
            .status
    };
    assert_eq!(with(&bearer), 200);
    app.clock.advance(time::Duration::minutes(16));
    assert_eq!(with(&bearer), 401, "a token lasts 15 minutes");
}
