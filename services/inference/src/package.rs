//! A packed model on disk: six files, a manifest with their digests, and a signature over the manifest.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clinical::ModelDigest;
use seal::note::{self, NoteError};
use seal::{Digest, Signer, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::{Config, LabelSet, ModelCard, Weights, WeightsError};

/// Version of the format; another one is refused.
const FORMAT: &str = "countersign-model/1";
/// The list of digests, which is itself the model's identity.
const MANIFEST: &str = "manifest.json";
/// The signature: a C2SP signed note whose text names the manifest's digest.
const SIGNATURE: &str = "manifest.sig";
/// Largest manifest that is read; six lines are far below it.
const MAX_MANIFEST: u64 = 1 << 16;

pub(crate) const CARD: &str = "card.json";
pub(crate) const CONFIG: &str = "config.json";
pub(crate) const LABELS: &str = "labels.json";
pub(crate) const LICENSE: &str = "LICENSE";
pub(crate) const TOKENIZER: &str = "tokenizer.json";
pub(crate) const WEIGHTS: &str = "weights.safetensors";

/// Every file of a packed model besides the manifest.
const FILES: [&str; 6] = [CARD, CONFIG, LABELS, LICENSE, TOKENIZER, WEIGHTS];

/// Whose models are read.
#[derive(Clone, Copy, Debug)]
pub enum Trust<'a> {
    /// Anybody's: the digests alone are checked. For a model that this process has just packed, and for tests.
    Anybody,
    /// Those that one of these keys signed.
    SignedBy(&'a [VerifyingKey]),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: String,
    files: BTreeMap<String, Digest>,
}

/// Why a folder is no packed model that verifies, or why one cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// A file or the folder cannot be read or written.
    #[error("cannot read or write {path}")]
    Access {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// `manifest.json` is not the list of digests.
    #[error("manifest.json is no list of digests")]
    Manifest(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Another version of the format.
    #[error("manifest.json names another format than {FORMAT}")]
    Format,
    /// A file of the format is not in the manifest, or not in the folder.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// The manifest or the folder has a file that the format does not have.
    #[error("the model has a file that does not belong to it: {0:?}")]
    Extra(OsString),
    /// A file is not the one that the manifest names.
    #[error("{0} does not have the digest that manifest.json names")]
    Changed(&'static str),
    /// Nobody signed it: a folder of a version before signatures, or one that was not signed yet.
    #[error(
        "the model is not signed (it has no {SIGNATURE}): check where it comes from, sign it with `countersign model sign FOLDER --key \
         FILE`, and name the key's public half in the file of trusted keys"
    )]
    Unsigned,
    /// It is signed, but by none of the keys that are trusted here.
    #[error("the model is signed by none of the {0} keys that are trusted here; see `--model-keys`")]
    Untrusted(usize),
    /// The signature is no signed note, or not one over this manifest.
    #[error("{SIGNATURE} is no signature of this model")]
    Signature,
    /// The folder is in use for something that is no packed model.
    #[error("{0} is not empty and holds no packed model")]
    Occupied(PathBuf),
    /// Weights cannot be written.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A part cannot be written as JSON.
    #[error("a part of the model cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

fn access(path: &Path) -> impl FnOnce(io::Error) -> PackageError + '_ {
    move |source| PackageError::Access {
        path: path.to_owned(),
        source,
    }
}

/// The files of a packed model, each checked against the manifest.
pub(crate) struct Files {
    contents: BTreeMap<&'static str, Vec<u8>>,
    /// SHA-256 of the manifest.
    pub(crate) digest: ModelDigest,
}

impl Files {
    /// Reads a folder. The manifest must be signed as `trust` says; every file of the format must be there with the
    /// digest of the manifest, and nothing else. What is returned is what was verified: no file is read twice.
    pub(crate) fn read(folder: &Path, trust: Trust<'_>) -> Result<Self, PackageError> {
        let manifest_bytes = bounded(&folder.join(MANIFEST))?;
        if let Trust::SignedBy(keys) = trust {
            verify(folder, Digest::of(&manifest_bytes), keys)?;
        }
        let manifest: Manifest =
            serde_json::from_slice(&manifest_bytes).map_err(|error| PackageError::Manifest(error.into()))?;
        if manifest.format != FORMAT {
            return Err(PackageError::Format);
        }
        if let Some(extra) = manifest.files.keys().find(|name| !FILES.contains(&name.as_str())) {
            return Err(PackageError::Extra(extra.into()));
        }
        for entry in fs::read_dir(folder).map_err(access(folder))? {
            let name = entry.map_err(access(folder))?.file_name();
            if name != MANIFEST && name != SIGNATURE && !FILES.iter().any(|&file| name == file) {
                return Err(PackageError::Extra(name));
            }
        }
        let mut contents = BTreeMap::new();
        for name in FILES {
            let expected = manifest.files.get(name).ok_or(PackageError::Missing(name))?;
            let path = folder.join(name);
            let bytes = match fs::read(&path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(PackageError::Missing(name));
                }
                Err(error) => return Err(access(&path)(error)),
            };
            if Digest::of(&bytes) != *expected {
                return Err(PackageError::Changed(name));
            }
            contents.insert(name, bytes);
        }
        Ok(Self {
            contents,
            digest: ModelDigest::new(Digest::of(&manifest_bytes)),
        })
    }

    /// The bytes of one file, which are no longer kept here.
    pub(crate) fn take(&mut self, name: &'static str) -> Result<Vec<u8>, PackageError> {
        self.contents.remove(name).ok_or(PackageError::Missing(name))
    }

    /// The bytes of one file.
    pub(crate) fn get(&self, name: &'static str) -> Result<&[u8], PackageError> {
        self.contents
            .get(name)
            .map(Vec::as_slice)
            .ok_or(PackageError::Missing(name))
    }
}

