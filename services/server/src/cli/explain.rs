//! `countersign explain`: explanations of the model's suggestions, as JSON lines, and how good they are.

mod bench;
mod document;
mod replay;
mod reports;
mod shuffled;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, Subcommand, ValueEnum};
use clinical::{Basis, Outcome, Span};
use explanation::{Budget, LimeOptions};
use inference::{AssessError, Engine, EngineOptions, LoadError, ScoreError, Scorer};
use serde::Serialize;

use super::Failure;
use reports::Report;

/// Arguments of `explain`.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct ExplainArgs {
    #[command(subcommand)]
    command: Option<ExplainCommand>,
    #[command(flatten)]
    rows: RowsArgs,
    #[command(flatten)]
    replay: replay::ReplayArgs,
}

/// Subcommands of `explain`.
#[derive(Subcommand)]
enum ExplainCommand {
    /// Measure the explanations: stability across seeds, planted truth, calls, and erasure against the reference method
    Bench(bench::BenchArgs),
}

/// The method of an explanation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// Phrases with intervals on the log-odds, only those that are certain
    Verified,
    /// The reference method, LIME with the constants of its authors, on words and the probability
    Lime,
}

/// Arguments of `explain --csv`.
#[derive(Args)]
struct RowsArgs {
    /// Reports: CSV with the columns uid, findings, impression; the text is findings, a blank, impression
    #[arg(long, value_name = "FILE", required_unless_present = "replay")]
    csv: Option<PathBuf>,
    /// Folder of a packed model; without it the one that came with this program
    #[arg(long, env = "COUNTERSIGN_MODEL", value_name = "FOLDER")]
    model: Option<PathBuf>,
    /// Seed of the masks
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Method
    #[arg(long, value_enum, default_value_t = Mode::Verified)]
    mode: Mode,
    /// Masked texts at most; the default is 512 in verified mode, where most reports need fewer, and 5,000 in lime mode
    #[arg(long)]
    samples: Option<u32>,
    /// Rows explained at most
    #[arg(long)]
    rows: Option<usize>,
    /// Write a page for each row into this folder as well: the text with its phrases marked, the chart, and what to know of
    /// the model
    #[arg(long, value_name = "FOLDER")]
    html: Option<PathBuf>,
    /// The same as PDF (PDF/A-2a, tagged), for paper of A4 or Letter
    #[arg(long, value_name = "FOLDER")]
    pdf: Option<PathBuf>,
    /// Print one JSON line a row (the only form there is)
    #[arg(long)]
    json: bool,
}

