//! Signing in and out.

use actix_web::{
    HttpRequest, HttpResponse,
    cookie::{Cookie, SameSite},
    web,
};
use policy::Role;
use records::{Event, EventKind, Subject, Username};
use seal::{Token, password::PasswordHash};
use serde::Deserialize;
use store::Door;

use super::{
    page,
    problem::{PageProblem, Problem},
    scene::{self, App, COOKIE, Portal},
};
use crate::pages::{Chrome, LoginPage};

/// Cookie of somebody who is about to sign in: the form's token is bound to it.
const VISIT: &str = "countersign-visit";

/// Where to go after signing in, and what the last try came to.
#[derive(Deserialize)]
pub struct Next {
    next: Option<String>,
}

/// The form.
#[derive(Deserialize)]
pub struct LoginForm {
    csrf: String,
    username: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// `GET /`: to the page of one's role.
pub async fn home(portal: Result<Portal, PageProblem>) -> HttpResponse {
    let place = match portal {
        Ok(portal) => place_of(&portal.account.roles),
        Err(_) => "/login",
    };
    to(place)
}

fn place_of(roles: &[Role]) -> &'static str {
    match roles.first() {
        Some(Role::Physician) => "/queue",
        Some(Role::Auditor) => "/audit",
        Some(Role::Administrator) => "/accounts",
        None => "/model",
    }
}

/// `GET /login`.
pub async fn form(
    app: web::Data<App>,
    request: HttpRequest,
    next: web::Query<Next>,
) -> Result<HttpResponse, PageProblem> {
    Ok(show(&app, &request, next.into_inner().next, None)?)
}

fn show(
    app: &App,
    request: &HttpRequest,
    next: Option<String>,
    error: Option<&'static str>,
) -> Result<HttpResponse, Problem> {
    let kept = request
        .cookie(VISIT)
        .and_then(|cookie| Token::parse(cookie.value()).ok());
    let (visit, fresh) = match kept {
        Some(visit) => (visit, false),
        None => (Token::generate().map_err(|_| Problem::Internal("entropy"))?, true),
    };
    let page = LoginPage {
        chrome: Chrome {
            title: "Sign in".to_owned(),
            user: None,
            links: Vec::new(),
            csrf: scene::csrf(app, &visit.digest()),
            demo: app.mode.demo,
            evaluation_only: app.model.card().evaluation_only,
        },
        error,
        next: next.filter(|next| is_local(next)).unwrap_or_default(),
    };
    let mut response = page::render(&page)?;
    if fresh {
        response
            .add_cookie(&cookie(app, VISIT, visit.reveal().to_owned()))
            .map_err(|_| Problem::Internal("cookie"))?;
    }
    Ok(response)
}

/// A path of this portal, not an address elsewhere.
fn is_local(next: &str) -> bool {
    next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n'])
}