/// A small file of the folder.
fn bounded(path: &Path) -> Result<Vec<u8>, PackageError> {
    if fs::metadata(path).map_err(access(path))?.len() > MAX_MANIFEST {
        return Err(PackageError::Manifest("the file is too large".into()));
    }
    fs::read(path).map_err(access(path))
}

/// What a signer of a model says: the format, so that no signature of a report or a log fits, and the manifest's digest,
/// which holds the digest of every other file.
fn statement(manifest: Digest) -> String {
    format!("{FORMAT}\n{MANIFEST} sha256 {manifest}\n")
}

/// The key among `keys` that signed the manifest.
fn verify(folder: &Path, manifest: Digest, keys: &[VerifyingKey]) -> Result<VerifyingKey, PackageError> {
    let path = folder.join(SIGNATURE);
    if !path.exists() {
        return Err(PackageError::Unsigned);
    }
    let note = String::from_utf8(bounded(&path)?).map_err(|_| PackageError::Signature)?;
    for key in keys {
        match note::verify(&note, key) {
            Ok(text) if text == statement(manifest) => return Ok(key.clone()),
            // A true signature over another model.
            Ok(_) | Err(NoteError::Forged | NoteError::Form) => return Err(PackageError::Signature),
            Err(NoteError::Unsigned) => {}
        }
    }
    Err(PackageError::Untrusted(keys.len()))
}

/// Who among `keys` signed the packed model in `folder`: for people; what is loaded is verified as it is read.
///
/// # Errors
/// [`PackageError`] when the model is not signed by any of them.
pub fn package_signer(folder: &Path, keys: &[VerifyingKey]) -> Result<VerifyingKey, PackageError> {
    verify(folder, Digest::of(&bounded(&folder.join(MANIFEST))?), keys)
}

