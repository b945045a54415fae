//! Access tokens for calling systems (OAuth 2.0 client credentials, RFC 6749, section 4.4).

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use records::{Event, EventKind, Id, Subject, kind};
use seal::{Token, password::PasswordHash};
use serde::Deserialize;
use store::Door;
use time::Duration;

use super::{problem::Problem, scene::App, session};

/// How long a token lasts.
const LASTS: Duration = Duration::minutes(15);

/// The form of RFC 6749, section 4.4.2; the credentials may also come as HTTP Basic (section 2.3.1).
#[derive(Deserialize)]
pub struct TokenForm {
    grant_type: String,
    client_id: Option<String>,
    client_secret: Option<String>,
}

/// `POST /oauth/token`.
pub async fn issue(app: web::Data<App>, request: HttpRequest, form: web::Form<TokenForm>) -> HttpResponse {
    let form = form.into_inner();
    if form.grant_type != "client_credentials" {
        return refuse(400, "unsupported_grant_type");
    }
    let basic = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Basic "))
        .and_then(|value| STANDARD.decode(value.trim()).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| {
            text.split_once(':')
                .map(|(id, secret)| (id.to_owned(), secret.to_owned()))
        });
    let Some((id, secret)) = basic.or(form.client_id.zip(form.client_secret)) else {
        return refuse(401, "invalid_client");
    };
    match grant(&app, &id, secret).await {
        Ok(Some(token)) => HttpResponse::Ok().json(serde_json::json!({
            "access_token": token.reveal(),
            "token_type": "Bearer",
            "expires_in": LASTS.whole_seconds(),
        })),
        Ok(None) => refuse(401, "invalid_client"),
        Err(problem) => {
            problem.log();
            let said = problem.said();
            HttpResponse::build(said.status)
                .insert_header(("Retry-After", "5"))
                .json(serde_json::json!({ "error": "temporarily_unavailable" }))
        }
    }
}

fn refuse(status: u16, error: &str) -> HttpResponse {
    let mut response = if status == 401 {
        HttpResponse::Unauthorized()
    } else {
        HttpResponse::BadRequest()
    };
    if status == 401 {
        response.insert_header(("WWW-Authenticate", "Basic realm=\"countersign\""));
    }
    response.json(serde_json::json!({ "error": error }))
}

async fn grant(app: &App, id: &str, secret: String) -> Result<Option<Token>, Problem> {
    let id: Option<Id<kind::Client>> = id.parse().ok();
    let mut tx = app.begin(Door::Ehr).await?;
    let known = match id {
        Some(id) => tx.client(id).await?,
        None => None,
    };
    let Some((client, hash)) =
        known.filter(|(client, _)| client.tenant == app.tenant && (app.mode.demo || !client.demo))
    else {
        session::matches(app, PasswordHash::decoy(), secret).await?;
        return Ok(None);
    };
    if !session::matches(app, hash, secret).await? {
        let event = Event::observed(
            &client.actor(),
            EventKind::LoginFailed,
            Subject::client(client.id),
            &*app.clock,
            &*app.ids,
        );
        tx.note(&event).await?;
        tx.finish().await?;
        return Ok(None);
    }
    let token = Token::generate().map_err(|_| Problem::Internal("entropy"))?;
    let event = Event::observed(
        &client.actor(),
        EventKind::TokenIssued,
        Subject::client(client.id),
        &*app.clock,
        &*app.ids,
    );
    tx.issue_token(&token.digest(), &client, Some(LASTS), &event)
        .await?;
    tx.finish().await?;
    Ok(Some(token))
}
