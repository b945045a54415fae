//! Random passwords and the 0600 files that keep them.

use super::PostgresError;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Bytes of randomness in a password: 192 bits, out of reach for guessing even where the SCRAM verifier is known.
const BYTES: usize = 24;

/// A password: lower-case hex, so that it needs no quoting in SQL, a URL or a file. No `Debug`, no `Display`.
#[derive(Clone)]
pub(super) struct Secret(String);

impl Secret {
    /// A fresh one from the kernel's generator. Not injected: a predictable password would be a hole, not a test aid.
    pub(super) fn random() -> Result<Self, PostgresError> {
        let source = Path::new("/dev/urandom");
        let mut bytes = [0_u8; BYTES];
        File::open(source)
            .and_then(|mut file| file.read_exact(&mut bytes))
            .map_err(PostgresError::file("read", source))?;
        Ok(Self(
            bytes
                .iter()
                .flat_map(|byte| [hex(byte >> 4), hex(byte & 15)])
                .collect(),
        ))
    }

    /// Reads a password file; `None` when it is absent or was never finished.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, PostgresError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Self::parse(text.trim_end())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(PostgresError::file("read", path)(error)),
        }
    }

    /// Reads a password file, or makes one (mode 0600, on disk before this returns).
    pub(super) fn read_or_make(path: &Path) -> Result<Self, PostgresError> {
        if let Some(secret) = Self::read(path)? {
            return Ok(secret);
        }
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(PostgresError::file("replace", path)(error))
            }
            _ => Ok(()),
        }?;
        let secret = Self::random()?;
        secret.write(path)?;
        Ok(secret)
    }

    /// Writes it to a file that does not exist yet (so that no link is followed), mode 0600.
    pub(super) fn write(&self, path: &Path) -> Result<(), PostgresError> {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .and_then(|mut file| writeln!(file, "{}", self.0).and_then(|()| file.sync_all()))
            .map_err(PostgresError::file("write", path))
    }

    /// The password itself, for an environment variable, a statement on stdin or a URL.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let whole =
            text.len() == 2 * BYTES && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        whole.then(|| Self(text.to_owned()))
    }
}

/// The hex digit of a value below 16.
fn hex(nibble: u8) -> char {
    char::from(if nibble < 10 {
        b'0' + nibble
    } else {
        b'a' + nibble - 10
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_password_survives_its_file_and_a_torn_file_is_replaced() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("role.password");
        let first = Secret::read_or_make(&path).expect("made");
        let again = Secret::read_or_make(&path).expect("read");
        assert_eq!(first.expose(), again.expose());
        let mode = std::fs::metadata(&path).expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        std::fs::write(&path, &first.expose()[..10]).expect("torn");
        assert!(Secret::read(&path).expect("readable").is_none());
        let other = Secret::read_or_make(&path).expect("made again");
        assert_eq!(other.expose().len(), 2 * BYTES);
        assert_ne!(other.expose(), first.expose());
    }
}