/// Signs the packed model in `folder`, after checking its files; a signature that is there is replaced. The model's
/// identity stays: the signature is beside the manifest, not in it.
///
/// # Errors
/// [`PackageError`] when the files do not verify, or the signature cannot be written.
pub fn sign_package(folder: &Path, signer: &Signer) -> Result<ModelDigest, PackageError> {
    let files = Files::read(folder, Trust::Anybody)?;
    let text = note::sign(&statement(*files.digest.get()), signer);
    let path = folder.join(SIGNATURE);
    fs::write(&path, text).map_err(access(&path))?;
    Ok(files.digest)
}

/// Everything that a packed model is made of.
pub struct Package<'a> {
    /// Dimensions of the encoder.
    pub config: &'a Config,
    /// Hugging Face `tokenizer.json`, as it is.
    pub tokenizer: &'a [u8],
    /// Outputs, calibration and windows.
    pub labels: &'a LabelSet,
    /// Weights of encoder and head.
    pub weights: &'a Weights,
    /// The model card.
    pub card: &'a ModelCard,
    /// Text of the weights' licence.
    pub licence: &'a str,
}

impl Package<'_> {
    /// Writes the model to `folder` and returns its identity. The files are written beside it first, so that a folder
    /// with a manifest is whole. A packed model that is there is replaced; anything else is left alone.
    ///
    /// # Errors
    /// [`PackageError`] when the folder is in use or cannot be written.
    pub fn write(&self, folder: &Path) -> Result<ModelDigest, PackageError> {
        let occupied = match fs::read_dir(folder) {
            Ok(mut entries) => entries.next().is_some(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(access(folder)(error)),
        };
        if occupied && !folder.join(MANIFEST).is_file() {
            return Err(PackageError::Occupied(folder.to_owned()));
        }
        let name = folder
            .file_name()
            .ok_or_else(|| PackageError::Occupied(folder.to_owned()))?;
        let mut partial = name.to_owned();
        partial.push(".partial");
        let partial = folder.with_file_name(partial);
        if partial.exists() {
            fs::remove_dir_all(&partial).map_err(access(&partial))?;
        }
        fs::create_dir_all(&partial).map_err(access(&partial))?;

        let mut files = BTreeMap::new();
        for (name, bytes) in [
            (CARD, json(self.card)?),
            (CONFIG, json(self.config)?),
            (LABELS, json(self.labels)?),
            (LICENSE, self.licence.as_bytes().to_vec()),
            (TOKENIZER, self.tokenizer.to_vec()),
            (WEIGHTS, self.weights.to_bytes()?),
        ] {
            let path = partial.join(name);
            fs::write(&path, &bytes).map_err(access(&path))?;
            files.insert(name.to_owned(), Digest::of(&bytes));
        }
        let manifest = json(&Manifest {
            format: FORMAT.to_owned(),
            files,
        })?;
        let path = partial.join(MANIFEST);
        fs::write(&path, &manifest).map_err(access(&path))?;
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(access(folder))?;
        }
        fs::rename(&partial, folder).map_err(access(folder))?;
        Ok(ModelDigest::new(Digest::of(&manifest)))
    }
}

