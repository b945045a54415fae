//! Proof campaigns: what is promised, tried thousands of times, with a seed and a saved report.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use clap::{Args, ValueEnum};
use clinical::leak::Draws;
use indicatif::{ProgressBar, ProgressStyle};
use records::{Clock, Event, EventKind, Fact, Id, Subject, SystemClock, SystemIds, Version, kind};
use serde::Serialize;
use store::{Door, Fault, PoolLimits, Store};

use super::{Failure, block_on, say};
use crate::{
    keys,
    postgres::{Cluster, Connection},
    service::PartKeys,
};

/// Run a proof campaign at full size, and write its report.
#[derive(Args)]
pub struct ProveArgs {
    /// Which campaign
    campaign: Campaign,
    /// Trials; the full size when none are given
    #[arg(long)]
    trials: Option<u32>,
    /// Seed of the trials
    #[arg(long, default_value_t = 20_261_124)]
    seed: u64,
    /// Folder for the report; nothing is written without it, except by the full size, which writes to docs/proofs
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Folder of the PostgreSQL server's programs
    #[arg(long, env = "PG_BINDIR", value_name = "FOLDER")]
    pg_bindir: Option<PathBuf>,
}

/// A campaign.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Campaign {
    /// One byte or one value of one audit row is changed behind the application's back; `audit verify` names that row
    Tamper,
    /// Planted canaries: identifiers that the hospital knows, and identifiers of the common formats, in new notes about new
    /// patients; none may be left
    Leak,
    /// Pseudonymous ids of ten million patients: no two alike, and none that a dictionary of all names yields without the key
    Pseudonyms,
}

/// Trials of the full size.
const FULL: u32 = 2000;
/// Trials of the full size of the leak campaign.
const FULL_LEAK: u64 = 300_000;
/// Patients of the full size of the pseudonyms campaign.
const FULL_PSEUDONYMS: u32 = 10_000_000;
/// Entries of the log that is tampered with.
const ENTRIES: u64 = 400;

/// What a campaign found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Campaign.
    pub campaign: &'static str,
    /// Trials.
    pub trials: u32,
    /// Trials in which the check named the very row.
    pub named: u32,
    /// Trials in which the check found a fault, but named no row or another.
    pub found_elsewhere: u32,
    /// Trials in which nothing was found.
    pub missed: u32,
    /// Trials by the column that was changed: tried, named.
    pub columns: std::collections::BTreeMap<&'static str, (u32, u32)>,
    /// Seed.
    pub seed: u64,
    /// Entries in the log.
    pub entries: u64,
    /// Day.
    pub date: String,
    /// Cores and architecture.
    pub machine: String,
    /// Seconds it took.
    pub seconds: f64,
    /// Version of this program.
    pub version: &'static str,
}

