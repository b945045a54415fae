//! The three doors over HTTP: one file a noun. [`routes`] is the one list of routes; the service is built from it
//! and the house test walks it.

mod account;
mod asset;
mod audit;
mod bundle;
mod case;
mod diagnostic_report;
mod health;
mod metadata;
mod model;
mod page;
pub mod problem;
mod queue;
mod release;
mod report;
pub mod scene;
mod session;
mod task;
mod token;

use actix_web::{
    HttpResponse, Resource, Route,
    dev::{ServiceRequest, ServiceResponse},
    http::header,
    middleware, web,
};
use policy::Role;

pub use scene::{App, Mode};

/// Media type of FHIR's JSON.
pub const FHIR_JSON: &str = "application/fhir+json";
/// Bytes that a request's body may have: a note of [`interop::fhir::MAX_NOTE_BYTES`] in base64 with room for the rest.
pub const MAX_BODY: usize = 4 * 1024 * 1024;

/// Who may use a route at all; the policy decides on the thing itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Signed-in people of these roles.
    Portal(&'static [Role]),
    /// Calling systems with a token.
    Ehr,
}

/// One route.
pub struct RouteSpec {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Path in actix's pattern language.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
    route: fn() -> Route,
}

const ANYONE: &[Role] = &[Role::Physician, Role::Auditor, Role::Administrator];
const PHYSICIAN: &[Role] = &[Role::Physician];
const AUDITOR: &[Role] = &[Role::Auditor];
const ADMINISTRATOR: &[Role] = &[Role::Administrator];

/// Every route of the service.
#[must_use]
pub fn routes() -> Vec<RouteSpec> {
    use Access::{Ehr, Portal, Public};
    macro_rules! routes {
        ($($method:ident $path:literal $access:expr => $handler:expr),* $(,)?) => {
            vec![$(RouteSpec {
                method: method_name!($method),
                path: $path,
                access: $access,
                route: || web::$method().to($handler),
            }),*]
        };
    }
    macro_rules! method_name {
        (get) => {
            "GET"
        };
        (post) => {
            "POST"
        };
    }
    routes![
        // operations
        get "/healthz" Public => health::live,
        get "/readyz" Public => health::ready,
        get "/metrics" Public => health::metrics,
        // the clinician's portal
        get "/" Public => session::home,
        get "/login" Public => session::form,
        post "/login" Public => session::login,
        post "/logout" Portal(ANYONE) => session::logout,
        get "/assets/{name}" Public => asset::show,
        get "/queue" Portal(PHYSICIAN) => queue::list,
        get "/cases/{report}" Portal(PHYSICIAN) => case::show,
        get "/cases/{report}/report" Portal(PHYSICIAN) => report::show,
        get "/cases/{report}/report.pdf" Portal(PHYSICIAN) => report::pdf,
        post "/cases/{report}/claim" Portal(PHYSICIAN) => case::claim,
        post "/cases/{report}/unclaim" Portal(PHYSICIAN) => case::unclaim,
        post "/cases/{report}/sign" Portal(PHYSICIAN) => case::sign,
        get "/model" Portal(ANYONE) => model::card,
        get "/accounts" Portal(ADMINISTRATOR) => account::list,
        // audit review
        get "/audit" Portal(AUDITOR) => audit::list,
        // the EHR's API
        post "/oauth/token" Public => token::issue,
        get "/fhir/metadata" Public => metadata::show,
        post "/fhir" Ehr => bundle::receive,
        post "/fhir/" Ehr => bundle::receive,
        post "/fhir/DiagnosticReport" Ehr => diagnostic_report::receive,
        get "/fhir/DiagnosticReport/{report}" Ehr => diagnostic_report::read,
        get "/fhir/DiagnosticReport/{report}/_history/{version}" Ehr => diagnostic_report::read_version,
        get "/fhir/DiagnosticReport/{report}/$submitted" Ehr => diagnostic_report::submitted,
        get "/fhir/Task" Ehr => task::search,
        get "/fhir/Task/{report}" Ehr => task::read,
        get "/fhir/RiskAssessment" Ehr => release::search_risk_assessment,
        get "/fhir/RiskAssessment/{release}" Ehr => release::read_risk_assessment,
        get "/fhir/Observation" Ehr => release::search_observation,
        get "/fhir/Observation/{release}" Ehr => release::read_observation,
    ]
}

/// Puts every route into an actix application.
pub fn configure(config: &mut web::ServiceConfig) {
    let mut specs = routes();
    while let Some(first) = specs.first().map(|spec| spec.path) {
        let (same, rest): (Vec<_>, Vec<_>) = specs.into_iter().partition(|spec| spec.path == first);
        let mut resource: Resource = web::resource(first);
        for spec in same {
            resource = resource.route((spec.route)());
        }
        config.service(resource.default_service(web::to(wrong_method)));
        specs = rest;
    }
    config.app_data(web::PayloadConfig::new(MAX_BODY));
    // actix's own messages may repeat what came in.
    config.app_data(
        web::FormConfig::default()
            .limit(64 * 1024)
            .error_handler(|_, request| bad_field(request, "The form does not parse; open the page again.")),
    );
    config.app_data(
        web::QueryConfig::default()
            .error_handler(|_, request| bad_field(request, "A parameter of the address does not parse.")),
    );
    config.app_data(
        web::PathConfig::default()
            .error_handler(|_, request| bad_field(request, "The address does not parse.")),
    );
    config.default_service(web::to(nowhere));
}

fn bad_field(request: &actix_web::HttpRequest, what: &'static str) -> actix_web::Error {
    let problem = problem::Problem::BadField(what);
    if request.path().starts_with("/fhir") {
        problem::FhirProblem(problem).into()
    } else {
        problem::PageProblem(problem).into()
    }
}

async fn wrong_method() -> HttpResponse {
    HttpResponse::MethodNotAllowed().finish()
}

async fn nowhere(request: actix_web::HttpRequest) -> Result<HttpResponse, actix_web::Error> {
    if request.path().starts_with("/fhir") {
        Err(problem::FhirProblem(problem::Problem::NotFound).into())
    } else {
        Err(problem::PageProblem(problem::Problem::NotFound).into())
    }
}

/// Headers that every answer carries: nothing is cached, framed, sniffed or loaded from elsewhere.
#[must_use]
pub fn headers(secure: bool) -> middleware::DefaultHeaders {
    let headers = middleware::DefaultHeaders::new()
        .add((
            "Content-Security-Policy",
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ))
        .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .add((header::X_FRAME_OPTIONS, "DENY"))
        .add((header::REFERRER_POLICY, "no-referrer"))
        .add((header::CACHE_CONTROL, "no-store"));
    if secure {
        headers.add((header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"))
    } else {
        headers
    }
}

/// Answers nobody but trusted proxies, where there are any.
///
/// # Errors
/// [`problem::Problem::Denied`] for other peers.
pub async fn proxies_only(
    proxies: web::Data<Vec<std::net::IpAddr>>,
    request: ServiceRequest,
    next: middleware::Next<impl actix_web::body::MessageBody + 'static>,
) -> Result<ServiceResponse<impl actix_web::body::MessageBody>, actix_web::Error> {
    let peer = request.peer_addr().map(|peer| peer.ip());
    if proxies.is_empty() || peer.is_some_and(|peer| proxies.contains(&peer)) {
        next.call(request).await
    } else {
        Err(problem::FhirProblem(problem::Problem::Denied).into())
    }
}
