//! Folders that lie: the digests agree, the contents do not. Loading says so and never panics.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use seal::Digest;

use crate::testing::{Tiny, note};
use crate::{Engine, EngineOptions, LoadError, PackageError, WeightsError};

const FILES: [&str; 5] = [
    "card.json",
    "config.json",
    "labels.json",
    "tokenizer.json",
    "weights.safetensors",
];

fn packed(tiny: &Tiny) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model");
    tiny.write(&path).expect("a model");
    (folder, path)
}

/// Replaces a file and the manifest's digest of it: what somebody does who may write the folder.
fn replace(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join("manifest.json");
    let mut manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(&path).expect("a manifest")).expect("JSON");
    manifest["files"][name] = Digest::of(bytes).to_string().into();
    fs::write(folder.join(name), bytes).expect("writable");
    fs::write(&path, manifest.to_string()).expect("writable");
}

fn load(folder: &Path) -> Result<Engine, LoadError> {
    Engine::load(folder, EngineOptions::default())
}

#[test]
fn what_is_cut_short_is_refused() {
    let (_guard, path) = packed(&Tiny::new());
    assert!(load(&path).is_ok());
    for name in FILES {
        let (_guard, path) = packed(&Tiny::new());
        let bytes = fs::read(path.join(name)).expect("a file");
        for part in 0..8 {
            replace(&path, name, &bytes[..bytes.len() * part / 8]);
            assert!(load(&path).is_err(), "{name}, {part}/8");
        }
    }
}

#[test]
fn parts_of_different_models_are_refused() {
    let mut nan = Tiny::new();
    for tensor in nan.weights.floats.values_mut() {
        tensor.values[0] = f32::NAN;
    }
    let (_guard, path) = packed(&nan);
    assert!(matches!(
        load(&path),
        Err(LoadError::Weights(WeightsError::NotFinite(_)))
    ));

    // A finding more than the head has outputs.
    let mut labels = Tiny::new();
    let mut more = labels.labels.findings[0].clone();
    more.label = clinical::Label::new("One more");
    labels.labels.findings.push(more);
    let (_guard, path) = packed(&labels);
    assert!(matches!(load(&path), Err(LoadError::Shape(_))));

    // A tokenizer with a word more than the encoder's table.
    let mut words = Tiny::new();
    words.tokenizer = words
        .tokenizer
        .replace("\"nodule\":11", "\"nodule\":11,\"more\":12");
    let (_guard, path) = packed(&words);
    assert!(matches!(
        load(&path),
        Err(LoadError::Vocabulary {
            tokenizer: 13,
            encoder: 12
        })
    ));

    let (_guard, path) = packed(&Tiny::new());
    fs::remove_file(path.join("weights.safetensors")).expect("removable");
    assert!(matches!(
        load(&path),
        Err(LoadError::Package(PackageError::Missing("weights.safetensors")))
    ));
}

#[test]
fn nothing_and_a_hundred_thousand_words_are_not_read() {
    let (_guard, path) = packed(&Tiny::new());
    let engine = load(&path).expect("a model");
    assert!(!engine.reads(&note("")) && !engine.reads(&note(" \n ...")));
    assert!(engine.reads(&note("no nodule")));
    assert!(!engine.reads(&note(&"no nodule ".repeat(50_000))));
    let scored = engine.score_batch(&["", "no nodule"]).expect("scores");
    assert_eq!(scored.len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_changed_byte_makes_loading_panic(file in 0..FILES.len(), at: prop::sample::Index, byte: u8) {
        let (_guard, path) = packed(&Tiny::new());
        let mut bytes = fs::read(path.join(FILES[file])).expect("a file");
        let at = at.index(bytes.len());
        bytes[at] = byte;
        replace(&path, FILES[file], &bytes);
        if let Ok(engine) = load(&path) {
            // What loads may say anything that is a probability, or that it cannot.
            let _ = engine.score_batch(&["no nodule", "heart is large"]);
        }
    }
}
