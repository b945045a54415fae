//! A PostgreSQL of our own: found on this machine, started, looked after and stopped.
//!
//! `countersign up` and the tests need a real server and may not ask anybody to set one up. This module finds the
//! server programs (version 14 or newer), makes a cluster in a folder that only its account may read, starts it, proves with
//! a real connection that it answers, and keeps one role and one database for the service, both named `countersign`.
//!
//! ```no_run
//! use server::postgres::{Cluster, Options};
//!
//! # fn main() -> Result<(), server::postgres::PostgresError> {
//! let mut say = |line: &str| eprintln!("{line}");
//! let folder = std::path::Path::new("/var/lib/countersign/postgres");
//! let cluster = Cluster::open(folder, Options { bindir: None, progress: &mut say })?;
//! let url = cluster.connection().url(); // holds the password: never print it
//! # drop(url);
//! cluster.stop()?;
//! # Ok(())
//! # }
//! ```
//!
//! Everything blocks: a caller inside an async runtime wraps it in `spawn_blocking`. Linux only (`/proc` tells which
//! processes belong to a data folder).
//!
//! What is kept in the folder, and whose it is when we run as root:
//!
//! | entry | owner, mode | content |
//! |---|---|---|
//! | `data/` | account, 0700 | the cluster (`PGDATA`), with checksums |
//! | `run/` | account, 0700 | the unix socket |
//! | `log/` | account, 0700 | the server's log; never a statement, never a value |
//! | `role.password`, `superuser.password` | us, 0600 | 192 random bits each |
//! | `lock` | us, 0600 | held by the one process that uses the folder |

mod account;
mod attach;
mod binaries;
mod cluster;
mod connection;
mod exec;
mod folder;
mod initdb;
mod postmaster;
mod psql;
mod secret;
mod settings;
mod watchdog;

pub use binaries::Binaries;
pub use cluster::{Cluster, Options};
pub use connection::Connection;
pub use exec::{ExecError, with_ephemeral};
pub use folder::{create_folder, default_folder};

use std::io;
use std::path::{Path, PathBuf};

/// Oldest major version that we start: `FOR UPDATE SKIP LOCKED` and much else is older, but 14 is the oldest that Debian and
/// Ubuntu releases in support ship and that `initdb --no-instructions` knows.
pub const OLDEST_MAJOR: u32 = 14;

/// Name of the service's role and of its database.
pub const NAME: &str = "countersign";

/// Why there is no PostgreSQL to work with, and what to do about it. Never holds a password or a statement.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// No folder with usable server programs.
    #[error(
        "PostgreSQL {OLDEST_MAJOR} or newer is not installed (looked in: {searched}); install it with \
         `sudo apt-get install postgresql`, or set PG_BINDIR to the folder that holds initdb and postgres"
    )]
    NotInstalled {
        /// Folders that were looked at, and why each was passed over.
        searched: String,
    },
    /// `PG_BINDIR` names a folder that cannot serve.
    #[error("PG_BINDIR is {folder}, which cannot be used: {reason}; correct or unset it")]
    Bindir {
        /// The folder given.
        folder: PathBuf,
        /// What is missing there.
        reason: String,
    },
    /// The data were made by a major version that is not installed.
    #[error(
        "the data in {folder} were made by PostgreSQL {major}, which was not found (looked in: {searched}); install \
         it with `sudo apt-get install postgresql-{major}`, or convert the data with pg_upgrade"
    )]
    OtherMajor {
        /// The data folder.
        folder: PathBuf,
        /// The major version in its `PG_VERSION`.
        major: u32,
        /// Folders that were looked at.
        searched: String,
    },
    /// Neither `$XDG_DATA_HOME` nor a home folder is known, so there is no default place for data.
    #[error("no folder for the data: set HOME or XDG_DATA_HOME, or name a folder")]
    NoDefaultFolder,
    /// We are root, and there is no account to run the server as (it refuses to run as root).
    #[error(
        "PostgreSQL does not run as root, and this machine has neither an account `postgres` nor `nobody`"
    )]
    NoAccount,
    /// A folder's name cannot be passed on safely (`pg_ctl` puts it between double quotes in a shell line).
    #[error(
        "the folder name {folder} contains a quote, `$`, backslash, backtick or line break; choose another folder"
    )]
    Name {
        /// The folder.
        folder: PathBuf,
    },
    /// A file or folder of ours could not be read, made or handed over.
    #[error("cannot {what} {path}; check its owner, mode and free space, or choose another folder")]
    File {
        /// What was tried.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The account that the server runs as cannot reach the folder.
    #[error(
        "the account `{account}`, which PostgreSQL runs as, may not pass through {barrier}; allow it with \
         `chmod a+x {barrier}`, or choose a folder elsewhere (the default is /var/lib/countersign)"
    )]
    Unreachable {
        /// Name of the account.
        account: String,
        /// The topmost folder on the way that refuses.
        barrier: PathBuf,
    },
    /// Another process holds the folder's lock.
    #[error(
        "{folder} is in use by another countersign{}; stop that one first, or choose another folder",
        .holder.map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// Process that holds it, when its number could be read.
        holder: Option<u32>,
    },
    /// A password file is gone while the data are there.
    #[error(
        "{path} is missing or damaged, and without it the database beside it cannot be opened; restore it from a backup"
    )]
    SecretLost {
        /// The password file.
        path: PathBuf,
    },
    /// A server program could not be run at all.
    #[error("cannot run {program}; reinstall PostgreSQL, or set PG_BINDIR")]
    Run {
        /// The program.
        program: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// `initdb` refused.
    #[error("initdb could not make a cluster in {folder}: {output}")]
    Initdb {
        /// The data folder.
        folder: PathBuf,
        /// The last lines it wrote.
        output: String,
    },
    /// The server came down while starting.
    #[error("PostgreSQL did not start; the end of {log} says: {tail}")]
    Start {
        /// Its log.
        log: PathBuf,
        /// Its last lines.
        tail: String,
    },
    /// The server runs but does not accept a connection.
    #[error(
        "PostgreSQL (process {pid}) runs but has not accepted a connection for {seconds} s ({reason}); see {log}"
    )]
    Silent {
        /// Process number of the postmaster; 0 when unknown.
        pid: i32,
        /// How long we waited.
        seconds: u64,
        /// What the last attempt said.
        reason: String,
        /// Its log.
        log: PathBuf,
    },
    /// An administrative statement failed.
    #[error("PostgreSQL refused to {what}: {reason}")]
    Admin {
        /// What was tried.
        what: &'static str,
        /// `SQLSTATE` or the connection's error; the statement is never quoted.
        reason: String,
    },
    /// A database name that we do not make.
    #[error(
        "a database name is 1 to 63 of a-z, 0-9 and _, and begins with a letter (this one has {length} bytes)"
    )]
    DatabaseName {
        /// Its length.
        length: usize,
    },
    /// The server did not come down.
    #[error("PostgreSQL in {folder} did not stop within {seconds} s, not even after an immediate shutdown")]
    Stop {
        /// The data folder.
        folder: PathBuf,
        /// How long we waited.
        seconds: u64,
    },
}

impl PostgresError {
    /// For `map_err` on a file operation.
    fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File {
            what,
            path: path.to_owned(),
            source,
        }
    }
}
