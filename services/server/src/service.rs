//! The service in one process: HTTP, workers, housekeeping; started and stopped as one.

use std::{
    net::{IpAddr, SocketAddr, TcpListener},
    path::Path,
    sync::Arc,
};

use actix_web::{App as ActixApp, HttpServer, dev::ServerHandle, middleware, web};
use clinical::Scrubber;
use policy::Policy;
use records::{Clock, Id, IdSource, SystemClock, SystemIds, kind};
use store::{Door, Store};
use tokio::sync::watch;
use tracing_actix_web::TracingLogger;

use crate::{
    deidentification::TextMode,
    http::{self, App, Mode},
    keys::Keyring,
    metrics::Metrics,
    model::Model,
    nightly,
    pipeline::{self, Worker},
    request::{self, RequestSpan},
};

/// What a service is put together from.
pub struct Parts {
    /// Database.
    pub store: Store,
    /// Gateway's key.
    pub pseudonyms: seal::MacKey,
    /// What stands in a note where an identifier stood.
    pub text_mode: TextMode,
    /// Signer of physicians' statements.
    pub signer: seal::Signer,
    /// Key of forms.
    pub forms: seal::MacKey,
    /// Classifier.
    pub model: Arc<Model>,
    /// Hospital's code; made where there is none.
    pub tenant: String,
    /// How it is started.
    pub mode: Mode,
    /// Address by which others reach it.
    pub public_url: String,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids.
    pub ids: Arc<dyn IdSource>,
}

/// Why a service did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The policies do not validate.
    #[error("the access policies do not validate")]
    Policy(#[from] policy::PolicyError),
    /// The numbers do not parse.
    #[error("policies/release.toml does not parse")]
    Numbers(#[from] policy::NumbersError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// The address is taken, or may not be used.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// A certificate or key does not load.
    #[error("{0}: no usable PEM certificate or key in it")]
    Tls(String),
    /// A figure is named twice.
    #[error("metrics")]
    Metrics(#[from] prometheus::Error),
}

impl Parts {
    /// Parts with the machine's clock, from an installation's keys. Gives back the store's own keys' owner.
    #[must_use]
    pub fn new(
        store: Store,
        keys: PartKeys,
        model: Arc<Model>,
        tenant: &str,
        mode: Mode,
        public_url: String,
    ) -> Self {
        Self {
            store,
            pseudonyms: keys.pseudonyms,
            text_mode: TextMode::Surrogates,
            signer: keys.reports,
            forms: keys.forms,
            model,
            tenant: tenant.to_owned(),
            mode,
            public_url,
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds),
        }
    }

    /// Puts the service together; makes the hospital's row where there is none.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn assemble(self) -> Result<(web::Data<App>, Arc<Scrubber>), ServiceError> {
        let mut tx = self.store.begin(Door::Admin).await?;
        let id: Id<kind::Tenant> = Id::generate(&*self.clock, &*self.ids);
        let tenant = tx.ensure_tenant(id, &self.tenant, self.clock.now()).await?;
        tx.finish().await?;
        let app = App {
            store: self.store,
            policy: Policy::built_in()?,
            numbers: policy::Numbers::built_in()?,
            clock: self.clock,
            ids: self.ids,
            signer: self.signer,
            forms: self.forms,
            model: self.model,
            tenant,
            metrics: Metrics::new()?,
            mode: self.mode,
            public_url: self.public_url,
            hashing: tokio::sync::Semaphore::new(2),
            wake: Arc::new(tokio::sync::Notify::new()),
        };
        let replacement = self.text_mode.replacement(app.clock.now().year());
        let scrubber = Scrubber::new(self.pseudonyms).replacing(replacement);
        Ok((web::Data::new(app), Arc::new(scrubber)))
    }
}

/// The keys of a service, without the store's.
pub struct PartKeys {
    /// Gateway's key.
    pub pseudonyms: seal::MacKey,
    /// Signer of physicians' statements.
    pub reports: seal::Signer,
    /// Key of forms.
    pub forms: seal::MacKey,
}

