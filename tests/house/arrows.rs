//! Arrows point down the plan: who may depend on whom.

use std::collections::{BTreeMap, BTreeSet};

/// Who depends on whom, as in README.md; a new arrow is a decision.
const ARROWS: &[(&str, &[&str])] = &[
    ("kernels", &[]),
    ("seal", &[]),
    ("policy", &[]),
    ("statistics", &[]),
    ("clinical", &["seal"]),
    ("explanation", &["clinical"]),
    ("inference", &["clinical", "explanation", "kernels", "seal"]),
    ("training", &["clinical", "explanation", "inference", "seal"]),
    ("records", &["clinical", "policy", "seal"]),
    ("interop", &["clinical", "records"]),
    // `store → statistics` comes with the publication ledger.
    ("store", &["clinical", "policy", "records", "seal", "statistics"]),
    (
        "server",
        &[
            "clinical",
            "explanation",
            "inference",
            "interop",
            "policy",
            "records",
            "seal",
            "statistics",
            "store",
            "training",
        ],
    ),
];

/// One technology, one room.
const ROOMS: &[(&str, &[&str])] = &[
    ("actix-web", &["server", "countersign-tests"]),
    ("askama", &["server"]),
    ("argon2", &["seal"]),
    ("ring", &["seal"]),
    ("sqlx", &["store"]),
    ("cedar-policy", &["policy"]),
    ("opendp", &["statistics"]),
    ("candle-core", &["inference", "training"]),
    ("candle-nn", &["inference", "training"]),
    ("candle-transformers", &["inference", "training"]),
    ("ureq", &["server", "countersign-tests"]),
];

fn metadata() -> cargo_metadata::Metadata {
    cargo_metadata::MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .other_options(vec!["--offline".to_owned(), "--locked".to_owned()])
        .exec()
        .expect("cargo metadata runs")
}

#[test]
fn arrows_point_down_the_plan() {
    let metadata = metadata();
    let ours: BTreeSet<String> = metadata
        .workspace_packages()
        .iter()
        .map(|package| package.name.to_string())
        .collect();
    let allowed: BTreeMap<&str, BTreeSet<&str>> = ARROWS
        .iter()
        .map(|(name, below)| (*name, below.iter().copied().collect()))
        .collect();
    let mut seen = 0;
    for package in metadata.workspace_packages() {
        if package.name.as_str() == "countersign-tests" {
            continue;
        }
        seen += 1;
        let below = allowed
            .get(package.name.as_str())
            .unwrap_or_else(|| panic!("{} is no room of the plan", package.name));
        for dependency in &package.dependencies {
            if ours.contains(&dependency.name) {
                assert!(
                    below.contains(dependency.name.as_str()),
                    "{} → {} is no arrow of the plan",
                    package.name,
                    dependency.name
                );
            }
        }
    }
    assert_eq!(seen, ARROWS.len(), "every room of the plan is there");
}

#[test]
fn each_technology_stays_in_its_room() {
    for package in metadata().workspace_packages() {
        for dependency in &package.dependencies {
            if let Some((name, rooms)) = ROOMS.iter().find(|(name, _)| *name == dependency.name) {
                assert!(
                    rooms.contains(&package.name.as_str()),
                    "{} uses {name}",
                    package.name
                );
            }
        }
    }
}

#[test]
fn the_classifier_cannot_name_the_records() {
    let metadata = metadata();
    let graph: BTreeMap<String, Vec<String>> = metadata
        .workspace_packages()
        .iter()
        .map(|package| {
            let below = package
                .dependencies
                .iter()
                .map(|dependency| dependency.name.clone())
                .collect();
            (package.name.to_string(), below)
        })
        .collect();
    let mut open = vec!["inference".to_owned()];
    while let Some(name) = open.pop() {
        assert_ne!(name, "records");
        open.extend(
            graph
                .get(&name)
                .into_iter()
                .flatten()
                .filter(|below| graph.contains_key(*below))
                .cloned(),
        );
    }
}
