//! Finding the server programs.

use super::{OLDEST_MAJOR, PostgresError};
use std::cmp::Reverse;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where Debian and Ubuntu put one folder for each major version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// Programs that we call; a folder that lacks one is passed over.
const NEEDED: [&str; 4] = ["initdb", "pg_ctl", "postgres", "psql"];

/// A folder with the server programs of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    folder: PathBuf,
    major: u32,
}

impl Binaries {
    /// Looks in `bindir` (the value of `PG_BINDIR`), then on `PATH` with links resolved, then in
    /// `/usr/lib/postgresql/*/bin`, newest first; takes the first of version [`OLDEST_MAJOR`] or newer.
    ///
    /// # Errors
    /// [`PostgresError::Bindir`] when `bindir` is given and holds no usable programs, [`PostgresError::NotInstalled`] when
    /// nothing is found.
    pub fn find(bindir: Option<&Path>) -> Result<Self, PostgresError> {
        let found = Search::run(bindir)?;
        let searched = found.searched();
        found
            .usable
            .into_iter()
            .next()
            .ok_or(PostgresError::NotInstalled { searched })
    }

    /// Like [`Binaries::find`], but of exactly the major version that made the data in `folder`.
    ///
    /// # Errors
    /// As [`Binaries::find`], and [`PostgresError::OtherMajor`] when only other versions are installed.
    pub(super) fn find_major(
        bindir: Option<&Path>,
        major: u32,
        folder: &Path,
    ) -> Result<Self, PostgresError> {
        let found = Search::run(bindir)?;
        let searched = found.searched();
        found
            .usable
            .into_iter()
            .find(|binaries| binaries.major == major)
            .ok_or_else(|| PostgresError::OtherMajor {
                folder: folder.to_owned(),
                major,
                searched,
            })
    }

    /// The folder that holds the programs.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The major version, 14 or higher.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.major
    }

    /// Path of one program.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Judges one folder; the error says what is wrong with it.
    fn inspect(folder: &Path) -> Result<Self, String> {
        if let Some(missing) = NEEDED.iter().find(|name| !folder.join(name).is_file()) {
            return Err(format!("no {missing}"));
        }
        let output = Command::new(folder.join("postgres"))
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("postgres does not run: {}", error.kind()))?;
        let major = parse_major(&String::from_utf8_lossy(&output.stdout)).ok_or("version not understood")?;
        if major < OLDEST_MAJOR {
            return Err(format!("version {major} is too old"));
        }
        Ok(Self {
            folder: folder.to_owned(),
            major,
        })
    }
}

/// The outcome of looking everywhere.
struct Search {
    usable: Vec<Binaries>,
    passed_over: Vec<String>,
}

impl Search {
    fn run(bindir: Option<&Path>) -> Result<Self, PostgresError> {
        let mut found = Self {
            usable: Vec::new(),
            passed_over: Vec::new(),
        };
        if let Some(folder) = bindir {
            // An explicit wish that cannot be met is a mistake to report, not to work around.
            let binaries = Binaries::inspect(folder).map_err(|reason| PostgresError::Bindir {
                folder: folder.to_owned(),
                reason,
            })?;
            found.usable.push(binaries);
        }
        match on_path() {
            Some(folder) => found.consider(&folder),
            None => found.passed_over.push("PATH".to_owned()),
        }
        let versions = debian_folders(Path::new(DEBIAN));
        if versions.is_empty() {
            found.passed_over.push(format!("{DEBIAN}/*/bin"));
        }
        for folder in versions {
            found.consider(&folder);
        }
        Ok(found)
    }

    fn consider(&mut self, folder: &Path) {
        if self.usable.iter().any(|binaries| binaries.folder == folder) {
            return;
        }
        match Binaries::inspect(folder) {
            Ok(binaries) => self.usable.push(binaries),
            Err(reason) => self.passed_over.push(format!("{} ({reason})", folder.display())),
        }
    }

