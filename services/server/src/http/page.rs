//! What frames every page, and how a page becomes a response.

use actix_web::{HttpResponse, HttpResponseBuilder};
use askama::Template;
use policy::Role;

use super::{
    problem::{Problem, Said},
    scene::Portal,
};
use crate::pages::{Chrome, ErrorPage};

/// The frame of a page for a signed-in person.
#[must_use]
pub fn chrome(portal: &Portal, title: &str, here: &'static str) -> Chrome {
    let roles = &portal.account.roles;
    let mut links = Vec::new();
    for (role, href, text) in [
        (Some(Role::Physician), "/queue", "Review queue"),
        (Some(Role::Auditor), "/audit", "Audit log"),
        (Some(Role::Administrator), "/accounts", "Accounts"),
        (None, "/model", "Model card"),
    ] {
        if role.is_none_or(|role| roles.contains(&role)) {
            links.push((href, text, href == here));
        }
    }
    let role = roles.first().map_or("", |role| match role {
        Role::Physician => "Physician",
        Role::Auditor => "Auditor",
        Role::Administrator => "Administrator",
    });
    Chrome {
        title: title.to_owned(),
        user: Some((portal.account.display_name.clone(), role)),
        links,
        csrf: portal.csrf(),
        demo: portal.app.mode.demo,
        evaluation_only: portal.app.model.card().evaluation_only,
    }
}

/// The page as a response.
///
/// # Errors
/// [`Problem::Internal`] when it cannot be rendered.
pub fn render(page: &impl Template) -> Result<HttpResponse, Problem> {
    let html = page.render().map_err(|_| Problem::Internal("template"))?;
    Ok(HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .body(html))
}

/// The page that says what went wrong.
pub fn error(response: &mut HttpResponseBuilder, said: &Said) -> HttpResponse {
    let page = ErrorPage {
        chrome: Chrome {
            title: said.title.to_owned(),
            user: None,
            links: vec![("/", "Home", false)],
            csrf: String::new(),
            demo: false,
            evaluation_only: false,
        },
        status: said.status.as_u16(),
        title: said.title.to_owned(),
        detail: said.detail.clone(),
        request: crate::request::current(),
    };
    let html = page.render().unwrap_or_else(|_| said.title.to_owned());
    response.content_type("text/html; charset=utf-8").body(html)
}
