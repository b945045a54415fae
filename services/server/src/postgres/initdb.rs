//! Making a cluster, whole or not at all.

use super::PostgresError;
use super::account::Account;
use super::binaries::Binaries;
use super::folder::Folder;
use super::psql::SUPERUSER;
use super::secret::Secret;
use super::settings::{self, Durability};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::Stdio;

/// Beginning of the names of unfinished clusters.
const UNFINISHED: &str = "initdb-";

/// Makes `data/`: in a folder of another name first, renamed when it is complete, so that an interruption leaves nothing
/// that looks like a cluster.
pub(super) fn make(
    folder: &Folder,
    binaries: &Binaries,
    account: &Account,
    durability: Durability,
) -> Result<(), PostgresError> {
    remove_unfinished(folder.home());
    let superuser = Secret::read_or_make(&folder.superuser_password())?;
    let name = format!("{UNFINISHED}{}", &Secret::random()?.expose()[..12]);
    let data = folder.home().join(&name);
    let password_file = folder.home().join(format!("{name}.password"));
    let made = make_in(&data, &password_file, &superuser, binaries, account, durability);
    // Also when it failed; that there is no such file is fine.
    let _ = std::fs::remove_file(&password_file);
    made?;
    std::fs::rename(&data, folder.data()).map_err(PostgresError::file("rename", &data))?;
    if durability == Durability::Full {
        // So that the new name outlives a power failure.
        let home = folder.home();
        std::fs::File::open(home)
            .and_then(|entry| entry.sync_all())
            .map_err(PostgresError::file("sync", home))?;
    }
    Ok(())
}

fn make_in(
    data: &Path,
    password_file: &Path,
    superuser: &Secret,
    binaries: &Binaries,
    account: &Account,
    durability: Durability,
) -> Result<(), PostgresError> {
    superuser.write(password_file)?;
    account.own(password_file)?;
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(data)
        .map_err(PostgresError::file("create the folder", data))?;
    account.own(data)?;

    let program = binaries.program("initdb");
    let mut command = account.command(&program);
    command
        .arg("-D")
        .arg(data)
        .args(["-U", SUPERUSER, "-A", "scram-sha-256"])
        .arg("--pwfile")
        .arg(password_file);
    command.args([
        "--locale=C.UTF-8",
        "--encoding=UTF8",
        "--data-checksums",
        "--no-instructions",
    ]);
    if durability == Durability::None {
        command.arg("--no-sync");
    }
    // It waits for its children, so its pipe ends with it.
    let output = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .map_err(|source| PostgresError::Run { program, source })?;
    if !output.status.success() {
        let output = last_lines(&String::from_utf8_lossy(&output.stderr), 4);
        return Err(PostgresError::Initdb {
            folder: data.to_owned(),
            output,
        });
    }

    let main = data.join("postgresql.conf");
    OpenOptions::new()
        .append(true)
        .open(&main)
        .and_then(|mut file| writeln!(file, "\ninclude = '{}'", settings::FILE))
        .map_err(PostgresError::file("write", &main))
}

/// Clears what interrupted attempts left; whatever cannot be removed is in nobody's way.
fn remove_unfinished(home: &Path) {
    for entry in std::fs::read_dir(home)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
    {
        if entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.starts_with(UNFINISHED))
        {
            let path = entry.path();
            let _ = if path.is_dir() {
                std::fs::remove_dir_all(&path)
            } else {
                std::fs::remove_file(&path)
            };
        }
    }
}

/// The last `count` lines with anything on them, as one line.
pub(super) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    lines[lines.len().saturating_sub(count)..].join(" / ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log_fits_on_a_line() {
        assert_eq!(last_lines("one\n\n two \nthree\n", 2), "two / three");
        assert_eq!(last_lines("", 3), "");
    }

    #[test]
    fn leftovers_go_and_the_rest_stays() {
        let home = tempfile::tempdir().expect("temporary folder");
        std::fs::create_dir_all(home.path().join("initdb-abc/base")).expect("folder");
        std::fs::write(home.path().join("initdb-abc.password"), "x").expect("file");
        std::fs::create_dir(home.path().join("data")).expect("folder");
        remove_unfinished(home.path());
        let left: Vec<_> = std::fs::read_dir(home.path())
            .expect("folder")
            .filter_map(Result::ok)
            .collect();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].file_name(), "data");
    }
}
