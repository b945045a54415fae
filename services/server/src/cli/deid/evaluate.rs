//! The leak meter on gold spans.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use clinical::Scrubber;
use clinical::leak::{GoldNote, Score, Share, code_points};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::super::{Failure, say};
use super::HowArgs;

/// Score the gateway on rows of gold spans.
#[derive(Args)]
pub struct EvaluateArgs {
    /// Files of JSON lines: id, text, spans (start, end, category, hipaa; in code points), perhaps complete and known
    #[arg(required = true, value_name = "GOLD.jsonl")]
    files: Vec<PathBuf>,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
    /// List at most this many misses, and as many needless redactions
    #[arg(long, default_value_t = 50, value_name = "N")]
    misses: usize,
    #[command(flatten)]
    how: HowArgs,
}

/// A set and its score.
#[derive(Serialize)]
struct Result {
    file: String,
    #[serde(flatten)]
    score: Score,
    full_cover_recall: Option<f64>,
    full_cover_interval: (f64, f64),
    notes_leaking_rate: Option<f64>,
    notes_leaking_interval: (f64, f64),
    /// Redactions by what found them: how many, and how many of those touch an annotated span.
    finders: BTreeMap<String, Share>,
    megabytes_per_second: f64,
}

/// # Errors
/// [`Failure`] when a file cannot be read or holds no gold spans.
pub fn run(args: &EvaluateArgs) -> std::result::Result<ExitCode, Failure> {
    let scrubber = args.how.scrubber()?;
    let mut results = Vec::new();
    for file in &args.files {
        let (result, misses) = evaluate(&scrubber, file, args.misses)?;
        if !args.json {
            print(&result);
            for line in misses {
                say(line);
            }
        }
        results.push(result);
    }
    if args.json {
        say(serde_json::to_string_pretty(&results)?);
    }
    Ok(ExitCode::SUCCESS)
}

