//! Training of the tagger, and the notes that are planted for it.

use std::io::{BufWriter, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use clinical::leak::{GoldNote, Planter};
use clinical::tagging::{self, Schedule};

use super::super::{Failure, say};
use super::{HowArgs, evaluate};

/// Train the tagger of names and places.
#[derive(Args)]
pub struct TrainArgs {
    /// Files of gold spans; the categories NAME and GEO are learned
    #[arg(value_name = "GOLD.jsonl")]
    files: Vec<PathBuf>,
    /// Where the weights go
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Planted notes to train on besides
    #[arg(long, default_value_t = 30_000)]
    planted: u32,
    /// How often each row of the files counts
    #[arg(long, default_value_t = 4)]
    repeat: u32,
    /// Passes over everything
    #[arg(long, default_value_t = Schedule::default().epochs)]
    epochs: u32,
    /// Log-odds at which a word is taken for a name or a place; lower finds more, and takes more
    #[arg(long, default_value_t = Schedule::default().threshold, allow_negative_numbers = true)]
    threshold: f32,
    /// Seed of the planted notes and of the passes
    #[arg(long, default_value_t = 5)]
    seed: u64,
    #[command(flatten)]
    how: HowArgs,
}

/// Print notes with planted identifiers, as rows of gold spans.
#[derive(Args)]
pub struct PlantArgs {
    /// How many
    #[arg(long, default_value_t = 1000)]
    notes: u32,
    /// Seed
    #[arg(long, default_value_t = 99)]
    seed: u64,
}

/// # Errors
/// [`Failure`] when a file cannot be read or written.
pub fn run(args: &TrainArgs) -> Result<ExitCode, Failure> {
    let gold = evaluate::read_all(&args.files)?;
    let mut notes: Vec<GoldNote> = Vec::new();
    for _ in 0..args.repeat {
        notes.extend(gold.iter().cloned());
    }
    let mut planter = Planter::new(args.seed);
    notes.extend((0..args.planted).map(|_| planter.note()));
    say(format_args!(
        "{} rows of gold spans, {} planted notes",
        gold.len(),
        args.planted
    ));
    let schedule = Schedule {
        epochs: args.epochs,
        threshold: args.threshold,
        seed: args.seed,
        ..Schedule::default()
    };
    let weights = tagging::train(&args.how.scrubber()?, &notes, schedule, |epoch, loss| {
        say(format_args!(
            "pass {:2} of {}: loss {loss:.5} nats a word",
            epoch + 1,
            args.epochs
        ));
    });
    std::fs::write(&args.out, &weights)?;
    say(format_args!(
        "{} bytes written to {}",
        weights.len(),
        args.out.display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// # Errors
/// [`Failure`] when standard output is closed.
pub fn plant(args: &PlantArgs) -> Result<ExitCode, Failure> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut planter = Planter::new(args.seed);
    for _ in 0..args.notes {
        let note = planter.note();
        let spans: Vec<_> = note
            .spans
            .iter()
            .map(|span| {
                serde_json::json!({
                    "start": span.start, "end": span.end, "category": span.category, "hipaa": span.hipaa,
                })
            })
            .collect();
        let row = serde_json::json!({ "id": note.id, "text": note.text, "spans": spans, "complete": note.complete });
        writeln!(out, "{row}")?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
