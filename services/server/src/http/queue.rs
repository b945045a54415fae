//! The review queue.

use actix_web::{HttpResponse, web};
use clinical::{Impression, Outcome};
use policy::{Facts, ReadQueue, ResourceKind};
use records::{CaseState, Event, EventKind, Subject};
use serde::Deserialize;
use store::{Door, QueueLine};

use super::{page, problem::PageProblem, scene::Portal};
use crate::{
    pages::{QueuePage, QueueRow, Tab, Tone},
    view::words,
};

/// Cases on a page.
const PAGE: i64 = 50;

/// Which view, and from where.
#[derive(Deserialize)]
pub struct View {
    #[serde(default)]
    show: String,
    #[serde(default)]
    from: u32,
}

/// `GET /queue`.
pub async fn list(portal: Portal, view: web::Query<View>) -> Result<HttpResponse, PageProblem> {
    let (app, actor) = (&portal.app, portal.actor());
    let permit = app
        .authorize::<ReadQueue>(
            &actor,
            &app.tenant_resource(ResourceKind::Tenant),
            &Facts::default(),
        )
        .await?;
    let view = view.into_inner();
    let (states, name): (&[CaseState], &str) = match view.show.as_str() {
        "mine" => (&[CaseState::Claimed], "mine"),
        "signed" => (&[CaseState::Signed, CaseState::Released], "signed"),
        _ => (&[CaseState::Assessed, CaseState::Claimed], "waiting"),
    };
    let from = i64::from(view.from);
    let mut tx = app.begin(Door::Portal).await?;
    let now = app.clock.now();
    let mut lines = tx
        .queue(app.tenant, portal.account.id, states, now, (PAGE + 1, from))
        .await?;
    let counts = tx.queue_counts(app.tenant).await?;
    let event = Event::permitted(
        &permit,
        EventKind::QueueRead,
        Subject::tenant(app.tenant),
        &*app.clock,
        &*app.ids,
    );
    tx.note(&event).await?;
    tx.finish().await?;

    let more = lines.len() > usize::try_from(PAGE).unwrap_or(usize::MAX);
    lines.truncate(usize::try_from(PAGE).unwrap_or(usize::MAX));
    let mine = |line: &QueueLine| {
        line.holder
            .as_ref()
            .is_some_and(|(id, _)| *id == portal.account.id)
    };
    if name == "mine" {
        lines.retain(mine);
    }
    let tab = |href, text, count, key| Tab {
        href,
        text,
        count,
        active: key == name,
    };
    let page = QueuePage {
        chrome: page::chrome(&portal, "Review queue", "/queue"),
        tabs: vec![
            tab(
                "/queue",
                "Waiting",
                Some(counts.waiting + counts.claimed),
                "waiting",
            ),
            tab("/queue?show=mine", "Mine", None, "mine"),
            tab("/queue?show=signed", "Signed", Some(counts.signed), "signed"),
        ],
        rows: lines.iter().map(|line| row(line, mine(line), now)).collect(),
        incoming: counts.incoming,
        newer: (from > 0).then(|| format!("/queue?show={name}&from={}", (from - PAGE).max(0))),
        older: more.then(|| format!("/queue?show={name}&from={}", from + PAGE)),
    };
    Ok(page::render(&page)?)
}

fn row(line: &QueueLine, mine: bool, now: time::OffsetDateTime) -> QueueRow {
    let (suggestion, tone, findings) = match &line.outcome {
        Some(Outcome::Assessed(assessment)) => (
            match assessment.impression {
                // A low probability of abnormal beside "normal" would read as doubt about normal.
                Impression::Normal => "normal".to_owned(),
                Impression::Abnormal => format!("abnormal {} %", words::percent(assessment.abnormal)),
            },
            words::tone(assessment.impression),
            assessment
                .findings
                .iter()
                .map(|finding| finding.label.as_str().to_owned())
                .collect(),
        ),
        Some(Outcome::NotAssessed(_)) => ("no suggestion".to_owned(), Tone::Neutral, Vec::new()),
        None => ("—".to_owned(), Tone::Neutral, Vec::new()),
    };
    QueueRow {
        href: format!("/cases/{}", line.report),
        short: line.report.short(),
        version: line.version,
        service: line.service.clone(),
        received: words::moment(line.received_at),
        age: words::age(now, line.received_at),
        suggestion,
        tone,
        findings,
        holder: line.holder.as_ref().map(|(_, name)| name.clone()),
        mine,
        state: state(line.state, mine),
    }
}

const fn state(state: CaseState, mine: bool) -> &'static str {
    match state {
        CaseState::Received | CaseState::Deidentified => "being read",
        CaseState::Assessed => "waiting",
        CaseState::Claimed if mine => "claimed by you",
        CaseState::Claimed => "claimed",
        CaseState::Signed | CaseState::Released => "signed",
        CaseState::Void => "void",
    }
}
