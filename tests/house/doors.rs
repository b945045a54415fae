//! The named doors, and who may use them: read off the sources.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn services() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../services")
}

/// Rust sources below `services/`, each with its path from there and its text without tests and comments.
fn sources() -> Vec<(String, String)> {
    let (mut open, mut found) = (vec![services()], Vec::new());
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source");
                let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
                let code: Vec<&str> = code
                    .lines()
                    .filter(|line| !line.trim_start().starts_with("//"))
                    .collect();
                let name = path
                    .strip_prefix(services())
                    .expect("below services")
                    .display()
                    .to_string();
                found.push((name, code.join("\n")));
            }
        }
    }
    assert!(found.len() > 80, "the sources were found");
    found
}

fn users_of(what: &str) -> Vec<String> {
    let mut users: Vec<String> = sources()
        .into_iter()
        .filter(|(_, text)| text.contains(what))
        .map(|(name, _)| name)
        .collect();
    users.sort();
    users
}

fn only(what: &str, allowed: &[&str]) {
    for user in users_of(what) {
        assert!(
            allowed.iter().any(|door| user.starts_with(door)),
            "{user} uses {what}"
        );
    }
}

#[test]
fn values_come_back_from_rest_through_the_store_alone() {
    only(
        "at_rest::",
        &["store/src/", "records/src/at_rest.rs", "clinical/src/at_rest.rs"],
    );
    only("restore_note", &["store/src/", "clinical/src/at_rest.rs"]);
    assert!(!users_of("at_rest::").is_empty());
}

#[test]
fn phi_is_exposed_at_the_listed_doors_alone() {
    only(
        ".expose()",
        &[
            "records/src/",                         // to scrub, and to encode for encryption
            "store/src/",                           // to encrypt, and to look up by keyed digest
            "interop/src/",                         // parsing and emitting FHIR
            "server/src/view/case.rs",              // the case page
            "server/src/http/report.rs",            // the report of a signed case
            "server/src/http/diagnostic_report.rs", // the EHR reads back what it sent
            "server/src/postgres/", // not PHI: the database's own password has a method of that name
        ],
    );
    assert!(users_of(".expose()").len() >= 5);
}

#[test]
fn time_and_chance_are_arguments() {
    only("OffsetDateTime::now_utc", &["records/src/clock.rs"]);
    only("SystemTime::now", &[]);
    only("Uuid::new_v4", &[]);
    only("Uuid::now_v7", &[]);
    only(
        "env::var",
        &[
            "server/src/config.rs",
            "server/src/postgres/",
            "training/tests/training/resume.rs",
        ],
    );
    only(
        "Command::new",
        &[
            "server/src/postgres/",
            "server/src/cli/",
            "clinical/benches/",
            // A test kills a child of its own.
            "training/tests/training/resume.rs",
        ],
    );
}

#[test]
fn sources_are_readable_in_one_sitting() {
    for (name, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= 800, "{name} has {lines} lines");
    }
}

#[test]
fn every_table_has_a_tenant() {
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
    let mut tables = 0;
    for entry in fs::read_dir(migrations).expect("migrations").flatten() {
        let text = fs::read_to_string(entry.path()).expect("a migration");
        for table in text.split("CREATE TABLE ").skip(1) {
            let (name, rest) = table.split_once(' ').expect("a name");
            let body = rest.split("\n);").next().unwrap_or_default();
            assert!(
                name == "tenant" || body.contains("tenant_id uuid"),
                "{name} has no tenant_id"
            );
            tables += 1;
        }
    }
    assert!(tables > 15);
}
