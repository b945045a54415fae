//! For developers of this program.

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};

use super::{Failure, block_on};
use crate::postgres;

/// For developers of this program.
#[derive(Args)]
pub struct DevArgs {
    #[command(subcommand)]
    command: DevCommand,
}

#[derive(Subcommand)]
enum DevCommand {
    /// Run a command with `DATABASE_URL` of a throwaway database that has the schema
    Database {
        /// Folder of the PostgreSQL server's programs
        #[arg(long, env = "PG_BINDIR")]
        pg_bindir: Option<PathBuf>,
        /// The command
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
}

/// # Errors
/// [`Failure`].
pub fn run(args: DevArgs) -> Result<ExitCode, Failure> {
    let DevCommand::Database { pg_bindir, command } = args.command;
    let migrate = |url: &str| block_on(async { Ok(store::migrate_url(url).await?) });
    Ok(ExitCode::from(postgres::with_ephemeral(
        pg_bindir.as_deref(),
        migrate,
        &command,
    )?))
}
