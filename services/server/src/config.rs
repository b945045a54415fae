//! Settings: the only place that reads the environment. Each is a flag and a variable; `--help` shows both.

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf};

use clap::{Args, ValueEnum};
use inference::Compute;

/// Where the database is.
#[derive(Args, Clone)]
pub struct DatabaseArgs {
    /// PostgreSQL, as `postgres://user:password@host/database`. Off this machine it needs `?sslmode=verify-full`
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: String,
    /// Connections to the database at most
    #[arg(
        long,
        env = "COUNTERSIGN_DATABASE_CONNECTIONS",
        default_value_t = 16,
        value_name = "N"
    )]
    pub database_connections: u32,
}

/// Where the keys are.
#[derive(Args, Clone)]
pub struct KeysArgs {
    /// Folder with this installation's keys; `countersign keys` makes one
    #[arg(long, env = "COUNTERSIGN_KEYS", value_name = "FOLDER")]
    pub keys: PathBuf,
}

/// Which hospital.
#[derive(Args, Clone)]
pub struct TenantArgs {
    /// Code of the hospital that rows belong to
    #[arg(
        long,
        env = "COUNTERSIGN_TENANT",
        default_value = "hospital",
        value_name = "CODE"
    )]
    pub tenant: String,
}

/// Which model.
#[derive(Args, Clone)]
pub struct ModelArgs {
    /// Folder of a packed model; without it the one that came with this program
    #[arg(long, env = "COUNTERSIGN_MODEL", value_name = "FOLDER")]
    pub model: Option<PathBuf>,
    /// Public keys whose models are served: one a line, as `countersign model key` prints it; without it the one of this
    /// project, which signed the default model
    #[arg(long, env = "COUNTERSIGN_MODEL_KEYS", value_name = "FILE")]
    pub model_keys: Option<PathBuf>,
    /// Serve a model whose licence allows evaluation only (the default model is one)
    #[arg(long, env = "COUNTERSIGN_ALLOW_EVALUATION_MODEL")]
    pub allow_evaluation_model: bool,
    /// Notes that are assessed at the same time
    #[arg(long, env = "COUNTERSIGN_WORKERS", default_value_t = 1, value_name = "N")]
    pub workers: usize,
    /// Threads of the model; without it one for each processor
    #[arg(long, env = "COUNTERSIGN_THREADS", value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// Keep each thread of the model on a processor of its own, of those that this process may use (Linux; `taskset` says
    /// which). For a machine that does nothing else
    #[arg(long, env = "COUNTERSIGN_PIN_THREADS")]
    pub pin_threads: bool,
    /// Masked texts that the explanation of a note may take; fewer are faster, and leave more notes without a reliable one
    #[arg(
        long,
        env = "COUNTERSIGN_EXPLANATION_TEXTS",
        default_value_t = 512,
        value_name = "N"
    )]
    pub explanation_texts: u32,
    /// What the model computes with
    #[arg(long, env = "COUNTERSIGN_PRECISION", value_enum, default_value_t = Precision::Auto)]
    pub precision: Precision,
}

/// What a model computes with.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// The fastest that agrees with f32 on sample sentences when the model is loaded
    Auto,
    /// Single precision
    F32,
    /// bfloat16; fast with AVX512-BF16 only
    Bf16,
    /// 8-bit integers
    Int8,
    /// candle's own BERT in f32, the reference
    Candle,
    /// The same on the first NVIDIA GPU; in a build with `--features cuda`
    Cuda,
}

impl From<Precision> for Compute {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::Auto => Self::Auto,
            Precision::F32 => Self::F32,
            Precision::Bf16 => Self::Bf16,
            Precision::Int8 => Self::Int8,
            Precision::Candle => Self::Candle,
            Precision::Cuda => Self::Cuda,
        }
    }
}

/// The gateway between notes and everything that reads them.
#[derive(Args, Clone)]
pub struct GatewayArgs {
    /// Policy of de-identification; without it the built-in one (policies/deidentification.toml)
    #[arg(long, env = "COUNTERSIGN_DEIDENTIFICATION", value_name = "FILE")]
    pub deidentification: Option<PathBuf>,
    /// Trials with planted canaries every night at 02:30 UTC; 0 for none. The result is logged and a metric
    #[arg(
        long,
        env = "COUNTERSIGN_LEAK_TRIALS",
        default_value_t = 300_000,
        value_name = "N"
    )]
    pub leak_trials: u64,
}

