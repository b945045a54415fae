//! What `up` makes for trying out: one account a role, an EHR with a fixed token, a few synthetic reports.

use std::{fs, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use actix_web::web;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use policy::Role;
use records::{Account, Client, Event, EventKind, Id, PhiText, ServiceCode, Subject, Username};
use seal::{Token, password::hash_password};
use serde::Deserialize;
use store::{Door, NewAccount};

use super::{Failure, say};
use crate::{http::App, outbound::FhirClient};

/// File in the data folder with the demo EHR's token; its owner alone may read it.
pub const TOKEN_FILE: &str = "ehr.token";

/// User name, printed name, role, and the identifier by which reports name the person.
const ACCOUNTS: [(&str, &str, Role, Option<&str>); 3] = [
    (
        "physician",
        "Dr. Demo Physician",
        Role::Physician,
        Some("https://countersign.example/staff|demo-physician"),
    ),
    ("auditor", "Demo Auditor", Role::Auditor, None),
    ("administrator", "Demo Administrator", Role::Administrator, None),
];

/// Makes the demo accounts where there are none, and prints their passwords this once.
///
/// # Errors
/// [`Failure`].
pub async fn ensure_accounts(app: &web::Data<App>) -> Result<(), Failure> {
    let mut tx = app.begin(Door::Admin).await.map_err(outcome)?;
    let there = tx.accounts(app.tenant).await?;
    if !there.is_empty() {
        return Ok(tx.finish().await?);
    }
    let system = records::worker(app.tenant);
    let mut printed = Vec::new();
    for (username, name, role, practitioner) in ACCOUNTS {
        let password = password()?;
        let account = Account {
            id: Id::generate(&*app.clock, &*app.ids),
            tenant: app.tenant,
            username: Username::parse(username)?,
            display_name: name.to_owned(),
            roles: vec![role],
            demo: true,
        };
        let subject = Subject::account(account.id);
        let event = Event::observed(
            &system,
            EventKind::AccountCreated,
            subject,
            &*app.clock,
            &*app.ids,
        );
        let id = account.id;
        let new = NewAccount {
            account,
            password: hash_password(&password)?,
            practitioner: practitioner.map(|text| PhiText::new(text.to_owned())),
            created_at: app.clock.now(),
        };
        tx.create_account(&new, &event).await?;
        if role == Role::Physician {
            let event = Event::observed(
                &system,
                EventKind::AccountChanged,
                subject,
                &*app.clock,
                &*app.ids,
            );
            let pool = Id::generate(&*app.clock, &*app.ids);
            tx.join_pool(pool, &ServiceCode::radiology(), id, &event).await?;
        }
        printed.push((username, password, name));
    }
    tx.finish().await?;
    say("\nDemo accounts, shown this once (new passwords: countersign user password NAME):");
    for (username, password, name) in printed {
        say(format_args!("  {username:<14} {password}   {name}"));
    }
    Ok(())
}

/// Fifteen random bytes in letters and digits: 120 bits.
fn password() -> Result<String, Failure> {
    Ok(URL_SAFE_NO_PAD.encode(seal::random::<15>()?))
}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
fn outcome(problem: crate::http::problem::Problem) -> Failure {
    problem.said().title.into()
}

/// Registers the demo EHR where there is none; its token lies in the data folder.
///
/// # Errors
/// [`Failure`].
pub async fn ensure_client(app: &web::Data<App>, data: &Path) -> Result<String, Failure> {
    let file = data.join(TOKEN_FILE);
    if let Ok(kept) = fs::read_to_string(&file) {
        return Ok(kept.trim().to_owned());
    }
    let token = Token::generate()?;
    let id: Id<records::kind::Client> = Id::generate(&*app.clock, &*app.ids);
    let client = Client {
        id,
        tenant: app.tenant,
        name: format!("Demo EHR {}", id.short()),
        demo: true,
    };
    let system = records::worker(app.tenant);
    let event = |kind| Event::observed(&system, kind, Subject::client(id), &*app.clock, &*app.ids);
    let mut tx = app.begin(Door::Admin).await.map_err(outcome)?;
    tx.create_client(
        &client,
        &hash_password(Token::generate()?.reveal())?,
        &event(EventKind::ClientCreated),
    )
    .await?;
    tx.issue_token(&token.digest(), &client, None, &event(EventKind::TokenIssued))
        .await?;
    tx.finish().await?;
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&file)
        .and_then(|mut file| file.write_all(token.reveal().as_bytes()))?;
    Ok(token.reveal().to_owned())
}

/// A synthetic report that this project wrote.
#[derive(Deserialize)]
struct DemoReport {
    given: String,
    family: String,
    birth_date: String,
    gender: String,
    mrn: String,
    accession: String,
    text: String,
}

/// Sends the demo reports through the API, as an EHR would. Sending them again changes nothing.
///
/// # Errors
/// [`Failure`] when one is not taken.
pub fn send_reports(base: &str, token: &str) -> Result<usize, Failure> {
    let reports: Vec<DemoReport> = serde_json::from_str(include_str!("../../demo/reports.json"))?;
    let client = FhirClient::new(base, token.to_owned());
    for report in &reports {
        let bundle = super::submit::bundle(&super::submit::Outgoing {
            given: &report.given,
            family: &report.family,
            birth_date: Some(&report.birth_date),
            gender: &report.gender,
            mrn: &report.mrn,
            accession: &report.accession,
            text: &report.text,
        });
        let answer = client.post("", &bundle)?;
        if answer.status != 200 {
            return Err(format!("a demo report was refused with status {}", answer.status).into());
        }
    }
    Ok(reports.len())
}
