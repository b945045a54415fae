//! Workers without doors, to add machines to a deployment.

use std::sync::Arc;

use clap::Args;
use store::{PoolLimits, Store};
use tracing::info;

use super::{Failure, block_on};
use crate::{
    config::{self, DatabaseArgs, KeysArgs, ModelArgs, TenantArgs},
    http::Mode,
    keys,
    model::Model,
    service::{Background, PartKeys, Parts},
    signals,
};

/// Run background workers only: de-identify, assess, end leases, sequence the audit log.
#[derive(Args)]
pub struct WorkArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    keys: KeysArgs,
    #[command(flatten)]
    tenant: TenantArgs,
    #[command(flatten)]
    model: ModelArgs,
}

/// # Errors
/// [`Failure`].
pub fn run(args: WorkArgs) -> Result<(), Failure> {
    config::check_database_url(&args.database.database_url)?;
    let (store_keys, part_keys) = PartKeys::split(keys::load(&args.keys.keys)?);
    let model = Arc::new(Model::load(&args.model, false)?);
    block_on(async move {
        let limits = PoolLimits {
            connections: args.database.database_connections,
            ..PoolLimits::default()
        };
        let store = Store::new(&args.database.database_url, limits, store_keys)?;
        let mode = Mode {
            demo: false,
            secure_cookies: true,
        };
        let parts = Parts::new(store, part_keys, model, &args.tenant.tenant, mode, String::new());
        let (app, scrubber) = parts.assemble().await?;
        let background = Background::start(&app, &scrubber, args.model.workers);
        info!(workers = args.model.workers, "working");
        signals::stop_requested().await?;
        background.stop().await;
        app.store.close().await;
        Ok(())
    })
}