/// Where the service listens, and who may speak to it.
#[derive(Args, Clone)]
pub struct ListenArgs {
    /// Address to listen on
    #[arg(
        long,
        env = "COUNTERSIGN_LISTEN",
        default_value = "127.0.0.1:8443",
        value_name = "HOST:PORT"
    )]
    pub listen: SocketAddr,
    /// Certificate chain, PEM
    #[arg(
        long,
        env = "COUNTERSIGN_TLS_CERTIFICATE",
        value_name = "FILE",
        requires = "tls_key"
    )]
    pub tls_certificate: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(
        long,
        env = "COUNTERSIGN_TLS_KEY",
        value_name = "FILE",
        requires = "tls_certificate"
    )]
    pub tls_key: Option<PathBuf>,
    /// Addresses of proxies that end TLS; nobody else is answered then
    #[arg(
        long,
        env = "COUNTERSIGN_TRUSTED_PROXIES",
        value_name = "IP,IP",
        value_delimiter = ','
    )]
    pub trusted_proxies: Vec<std::net::IpAddr>,
    /// Address by which others reach this service, as `https://host`; used in links
    #[arg(long, env = "COUNTERSIGN_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
}

/// What is logged, and how.
#[derive(Args, Clone)]
pub struct LogArgs {
    /// Form of log lines
    #[arg(long, env = "COUNTERSIGN_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text, global = true)]
    pub log_format: LogFormat,
    /// What is logged, as `info` or `info,server=debug`
    #[arg(
        long,
        env = "COUNTERSIGN_LOG",
        default_value = "info",
        value_name = "FILTER",
        global = true
    )]
    pub log: String,
}

/// Form of log lines.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// Where `up` keeps its data and listens.
#[derive(Args, Clone)]
pub struct UpArgs {
    /// Folder for database, keys and logs; as root /var/lib/countersign, else the XDG data folder
    #[arg(long, env = "COUNTERSIGN_DATA", value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// Port on 127.0.0.1
    #[arg(long, env = "COUNTERSIGN_PORT", default_value_t = 8080)]
    pub port: u16,
    /// Folder of the PostgreSQL server's programs, where they are in an unusual place
    #[arg(long, env = "PG_BINDIR", value_name = "FOLDER")]
    pub pg_bindir: Option<PathBuf>,
    #[command(flatten)]
    /// Model.
    pub model: ModelArgs,
    #[command(flatten)]
    /// Gateway.
    pub gateway: GatewayArgs,
}

/// The folder where `up` keeps its data when none is named.
///
/// # Errors
/// When there is no home to put it in.
#[expect(
    clippy::disallowed_methods,
    reason = "this module is the one reader of the environment"
)]
pub fn default_data_folder() -> Result<PathBuf, crate::postgres::PostgresError> {
    let variable = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    crate::postgres::default_folder(variable("XDG_DATA_HOME").as_deref(), variable("HOME").as_deref())
}

/// Whether a remote database is asked for without verified TLS. Unix sockets and loopback need none.
///
/// # Errors
/// Says what to write instead.
pub fn check_database_url(url: &str) -> Result<(), DatabaseUrlError> {
    let rest = url
        .strip_prefix("postgres://")
        .or_else(|| url.strip_prefix("postgresql://"))
        .ok_or(DatabaseUrlError::NotPostgres)?;
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = place.split('/').next().unwrap_or("");
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().unwrap_or(""),
        None => host.rsplit_once(':').map_or(host, |(host, _)| host),
    };
    let parameter = |name: &str| {
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .filter(|(key, _)| *key == name)
            .map(|(_, v)| v)
            .next_back()
    };
    let host = parameter("host").unwrap_or(host);
    let local = host.is_empty()
        || host.starts_with('/')
        || host.to_ascii_lowercase().starts_with("%2f")
        || host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    if local || parameter("sslmode") == Some("verify-full") {
        Ok(())
    } else {
        Err(DatabaseUrlError::NoVerifiedTls)
    }
}

/// Why an address of a database is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// Not an address of PostgreSQL.
    #[error("DATABASE_URL must begin with postgres://")]
    NotPostgres,
    /// Remote, and the server's certificate is not checked.
    #[error(
        "DATABASE_URL names another machine: add ?sslmode=verify-full (and sslrootcert=FILE for a private CA), so that patient data never crosses a network in the clear"
    )]
    NoVerifiedTls,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_database_needs_verified_tls() {
        for local in [
            "postgres://u:p@localhost/db",
            "postgres://u:p@127.0.0.1:5432/db",
            "postgres://u:p@[::1]:5432/db",
            "postgres:///db?host=/run/postgresql",
            "postgres://u@%2Frun%2Fpg/db",
            "postgres://u:p@db.example.org/db?sslmode=verify-full",
        ] {
            assert_eq!(check_database_url(local), Ok(()), "{local}");
        }
        for remote in [
            "postgres://u:p@db.example.org/db",
            "postgres://u:p@db.example.org/db?sslmode=require",
            "postgres://u:p@10.0.0.5/db?sslmode=verify-full&sslmode=disable",
            "postgres://u:p@localhost/db?host=db.example.org",
        ] {
            assert_eq!(
                check_database_url(remote),
                Err(DatabaseUrlError::NoVerifiedTls),
                "{remote}"
            );
        }
        assert_eq!(
            check_database_url("mysql://x/y"),
            Err(DatabaseUrlError::NotPostgres)
        );
    }
}
