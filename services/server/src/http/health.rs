//! Whether the service lives, whether it can work, and its figures.

use actix_web::{HttpResponse, web};

use super::scene::App;

/// `GET /healthz`: the process answers.
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("ok\n")
}

/// `GET /readyz`: the database answers with the schema of this program.
pub async fn ready(app: web::Data<App>) -> HttpResponse {
    let (ready, word) = match app.store.ready().await {
        Ok(true) => (true, "ready\n"),
        Ok(false) => (
            false,
            "the schema is not the one of this program: run countersign migrate\n",
        ),
        Err(_) => (false, "the database is away\n"),
    };
    let mut response = if ready {
        HttpResponse::Ok()
    } else {
        HttpResponse::ServiceUnavailable()
    };
    if !ready {
        response.insert_header(("Retry-After", "5"));
    }
    response.content_type("text/plain").body(word)
}

/// `GET /metrics`: Prometheus text format. Counts and durations; no label holds an id.
pub async fn metrics(app: web::Data<App>) -> HttpResponse {
    if let Ok(mut tx) = app.store.begin(store::Door::Admin).await
        && let (Ok(counts), Ok(jobs)) = (tx.queue_counts(app.tenant).await, tx.jobs_open().await)
    {
        app.metrics.queue(counts, jobs);
    }
    if let Some(load) = app.model.load_now() {
        app.metrics.engine(&load);
    }
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4")
        .body(app.metrics.render())
}