/// # Errors
/// [`Failure`] when the campaign cannot be run.
pub fn run(args: &ProveArgs) -> Result<ExitCode, Failure> {
    let (name, text, held) = match args.campaign {
        Campaign::Tamper => {
            let report = tamper(args.trials.unwrap_or(FULL), args.seed, args.pg_bindir.as_deref())?;
            (
                "tamper.json",
                serde_json::to_string_pretty(&report)?,
                report.named == report.trials,
            )
        }
        Campaign::Leak => {
            let scrubber = clinical::Scrubber::new(seal::MacKey::new(&[7; 32]));
            let trials = args.trials.map_or(FULL_LEAK, u64::from);
            let report = super::deid::leak(&scrubber, trials, args.seed, true)?;
            (
                "leak.json",
                serde_json::to_string_pretty(&report)?,
                report.leaks == 0,
            )
        }
        Campaign::Pseudonyms => {
            let report = super::deid::pseudonyms(args.trials.unwrap_or(FULL_PSEUDONYMS), args.seed)?;
            let held = report.collisions == 0 && report.recovered == 0;
            ("pseudonyms.json", serde_json::to_string_pretty(&report)?, held)
        }
    };
    say(&text);
    let folder = args
        .out
        .clone()
        .or_else(|| args.trials.is_none().then(|| PathBuf::from("docs/proofs")));
    if let Some(folder) = folder {
        std::fs::create_dir_all(&folder)?;
        let file = folder.join(name);
        std::fs::write(&file, format!("{text}\n"))?;
        say(format_args!("written to {}", file.display()));
    }
    Ok(if held {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Columns of an entry, and how one byte or value of each is changed. `$i` is a number of the trial.
const CHANGES: [(&str, &str); 13] = [
    ("at", "at = at + interval '1 microsecond'"),
    (
        "actor_kind",
        "actor_kind = overlay(actor_kind placing 'z' from 1 for 1)",
    ),
    (
        "actor_id",
        "actor_id = (overlay(actor_id::text placing (CASE WHEN right(actor_id::text, 1) = '0' THEN '1' ELSE '0' END) from 36 for 1))::uuid",
    ),
    ("roles", "roles = array_append(roles, 'x')"),
    (
        "kind",
        "kind = overlay(kind placing 'z' from 1 + ($i % length(kind)) for 1)",
    ),
    (
        "subject_kind",
        "subject_kind = overlay(subject_kind placing 'z' from 2 for 1)",
    ),
    (
        "subject_id",
        "subject_id = (overlay(subject_id::text placing (CASE WHEN left(subject_id::text, 1) = '0' THEN '1' ELSE '0' END) from 1 for 1))::uuid",
    ),
    ("subject_version", "subject_version = subject_version # 1"),
    ("policies", "policies = array_append(policies, 'x')"),
    (
        "facts",
        "facts = overlay(facts placing chr(ascii(substr(facts, 1 + ($i % length(facts)), 1)) # 1) from 1 + ($i % length(facts)) for 1)",
    ),
    ("position", "position = position + 1000000"),
    ("tenant_id", "tenant_id = $t"),
    ("leaf hash", ""),
];

/// Changes rows of a log of its own, one at a time, and asks the check what it sees.
///
/// # Errors
/// [`Failure`] when the database cannot be started or a statement fails.
pub fn tamper(trials: u32, seed: u64, bindir: Option<&Path>) -> Result<Report, Failure> {
    let began = std::time::Instant::now();
    let cluster = Cluster::ephemeral(bindir)?;
    let connection = cluster.connection().clone();
    let superuser = cluster.superuser_connection();
    let folder = tempfile::tempdir()?;
    let ring_folder = folder.path().join("keys");
    keys::create(&ring_folder)?;
    let (store_keys, _) = PartKeys::split(keys::load(&ring_folder)?);
    let found = block_on(async {
        let url = connection.url();
        store::migrate_url(&url).await?;
        let store = Store::new(&url, PoolLimits::default(), store_keys)?;
        let tenant = a_log(&store).await?;
        let mut dice = Draws::new(seed);
        let mut report = Report {
            campaign: "tamper",
            trials,
            named: 0,
            found_elsewhere: 0,
            missed: 0,
            columns: std::collections::BTreeMap::new(),
            seed,
            entries: ENTRIES,
            date: SystemClock.now().date().to_string(),
            machine: format!(
                "{} cores, {}",
                std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
                std::env::consts::ARCH
            ),
            seconds: 0.0,
            version: env!("CARGO_PKG_VERSION"),
        };
        let bar = ProgressBar::new(u64::from(trials)).with_style(ProgressStyle::with_template(
            "tampering {bar:40} {pos}/{len}  ETA {eta}",
        )?);
        for trial in 0..trials {
            let index = dice.below(usize::try_from(ENTRIES)?) as u64;
            let (column, change) = dice.one(&CHANGES);
            let (before, after) = statements(
                index,
                column,
                change,
                u64::from(trial) + dice.below(97) as u64,
                tenant,
            );
            alter(&superuser, before).await?;
            let found = store.verify_log(tenant, &mut |_, _| {}).await?;
            alter(&superuser, after).await?;
            let named = match found.fault {
                Some(Fault::EntryChanged { index: found, .. } | Fault::EntryMissing { index: found }) => {
                    found == index
                }
                _ => false,
            };
            let counted = report.columns.entry(column).or_default();
            counted.0 += 1;
            if named {
                counted.1 += 1;
                report.named += 1;
            } else if found.fault.is_some() {
                report.found_elsewhere += 1;
            } else {
                report.missed += 1;
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        // The log as it was: the changes were taken back one by one, so the check must be green again.
        if let Some(fault) = store.verify_log(tenant, &mut |_, _| {}).await?.fault {
            return Err(format!("the untouched log does not verify: {fault:?}").into());
        }
        store.close().await;
        Ok(report)
    })?;
    cluster.stop()?;
    Ok(Report {
        seconds: began.elapsed().as_secs_f64(),
        ..found
    })
}

/// A log of [`ENTRIES`] entries in several checkpoints.
async fn a_log(store: &Store) -> Result<Id<kind::Tenant>, Failure> {
    let (clock, ids) = (SystemClock, SystemIds);
    let mut tx = store.begin(Door::Admin).await?;
    let tenant = tx
        .ensure_tenant(Id::generate(&clock, &ids), "hospital", clock.now())
        .await?;
    tx.ensure_tenant(Id::generate(&clock, &ids), "another", clock.now())
        .await?;
    tx.finish().await?;
    let actor = records::worker(tenant);
    for part in 0..8 {
        let mut tx = store.begin(Door::Admin).await?;
        for number in 0..ENTRIES / 8 {
            let subject = Subject::report(Id::generate(&clock, &ids), Version::FIRST);
            let event = Event::observed(&actor, EventKind::ReportReceived, subject, &clock, &ids)
                .with("characters", Fact::Number(part * 100 + number));
            tx.note(&event).await?;
        }
        tx.finish().await?;
        store.sequence(tenant, &clock).await?;
    }
    Ok(tenant)
}

/// Statements that change one thing about the entry at `index`, and that take it back from a copy.
fn statements(
    index: u64,
    column: &str,
    change: &str,
    number: u64,
    tenant: Id<kind::Tenant>,
) -> (String, String) {
    let free = "SET client_min_messages = warning; SET session_replication_role = replica;";
    let entry = format!("(SELECT entry_id FROM audit_leaf WHERE tenant_id = '{tenant}' AND index = {index})");
    if column == "leaf hash" {
        let change = format!(
            "{free} UPDATE audit_leaf SET hash = set_byte(hash, {0}, get_byte(hash, {0}) # 1) WHERE tenant_id = '{tenant}' AND index = {index};",
            number % 32
        );
        return (change.clone(), change);
    }
    let other = "(SELECT id FROM tenant WHERE code = 'another')";
    let change = change.replace("$i", &number.to_string()).replace("$t", other);
    let override_identity = if column == "position" {
        "ALTER TABLE audit_entry ALTER position DROP IDENTITY IF EXISTS;"
    } else {
        ""
    };
    let plain = if column == "leaf hash" { "hash" } else { column };
    (
        format!(
            "{free} {override_identity} CREATE TABLE kept AS SELECT * FROM audit_entry WHERE id = {entry};
             UPDATE audit_entry SET {change} WHERE id = {entry};"
        ),
        format!(
            "{free} UPDATE audit_entry e SET {plain} = k.{plain} FROM kept k WHERE k.id = e.id; DROP TABLE kept;"
        ),
    )
}

/// Runs a script beside the runtime, which has to go on meanwhile.
async fn alter(connection: &Connection, script: String) -> Result<(), Failure> {
    let connection = connection.clone();
    tokio::task::spawn_blocking(move || psql(&connection, &script)).await?
}

fn psql(connection: &Connection, script: &str) -> Result<(), Failure> {
    let mut child = Command::new("psql")
        .env("PGPASSWORD", connection.password())
        .args([
            "--no-psqlrc",
            "--quiet",
            "--set",
            "ON_ERROR_STOP=1",
            "--file",
            "-",
        ])
        .arg("--host")
        .arg(connection.host())
        .args([
            "--port",
            &connection.port().to_string(),
            "--username",
            connection.user(),
        ])
        .args(["--dbname", connection.database()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    if let Some(stdin) = child.stdin.as_mut() {
        stdin.write_all(script.as_bytes())?;
    }
    let status = child.wait()?;
    if status.success() {
        Ok(())
    } else {
        Err("psql refused a statement of the campaign".into())
    }
}
