//! Which database a subcommand works on: the one that is named, or the one of `up`.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use clap::Args;
use records::{Id, SystemClock, SystemIds, kind};
use store::{Door, PoolLimits, Store};

use super::Failure;
use crate::{
    config,
    keys::{self, Keyring},
    postgres::{self, Cluster, Connection},
    service::PartKeys,
};

/// Which database: `DATABASE_URL` and `COUNTERSIGN_KEYS` for a real deployment; without them that of `up`.
#[derive(Args, Clone)]
pub struct WhichArgs {
    /// PostgreSQL of a real deployment; without it the database of `up`
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// Folder with the keys of a real deployment
    #[arg(long, env = "COUNTERSIGN_KEYS", value_name = "FOLDER")]
    pub keys: Option<PathBuf>,
    /// Data folder of `up`
    #[arg(long, env = "COUNTERSIGN_DATA", value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// Folder of the PostgreSQL server's programs
    #[arg(long, env = "PG_BINDIR", value_name = "FOLDER")]
    pub pg_bindir: Option<PathBuf>,
    #[command(flatten)]
    /// Hospital.
    pub tenant: config::TenantArgs,
}

/// A database to work on; the cluster, where this process had to start it, stops when this is dropped.
pub struct Opened {
    /// The store.
    pub store: Store,
    /// The other keys.
    pub keys: PartKeys,
    /// Hospital's code.
    pub tenant: String,
    _cluster: Option<Cluster>,
}

impl WhichArgs {
    /// Opens the database, inside a runtime: the pool keeps a task there.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn open(&self) -> Result<Opened, Failure> {
        let (url, ring, cluster) = self.connect()?;
        let (store_keys, keys) = PartKeys::split(ring);
        let store = Store::new(&url, PoolLimits::default(), store_keys)?;
        Ok(Opened {
            store,
            keys,
            tenant: self.tenant.tenant.clone(),
            _cluster: cluster,
        })
    }

    fn connect(&self) -> Result<(String, Keyring, Option<Cluster>), Failure> {
        if let Some(url) = &self.database_url {
            config::check_database_url(url)?;
            let folder = self.keys.as_ref().ok_or(
                "--keys (or COUNTERSIGN_KEYS) is missing: the folder with the keys of that database",
            )?;
            return Ok((url.clone(), keys::load(folder)?, None));
        }
        let data = data_folder(self.data.as_deref())?;
        let ring = keys::load(&data.join("keys")).map_err(|error| {
            with_hint(
                error,
                "run `countersign up` first, or name a database with DATABASE_URL",
            )
        })?;
        let folder = data.join("postgres");
        if let Some(connection) = Connection::of_running(&folder)? {
            return Ok((connection.url(), ring, None));
        }
        let mut quiet = |_: &str| {};
        let options = postgres::Options {
            bindir: self.pg_bindir.as_deref(),
            progress: &mut quiet,
        };
        let cluster = Cluster::open(&folder, options)?;
        Ok((cluster.connection().url(), ring, Some(cluster)))
    }
}

/// The data folder of `up`.
///
/// # Errors
/// [`Failure`] when there is no home to put it in.
pub fn data_folder(named: Option<&Path>) -> Result<PathBuf, Failure> {
    match named {
        Some(folder) => Ok(folder.to_owned()),
        None => Ok(config::default_data_folder()?),
    }
}

/// An error with a sentence on what to do.
fn with_hint(error: impl std::error::Error, hint: &str) -> Failure {
    format!("{error}; {hint}").into()
}

impl Opened {
    /// The hospital, which must be there.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn tenant(&self) -> Result<Id<kind::Tenant>, Failure> {
        let mut tx = self.store.begin(Door::Admin).await?;
        let found = tx.tenant(&self.tenant).await?;
        tx.finish().await?;
        found.ok_or_else(|| {
            format!(
                "there is no hospital of the code `{}` yet: it is made when the service starts",
                self.tenant
            )
            .into()
        })
    }

    /// The hospital, made where there is none.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn ensure_tenant(&self) -> Result<Id<kind::Tenant>, Failure> {
        use records::Clock;
        let mut tx = self.store.begin(Door::Admin).await?;
        let id = tx
            .ensure_tenant(
                Id::generate(&SystemClock, &SystemIds),
                &self.tenant,
                SystemClock.now(),
            )
            .await?;
        tx.finish().await?;
        Ok(id)
    }
}

/// Open psql on the database of `up`, which must be running.
#[derive(Args)]
pub struct PsqlArgs {
    /// Data folder of `up`
    #[arg(long, env = "COUNTERSIGN_DATA", value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Connect as the database's superuser, who is above the triggers that guard the audit log
    #[arg(long)]
    superuser: bool,
    /// Passed on to psql
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// # Errors
/// [`Failure`] when `up` does not run.
pub fn psql(args: &PsqlArgs) -> Result<ExitCode, Failure> {
    let folder = data_folder(args.data.as_deref())?.join("postgres");
    let connection = Connection::of_running(&folder)?
        .ok_or("the database of `up` does not run: start `countersign up`")?;
    let connection = if args.superuser {
        connection.as_superuser(&folder)?
    } else {
        connection
    };
    let status = Command::new("psql")
        .env("PGPASSWORD", connection.password())
        .arg("--host")
        .arg(connection.host())
        .args([
            "--port",
            &connection.port().to_string(),
            "--username",
            connection.user(),
        ])
        .args(["--dbname", connection.database()])
        .args(&args.arguments)
        .status()?;
    Ok(ExitCode::from(
        u8::try_from(status.code().unwrap_or(1)).unwrap_or(1),
    ))
}