    fn searched(&self) -> String {
        let usable = self
            .usable
            .iter()
            .map(|found| format!("{} (version {})", found.folder.display(), found.major));
        usable
            .chain(self.passed_over.iter().cloned())
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// The folder of the server programs that a shell would run, links resolved. The shell reads `PATH`, so that this
/// module reads no environment.
fn on_path() -> Option<PathBuf> {
    let output = Command::new("/bin/sh")
        .args([
            "-c",
            "command -v pg_ctl || command -v initdb || command -v postgres",
        ])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let line = String::from_utf8(output.stdout).ok()?;
    let program = std::fs::canonicalize(line.trim_end_matches('\n')).ok()?;
    program.parent().map(Path::to_owned)
}

/// `root/VERSION/bin`, newest version first.
fn debian_folders(root: &Path) -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir(root)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse().ok()?,
                entry.path().join("bin"),
            ))
        })
        .filter(|(_, folder)| folder.is_dir())
        .collect();
    versions.sort_by_key(|(version, _)| Reverse(*version));
    versions.into_iter().map(|(_, folder)| folder).collect()
}

/// Reads `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`; also `17beta2` and `18devel`.
fn parse_major(version: &str) -> Option<u32> {
    let (_, number) = version.split_once("(PostgreSQL) ")?;
    let end = number
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(number.len());
    number[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        for (text, major) in [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", Some(15)),
            ("postgres (PostgreSQL) 14.0", Some(14)),
            ("postgres (PostgreSQL) 17beta2\n", Some(17)),
            ("postgres (PostgreSQL) 9.6.24", Some(9)),
            ("postgres (PostgreSQL) é", None),
            ("something else 15", None),
            ("", None),
        ] {
            assert_eq!(parse_major(text), major, "{text}");
        }
    }

    /// Makes programs that print a version. A shell writes them: a file that this process holds open for writing, if only
    /// for the moment in which another test forks, could not be run («text file busy»).
    fn pretend(folder: &Path, version: &str) {
        let script = r#"mkdir -p "$1"; for name in initdb pg_ctl postgres psql; do
            printf '#!/bin/sh\necho "postgres (PostgreSQL) %s"\n' "$2" > "$1/$name"; chmod 755 "$1/$name"; done"#;
        let status = Command::new("/bin/sh")
            .args(["-ec", script, "sh"])
            .arg(folder)
            .arg(version)
            .status();
        assert!(status.is_ok_and(|status| status.success()));
    }

    #[test]
    fn newest_folder_comes_first_by_number() {
        let root = tempfile::tempdir().expect("temporary folder");
        for version in ["9", "14", "17", "not-a-version"] {
            std::fs::create_dir_all(root.path().join(version).join("bin")).expect("folder");
        }
        let found = debian_folders(root.path());
        let expected: Vec<PathBuf> = ["17", "14", "9"].map(|v| root.path().join(v).join("bin")).into();
        assert_eq!(found, expected);
    }

    #[test]
    fn an_old_or_incomplete_bindir_is_refused_with_its_reason() {
        let root = tempfile::tempdir().expect("temporary folder");
        let old = root.path().join("old");
        pretend(&old, "13.9");
        let error = Binaries::find(Some(&old)).expect_err("13 is too old").to_string();
        assert!(error.contains("version 13 is too old"), "{error}");

        let incomplete = root.path().join("incomplete");
        pretend(&incomplete, "16.1");
        std::fs::remove_file(incomplete.join("psql")).expect("removed");
        let error = Binaries::find(Some(&incomplete))
            .expect_err("psql is missing")
            .to_string();
        assert!(error.contains("no psql"), "{error}");
    }

    #[test]
    fn bindir_wins_and_the_data_decide_between_versions() {
        let root = tempfile::tempdir().expect("temporary folder");
        pretend(root.path(), "99.1");
        let found = Binaries::find(Some(root.path())).expect("usable");
        assert_eq!((found.folder(), found.major()), (root.path(), 99));

        let error = Binaries::find_major(Some(root.path()), 98, Path::new("/d"))
            .expect_err("no 98")
            .to_string();
        assert!(
            error.contains("postgresql-98") && error.contains("version 99"),
            "{error}"
        );
    }
}
