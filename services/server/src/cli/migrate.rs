//! The schema.

use clap::Args;

use super::{Failure, block_on, say};
use crate::config::{self, DatabaseArgs};

/// Bring the database's schema up to date. Migrations are only ever added; this never removes data.
#[derive(Args)]
pub struct MigrateArgs {
    #[command(flatten)]
    database: DatabaseArgs,
}

/// # Errors
/// [`Failure`].
pub fn run(args: &MigrateArgs) -> Result<(), Failure> {
    config::check_database_url(&args.database.database_url)?;
    block_on(async { Ok(store::migrate_url(&args.database.database_url).await?) })?;
    say("The schema is up to date.");
    Ok(())
}
