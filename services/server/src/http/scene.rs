//! Who asks, and what a handler works with. A handler authorises, calls and renders.

use std::{future::Future, pin::Pin, sync::Arc};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header, web};
use policy::{Actor, Denied, Facts, Permit, Policy, Resource, ResourceKind, Verb};
use records::{Account, Client, Clock, Event, EventKind, Fact, Id, IdSource, Subject, kind};
use seal::{MacKey, Signer, Token};
use store::{Door, SessionLimits, Store, Tx};

use super::problem::{FhirProblem, PageProblem, Problem};
use crate::{metrics::Metrics, model::Model};

/// Name of the portal's cookie.
pub const COOKIE: &str = "countersign";

/// What every handler may use.
pub struct App {
    /// The database.
    pub store: Store,
    /// Who may do what.
    pub policy: Policy,
    /// Leases, sessions, retention.
    pub numbers: policy::Numbers,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids.
    pub ids: Arc<dyn IdSource>,
    /// Signs physicians' statements.
    pub signer: Signer,
    /// Makes tokens of forms.
    pub forms: MacKey,
    /// The classifier's card; the engine itself belongs to the workers.
    pub model: Arc<Model>,
    /// The hospital that this service serves.
    pub tenant: Id<kind::Tenant>,
    /// Figures for Prometheus.
    pub metrics: Metrics,
    /// How the service was started.
    pub mode: Mode,
    /// Address by which others reach this service.
    pub public_url: String,
    /// Password hashing at the same time at most: each takes 19 MiB and a core.
    pub hashing: tokio::sync::Semaphore,
    /// Wakes the workers.
    pub wake: Arc<tokio::sync::Notify>,
}

/// How the service was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Demo accounts and fixed tokens work: `up` alone.
    pub demo: bool,
    /// Cookies are for TLS alone.
    pub secure_cookies: bool,
}

impl App {
    /// Asks the policy; a refusal is written to the log in its own transaction, so that it stays when the caller's is dropped.
    ///
    /// # Errors
    /// [`Problem::Denied`], or that the log could not be written: then nothing may happen either.
    pub async fn authorize<V: Verb>(
        &self,
        actor: &Actor,
        resource: &Resource,
        facts: &Facts,
    ) -> Result<Permit<V>, Problem> {
        match self.policy.authorize::<V>(actor, resource, facts) {
            Ok(permit) => Ok(permit),
            Err(denied) => {
                self.denied(actor, resource, &denied).await?;
                Err(Problem::Denied)
            }
        }
    }

    async fn denied(&self, actor: &Actor, resource: &Resource, denied: &Denied) -> Result<(), Problem> {
        let subject = match resource.kind {
            ResourceKind::Report => {
                records::Version::new(u32::try_from(resource.version).unwrap_or(u32::MAX)).map_or_else(
                    || Subject::tenant(self.tenant),
                    |v| Subject::report(Id::from_uuid(resource.id), v),
                )
            }
            ResourceKind::Account => Subject::account(Id::from_uuid(resource.id)),
            ResourceKind::Tenant | ResourceKind::Model | ResourceKind::AuditLog => {
                Subject::tenant(self.tenant)
            }
        };
        let event = Event::observed(actor, EventKind::AccessDenied, subject, &*self.clock, &*self.ids)
            .with("verb", Fact::word(denied.verb));
        self.metrics.denied(denied.verb);
        let mut tx = self.store.begin(Door::Audit).await?;
        tx.note(&event).await?;
        Ok(tx.finish().await?)
    }

    /// The hospital as a resource.
    #[must_use]
    pub fn tenant_resource(&self, kind: ResourceKind) -> Resource {
        Resource {
            kind,
            id: self.tenant.uuid(),
            tenant: self.tenant.uuid(),
            version: 0,
        }
    }

    /// How long sessions last.
    #[must_use]
    pub fn session_limits(&self) -> SessionLimits {
        SessionLimits {
            idle: self.numbers.session_idle(),
            absolute: self.numbers.session_absolute(),
        }
    }

    /// Opens a transaction.
    ///
    /// # Errors
    /// [`Problem::Store`].
    pub async fn begin(&self, door: Door) -> Result<Tx, Problem> {
        Ok(self.store.begin(door).await?)
    }
}

