//! Running a command beside a database that exists only for it.

use super::{Cluster, PostgresError};
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

/// Why a command could not be run beside a database.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// The database did not come up.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// The schema could not be made.
    #[error("the throwaway database could not be migrated")]
    Migrate(#[source] Box<dyn Error + Send + Sync>),
    /// There is no command.
    #[error("no command to run; put it after `--`")]
    NoCommand,
    /// The command could not be started.
    #[error("cannot run `{}`", .program.display())]
    Run {
        /// The command's program.
        program: OsString,
        /// Why not.
        source: std::io::Error,
    },
}

/// Starts an ephemeral cluster, has `migrate` make the schema (it is given the URL, which holds the password), runs
/// `command` with `DATABASE_URL` set, stops the cluster, and returns the command's exit code as a shell would (128 plus
/// the signal's number when one ended it).
///
/// The command shares our terminal: Ctrl-C ends both, and the cluster with us.
///
/// # Errors
/// [`ExecError`] when the database, the schema or the command's start fails.
pub fn with_ephemeral(
    bindir: Option<&Path>,
    migrate: impl FnOnce(&str) -> Result<(), Box<dyn Error + Send + Sync>>,
    command: &[OsString],
) -> Result<u8, ExecError> {
    let (program, arguments) = command.split_first().ok_or(ExecError::NoCommand)?;
    let cluster = Cluster::ephemeral(bindir)?;
    let url = cluster.connection().url();
    migrate(&url).map_err(ExecError::Migrate)?;
    let status = run(program, arguments, &url)?;
    cluster.stop()?;
    Ok(shell_code(status))
}

fn run(program: &OsStr, arguments: &[OsString], url: &str) -> Result<ExitStatus, ExecError> {
    Command::new(program)
        .args(arguments)
        .env("DATABASE_URL", url)
        .status()
        .map_err(|source| ExecError::Run {
            program: program.to_owned(),
            source,
        })
}

/// The exit code that a shell would report.
fn shell_code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &[&str]) -> Vec<OsString> {
        line.iter().map(OsString::from).collect()
    }

    #[test]
    fn the_command_finds_the_database_that_was_migrated() {
        let mut seen = String::new();
        let migrate = |url: &str| {
            url.clone_into(&mut seen);
            Ok(())
        };
        let script = "case $DATABASE_URL in postgres://countersign:*) exit 7 ;; esac";
        let code = with_ephemeral(None, migrate, &words(&["sh", "-c", script])).expect("run");
        assert_eq!(code, 7);
        assert!(seen.starts_with("postgres://countersign:"));
    }

    #[test]
    fn nothing_is_started_for_nothing() {
        let outcome = with_ephemeral(None, |_| Err("not reached".into()), &[]);
        assert!(matches!(outcome, Err(ExecError::NoCommand)));
    }

    #[test]
    fn codes_are_a_shells() {
        assert_eq!(shell_code(ExitStatus::from_raw(3 << 8)), 3);
        assert_eq!(shell_code(ExitStatus::from_raw(9)), 137);
    }
}
