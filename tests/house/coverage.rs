//! Every route refuses the anonymous and the wrong role.

use policy::Role;
use server::http::{Access, routes};

use crate::journeys::helpers::{Options, TestApp};

/// A path that fits the pattern; nothing is under it.
fn example(pattern: &str) -> String {
    let mut path = pattern.to_owned();
    while let (Some(from), Some(to)) = (path.find('{'), path.find('}')) {
        path.replace_range(from..=to, "0190c5f6-6d3a-7c1e-8a2b-000000000000");
    }
    if path == "/fhir/Task" || path == "/fhir/RiskAssessment" || path == "/fhir/Observation" {
        path.push_str("?focus=DiagnosticReport/0190c5f6-6d3a-7c1e-8a2b-000000000000");
    }
    path
}

#[test]
fn every_route_refuses_the_anonymous_and_the_wrong_role() {
    let app = TestApp::with(Options { workers: 0 });
    let people = [
        ("physician", Role::Physician),
        ("auditor", Role::Auditor),
        ("administrator", Role::Administrator),
    ];
    let mut browsers: Vec<_> = people
        .iter()
        .map(|(name, role)| (app.sign_in(name), *role))
        .collect();
    let all = routes();
    assert!(all.len() >= 25, "the routes were found");
    for route in &all {
        let path = example(route.path);
        let forged = format!("Bearer {}", "A".repeat(43));
        match route.access {
            Access::Public => {}
            Access::Ehr => {
                for headers in [
                    &[][..],
                    &[("Authorization", forged.as_str())],
                    &[("Authorization", "Basic eDp5")],
                ] {
                    let answer = app.anonymous(route.method, &path, headers, b"{}");
                    assert_eq!(answer.status, 401, "{} {path}", route.method);
                    assert_eq!(answer.json()["resourceType"], "OperationOutcome");
                }
                for (browser, _) in &mut browsers {
                    let answer = if route.method == "GET" {
                        browser.get(&path)
                    } else {
                        browser.post(&path, &[])
                    };
                    assert_eq!(answer.status, 401, "a person at {} {path}", route.method);
                }
            }
            Access::Portal(roles) => {
                let answer = app.anonymous(route.method, &path, &[], b"");
                assert_eq!(
                    (answer.status, answer.header("location").as_str()),
                    (303, "/login"),
                    "{path}"
                );
                let bearer = format!("Bearer {}", app.token);
                let answer = app.anonymous(route.method, &path, &[("Authorization", &bearer)], b"");
                assert_eq!(answer.status, 303, "the EHR at {path}");
                for (browser, role) in &mut browsers {
                    if roles.contains(role) {
                        continue;
                    }
                    let answer = if route.method == "GET" {
                        browser.get(&path)
                    } else {
                        browser.post(&path, &[("csrf", "forged"), ("version", "1")])
                    };
                    assert!(
                        matches!(answer.status, 403 | 404),
                        "{role:?} at {} {path}: {}",
                        route.method,
                        answer.status
                    );
                }
            }
        }
    }
}

#[test]
fn forms_without_their_token_are_refused() {
    let app = TestApp::with(Options { workers: 0 });
    let mut physician = app.sign_in("physician");
    for route in routes()
        .iter()
        .filter(|route| route.method == "POST" && matches!(route.access, Access::Portal(_)))
    {
        let fields = [
            ("csrf", "forged"),
            ("version", "1"),
            ("decision", "agree"),
            ("password", "x"),
        ];
        let answer = physician.post(&example(route.path), &fields);
        assert_eq!(answer.status, 403, "{}", route.path);
    }
}