/// Why reports could not be explained.
#[derive(Debug, thiserror::Error)]
enum ExplainCliError {
    /// The file cannot be read.
    #[error("cannot read {}", .0.display())]
    Read(PathBuf, #[source] csv::Error),
    /// A column is missing.
    #[error("{} has no column {}", .0.display(), .1)]
    Column(PathBuf, &'static str),
    /// The model cannot be loaded.
    #[error("cannot load the model in {}", .0.display())]
    Load(PathBuf, #[source] LoadError),
    /// A report cannot be explained.
    #[error("row {row} cannot be explained")]
    Explain {
        /// Its number, from 1, the header not counted.
        row: usize,
        /// Why.
        #[source]
        source: Box<AssessError>,
    },
    /// A page cannot be written.
    #[error("cannot write {}", .0.display())]
    Write(PathBuf, #[source] io::Error),
}

/// One line of output.
#[derive(Serialize)]
struct Line<'a> {
    uid: &'a str,
    seed: u64,
    calls: u32,
    seconds: f64,
    r2: f64,
    reliable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    base: f64,
    score: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stability: Option<f64>,
    features: Vec<Feature<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counterfactual: Option<Turned<'a>>,
}

/// A feature; `start` and `end` in code points of the text. The reference method gives no interval, and counts a word
/// once for all its occurrences, of which the first is shown.
#[derive(Serialize)]
struct Feature<'a> {
    text: &'a str,
    start: usize,
    end: usize,
    weight: f64,
    low: Option<f64>,
    high: Option<f64>,
}

/// What turns the suggestion.
#[derive(Serialize)]
struct Turned<'a> {
    removed: Vec<&'a str>,
    score: f64,
}

/// Runs `explain`.
///
/// # Errors
/// [`Failure`] when the reports or the model cannot be read, or a report cannot be explained.
pub fn run(args: &ExplainArgs) -> Result<ExitCode, Failure> {
    match (&args.command, &args.replay.replay) {
        (Some(ExplainCommand::Bench(args)), _) => bench::run(args)?,
        (None, Some(case)) => return replay::run(case, &args.replay, args.rows.model.as_deref()),
        (None, None) => rows(&args.rows)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn load(folder: Option<&Path>) -> Result<Engine, ExplainCliError> {
    let folder = folder.map_or_else(crate::model::bundled, Path::to_owned);
    Engine::load(&folder, EngineOptions::default()).map_err(|error| ExplainCliError::Load(folder, error))
}

/// Probabilities of abnormal.
fn scores(scorer: &mut Scorer<'_>, texts: &[String]) -> Result<Vec<f64>, ScoreError> {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let answers = scorer.score(&texts)?;
    Ok(answers.iter().map(|scores| scores.abnormal.get()).collect())
}

/// The whole text as a window.
fn whole(text: &str) -> Span {
    Span {
        start: 0,
        end: u32::try_from(text.len()).unwrap_or(u32::MAX),
    }
}

fn covered(text: &str, span: Span) -> &str {
    text.get(span.start as usize..span.end as usize)
        .unwrap_or_default()
}

fn feature(text: &str, span: Span, weight: f64, interval: Option<clinical::Interval>) -> Feature<'_> {
    let points = |byte: u32| {
        text.get(..byte as usize)
            .map_or(0, |before| before.chars().count())
    };
    Feature {
        text: covered(text, span),
        start: points(span.start),
        end: points(span.end),
        weight,
        low: interval.map(|interval| interval.low),
        high: interval.map(|interval| interval.high),
    }
}

fn rows(args: &RowsArgs) -> Result<(), Failure> {
    let Some(path) = &args.csv else { return Ok(()) };
    let reports = reports::read(path)?;
    let engine = load(args.model.as_deref())?;
    let folders = document::Folders::make(args.html.as_deref(), args.pdf.as_deref())?;
    let mut out = io::stdout().lock();
    for (at, report) in reports.iter().take(args.rows.unwrap_or(usize::MAX)).enumerate() {
        let row = at + 1;
        let trouble = |source| ExplainCliError::Explain {
            row,
            source: Box::new(source),
        };
        let line = match args.mode {
            Mode::Verified => {
                let started = Instant::now();
                let budget = Budget {
                    samples: args.samples.unwrap_or(Budget::default().samples),
                    ..Budget::default()
                };
                let outcome = engine
                    .assess_text(&report.text, args.seed, budget)
                    .map_err(trouble)?;
                folders.write((row, report), &outcome, engine.card())?;
                verified((report, args.seed), &outcome, started.elapsed().as_secs_f64())
            }
            Mode::Lime => lime(&engine, report, args).map_err(|error| trouble(error.into()))?,
        };
        serde_json::to_writer(&mut out, &line)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn verified<'a>((report, seed): (&'a Report, u64), outcome: &Outcome, seconds: f64) -> Line<'a> {
    let text = report.text.as_str();
    let assessment = match outcome {
        Outcome::Assessed(assessment) => assessment,
        Outcome::NotAssessed(reason) => {
            return Line {
                uid: &report.uid,
                seed,
                calls: 0,
                seconds,
                r2: 0.0,
                reliable: false,
                reason: Some(format!("no reliable explanation: {}", reason.as_str())),
                base: 0.0,
                score: None,
                stability: None,
                features: Vec::new(),
                counterfactual: None,
            };
        }
    };
    let got = &assessment.explanation;
    let reason = match &got.basis {
        Basis::Verified { .. } => None,
        Basis::Unreliable(reason) => Some(format!("no reliable explanation: {}", reason.as_str())),
    };
    Line {
        uid: &report.uid,
        seed,
        calls: got.calls,
        seconds,
        r2: got.r2,
        reliable: reason.is_none(),
        reason,
        base: got.base,
        score: Some(got.score.get()),
        stability: got.stability,
        features: got
            .phrases()
            .map(|phrase| feature(text, phrase.span, phrase.weight, phrase.interval))
            .collect(),
        counterfactual: got.counterfactual.as_ref().map(|turned| Turned {
            removed: turned.removed.iter().map(|&span| covered(text, span)).collect(),
            score: turned.score.get(),
        }),
    }
}

fn lime<'a>(
    engine: &Engine,
    report: &'a Report,
    args: &RowsArgs,
) -> Result<Line<'a>, explanation::ExplainError<ScoreError>> {
    let text = report.text.as_str();
    let options = LimeOptions {
        samples: args.samples.unwrap_or(LimeOptions::default().samples),
        ..LimeOptions::default()
    };
    let started = Instant::now();
    let mut scorer = engine.scorer();
    let got = explanation::lime(text, options, args.seed, |texts| scores(&mut scorer, texts))?;
    Ok(Line {
        uid: &report.uid,
        seed: args.seed,
        calls: got.calls,
        seconds: started.elapsed().as_secs_f64(),
        r2: got.r2,
        // The reference method has no verdict of its own; without a word there is nothing to rely on.
        reliable: !got.features.is_empty(),
        reason: None,
        base: got.intercept,
        score: Some(got.score),
        stability: None,
        features: got
            .features
            .iter()
            .filter_map(|word| Some(feature(text, *word.occurrences.first()?, word.weight, None)))
            .collect(),
        counterfactual: None,
    })
}