/// A signed-in person.
pub struct Portal {
    /// What to work with.
    pub app: web::Data<App>,
    /// Who.
    pub account: Account,
    /// Digest of his session's token.
    pub session: seal::Digest,
}

impl Portal {
    /// Who acts.
    #[must_use]
    pub fn actor(&self) -> Actor {
        self.account.actor()
    }

    /// The token that forms of this session carry.
    #[must_use]
    pub fn csrf(&self) -> String {
        csrf(&self.app, &self.session)
    }

    /// Refuses a form that does not come from this session's pages.
    ///
    /// # Errors
    /// [`Problem::BadForm`].
    pub fn check_form(&self, token: &str) -> Result<(), Problem> {
        same_token(token, &self.csrf())
    }
}

/// Token of the forms of one session, or of one visitor who is about to sign in.
#[must_use]
pub fn csrf(app: &App, session: &seal::Digest) -> String {
    app.forms.digest(&[b"form", session.as_bytes()]).to_string()
}

/// # Errors
/// [`Problem::BadForm`] when they differ. Compared by digests, so that time says nothing about the place.
pub fn same_token(given: &str, wanted: &str) -> Result<(), Problem> {
    if seal::Digest::of(given.as_bytes()) == seal::Digest::of(wanted.as_bytes()) {
        Ok(())
    } else {
        Err(Problem::BadForm)
    }
}

type Extracted<T, E> = Pin<Box<dyn Future<Output = Result<T, E>>>>;

/// # Errors
/// [`Problem::Internal`] when the service was put together wrongly.
fn app(request: &HttpRequest) -> Result<web::Data<App>, Problem> {
    request
        .app_data::<web::Data<App>>()
        .cloned()
        .ok_or(Problem::Internal("app data"))
}

impl FromRequest for Portal {
    type Error = PageProblem;
    type Future = Extracted<Self, PageProblem>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let app = app(request);
        let cookie = request.cookie(COOKIE);
        Box::pin(async move {
            let app = app?;
            let cookie = cookie.ok_or(Problem::Unauthenticated)?;
            let token = Token::parse(cookie.value())
                .map_err(|_| Problem::Unauthenticated)?
                .digest();
            let mut tx = app.begin(Door::Portal).await?;
            let account = tx
                .session(&token, app.session_limits(), app.clock.now())
                .await?
                .ok_or(Problem::Unauthenticated)?;
            tx.finish().await?;
            if account.demo && !app.mode.demo {
                return Err(Problem::Unauthenticated.into());
            }
            Ok(Self {
                app,
                account,
                session: token,
            })
        })
    }
}

/// A calling system with a good token.
pub struct Ehr {
    /// What to work with.
    pub app: web::Data<App>,
    /// Which system.
    pub client: Client,
}

impl Ehr {
    /// Who acts.
    #[must_use]
    pub fn actor(&self) -> Actor {
        self.client.actor()
    }
}

impl FromRequest for Ehr {
    type Error = FhirProblem;
    type Future = Extracted<Self, FhirProblem>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let app = app(request);
        let token = request
            .headers()
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .and_then(|(_, token)| Token::parse(token.trim()).ok())
            .map(|token| token.digest());
        Box::pin(async move {
            let app = app?;
            let token = token.ok_or(Problem::Unauthenticated)?;
            let mut tx = app.begin(Door::Ehr).await?;
            let client = tx
                .bearer(&token, app.mode.demo, app.clock.now())
                .await?
                .ok_or(Problem::Unauthenticated)?;
            if client.demo && !app.mode.demo {
                return Err(Problem::Unauthenticated.into());
            }
            Ok(Self { app, client })
        })
    }
}

/// A body for the FHIR door, up to [`super::MAX_BODY`]; a larger one is refused in FHIR's words.
pub struct Body(pub web::Bytes);

impl FromRequest for Body {
    type Error = FhirProblem;
    type Future = Extracted<Self, FhirProblem>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let bytes = web::Bytes::from_request(request, payload);
        Box::pin(async move {
            match bytes.await {
                Ok(bytes) => Ok(Self(bytes)),
                Err(error) if error.as_response_error().status_code().as_u16() == 413 => {
                    Err(Problem::TooLarge.into())
                }
                Err(_) => Err(Problem::BadField("The body could not be read to its end.").into()),
            }
        })
    }
}
