//! The portal's stylesheet and pictures, compiled in.

use actix_web::{HttpResponse, web};

use super::problem::{PageProblem, Problem};

/// `GET /assets/{name}`.
pub async fn show(name: web::Path<String>) -> Result<HttpResponse, PageProblem> {
    let (media, body) = match name.as_str() {
        "portal.css" => (
            "text/css; charset=utf-8",
            include_str!("../../../../templates/assets/portal.css"),
        ),
        "favicon.svg" => (
            "image/svg+xml",
            include_str!("../../../../templates/assets/favicon.svg"),
        ),
        _ => return Err(Problem::NotFound.into()),
    };
    Ok(HttpResponse::Ok()
        .content_type(media)
        .insert_header(("Cache-Control", "max-age=300"))
        .body(body))
}