fn evaluate(
    scrubber: &Scrubber,
    file: &Path,
    most: usize,
) -> std::result::Result<(Result, Vec<String>), Failure> {
    let notes = read(file)?;
    let bar = ProgressBar::new(notes.len() as u64).with_style(ProgressStyle::with_template(
        "scoring {bar:40} {pos}/{len}  ETA {eta}",
    )?);
    let mut score = Score::default();
    let mut finders: BTreeMap<String, Share> = BTreeMap::new();
    let (mut misses, mut needless) = (Vec::new(), Vec::new());
    let (mut bytes, mut seconds) = (0_usize, 0.0);
    for note in &notes {
        let known = note.known.known([1; 16]);
        let began = Instant::now();
        let made = scrubber.scrub(&note.text, &known);
        seconds += began.elapsed().as_secs_f64();
        bytes += note.text.len();
        let findings = score.add(note, &made.redactions);
        let chars: Vec<char> = note.text.chars().collect();
        if note.complete {
            let spans = code_points(&note.text, &made.redactions);
            for (redaction, span) in made.redactions.iter().zip(spans) {
                let finder = serde_json::to_value(redaction.finder)?;
                let share = finders
                    .entry(finder.as_str().unwrap_or("").to_owned())
                    .or_default();
                share.whole += 1;
                share.part += u64::from(!findings.needless.contains(&span));
            }
        }
        for miss in &findings.misses {
            let span = &note.spans[miss.span];
            misses.push(format!(
                "  missed    {} {}: {}",
                note.id,
                span.category,
                within(&chars, span.start, span.end)
            ));
        }
        for &(start, end) in &findings.needless {
            needless.push(format!("  needless  {}: {}", note.id, within(&chars, start, end)));
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let leaking = Share {
        part: score.notes_leaking,
        whole: score.notes_with_phi,
    };
    misses.truncate(most);
    needless.truncate(most);
    misses.extend(needless);
    #[expect(clippy::cast_precision_loss, reason = "for display")]
    let result = Result {
        file: file.display().to_string(),
        full_cover_recall: score.all.full_cover().rate(),
        full_cover_interval: score.all.full_cover().interval(),
        notes_leaking_rate: leaking.rate(),
        notes_leaking_interval: leaking.interval(),
        score,
        finders,
        megabytes_per_second: bytes as f64 / 1e6 / f64::max(seconds, 1e-9),
    };
    Ok((result, misses))
}

/// What stands at a place, with what is around it, on one line. Gold sets are for the eyes of whoever measures.
fn within(chars: &[char], start: usize, end: usize) -> String {
    let part = |from: usize, to: usize| -> String {
        chars
            .get(from.min(chars.len())..to.min(chars.len()))
            .unwrap_or(&[])
            .iter()
            .map(|&c| if c.is_control() { ' ' } else { c })
            .collect()
    };
    format!(
        "…{}[{}]{}…",
        part(start.saturating_sub(30), start),
        part(start, end),
        part(end, end + 20)
    )
}

fn percent(share: Share) -> String {
    let (low, high) = share.interval();
    match share.rate() {
        Some(rate) => format!(
            "{:6.2} %  [{:.2}, {:.2}]  {} of {}",
            rate * 100.0,
            low * 100.0,
            high * 100.0,
            share.part,
            share.whole
        ),
        None => "none to count".to_owned(),
    }
}

fn print(result: &Result) {
    let title = format!(
        "{}  ({} notes, {:.1} MB/s)",
        result.file, result.score.notes, result.megabytes_per_second
    );
    print_score(&title, &result.score);
}

/// The table of one score, under its title.
pub fn print_score(title: &str, score: &Score) {
    say(title);
    say(format_args!(
        "  full-cover recall        {}",
        percent(score.all.full_cover())
    ));
    say(format_args!(
        "  any-overlap recall       {}",
        percent(score.all.any_overlap())
    ));
    say(format_args!(
        "  characters masked        {}",
        percent(score.phi_chars)
    ));
    say(format_args!(
        "  notes with a leak        {}",
        percent(Share {
            part: score.notes_leaking,
            whole: score.notes_with_phi
        })
    ));
    say(format_args!(
        "  precision of redactions  {}",
        percent(score.redactions)
    ));
    say(format_args!(
        "  other characters taken   {}",
        percent(score.other_chars)
    ));
    say(format_args!(
        "  hard negatives touched   {}",
        percent(score.hard_negatives)
    ));
    for (class, recall) in &score.by_class {
        say(format_args!("    {class:<14} {}", percent(recall.full_cover())));
    }
}

fn read(file: &Path) -> std::result::Result<Vec<GoldNote>, Failure> {
    let reader =
        BufReader::new(std::fs::File::open(file).map_err(|error| format!("{}: {error}", file.display()))?);
    let mut notes = Vec::new();
    for (number, line) in (1..).zip(reader.lines()) {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        // The parser's own message may repeat the text.
        let note = serde_json::from_str(&line).map_err(|error| {
            format!(
                "{} line {number} is no row of gold spans (column {})",
                file.display(),
                error.column()
            )
        })?;
        notes.push(note);
    }
    Ok(notes)
}

/// Reads gold notes from several files.
pub fn read_all(files: &[PathBuf]) -> std::result::Result<Vec<GoldNote>, Failure> {
    let mut notes = Vec::new();
    for file in files {
        notes.extend(read(file)?);
    }
    Ok(notes)
}

/// Prints what would be masked in every row: `{"id": …, "spans": [[start, end], …]}`, in code points.
///
/// # Errors
/// [`Failure`] when the file cannot be read or holds no rows with a text.
pub fn spans(scrubber: &Scrubber, gold: &Path) -> std::result::Result<ExitCode, Failure> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    for note in read(gold)? {
        let made = scrubber.scrub(&note.text, &note.known.known([1; 16]));
        let row = serde_json::json!({
            "id": note.id,
            "spans": code_points(&note.text, &made.redactions),
        });
        writeln!(out, "{row}")?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
