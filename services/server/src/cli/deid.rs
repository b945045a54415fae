//! De-identification at the command line: documents in, documents without their patients out; and the leak meter.

mod document;
mod evaluate;
mod output;
mod page;
mod pseudonyms;
mod source;
mod train;
mod trials;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use clinical::{Scrubber, leak::GoldKnown};
use indicatif::{ProgressBar, ProgressStyle};
use records::{Clock as _, SystemClock};

pub use pseudonyms::{Report as PseudonymReport, pseudonyms};
pub use trials::{Report as LeakReport, leak};

use super::Failure;
use crate::deidentification::{Deidentification, TextMode};
use document::Gateway;
use output::Sink;

/// Take the patient out of documents: texts, FHIR JSON and NDJSON, HL7 v2, C-CDA.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct DeidArgs {
    /// Files, folders, or - for standard input. Lines of .ndjson and .jsonl are documents of their own: resources, or objects
    /// with `text` and perhaps `id` and `known`
    #[arg(required_unless_present = "spans", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Write one file for each input into this folder, instead of to standard output. A file name that identifies somebody
    /// becomes a pseudonym
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Identifiers of the patient that are known: a JSON file with names, identifiers, phones, address, `birth_date`, …
    #[arg(long, value_name = "FILE")]
    known: Option<PathBuf>,
    /// Read rows of gold spans and print, for each, what would be masked: JSON lines with id and spans in code points
    #[arg(long, value_name = "GOLD.jsonl", conflicts_with_all = ["files", "format", "out", "known"])]
    spans: Option<PathBuf>,
    #[command(flatten)]
    how: HowArgs,
    #[command(subcommand)]
    command: Option<DeidCommand>,
}

/// How to replace, and with which key.
#[derive(Args, Clone)]
pub struct HowArgs {
    /// What stands in texts where an identifier stood; without it what the policy says
    #[arg(long, value_enum)]
    mode: Option<TextMode>,
    /// Policy of de-identification; without it the built-in one (policies/deidentification.toml)
    #[arg(long, env = "COUNTERSIGN_DEIDENTIFICATION", value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Rules for FHIR in the format of Microsoft's FHIR anonymizer
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Secret of the surrogates, 32 bytes or more. Without it each run draws its own, and the surrogates of two runs
    /// have nothing in common
    #[arg(long, env = "COUNTERSIGN_DEID_KEY", value_name = "FILE")]
    key: Option<PathBuf>,
    /// The patient whose surrogates agree over all documents; without it each document is of a patient of its own
    #[arg(long, value_name = "ID")]
    patient: Option<String>,
    /// Weights of the name tagger; without it the built-in ones
    #[arg(long, value_name = "FILE")]
    tagger: Option<PathBuf>,
}

/// What to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The document without its patient
    Text,
    /// One JSON object: the text, and what was replaced, where, on what evidence, how surely
    Json,
    /// A page with both texts side by side
    Html,
}

#[derive(Subcommand)]
enum DeidCommand {
    /// Score the gateway on rows of gold spans: recall, leaks, what else was taken, and the misses
    Evaluate(evaluate::EvaluateArgs),
    /// Measure the risk of a leak with planted canaries
    Trials(trials::TrialsArgs),
    /// Train the tagger of names and places
    Train(train::TrainArgs),
    /// Print notes with planted identifiers, as rows of gold spans
    Plant(train::PlantArgs),
}

/// # Errors
/// [`Failure`] when something cannot be read or written.
pub fn run(args: DeidArgs) -> Result<ExitCode, Failure> {
    match args.command {
        Some(DeidCommand::Evaluate(args)) => return evaluate::run(&args),
        Some(DeidCommand::Trials(args)) => return trials::run(&args),
        Some(DeidCommand::Train(args)) => return train::run(&args),
        Some(DeidCommand::Plant(args)) => return train::plant(&args),
        None => {}
    }
    let scrubber = args.how.scrubber()?;
    if let Some(gold) = &args.spans {
        return evaluate::spans(&scrubber, gold);
    }
    let known: GoldKnown = match &args.known {
        Some(file) => serde_json::from_str(&std::fs::read_to_string(file)?)
            .map_err(|error| format!("{} is no JSON of known identifiers: {error}", file.display()))?,
        None => GoldKnown::default(),
    };
    let gateway = Gateway {
        scrubber,
        rules: args.how.rules()?,
        known,
        patient: args.how.patient.clone(),
        today: SystemClock.now().date(),
    };
    let sources = source::find(&args.files)?;
    if sources.len() > 1 && args.out.is_none() && args.format == Format::Html {
        return Err("several pages need a folder: add --out FOLDER".into());
    }
    let bar = ProgressBar::new(sources.iter().map(|source| source.bytes).sum());
    bar.set_style(ProgressStyle::with_template(
        "de-identifying {bar:40} {bytes}/{total_bytes}  ETA {eta}  {msg}",
    )?);
    if sources.len() < 2 && sources.iter().all(|source| source.bytes < 1 << 20) {
        bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
    }
    let sink = Sink::new(args.format, args.out.as_deref())?;
    let mut refused = 0_u64;
    for source in &sources {
        bar.set_message(source.name());
        for failure in sink.write(&gateway, source, &bar)? {
            bar.suspend(|| tracing::error!(file = source.name(), line = failure.line, "{}", failure.what));
            refused += 1;
        }
    }
    bar.finish_and_clear();
    if refused > 0 {
        tracing::error!(refused, "documents were refused, and nothing of them was written");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

impl HowArgs {
    fn policy(&self) -> Result<Deidentification, Failure> {
        Ok(Deidentification::read(self.policy.as_deref())?)
    }

    /// The scrubber that these options describe.
    ///
    /// # Errors
    /// [`Failure`] when a file cannot be read, or is not what it should be.
    pub fn scrubber(&self) -> Result<Scrubber, Failure> {
        let key = match &self.key {
            Some(file) => {
                let secret = std::fs::read(file)?;
                if secret.len() < 32 {
                    return Err(format!("{} holds fewer than 32 bytes", file.display()).into());
                }
                seal::MacKey::new(seal::Digest::of(&secret).as_bytes())
            }
            None => seal::MacKey::new(&seal::random()?),
        };
        let scrubber = Scrubber::new(key).replacing(self.mode()?.replacement(SystemClock.now().year()));
        match &self.tagger {
            None => Ok(scrubber),
            Some(file) => scrubber
                .with_tagger(&std::fs::read(file)?)
                .ok_or_else(|| format!("{} holds no weights of a tagger", file.display()).into()),
        }
    }

    fn mode(&self) -> Result<TextMode, Failure> {
        Ok(match self.mode {
            Some(mode) => mode,
            None => self.policy()?.mode,
        })
    }

    fn rules(&self) -> Result<interop::deid::Rules, Failure> {
        let rules = match &self.rules {
            Some(file) => interop::deid::Rules::from_json(&std::fs::read_to_string(file)?)?,
            None => self.policy()?.rules,
        };
        Ok(match self.mode()? {
            TextMode::Surrogates => rules,
            TextMode::Tags => rules.with_years(),
        })
    }
}
