//! Training of the tagger, and the notes that are planted for it.

use std::io::{BufWriter, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use clinical::leak::{GoldNote, Planter, Score};
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
    #[arg(long, value_name = "FILE", required_unless_present = "folds")]
    out: Option<PathBuf>,
    /// Cross-validate instead: each row is scored by a tagger that was trained without its part of the files
    #[arg(long, value_name = "K", conflicts_with = "out", value_parser = clap::value_parser!(u32).range(2..=20))]
    folds: Option<u32>,
    /// Planted notes to train on besides
    #[arg(long, default_value_t = 60_000)]
    planted: u32,
    /// How often each row of the files counts
    #[arg(long, default_value_t = 6)]
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
    if let Some(folds) = args.folds {
        return cross_validate(args, usize::try_from(folds)?);
    }
    let gold = evaluate::read_all(&args.files)?;
    let weights = train(args, &gold, true)?;
    if let Some(out) = &args.out {
        std::fs::write(out, &weights)?;
        say(format_args!(
            "{} bytes written to {}",
            weights.len(),
            out.display()
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Scores every row of the files by a tagger that has not seen its part of them.
fn cross_validate(args: &TrainArgs, folds: usize) -> Result<ExitCode, Failure> {
    let sets = args
        .files
        .iter()
        .map(|file| evaluate::read_all(std::slice::from_ref(file)))
        .collect::<Result<Vec<_>, _>>()?;
    let mut scores = vec![Score::default(); sets.len()];
    for fold in 0..folds {
        let gold: Vec<GoldNote> = sets
            .iter()
            .flat_map(|set| set.iter().enumerate())
            .filter(|(row, _)| row % folds != fold)
            .map(|(_, note)| note.clone())
            .collect();
        let weights = train(args, &gold, false)?;
        let scrubber = args
            .how
            .scrubber()?
            .with_tagger(&weights)
            .ok_or("the tagger reads what it wrote")?;
        for (set, score) in sets.iter().zip(&mut scores) {
            for (_, note) in set.iter().enumerate().filter(|(row, _)| row % folds == fold) {
                score.add(
                    note,
                    &scrubber.scrub(&note.text, &note.known.known([1; 16])).redactions,
                );
            }
        }
        say(format_args!("part {} of {folds} is scored", fold + 1));
    }
    for (file, score) in args.files.iter().zip(&scores) {
        evaluate::print_score(&format!("{}, cross-validated", file.display()), score);
    }
    Ok(ExitCode::SUCCESS)
}

/// Weights trained on `gold` and on planted notes.
fn train(args: &TrainArgs, gold: &[GoldNote], show: bool) -> Result<Vec<u8>, Failure> {
    let mut notes: Vec<GoldNote> = Vec::new();
    for _ in 0..args.repeat {
        notes.extend_from_slice(gold);
    }
    let mut planter = Planter::new(args.seed);
    notes.extend((0..args.planted).map(|_| planter.note()));
    if show {
        say(format_args!(
            "{} rows of gold spans, {} planted notes",
            gold.len(),
            args.planted
        ));
    }
    let schedule = Schedule {
        epochs: args.epochs,
        threshold: args.threshold,
        seed: args.seed,
        ..Schedule::default()
    };
    Ok(tagging::train(
        &args.how.scrubber()?,
        &notes,
        schedule,
        |epoch, loss| {
            if show {
                say(format_args!(
                    "pass {:2} of {}: loss {loss:.5} nats a word",
                    epoch + 1,
                    args.epochs
                ));
            }
        },
    ))
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