fn cookie(app: &App, name: &'static str, value: String) -> Cookie<'static> {
    Cookie::build(name, value)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(app.mode.secure_cookies)
        .finish()
}

fn to(place: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header(("Location", place))
        .finish()
}

/// `POST /login`.
pub async fn login(
    app: web::Data<App>,
    request: HttpRequest,
    form: web::Form<LoginForm>,
) -> Result<HttpResponse, PageProblem> {
    let form = form.into_inner();
    let visit = request
        .cookie(VISIT)
        .and_then(|cookie| Token::parse(cookie.value()).ok())
        .ok_or(Problem::BadForm)?;
    scene::same_token(&form.csrf, &scene::csrf(&app, &visit.digest()))?;
    let Some((token, roles)) = sign_in(&app, &form).await? else {
        const WRONG: &str =
            "User name or password is wrong, or the account is locked for a while after too many tries.";
        let mut response = show(&app, &request, Some(form.next), Some(WRONG))?;
        *response.status_mut() = actix_web::http::StatusCode::UNAUTHORIZED;
        return Ok(response);
    };
    let place = if is_local(&form.next) {
        form.next.as_str()
    } else {
        place_of(&roles)
    };
    let mut response = to(place);
    response
        .add_cookie(&cookie(&app, COOKIE, token.reveal().to_owned()))
        .map_err(|_| Problem::Internal("cookie"))?;
    Ok(response)
}

/// Checks a password off the request threads, a few at a time.
///
/// # Errors
/// [`Problem::Overloaded`] when too many wait.
pub async fn matches(app: &App, hash: PasswordHash, password: String) -> Result<bool, Problem> {
    let _turn = tokio::time::timeout(std::time::Duration::from_secs(5), app.hashing.acquire())
        .await
        .map_err(|_| Problem::Overloaded)?
        .map_err(|_| Problem::Internal("hashing"))?;
    web::block(move || hash.verify(&password))
        .await
        .map_err(|_| Problem::Internal("hashing"))
}

async fn sign_in(app: &App, form: &LoginForm) -> Result<Option<(Token, Vec<Role>)>, Problem> {
    let username = Username::parse(&form.username).ok();
    let mut tx = app.begin(Door::Portal).await?;
    let known = match &username {
        Some(username) => tx.credentials(app.tenant, username).await?,
        None => None,
    };
    let now = app.clock.now();
    let Some(known) = known.filter(|known| app.mode.demo || !known.account.demo) else {
        // An unknown name costs as much time as a wrong password.
        matches(app, PasswordHash::decoy(), form.password.clone()).await?;
        let nobody = records::worker(app.tenant);
        let subject = Subject::tenant(app.tenant);
        tx.note(&Event::observed(
            &nobody,
            EventKind::LoginFailed,
            subject,
            &*app.clock,
            &*app.ids,
        ))
        .await?;
        tx.finish().await?;
        return Ok(None);
    };
    let account = known.account;
    let right = matches(app, known.password, form.password.clone()).await?;
    let locked = known.locked_until.is_some_and(|until| until > now);
    let event = |kind| {
        Event::observed(
            &account.actor(),
            kind,
            Subject::account(account.id),
            &*app.clock,
            &*app.ids,
        )
    };
    if locked || !right {
        tx.password_failed(account.id, &event(EventKind::LoginFailed))
            .await?;
        tx.finish().await?;
        return Ok(None);
    }
    let token = Token::generate().map_err(|_| Problem::Internal("entropy"))?;
    tx.password_matched(account.id).await?;
    tx.start_session(
        &token.digest(),
        &account,
        app.session_limits(),
        &event(EventKind::LoginSucceeded),
    )
    .await?;
    tx.finish().await?;
    Ok(Some((token, account.roles)))
}

/// The form of the button.
#[derive(Deserialize)]
pub struct LogoutForm {
    csrf: String,
}

/// `POST /logout`.
pub async fn logout(portal: Portal, form: web::Form<LogoutForm>) -> Result<HttpResponse, PageProblem> {
    portal.check_form(&form.csrf)?;
    let app = &portal.app;
    let subject = Subject::account(portal.account.id);
    let event = Event::observed(
        &portal.actor(),
        EventKind::SessionEnded,
        subject,
        &*app.clock,
        &*app.ids,
    );
    let mut tx = app.begin(Door::Portal).await?;
    tx.end_session(&portal.session, &event).await?;
    tx.finish().await?;
    let mut response = to("/login");
    response
        .add_removal_cookie(&cookie(app, COOKIE, String::new()))
        .map_err(|_| Problem::Internal("cookie"))?;
    Ok(response)
}

#[cfg(test)]
mod tests {
    #[test]
    fn nobody_is_sent_elsewhere_after_signing_in() {
        assert!(super::is_local("/cases/1"));
        for bad in [
            "",
            "https://elsewhere.example",
            "//elsewhere.example",
            "/\\elsewhere.example",
            "/a\nb",
        ] {
            assert!(!super::is_local(bad), "{bad:?}");
        }
    }
}
