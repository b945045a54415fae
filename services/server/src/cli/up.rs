//! Trying it out: everything on this machine, with one command.

use std::{fs, net::SocketAddr, os::unix::fs::DirBuilderExt, path::Path, sync::Arc, time::Duration};

use actix_web::web;
use indicatif::{ProgressBar, ProgressStyle};
use store::{Door, PoolLimits, Store};

use super::{Failure, block_on, database::data_folder, demo, say};
use crate::{
    config::UpArgs,
    deidentification::Deidentification,
    http::{App, Mode},
    keys,
    model::Model,
    postgres::{Cluster, Options},
    service::{self, Background, Doors, PartKeys, Parts},
    signals,
};

/// Code of the hospital that `up` makes.
const TENANT: &str = "hospital";

/// # Errors
/// [`Failure`].
pub fn run(args: &UpArgs) -> Result<(), Failure> {
    let data = data_folder(args.data.as_deref())?;
    say(format_args!(
        "Countersign {} keeps its data in {}",
        env!("CARGO_PKG_VERSION"),
        data.display()
    ));
    // The database's account must be able to pass through, but not to look around.
    fs::DirBuilder::new().recursive(true).mode(0o711).create(&data)?;
    let ring = keyring(&data.join("keys"))?;
    let mut step = |line: &str| say(format_args!("  {line}"));
    step("starting PostgreSQL");
    let options = Options {
        bindir: args.pg_bindir.as_deref(),
        progress: &mut step,
    };
    let cluster = Cluster::open(&data.join("postgres"), options)?;
    say("  bringing the schema up to date");
    let url = cluster.connection().url();
    block_on(async { Ok(store::migrate_url(&url).await?) })?;
    say("  loading the model");
    let model = Arc::new(Model::load(&args.model, true)?);
    say(format_args!(
        "  model {} ({}…)",
        model.name(),
        &model.digest().to_string()[..12]
    ));
    if model.card().evaluation_only {
        say("  its licence allows evaluation only; it is not for clinical use (see its card)");
    }
    let served = block_on(serve(args, &data, &url, ring, model));
    say("  stopping PostgreSQL");
    cluster.stop()?;
    served?;
    say("Stopped; the next `up` finds its data again.");
    Ok(())
}

fn keyring(folder: &Path) -> Result<keys::Keyring, Failure> {
    if !folder.join("vault.key").exists() {
        keys::create(folder)?;
    }
    Ok(keys::load(folder)?)
}

async fn serve(
    args: &UpArgs,
    data: &Path,
    url: &str,
    ring: keys::Keyring,
    model: Arc<Model>,
) -> Result<(), Failure> {
    let (store_keys, part_keys) = PartKeys::split(ring);
    let store = Store::new(url, PoolLimits::default(), store_keys)?;
    let listen = SocketAddr::from(([127, 0, 0, 1], args.port));
    let public_url = format!("http://{listen}");
    let mode = Mode {
        demo: true,
        secure_cookies: false,
    };
    let mut parts = Parts::new(store, part_keys, model, TENANT, mode, public_url.clone());
    parts.text_mode = Deidentification::read(args.gateway.deidentification.as_deref())?.mode;
    let (app, scrubber) = parts.assemble().await?;
    let background = Background::start(&app, &scrubber, args.model.workers.max(1)).measuring(
        &app,
        &scrubber,
        args.gateway.leak_trials,
    );
    let running = service::open(
        app.clone(),
        Doors {
            listen,
            tls: None,
            proxies: Vec::new(),
        },
    )?;
    let shown = async {
        demo::ensure_accounts(&app).await?;
        let fresh = !data.join(demo::TOKEN_FILE).exists();
        let token = demo::ensure_client(&app, data).await?;
        say(format_args!(
            "\nEHR's bearer token (also in {}):\n  {token}",
            data.join(demo::TOKEN_FILE).display()
        ));
        say(format_args!("\nPortal and audit review  {public_url}/"));
        say(format_args!("FHIR R4 API              {public_url}/fhir"));
        say("Ctrl-C stops everything.\n");
        if fresh {
            seed(&app, &public_url, token).await?;
        }
        signals::stop_requested().await?;
        Ok::<(), Failure>(())
    };
    let shown = tokio::select! {
        shown = shown => shown,
        stopped = signals::stop_requested() => stopped.map_err(Failure::from),
    };
    say("Stopping: what is in hand is finished first");
    running.handle.stop(true).await;
    background.stop().await;
    app.store.close().await;
    shown
}

async fn seed(app: &web::Data<App>, public_url: &str, token: String) -> Result<(), Failure> {
    let base = format!("{public_url}/fhir");
    let count = web::block(move || demo::send_reports(&base, &token)).await??;
    let bar = ProgressBar::new(count as u64).with_style(ProgressStyle::with_template(
        "the model reads {len} demo reports {bar:30} {pos}/{len}",
    )?);
    loop {
        let mut tx = app.store.begin(Door::Admin).await?;
        let counts = tx.queue_counts(app.tenant).await?;
        tx.finish().await?;
        bar.set_position((count as u64).saturating_sub(counts.incoming.unsigned_abs()));
        if counts.incoming == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    bar.finish_and_clear();
    say(format_args!(
        "{count} demo reports wait in the review queue. Sign in as physician."
    ));
    Ok(())
}
