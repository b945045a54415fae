//! Key files: made once, readable by their owner alone.

use std::{
    fs,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use seal::{MacKey, Signer, Vault, VaultKey};

/// Files of a key folder; each holds 32 random bytes as 64 hexadecimal digits.
const FILES: [&str; 5] = ["vault.key", "index.key", "pseudonym.key", "log.key", "report.key"];

/// The keys of an installation.
pub struct Keyring {
    /// For the store.
    pub store: store::Keys,
    /// For the gateway's surrogates.
    pub pseudonyms: MacKey,
    /// Signs physicians' statements.
    pub reports: Signer,
    /// For tokens of forms.
    pub forms: MacKey,
}

/// Why keys could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The folder has keys already.
    #[error("{} has keys already; nothing was changed", .0.display())]
    Exists(PathBuf),
    /// A file could not be read or written.
    #[error("{} could not be read or written", .0.display())]
    Io(PathBuf, #[source] std::io::Error),
    /// Others may read a key.
    #[error("{} may be read by others: chmod 600 it", .0.display())]
    Open(PathBuf),
    /// A file is no key.
    #[error("{} is no key: 64 hexadecimal digits were expected", .0.display())]
    Malformed(PathBuf),
    /// The system gave no randomness.
    #[error("the operating system gives no random bytes")]
    Entropy,
    /// A key was refused.
    #[error("a key was refused")]
    Refused,
}

/// Makes a folder with new keys.
///
/// # Errors
/// [`KeysError::Exists`] when there is one already: keys are never replaced, since what they sealed would be lost.
pub fn create(folder: &Path) -> Result<(), KeysError> {
    if folder.join(FILES[0]).exists() {
        return Err(KeysError::Exists(folder.to_owned()));
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| KeysError::Io(folder.to_owned(), error))?;
    for name in FILES {
        let path = folder.join(name);
        let bytes: [u8; 32] = seal::random().map_err(|_| KeysError::Entropy)?;
        let text = seal::Digest::from_bytes(bytes).to_string();
        fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                file.write_all(b"\n")?;
                file.sync_all()
            })
            .map_err(|error| KeysError::Io(path.clone(), error))?;
    }
    Ok(())
}

/// Reads the keys of a folder. `vault-old-*.key` files, where there are any, are read and never write.
///
/// # Errors
/// [`KeysError`] when a file is missing, malformed or readable by others.
pub fn load(folder: &Path) -> Result<Keyring, KeysError> {
    let [vault, index, pseudonym, log, report] = FILES;
    let mut older = Vec::new();
    let entries = fs::read_dir(folder).map_err(|error| KeysError::Io(folder.to_owned(), error))?;
    let mut names: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    names.sort();
    for path in names {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if name.starts_with("vault-old-") && path.extension().is_some_and(|extension| extension == "key") {
            older.push(VaultKey::new(read(&path)?));
        }
    }
    let forms = MacKey::new(&read(&folder.join(index))?).digest(&[b"countersign forms"]);
    let reports = signer("countersign.example/reports", &read(&folder.join(report))?)?;
    Ok(Keyring {
        store: store::Keys {
            vault: Vault::new(VaultKey::new(read(&folder.join(vault))?), older),
            index: MacKey::new(&read(&folder.join(index))?),
            log: signer("countersign.example/log", &read(&folder.join(log))?)?,
            reports: reports.public(),
        },
        pseudonyms: MacKey::new(&read(&folder.join(pseudonym))?),
        forms: MacKey::new(forms.as_bytes()),
        reports,
    })
}

fn signer(name: &str, seed: &[u8; 32]) -> Result<Signer, KeysError> {
    Signer::from_seed(name, seed).map_err(|_| KeysError::Refused)
}

fn read(path: &Path) -> Result<[u8; 32], KeysError> {
    let io = |error| KeysError::Io(path.to_owned(), error);
    let mode = fs::metadata(path).map_err(io)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(KeysError::Open(path.to_owned()));
    }
    let text = fs::read_to_string(path).map_err(io)?;
    let digest: seal::Digest = text
        .trim()
        .parse()
        .map_err(|_| KeysError::Malformed(path.to_owned()))?;
    Ok(*digest.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_kept_private() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let keys = folder.path().join("keys");
        create(&keys).expect("keys are made");
        assert!(load(&keys).is_ok());
        assert!(matches!(create(&keys), Err(KeysError::Exists(_))));
        let file = keys.join("vault.key");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("mode is set");
        assert!(matches!(load(&keys), Err(KeysError::Open(_))));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("mode is set");
        fs::write(&file, "short").expect("file is written");
        assert!(matches!(load(&keys), Err(KeysError::Malformed(_))));
    }
}
