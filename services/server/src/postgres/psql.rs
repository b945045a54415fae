//! Administrative statements. `sqlx` is `store`'s alone, so these few go through the `psql` beside the server.

use super::account::Account;
use super::binaries::Binaries;
use super::connection::Endpoint;
use super::initdb::last_lines;
use super::secret::Secret;
use super::{NAME, PostgresError};
use std::io::Write;
use std::process::Stdio;

/// The bootstrap superuser's name.
pub(super) const SUPERUSER: &str = "postgres";

/// The database that always exists, from which others are made.
const MAINTENANCE: &str = "postgres";

/// A login for `psql`.
#[derive(Clone, Copy)]
pub(super) struct Psql<'a> {
    pub(super) binaries: &'a Binaries,
    pub(super) account: &'a Account,
    pub(super) endpoint: &'a Endpoint,
    pub(super) user: &'a str,
    pub(super) password: &'a Secret,
    pub(super) database: &'a str,
}

impl<'a> Psql<'a> {
    /// The superuser's login.
    pub(super) fn superuser(
        binaries: &'a Binaries,
        account: &'a Account,
        endpoint: &'a Endpoint,
        password: &'a Secret,
    ) -> Self {
        Self {
            binaries,
            account,
            endpoint,
            user: SUPERUSER,
            password,
            database: MAINTENANCE,
        }
    }

    /// Runs a script, given on stdin, and returns what it printed, one row a line.
    ///
    /// The password travels in `PGPASSWORD`, statements on stdin: a command line is readable by everyone. Errors come
    /// back as `SQLSTATE` alone, because their text quotes the statement.
    pub(super) fn run(&self, what: &'static str, script: &str) -> Result<String, PostgresError> {
        let program = self.binaries.program("psql");
        let cannot_run = |source| PostgresError::Run {
            program: self.binaries.program("psql"),
            source,
        };
        let mut child = self
            .account
            .command(&program)
            .args([
                "--no-psqlrc",
                "--quiet",
                "--no-align",
                "--tuples-only",
                "--no-password",
            ])
            .args(["--set", "ON_ERROR_STOP=1", "--set", "VERBOSITY=sqlstate"])
            .arg("--host")
            .arg(self.endpoint.host())
            .args(["--port", &self.endpoint.port().to_string()])
            .args(["--username", self.user, "--dbname", self.database, "--file", "-"])
            .env("PGPASSWORD", self.password.expose())
            .env("PGCONNECT_TIMEOUT", "10")
            .env("PGAPPNAME", "countersign-admin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(cannot_run)?;
        // A script fits into a pipe's buffer (64 KiB), so this cannot wait for a reader; a child that cannot connect
        // closes its end, and its message says more than the broken pipe.
        if let Some(mut stdin) = child.stdin.take() {
            let _ = stdin.write_all(script.as_bytes());
        }
        let output = child.wait_with_output().map_err(cannot_run)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let reason = last_lines(&String::from_utf8_lossy(&output.stderr), 2);
        Err(PostgresError::Admin { what, reason })
    }

    /// Makes the service's role and database, or brings the role's password and rights back to what they should be.
    pub(super) fn ensure_service(
        &self,
        password: &Secret,
        may_create_databases: bool,
    ) -> Result<(), PostgresError> {
        let createdb = if may_create_databases {
            "CREATEDB"
        } else {
            "NOCREATEDB"
        };
        // The password is hex, so quoting it is safe. A statement is never logged (settings.rs).
        let script = format!(
            "SET client_min_messages = error;\n\
             DO $$ BEGIN CREATE ROLE {NAME}; EXCEPTION WHEN duplicate_object THEN NULL; END $$;\n\
             ALTER ROLE {NAME} WITH LOGIN NOSUPERUSER {createdb} NOCREATEROLE NOREPLICATION NOBYPASSRLS \
             PASSWORD '{password}';\n\
             SELECT 'CREATE DATABASE {NAME} OWNER {NAME}' \
             WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{NAME}') \\gexec\n\
             REVOKE ALL ON DATABASE {NAME} FROM PUBLIC;\n",
            password = password.expose(),
        );
        self.run("make the service's role and database", &script)
            .map(drop)
    }

    /// Makes one more database that the service's role owns.
    pub(super) fn create_database(&self, name: &str) -> Result<(), PostgresError> {
        let rest_is_plain = name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        let begins_with_letter = name.starts_with(|first: char| first.is_ascii_lowercase());
        // 63: NAMEDATALEN - 1, beyond which PostgreSQL cuts a name silently.
        if !(rest_is_plain && begins_with_letter && name.len() <= 63) {
            return Err(PostgresError::DatabaseName { length: name.len() });
        }
        let script = format!("CREATE DATABASE \"{name}\" OWNER {NAME};\n");
        self.run("create a database", &script).map(drop)
    }
}
