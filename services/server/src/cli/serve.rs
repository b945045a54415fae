//! A real deployment.

use std::{net::SocketAddr, sync::Arc};

use clap::Args;
use store::{PoolLimits, Store};
use tracing::info;

use super::{Failure, block_on};
use crate::{
    config::{self, DatabaseArgs, GatewayArgs, KeysArgs, ListenArgs, ModelArgs, TenantArgs},
    deidentification::Deidentification,
    http::Mode,
    keys,
    model::Model,
    service::{self, Background, Doors, PartKeys, Parts},
    signals,
};

/// Serve the portal and the API with an existing database. Needs a certificate, or the addresses of the proxies that
/// end TLS; plain HTTP is served on loopback alone.
#[derive(Args)]
pub struct ServeArgs {
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
    #[command(flatten)]
    listen: ListenArgs,
}

/// Why the doors stay shut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "plain HTTP is served on loopback alone: give --tls-certificate and --tls-key, or --trusted-proxies with the addresses of the proxies that end TLS"
)]
pub struct PlainHttp;

/// Whether the service may listen like this, and whether its cookies are for TLS alone.
///
/// # Errors
/// [`PlainHttp`].
pub fn check_listen(listen: SocketAddr, tls: bool, proxies: bool) -> Result<bool, PlainHttp> {
    if tls || proxies {
        Ok(true)
    } else if listen.ip().is_loopback() {
        Ok(false)
    } else {
        Err(PlainHttp)
    }
}

/// # Errors
/// [`Failure`].
pub fn run(args: ServeArgs) -> Result<(), Failure> {
    let ServeArgs {
        database,
        keys,
        tenant,
        model,
        gateway,
        listen,
    } = args;
    config::check_database_url(&database.database_url)?;
    let tls = match (&listen.tls_certificate, &listen.tls_key) {
        (Some(certificate), Some(key)) => Some(service::tls(certificate, key)?),
        _ => None,
    };
    let secure_cookies = check_listen(listen.listen, tls.is_some(), !listen.trusted_proxies.is_empty())?;
    let (store_keys, part_keys) = PartKeys::split(keys::load(&keys.keys)?);
    let policy = Deidentification::read(gateway.deidentification.as_deref())?;
    let workers = model.workers;
    let model = Arc::new(Model::load(&model, false)?);
    let (precision, kernel) = model.engine();
    info!(model = %model.digest(), precision, kernel, "model loaded");
    block_on(async move {
        let limits = PoolLimits {
            connections: database.database_connections,
            ..PoolLimits::default()
        };
        let store = Store::new(&database.database_url, limits, store_keys)?;
        if !store.ready().await? {
            return Err("the schema is not the one of this program: run `countersign migrate` first".into());
        }
        let scheme = if secure_cookies { "https" } else { "http" };
        let public_url = listen
            .public_url
            .unwrap_or_else(|| format!("{scheme}://{}", listen.listen));
        let mode = Mode {
            demo: false,
            secure_cookies,
        };
        let mut parts = Parts::new(store, part_keys, model, &tenant.tenant, mode, public_url);
        parts.text_mode = policy.mode;
        let (app, scrubber) = parts.assemble().await?;
        let background =
            Background::start(&app, &scrubber, workers).measuring(&app, &scrubber, gateway.leak_trials);
        let running = service::open(
            app.clone(),
            Doors {
                listen: listen.listen,
                tls,
                proxies: listen.trusted_proxies,
            },
        )?;
        info!(address = %running.address, "serving");
        signals::stop_requested().await?;
        info!("stopping");
        running.handle.stop(true).await;
        background.stop().await;
        app.store.close().await;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_loopback() {
        let address = |text: &str| text.parse().expect("an address");
        assert_eq!(check_listen(address("127.0.0.1:80"), false, false), Ok(false));
        assert_eq!(check_listen(address("[::1]:80"), false, false), Ok(false));
        assert_eq!(check_listen(address("0.0.0.0:80"), false, false), Err(PlainHttp));
        assert_eq!(check_listen(address("0.0.0.0:443"), true, false), Ok(true));
        assert_eq!(check_listen(address("10.0.0.2:80"), false, true), Ok(true));
    }
}
