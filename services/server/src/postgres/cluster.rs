//! One cluster: opened, used, stopped.

use super::account::Account;
use super::binaries::Binaries;
use super::connection::{Connection, Endpoint};
use super::folder::Folder;
use super::initdb::{self, last_lines};
use super::postmaster::{self, Postmaster};
use super::psql::Psql;
use super::secret::Secret;
use super::settings::{self, Durability};
use super::watchdog::Watchdog;
use super::{NAME, PostgresError};
use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long `pg_ctl start` waits in silence, before we look closer and tell.
const QUIET_START: Duration = Duration::from_secs(10);

/// How long a server may say that it is starting: replaying its log after a crash takes minutes at worst.
const RECOVERY: Duration = Duration::from_mins(10);

/// How long a living server may give no such answer.
const SILENCE: Duration = Duration::from_mins(1);

/// How long a fast shutdown (disconnect clients, write a checkpoint) may take before an immediate one.
const FAST_STOP: Duration = Duration::from_secs(30);

/// How long an immediate shutdown may take.
const IMMEDIATE_STOP: Duration = Duration::from_secs(10);

/// Attempts to start on a free port: another process may take it between our look and the server's start.
const PORT_ATTEMPTS: usize = 3;

/// Size at which the server's log is moved aside at a start, in bytes.
const LONGEST_LOG: u64 = 16 << 20;

/// What [`Cluster::open`] needs to know beside the folder.
pub struct Options<'a> {
    /// The value of `PG_BINDIR`, if set: where the server programs are.
    pub bindir: Option<&'a Path>,
    /// Is told, line by line, what happens; nothing secret.
    pub progress: &'a mut dyn FnMut(&str),
}

/// A running PostgreSQL that belongs to this process. Dropping it stops it.
pub struct Cluster {
    folder: Folder,
    binaries: Binaries,
    account: Account,
    superuser: Secret,
    connection: Connection,
    durability: Durability,
    running: bool,
    /// Dropped after the server stopped: removes a temporary folder.
    _watchdog: Option<Watchdog>,
    /// Dropped last: the next process may have the folder.
    _lock: File,
}

impl Cluster {
    /// Opens the cluster in `folder`: made if there is none, started, or taken over from a process that was killed.
    ///
    /// # Errors
    /// [`PostgresError`]: no programs, no access, another process has the folder, or PostgreSQL refuses.
    pub fn open(folder: &Path, options: Options<'_>) -> Result<Self, PostgresError> {
        Self::open_with(Folder::create(folder)?, options, Durability::Full, None)
    }

    /// A cluster for tests in a temporary folder: it does not wait for the disk, its role may create databases, and when
    /// this process ends, however it ends, the server and the folder go.
    ///
    /// # Errors
    /// As [`Cluster::open`].
    pub fn ephemeral(bindir: Option<&Path>) -> Result<Self, PostgresError> {
        let home = temporary_home()?;
        let watchdog = Watchdog::guard(&home)?;
        let options = Options {
            bindir,
            progress: &mut |_| {},
        };
        Self::open_with(Folder::create(&home)?, options, Durability::None, Some(watchdog))
    }

    fn open_with(
        folder: Folder,
        options: Options<'_>,
        durability: Durability,
        watchdog: Option<Watchdog>,
    ) -> Result<Self, PostgresError> {
        let Options { bindir, progress } = options;
        let lock = folder.lock()?;
        let data = folder.data();
        let made = folder.data_major()?;
        let binaries = match made {
            Some(major) => Binaries::find_major(bindir, major, &data)?,
            None => Binaries::find(bindir)?,
        };
        progress(&format!(
            "PostgreSQL {} from {}",
            binaries.major(),
            binaries.folder().display()
        ));
        let account = Account::choose(&data)?;
        folder.hand_over(&account)?;
        if made.is_none() {
            progress(&format!(
                "creating the database files in {} (only once)",
                data.display()
            ));
            initdb::make(&folder, &binaries, &account, durability)?;
        }
        let superuser =
            Secret::read(&folder.superuser_password())?.ok_or_else(|| PostgresError::SecretLost {
                path: folder.superuser_password(),
            })?;
        let password = Secret::read_or_make(&folder.role_password())?;
        let endpoint = folder.endpoint()?;
        let connection = Connection {
            endpoint,
            user: NAME,
            password,
            database: NAME.to_owned(),
        };

        let mut cluster = Self {
            folder,
            binaries,
            account,
            superuser,
            connection,
            durability,
            running: false,
            _watchdog: watchdog,
            _lock: lock,
        };
        cluster.ensure_running(progress)?;
        let may_create_databases = durability == Durability::None;
        cluster
            .psql()
            .ensure_service(&cluster.connection.password, may_create_databases)?;
        progress("PostgreSQL is ready");
        Ok(cluster)
    }