impl PartKeys {
    /// Takes a keyring apart.
    #[must_use]
    pub fn split(ring: Keyring) -> (store::Keys, Self) {
        (
            ring.store,
            Self {
                pseudonyms: ring.pseudonyms,
                reports: ring.reports,
                forms: ring.forms,
            },
        )
    }
}

/// Workers and housekeeping, until stopped.
pub struct Background {
    stop: watch::Sender<bool>,
    tasks: Vec<actix_web::rt::task::JoinHandle<()>>,
}

impl Background {
    /// Starts `workers` workers, and the housekeeping.
    #[must_use]
    pub fn start(app: &web::Data<App>, scrubber: &Arc<Scrubber>, workers: usize) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = vec![actix_web::rt::spawn(pipeline::keep_house(
            app.clone(),
            stopped.clone(),
        ))];
        for _ in 0..workers {
            let worker = Worker::new(app.clone(), Arc::clone(scrubber));
            tasks.push(actix_web::rt::spawn(worker.run(stopped.clone())));
        }
        Self { stop, tasks }
    }

    /// Measures the gateway's leaks every night, by this many trials.
    #[must_use]
    pub fn measuring(mut self, app: &web::Data<App>, scrubber: &Arc<Scrubber>, trials: u64) -> Self {
        let stopped = self.stop.subscribe();
        let task = nightly::measure(app.clone(), Arc::clone(scrubber), trials, stopped);
        self.tasks.push(actix_web::rt::spawn(task));
        self
    }

    /// Lets everybody finish what is in hand.
    pub async fn stop(self) {
        // Nobody listens any more only if every task has ended already.
        let _ = self.stop.send(true);
        for task in self.tasks {
            let _ = task.await;
        }
    }
}

/// How the doors are opened.
pub struct Doors {
    /// Where to listen.
    pub listen: SocketAddr,
    /// With which certificate; none means plain HTTP.
    pub tls: Option<rustls::ServerConfig>,
    /// Who may connect; empty means anybody.
    pub proxies: Vec<IpAddr>,
}

/// A running HTTP server.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// Stops it.
    pub handle: ServerHandle,
    /// Ends when it is stopped.
    pub server: actix_web::rt::task::JoinHandle<std::io::Result<()>>,
}

/// Opens the doors.
///
/// # Errors
/// [`ServiceError::Listen`].
pub fn open(app: web::Data<App>, doors: Doors) -> Result<Running, ServiceError> {
    let failed = |error| ServiceError::Listen(doors.listen, error);
    let listener = TcpListener::bind(doors.listen).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let secure = app.mode.secure_cookies;
    let proxies = web::Data::new(doors.proxies);
    let server = HttpServer::new(move || {
        ActixApp::new()
            .app_data(app.clone())
            .app_data(proxies.clone())
            .wrap(middleware::from_fn(http::proxies_only))
            .wrap(http::headers(secure))
            .wrap(middleware::Compress::default())
            .wrap(middleware::from_fn(request::number))
            .wrap(TracingLogger::<RequestSpan>::new())
            .configure(http::configure)
    })
    .workers(2)
    .max_connections(1024)
    .client_request_timeout(std::time::Duration::from_secs(30))
    .shutdown_timeout(10)
    .disable_signals();
    let server = match doors.tls {
        Some(tls) => server.listen_rustls_0_23(listener, tls).map_err(failed)?,
        None => server.listen(listener).map_err(failed)?,
    }
    .run();
    let handle = server.handle();
    Ok(Running {
        address,
        handle,
        server: actix_web::rt::spawn(server),
    })
}

/// A server's TLS from PEM files.
///
/// # Errors
/// [`ServiceError::Tls`] names the file.
pub fn tls(certificate: &Path, key: &Path) -> Result<rustls::ServerConfig, ServiceError> {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    let bad = |path: &Path| ServiceError::Tls(path.display().to_string());
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|_| bad(certificate))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|_| bad(key))?;
    rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| bad(certificate))?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|_| bad(certificate))
}
