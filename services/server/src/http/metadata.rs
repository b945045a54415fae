//! What this FHIR server can do.

use actix_web::{HttpResponse, web};

use super::{FHIR_JSON, scene::App};

/// `GET /fhir/metadata`.
pub async fn show(app: web::Data<App>) -> HttpResponse {
    let statement =
        interop::emit::capability_statement(&app.public_url, env!("CARGO_PKG_VERSION"), app.clock.now());
    HttpResponse::Ok()
        .content_type(FHIR_JSON)
        .body(statement.to_string())
}
