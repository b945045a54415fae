//! The audit log at the command line.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use records::SystemClock;
use store::{AuditFilter, Door, Fault, Verification};

use super::{
    Failure, block_on,
    database::{Opened, WhichArgs},
    say,
};

/// Verify and list the audit log.
#[derive(Args)]
pub struct AuditArgs {
    #[command(flatten)]
    which: WhichArgs,
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Subcommand)]
enum AuditCommand {
    /// Recompute the log from its rows; names the first entry that does not fit, and then exits with 1
    Verify,
    /// Print the newest entries as JSON lines
    List {
        /// How many
        #[arg(long, default_value_t = 50)]
        limit: i64,
        /// Only of this kind, such as `ReportSigned`
        #[arg(long)]
        kind: Option<String>,
        /// Only about this report, account or client
        #[arg(long, value_name = "ID")]
        subject: Option<uuid::Uuid>,
    },
}

/// # Errors
/// [`Failure`] when the log cannot be read.
pub fn run(args: AuditArgs) -> Result<ExitCode, Failure> {
    block_on(async {
        let opened = args.which.open()?;
        let code = match args.command {
            AuditCommand::Verify => verify(&opened).await?,
            AuditCommand::List { limit, kind, subject } => {
                let filter = AuditFilter {
                    kind,
                    subject,
                    ..AuditFilter::default()
                };
                list(&opened, &filter, limit).await?;
                ExitCode::SUCCESS
            }
        };
        opened.store.close().await;
        Ok(code)
    })
}

async fn verify(opened: &Opened) -> Result<ExitCode, Failure> {
    let tenant = opened.tenant().await?;
    // What is committed but has no index yet gets one first, so that the check covers everything.
    opened.store.sequence(tenant, &SystemClock).await?;
    let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(
        "verifying {bar:40} {pos}/{len} entries ({eta})",
    )?);
    let found = opened
        .store
        .verify_log(tenant, &mut |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        })
        .await?;
    bar.finish_and_clear();
    say(sentence(&found));
    Ok(if found.fault.is_none() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What a check found, in words.
#[must_use]
pub fn sentence(found: &Verification) -> String {
    let Verification {
        entries,
        checkpoints,
        pending,
        root,
        fault,
    } = found;
    match fault {
        None => {
            let waiting = match pending {
                0 => String::new(),
                n => format!(" {n} newer entries wait for their checkpoint."),
            };
            format!(
                "The audit log is whole: {entries} entries fit {checkpoints} signed checkpoints.{waiting}\nroot {root}"
            )
        }
        Some(Fault::EntryChanged { index, entry }) => format!(
            "The audit log does not fit: entry {index} (id {entry}) was changed. {entries} entries before it fit."
        ),
        Some(Fault::EntryMissing { index }) => {
            format!("The audit log does not fit: entry {index} is missing. {entries} entries before it fit.")
        }
        Some(Fault::RootDiffers { from, to }) => format!(
            "The audit log does not fit: entries {from} to {} and their leaves were rewritten; the signed checkpoint of {to} entries says otherwise.",
            to - 1
        ),
        Some(Fault::CheckpointChanged { size }) => {
            format!(
                "The audit log does not fit: the checkpoint of {size} entries was changed or is signed by another key."
            )
        }
        Some(Fault::CheckpointMissing { covered }) => format!(
            "The audit log does not fit: entries from {covered} on have an index, but no signed checkpoint covers them."
        ),
    }
}

async fn list(opened: &Opened, filter: &AuditFilter, limit: i64) -> Result<(), Failure> {
    let tenant = opened.tenant().await?;
    let mut tx = opened.store.begin(Door::Audit).await?;
    for entry in tx.audit_entries(tenant, filter, limit.clamp(1, 100_000)).await? {
        let mut line: serde_json::Value = serde_json::from_slice(&entry.leaf()?)?;
        line["index"] = entry.index.into();
        say(line);
    }
    Ok(tx.finish().await?)
}