/// Pretty JSON with a final line end: people read these files.
fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Tiny;

    fn packed() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("model");
        Tiny::new().write(&path).expect("a model");
        (folder, path)
    }

    #[test]
    fn what_is_written_verifies_and_keeps_its_name() -> Result<(), PackageError> {
        let (folder, path) = packed();
        let files = Files::read(&path, Trust::Anybody)?;
        assert_eq!(files.get(LICENSE)?, b"For tests.");
        let again = folder.path().join("again");
        assert_eq!(Tiny::new().write(&again)?, files.digest);
        // Writing over a model replaces it and leaves nothing behind.
        let mut other = Tiny::new();
        other.card.seed = 9;
        assert_ne!(other.write(&path)?, files.digest);
        assert_ne!(Files::read(&path, Trust::Anybody)?.digest, files.digest);
        assert!(!folder.path().join("model.partial").exists());
        Ok(())
    }

    #[test]
    fn every_file_is_checked() {
        for name in FILES {
            let (_folder, path) = packed();
            let file = path.join(name);
            let mut bytes = fs::read(&file).expect("a file of the model");
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(&file, &bytes).expect("writable");
            assert!(
                matches!(Files::read(&path, Trust::Anybody), Err(PackageError::Changed(changed)) if changed == name)
            );
            fs::remove_file(&file).expect("removable");
            assert!(
                matches!(Files::read(&path, Trust::Anybody), Err(PackageError::Missing(missing)) if missing == name)
            );
        }
    }

    #[test]
    fn nothing_is_read_that_the_manifest_does_not_name() {
        let (_folder, path) = packed();
        fs::write(path.join("extra.py"), "").expect("writable");
        assert!(matches!(
            Files::read(&path, Trust::Anybody),
            Err(PackageError::Extra(_))
        ));
    }

    #[test]
    fn a_manifest_of_another_form_is_refused() {
        let (_folder, path) = packed();
        let file = path.join(MANIFEST);
        let good = fs::read_to_string(&file).expect("a manifest");
        for (from, to) in [
            ("countersign-model/1", "countersign-model/2"),
            ("\"files\"", "\"more\""),
            ("\"LICENSE\"", "\"../LICENSE\""),
            ("}", ""),
        ] {
            fs::write(&file, good.replace(from, to)).expect("writable");
            assert!(Files::read(&path, Trust::Anybody).is_err(), "{to}");
        }
        fs::write(&file, " ".repeat(1 << 17)).expect("writable");
        assert!(matches!(
            Files::read(&path, Trust::Anybody),
            Err(PackageError::Manifest(_))
        ));
        fs::remove_file(&file).expect("removable");
        assert!(matches!(
            Files::read(&path, Trust::Anybody),
            Err(PackageError::Access { .. })
        ));
    }

    #[test]
    fn only_what_a_trusted_key_signed_is_read() -> Result<(), Box<dyn std::error::Error>> {
        let (_folder, path) = packed();
        let signer = Signer::from_seed("hospital.example/models", &[1; 32])?;
        let other = Signer::from_seed("hospital.example/models", &[2; 32])?;
        let (ours, theirs) = ([signer.public()], [other.public()]);
        let read =
            |keys: &[VerifyingKey]| Files::read(&path, Trust::SignedBy(keys)).map(|files| files.digest);
        assert!(matches!(read(&ours), Err(PackageError::Unsigned)));
        let digest = sign_package(&path, &signer)?;
        assert_eq!(read(&ours)?, digest);
        assert_eq!(read(&[theirs[0].clone(), ours[0].clone()])?, digest);
        assert!(matches!(read(&theirs), Err(PackageError::Untrusted(1))));
        assert!(matches!(read(&[]), Err(PackageError::Untrusted(0))));

        // A changed file with a manifest that fits it: the digests agree, the signature does not.
        let signature = fs::read(path.join(SIGNATURE))?;
        let mut changed = Tiny::new();
        changed.card.seed = 9;
        changed.write(&path)?;
        assert!(matches!(read(&ours), Err(PackageError::Unsigned)));
        fs::write(path.join(SIGNATURE), &signature)?;
        assert!(matches!(read(&ours), Err(PackageError::Signature)));
        assert!(Files::read(&path, Trust::Anybody).is_ok());
        // A signature of the same key over something else, and what is no note at all.
        for text in [
            note::sign("countersign-model/1\n", &signer),
            String::new(),
            "x".repeat(1 << 17),
        ] {
            fs::write(path.join(SIGNATURE), text)?;
            assert!(read(&ours).is_err());
        }
        Ok(())
    }

    #[test]
    fn a_folder_in_use_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("thesis.txt"), "years of work").expect("writable");
        assert!(matches!(
            Tiny::new().write(folder.path()),
            Err(PackageError::Occupied(_))
        ));
        assert!(folder.path().join("thesis.txt").is_file());
    }
}