    /// Where the service's database is and how to log in.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The service's database as its superuser: above the triggers and row policies, for proofs and repairs alone.
    #[must_use]
    pub fn superuser_connection(&self) -> Connection {
        Connection {
            user: super::psql::SUPERUSER,
            password: self.superuser.clone(),
            ..self.connection.clone()
        }
    }

    /// Makes a further, empty database that the service's role owns: one a test, for instance.
    ///
    /// # Errors
    /// [`PostgresError::DatabaseName`] for a name that would need quoting, [`PostgresError::Admin`] when PostgreSQL
    /// refuses (the name is taken).
    pub fn create_database(&self, name: &str) -> Result<Connection, PostgresError> {
        self.psql().create_database(name)?;
        Ok(Connection {
            database: name.to_owned(),
            ..self.connection.clone()
        })
    }

    /// Stops the server: fast (clients are disconnected, all is written), and immediately if that takes too long.
    ///
    /// # Errors
    /// [`PostgresError::Stop`] when it still runs afterwards.
    pub fn stop(mut self) -> Result<(), PostgresError> {
        self.shut_down()
    }

    /// Takes over a server that runs, or starts one; returns when a connection succeeded.
    fn ensure_running(&mut self, progress: &mut dyn FnMut(&str)) -> Result<(), PostgresError> {
        if let Some(found) = Postmaster::find(&self.folder.data()) {
            progress(&format!(
                "PostgreSQL still runs from earlier (process {}); taking it over",
                found.pid
            ));
            self.running = true;
            if let Some(endpoint) = found.endpoint {
                self.connection.endpoint = endpoint;
            }
            match self.await_connection(progress) {
                Ok(()) => return Ok(()),
                // It came down meanwhile (it was stopping, say); start our own.
                Err(PostgresError::Start { .. }) => self.connection.endpoint = self.folder.endpoint()?,
                Err(error) => return Err(error),
            }
        }
        let mut attempt = 1;
        loop {
            match self.start(progress) {
                Err(PostgresError::Start { .. }) if attempt < PORT_ATTEMPTS && self.listens_on_loopback() => {
                    self.connection.endpoint = self.folder.endpoint()?;
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    fn listens_on_loopback(&self) -> bool {
        matches!(self.connection.endpoint, Endpoint::Loopback(_))
    }

    fn start(&mut self, progress: &mut dyn FnMut(&str)) -> Result<(), PostgresError> {
        progress("starting PostgreSQL");
        postmaster::clear_leftovers(&self.folder)?;
        let data = self.folder.data();
        settings::write(&data, &self.connection.endpoint, self.durability, &self.account)?;
        let log = self.folder.log_file();
        if std::fs::metadata(&log).is_ok_and(|found| found.len() > LONGEST_LOG) {
            let aside = log.with_extension("log.1");
            std::fs::rename(&log, &aside).map_err(PostgresError::file("move aside", &log))?;
        }
        self.running = true;
        // Not `output()`: the server would inherit the pipe, and we would wait for its end.
        self.pg_ctl(
            &["start", "--wait", "--timeout", &QUIET_START.as_secs().to_string()],
            Some(&log),
        )?;
        // Whatever pg_ctl says, a connection decides.
        self.await_connection(progress)
    }

    /// Runs `pg_ctl` on our data folder; its exit status is not believed, so it is not returned.
    fn pg_ctl(&self, arguments: &[&str], log: Option<&Path>) -> Result<(), PostgresError> {
        let program = self.binaries.program("pg_ctl");
        let mut command = self.account.command(&program);
        command
            .args(arguments)
            .arg("--silent")
            .arg("--pgdata")
            .arg(self.folder.data());
        if let Some(log) = log {
            command.arg("--log").arg(log);
        }
        command
            .status()
            .map(drop)
            .map_err(|source| PostgresError::Run { program, source })
    }

    /// Tries to connect until it works, the server is gone, or our patience ends.
    fn await_connection(&mut self, progress: &mut dyn FnMut(&str)) -> Result<(), PostgresError> {
        let begin = Instant::now();
        let mut told = Duration::ZERO;
        loop {
            // Looked up before the attempt: one that fails with a server that was already gone has failed for good.
            let found = Postmaster::find(&self.folder.data());
            let Err(error) = self.psql().run("answer", "SELECT 1;\n") else {
                return Ok(());
            };
            let PostgresError::Admin { reason, .. } = error else {
                return Err(error);
            };
            let Some(found) = found else {
                self.running = false;
                return Err(self.came_down());
            };
            let waited = begin.elapsed();
            // «the database system is starting up», «… in recovery mode», … (SQLSTATE 57P03, which psql does not show here)
            let patience = if reason.contains("the database system is") {
                RECOVERY
            } else {
                SILENCE
            };
            // A wrong password does not become right by waiting.
            if waited > patience || reason.contains("password authentication failed") {
                let log = self.folder.log_file();
                return Err(PostgresError::Silent {
                    pid: found.pid,
                    seconds: waited.as_secs(),
                    reason,
                    log,
                });
            }
            if waited >= told + Duration::from_secs(5) {
                told = waited;
                progress(&format!(
                    "waiting for PostgreSQL, {} s (it replays its log after a crash)",
                    waited.as_secs()
                ));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn came_down(&self) -> PostgresError {
        let log = self.folder.log_file();
        let text = std::fs::read(&log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default();
        PostgresError::Start {
            log,
            tail: last_lines(&text, 3),
        }
    }

    fn psql(&self) -> Psql<'_> {
        Psql::superuser(
            &self.binaries,
            &self.account,
            &self.connection.endpoint,
            &self.superuser,
        )
    }

    fn shut_down(&mut self) -> Result<(), PostgresError> {
        if !std::mem::take(&mut self.running) {
            return Ok(());
        }
        let data = self.folder.data();
        let steps = match self.durability {
            Durability::Full => &[("fast", FAST_STOP), ("immediate", IMMEDIATE_STOP)][..],
            Durability::None => &[("immediate", IMMEDIATE_STOP)],
        };
        for (mode, limit) in steps {
            self.pg_ctl(
                &["stop", "--mode", mode, "--timeout", &limit.as_secs().to_string()],
                None,
            )?;
            // pg_ctl waits for the lock file to go; the last process leaves a moment later.
            let grace = Duration::from_secs(1);
            if postmaster::wait_until_gone(&data, grace) {
                return Ok(());
            }
        }
        let seconds = steps.iter().map(|(_, limit)| limit.as_secs()).sum();
        Err(PostgresError::Stop {
            folder: data,
            seconds,
        })
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(error) = self.shut_down() {
            tracing::error!(%error, "PostgreSQL was not stopped");
        }
    }
}

/// A temporary folder that the database's account can reach (`TMPDIR` may be one's own), without links.
fn temporary_home() -> Result<std::path::PathBuf, PostgresError> {
    let account = Account::choose(Path::new(""))?;
    let mut refused = None;
    for parent in [
        std::env::temp_dir().as_path(),
        Path::new("/tmp"),
        Path::new("/var/tmp"),
    ] {
        match account.ensure_enters(parent) {
            Ok(()) => {
                let made = tempfile::Builder::new().prefix("countersign-").tempdir_in(parent);
                let home = made
                    .map_err(PostgresError::file("create a folder in", parent))?
                    .keep();
                // The account passes through and cannot list; its own parts are 0700.
                std::fs::set_permissions(&home, Permissions::from_mode(0o711))
                    .map_err(PostgresError::file("set the mode of", &home))?;
                return std::fs::canonicalize(&home).map_err(PostgresError::file("open", &home));
            }
            Err(error) => refused = Some(error),
        }
    }
    Err(refused.unwrap_or(PostgresError::NoDefaultFolder))
}

#[cfg(test)]
mod tests;
