//! Workers without doors, to add machines to a deployment.

use std::sync::Arc;

use clap::Args;
use store::{PoolLimits, Store};
use tracing::info;

use super::{Failure, block_on};
use crate::{
    config::{self, DatabaseArgs, GatewayArgs, KeysArgs, ModelArgs, TenantArgs},
    deidentification::Deidentification,
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
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// # Errors
/// [`Failure`].
pub fn run(args: WorkArgs) -> Result<(), Failure> {
    config::check_database_url(&args.database.database_url)?;
    let (store_keys, part_keys) = PartKeys::split(keys::load(&args.keys.keys)?);
    let policy = Deidentification::read(args.gateway.deidentification.as_deref())?;
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
        let mut parts = Parts::new(store, part_keys, model, &args.tenant.tenant, mode, String::new());
        parts.text_mode = policy.mode;
        let (app, scrubber) = parts.assemble().await?;
        let background = Background::start(&app, &scrubber, args.model.workers).measuring(
            &app,
            &scrubber,
            args.gateway.leak_trials,
        );
        info!(workers = args.model.workers, "working");
        signals::stop_requested().await?;
        background.stop().await;
        app.store.close().await;
        Ok(())
    })
}
