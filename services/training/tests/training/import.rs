//! Tiny BERTs in every layout, and what PyTorch's transformers say about them (`fixtures/import/make.py`).

use std::fs;
use std::path::{Path, PathBuf};

use training::{
    Base, Casing, Checkpoint, CheckpointError, Format, Import, ImportError, PickleError, Vectors,
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/import")
        .join(name)
}

/// A copy of a fixture that a test may spoil.
fn copy(name: &str) -> Result<(tempfile::TempDir, PathBuf), std::io::Error> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("model");
    fs::create_dir(&path)?;
    for entry in fs::read_dir(fixture(name))? {
        let entry = entry?;
        fs::copy(entry.path(), path.join(entry.file_name()))?;
    }
    Ok((folder, path))
}

fn edit(path: &Path, from: &str, to: &str) -> std::io::Result<()> {
    let text = fs::read_to_string(path)?;
    assert!(text.contains(from), "{from}");
    fs::write(path, text.replace(from, to))
}

#[test]
fn last_hidden_states_are_those_of_pytorch() -> Outcome {
    for (name, said, format, prefix, casing) in [
        ("mini-safetensors", None, Format::Safetensors, "", Casing::Uncased),
        ("mini-f16", None, Format::Safetensors, "bert.", Casing::Uncased),
        ("base-zip", None, Format::Zip, "bert.", Casing::Cased),
        ("base-bf16", None, Format::Zip, "model.", Casing::Cased),
        (
            "base-legacy",
            Some(Casing::Cased),
            Format::Legacy,
            "bert.",
            Casing::Cased,
        ),
    ] {
        let vectors = Vectors::read(&fixture(name).join("vectors.json"))?;
        let import = Import::read(&fixture(name), said)?;
        assert_eq!(
            (import.format, import.prefix.as_str(), import.casing),
            (format, prefix, casing),
            "{name}"
        );
        // What is written is a base to train from, and computes the same.
        let out = tempfile::tempdir()?;
        let path = out.path().join("encoder");
        let digest = import.write(&path)?;
        assert_eq!(Base::open(&path, Some(digest))?.digest(), digest);
        assert!(matches!(import.write(&path), Err(ImportError::Occupied(_))));
        let agreement = import.compare(&vectors)?;
        assert!(
            agreement.values > 800 && agreement.largest < 1e-4,
            "{name}: {agreement:?}"
        );
        let again = Import::read(&path, None)?.compare(&vectors)?;
        assert!(again.largest < 1e-4, "{name}: {again:?}");
    }
    Ok(())
}

#[test]
fn the_comparison_can_fail() -> Outcome {
    let other = Vectors::read(&fixture("base-zip").join("vectors.json"))?;
    let mini = Import::read(&fixture("mini-safetensors"), None)?;
    assert!(mini.compare(&other).is_err());
    // The weights of bf16 are not those of f32.
    let rounded = Import::read(&fixture("base-bf16"), None)?.compare(&other)?;
    assert!(rounded.largest > 1e-3, "{rounded:?}");
    // A cased vocabulary that is read as an uncased one gives other pieces: the trap of Bio_ClinicalBERT.
    let wrong = Import::read(&fixture("base-legacy"), Some(Casing::Uncased))?;
    let vectors = Vectors::read(&fixture("base-legacy").join("vectors.json"))?;
    assert!(matches!(wrong.compare(&vectors), Err(ImportError::Pieces(1))));
    Ok(())
}

#[test]
fn casing_is_never_guessed() -> Outcome {
    assert!(matches!(
        Import::read(&fixture("base-legacy"), None),
        Err(ImportError::Casing(capitals)) if capitals > 5
    ));
    let (_guard, path) = copy("base-zip")?;
    edit(&path.join("tokenizer_config.json"), "false", "true")?;
    assert!(matches!(
        Import::read(&path, None),
        Err(ImportError::Contradiction(_))
    ));
    assert_eq!(Import::read(&path, Some(Casing::Cased))?.casing, Casing::Cased);
    assert!(matches!(
        Import::read(&fixture("mini-f16"), Some(Casing::Cased)),
        Err(ImportError::Contradiction(_))
    ));
    Ok(())
}

