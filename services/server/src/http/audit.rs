//! Audit review: what happened, by whom, on what.

use std::fmt::Write;

use actix_web::{HttpResponse, web};
use policy::{Facts, ReadAudit, ResourceKind};
use records::{Event, EventKind, Subject};
use serde::Deserialize;
use store::{AuditEntry, AuditFilter, Door};
use time::{Date, Duration, macros::format_description};

use super::{page, problem::PageProblem, scene::Portal};
use crate::{
    pages::{AuditPage, AuditRow, LogStatus},
    view::words,
};

/// Entries on a page.
const PAGE: i64 = 100;

/// The filter as it comes: empty fields mean any.
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Query {
    kind: String,
    actor: String,
    subject: String,
    since: String,
    until: String,
    before: String,
}

/// `GET /audit`.
pub async fn list(portal: Portal, query: web::Query<Query>) -> Result<HttpResponse, PageProblem> {
    let app = &portal.app;
    let resource = app.tenant_resource(ResourceKind::AuditLog);
    let permit = app
        .authorize::<ReadAudit>(&portal.actor(), &resource, &Facts::default())
        .await?;
    let query = query.into_inner();
    let (filter, alert) = match filter(&query) {
        Ok(filter) => (filter, None),
        Err(what) => (AuditFilter::default(), Some(what)),
    };
    let mut tx = app.begin(Door::Audit).await?;
    let event = Event::permitted(
        &permit,
        EventKind::AuditRead,
        Subject::tenant(app.tenant),
        &*app.clock,
        &*app.ids,
    );
    tx.note(&event).await?;
    let entries = tx.audit_entries(app.tenant, &filter, PAGE).await?;
    let (size, pending, checkpoint) = tx.log_head(app.tenant).await?;
    tx.finish().await?;

    let full = entries.len() == usize::try_from(PAGE).unwrap_or(usize::MAX);
    let older = entries.last().filter(|_| full).map(|last| {
        let mut href = format!("/audit?before={}", last.position);
        // What the filter accepted is letters, digits and hyphens, which need no escaping in an address.
        if alert.is_none() {
            for (name, value) in [
                ("kind", &query.kind),
                ("actor", &query.actor),
                ("subject", &query.subject),
                ("since", &query.since),
                ("until", &query.until),
            ] {
                if !value.is_empty() {
                    let _ = write!(href, "&{name}={value}");
                }
            }
        }
        href
    });
    let kept = |value: &str| {
        if alert.is_none() {
            value.trim().to_owned()
        } else {
            String::new()
        }
    };
    let page = AuditPage {
        chrome: page::chrome(&portal, "Audit log", "/audit"),
        rows: entries.iter().map(row).collect(),
        kinds: EventKind::ALL
            .iter()
            .map(|kind| (kind.as_str(), kind.as_str() == query.kind))
            .collect(),
        actor: kept(&query.actor),
        subject: kept(&query.subject),
        since: kept(&query.since),
        until: kept(&query.until),
        alert,
        older,
        log: LogStatus {
            size,
            pending,
            checkpoint,
        },
    };
    Ok(page::render(&page)?)
}

fn filter(query: &Query) -> Result<AuditFilter, &'static str> {
    let id = |text: &str, what| {
        let text = text.trim();
        (!text.is_empty())
            .then(|| uuid::Uuid::try_parse(text).map_err(|_| what))
            .transpose()
    };
    let day = |text: &str, what| {
        let text = text.trim();
        let parse = || Date::parse(text, format_description!("[year]-[month]-[day]")).map_err(|_| what);
        (!text.is_empty()).then(parse).transpose()
    };
    let kind = query.kind.trim();
    if !kind.is_empty() && EventKind::parse(kind).is_none() {
        return Err("The kind of event is not one of the list; showing everything.");
    }
    let before = query.before.trim();
    Ok(AuditFilter {
        kind: (!kind.is_empty()).then(|| kind.to_owned()),
        actor: id(&query.actor, "The actor is no id; showing everything.")?,
        subject: id(&query.subject, "The subject is no id; showing everything.")?,
        since: day(&query.since, "The first day is no date; showing everything.")?
            .map(|day| day.midnight().assume_utc()),
        until: day(&query.until, "The last day is no date; showing everything.")?
            .map(|day| day.midnight().assume_utc() + Duration::days(1)),
        before: (!before.is_empty())
            .then(|| {
                before
                    .parse()
                    .map_err(|_| "The place in the list is no number; showing everything.")
            })
            .transpose()?,
    })
}

fn row(entry: &AuditEntry) -> AuditRow {
    let facts: std::collections::BTreeMap<String, serde_json::Value> =
        serde_json::from_str(&entry.facts).unwrap_or_default();
    AuditRow {
        index: entry.index,
        at: words::exact(entry.at),
        actor_kind: entry.actor_kind.clone(),
        actor: entry.actor_id.to_string(),
        roles: entry.roles.join(", "),
        kind: entry.kind.clone(),
        subject_kind: entry.subject_kind.clone(),
        subject: entry.subject_id.to_string(),
        version: entry.subject_version,
        policies: entry.policies.join(", "),
        facts: facts
            .into_iter()
            .map(|(name, value)| {
                (
                    name,
                    value.as_str().map_or_else(|| value.to_string(), str::to_owned),
                )
            })
            .collect(),
    }
}