#[test]
fn what_is_no_bert_is_refused() -> Outcome {
    for (name, from, to) in [
        ("config.json", "\"bert\"", "\"roberta\""),
        ("config.json", "\"gelu\"", "\"relu\""),
        (
            "config.json",
            "\"intermediate_size\":64",
            "\"intermediate_size\":65",
        ),
        ("config.json", "\"vocab_size\":32", "\"vocab_size\":31"),
        ("config.json", "\"is_decoder\":false", "\"is_decoder\":true"),
        ("vocab.txt", "[SEP]", "[END]"),
        ("vocab.txt", "lungs", "small"),
    ] {
        let (_guard, path) = copy("base-zip")?;
        edit(&path.join(name), from, to)?;
        assert!(Import::read(&path, None).is_err(), "{to}");
    }
    let (_guard, path) = copy("base-zip")?;
    fs::remove_file(path.join("pytorch_model.bin"))?;
    assert!(matches!(
        Import::read(&path, None),
        Err(ImportError::Checkpoint(CheckpointError::Missing(_)))
    ));
    fs::write(
        path.join("pytorch_model.bin"),
        "version https://git-lfs.github.com/spec/v1\n",
    )?;
    assert!(matches!(Checkpoint::read(&path), Err(CheckpointError::Unknown)));
    fs::remove_file(path.join("vocab.txt"))?;
    assert!(matches!(
        Import::read(&path, None),
        Err(ImportError::NoTokenizer(_))
    ));
    Ok(())
}

#[test]
fn a_hostile_pickle_runs_nothing() -> Outcome {
    let (_guard, path) = copy("base-legacy")?;
    let file = path.join("pytorch_model.bin");
    let good = fs::read(&file)?;
    let find = |needle: &[u8]| good.windows(needle.len()).position(|window| window == needle);
    let at = find(b"ctorch._utils\n_rebuild_tensor_v2\n").ok_or("a tensor")?;
    let mut bad = good[..at].to_vec();
    bad.extend_from_slice(b"cbuiltins\nexec\n");
    bad.extend_from_slice(&good[at + 33..]);
    fs::write(&file, &bad)?;
    assert!(matches!(
        Checkpoint::read(&path),
        Err(CheckpointError::Pickle(PickleError::Name(name))) if name == "builtins.exec"
    ));
    Ok(())
}

#[test]
fn a_damaged_file_is_an_error_and_never_a_panic() -> Outcome {
    for name in ["base-legacy", "base-zip", "mini-safetensors"] {
        let (_guard, path) = copy(name)?;
        let file = ["pytorch_model.bin", "model.safetensors"]
            .map(|name| path.join(name))
            .into_iter()
            .find(|file| file.is_file())
            .ok_or("weights")?;
        let good = fs::read(&file)?;
        let read = |bytes: &[u8]| {
            fs::write(&file, bytes)?;
            let casing = (name == "base-legacy").then_some(Casing::Cased);
            Ok::<_, std::io::Error>(Import::read(&path, casing).map(|import| import.values()))
        };
        assert!(read(&good)?.is_ok());
        for part in 0..40 {
            let cut = read(&good[..good.len() * part / 40])?;
            assert!(cut.is_err(), "{name} cut to {part}/40");
        }
        // One changed byte may be a changed weight; it must not be a panic.
        let mut state = 7_u64;
        for _ in 0..400 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let mut bytes = good.clone();
            let at = usize::try_from(state >> 33)? % bytes.len().min(12_000);
            bytes[at] ^= u8::try_from(1 << (state >> 60 & 7))?;
            let _ = read(&bytes)?;
        }
    }
    // NaN in the weights.
    let (_guard, path) = copy("mini-safetensors")?;
    let file = path.join("model.safetensors");
    let mut bytes = fs::read(&file)?;
    let header = usize::try_from(u64::from_le_bytes(bytes[..8].try_into()?))?;
    for value in bytes[8 + header..].as_chunks_mut::<4>().0 {
        *value = f32::NAN.to_le_bytes();
    }
    fs::write(&file, bytes)?;
    assert!(matches!(
        Import::read(&path, None),
        Err(ImportError::Checkpoint(CheckpointError::NotFinite(_)))
    ));
    Ok(())
}
