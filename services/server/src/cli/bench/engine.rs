//! `countersign bench engine`.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use inference::{Compute, Engine, EngineOptions, LoadError, Meter, MeterError, ScoreError, Shape, Threads};
use serde_json::{Value, json};

use crate::cli::model::{ModelCliError, labelled};
use crate::config::Precision;

/// Lengths of the ragged batch: 16 texts, 1,024 word pieces, as unequal as radiology reports are.
const RAGGED: [usize; 16] = [180, 12, 64, 33, 97, 20, 141, 8, 55, 76, 28, 110, 45, 16, 88, 51];
/// Arguments of `bench engine`.
#[derive(Args)]
pub struct EngineArgs {
    /// Folder of a packed model; without it the one that came with this program
    #[arg(
        long,
        env = "COUNTERSIGN_MODEL",
        value_name = "FOLDER",
        conflicts_with = "shape"
    )]
    model: Option<PathBuf>,
    /// Measure a model of random weights instead: no folder is needed
    #[arg(long, value_enum)]
    shape: Option<ShapeName>,
    /// What to compute with: auto, f32, bf16, int8, candle. More than one, separated by commas, are measured in turn
    #[arg(long, value_enum, value_name = "NAME", value_delimiter = ',', default_values_t = [Precision::F32, Precision::Int8])]
    precision: Vec<Precision>,
    /// Threads; without it one for each processor
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Keep each thread on a processor of its own (Linux)
    #[arg(long)]
    pin_threads: bool,
    /// Texts in a batch: measure this one case instead of the usual ones
    #[arg(long, value_name = "B", requires = "tokens")]
    batch: Option<NonZeroUsize>,
    /// Word pieces in each text
    #[arg(long, value_name = "T", requires = "batch")]
    tokens: Option<NonZeroUsize>,
    /// Time for each case
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    seconds: f64,
    /// Print one JSON object a line instead of a table
    #[arg(long)]
    json: bool,
    /// Measure instead the time from nothing to the first answer, and the memory, of a serving engine in this process
    #[arg(long, conflicts_with_all = ["shape", "batch", "agreement"])]
    start: bool,
    /// Compare instead each precision with f32 on labelled reports (CSV with Problems, findings, impression): same
    /// label, AUROC, largest difference
    #[arg(long, value_name = "FILE", conflicts_with_all = ["shape", "batch"])]
    agreement: Option<PathBuf>,
}

/// Dimensions of a model of random weights.
#[derive(Clone, Copy, ValueEnum)]
enum ShapeName {
    /// Six layers of width 384
    Minilm,
    /// Twelve layers of width 768
    Base,
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum EngineBenchError {
    /// Nothing to write to.
    #[error("cannot write the figures")]
    Write(#[from] io::Error),
    /// The model was refused.
    #[error("the model at {} was refused", .0.display())]
    Load(PathBuf, #[source] LoadError),
    /// A forward pass failed.
    #[error(transparent)]
    Meter(#[from] MeterError),
    /// A text got no answer.
    #[error("the model gave no answer")]
    Score(#[from] ScoreError),
    /// The reports cannot be read or measured.
    #[error(transparent)]
    Reports(#[from] ModelCliError),
}

/// One measured case.
struct Figure {
    name: &'static str,
    lengths: Vec<usize>,
    /// Word pieces a second: the median and the best.
    median: f64,
    best: f64,
    /// Time beyond what its texts take in batches of their own length, in percent.
    waste: Option<f64>,
}

pub(super) fn run(args: &EngineArgs) -> Result<(), EngineBenchError> {
    if args.start {
        return start(&mut io::stdout().lock(), args);
    }
    if let Some(csv) = &args.agreement {
        return agreement(&mut io::stdout().lock(), args, csv);
    }
    let threads = args.threads().number();
    for (nth, &precision) in args.precision.iter().enumerate() {
        // Pinned threads are the measuring one, too: the next precision needs one that may go anywhere.
        std::thread::scope(|scope| {
            let measuring = scope.spawn(|| figures(args, precision, threads, nth == 0));
            measuring
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })?;
    }
    Ok(())
}

/// Measures one precision and writes its lines, below the table's head if it is the first.
fn figures(
    args: &EngineArgs,
    precision: Precision,
    threads: NonZeroUsize,
    head: bool,
) -> Result<(), EngineBenchError> {
    let mut out = io::stdout().lock();
    let (mut meter, model) = open(args, precision.into())?;
    if head && !args.json {
        writeln!(
            out,
            "{:<20} {:>9} {:>11} {:>7} {:>12} {:>12} {:>12}",
            "model", "precision", "kernel", "threads", "batch", "tokens/s", "best"
        )?;
    }
    let mut write = |figure: &Figure, meter: &Meter| -> io::Result<()> {
        if args.json {
            return writeln!(out, "{}", line(figure, meter, &model, threads.get()));
        }
        let waste = figure
            .waste
            .map_or_else(String::new, |waste| format!("  waste {waste:.1} %"));
        writeln!(
            out,
            "{model:<20} {:>9} {:>11} {threads:>7} {:>12} {:>12.0} {:>12.0}{waste}",
            meter.compute(),
            meter.kernel(),
            figure.name_or_size(),
            figure.median,
            figure.best
        )
    };
    if let (Some(batch), Some(tokens)) = (args.batch, args.tokens) {
        let figure = measure(&mut meter, "", &vec![tokens.get(); batch.get()], args.seconds)?;
        return Ok(write(&figure, &meter)?);
    }
    for lengths in [vec![128; 8], vec![32; 1], vec![256; 16]] {
        let figure = measure(&mut meter, "", &lengths, args.seconds)?;
        write(&figure, &meter)?;
    }
    let figure = ragged(&mut meter, args.seconds)?;
    Ok(write(&figure, &meter)?)
}

impl EngineArgs {
    fn threads(&self) -> Threads {
        Threads {
            number: self.threads,
            pinned: self.pin_threads,
        }
    }
}

fn open(args: &EngineArgs, compute: Compute) -> Result<(Meter, String), EngineBenchError> {
    if let Some(shape) = args.shape {
        let shape = match shape {
            ShapeName::Minilm => Shape::MiniLm,
            ShapeName::Base => Shape::Base,
        };
        return Ok((
            Meter::random(shape, compute, args.threads())?,
            shape.as_str().to_owned(),
        ));
    }
    let folder = folder(args);
    let name = folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    match Meter::open(&folder, compute, args.threads()) {
        Ok(meter) => Ok((meter, name)),
        Err(MeterError::Load(error)) => Err(EngineBenchError::Load(folder, error)),
        Err(error) => Err(error.into()),
    }
}

fn folder(args: &EngineArgs) -> PathBuf {
    args.model.clone().unwrap_or_else(crate::model::bundled)
}

impl Figure {
    /// Of passes that took so long each.
    fn new(name: &'static str, lengths: &[usize], mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let tokens: usize = lengths.iter().sum();
        #[expect(clippy::cast_precision_loss, reason = "some thousand word pieces")]
        let tokens = tokens as f64;
        let speed = |time: Option<&Duration>| time.map_or(0.0, |time| tokens / time.as_secs_f64());
        Self {
            name,
            lengths: lengths.to_vec(),
            median: speed(times.get(times.len() / 2)),
            best: speed(times.first()),
            waste: None,
        }
    }

    fn name_or_size(&self) -> String {
        match (self.name, self.lengths.first()) {
            ("", Some(length)) => format!("{} x {length}", self.lengths.len()),
            (name, _) => name.to_owned(),
        }
    }
}

/// One line for machines. `tokens` is the length of each text, of a ragged batch the mean.
fn line(figure: &Figure, meter: &Meter, model: &str, threads: usize) -> Value {
    let total: usize = figure.lengths.iter().sum();
    let mut line = json!({
        "model": model,
        "precision": meter.compute().as_str(),
        "kernel": meter.kernel(),
        "threads": threads,
        "batch": figure.lengths.len(),
        "tokens": total / figure.lengths.len().max(1),
        "tokens_per_s": figure.median.round(),
        "tokens_per_s_best": figure.best.round(),
    });
    if let Some(waste) = figure.waste {
        line["lengths"] = json!(figure.lengths);
        line["waste_percent"] = json!((waste * 10.0).round() / 10.0);
    }
    line
}

/// At least five passes, for so many seconds.
fn measure(
    meter: &mut Meter,
    name: &'static str,
    lengths: &[usize],
    seconds: f64,
) -> Result<Figure, MeterError> {
    meter.pass(lengths)?;
    let (start, mut times) = (Instant::now(), Vec::new());
    while times.len() < 5 || start.elapsed().as_secs_f64() < seconds {
        let one = Instant::now();
        meter.pass(lengths)?;
        times.push(one.elapsed());
    }
    Ok(Figure::new(name, lengths, times))
}

/// The ragged batch and, for each of its texts, a batch of texts of that one length, in turns, so that all meet the same
/// machine. Without waste the ragged batch takes as long as its texts' shares of those (the best times are compared).
fn ragged(meter: &mut Meter, seconds: f64) -> Result<Figure, MeterError> {
    let total: usize = RAGGED.iter().sum();
    let even: Vec<Vec<usize>> = RAGGED
        .iter()
        .map(|&length| vec![length; (total / length).max(1)])
        .collect();
    let mut times = Vec::new();
    let mut best = vec![Duration::MAX; even.len()];
    let start = Instant::now();
    while times.len() < 5 || start.elapsed().as_secs_f64() < 2.0 * seconds {
        let one = Instant::now();
        meter.pass(&RAGGED)?;
        times.push(one.elapsed());
        for (best, lengths) in best.iter_mut().zip(&even) {
            let one = Instant::now();
            meter.pass(lengths)?;
            *best = one.elapsed().min(*best);
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "at most a hundred texts")]
    let shares: f64 = best
        .iter()
        .zip(&even)
        .map(|(best, lengths)| best.as_secs_f64() / lengths.len() as f64)
        .sum();
    let mut figure = Figure::new("16 ragged", &RAGGED, times);
    #[expect(clippy::cast_precision_loss, reason = "some thousand word pieces")]
    let took = total as f64 / figure.best;
    figure.waste = Some(100.0 * (took / shares - 1.0));
    Ok(figure)
}

/// Loads an engine as the service does and asks it one thing.
fn start(out: &mut impl Write, args: &EngineArgs) -> Result<(), EngineBenchError> {
    let folder = folder(args);
    let compute = args
        .precision
        .first()
        .copied()
        .map_or(Compute::Auto, Compute::from);
    let options = EngineOptions {
        compute,
        threads: args.threads(),
        ..EngineOptions::default()
    };
    let began = Instant::now();
    let engine = Engine::load(&folder, options).map_err(|error| EngineBenchError::Load(folder, error))?;
    let loaded = began.elapsed();
    engine.score_batch(&["The heart is enlarged. Small left pleural effusion."])?;
    let answered = began.elapsed();
    let memory = memory();
    if args.json {
        writeln!(
            out,
            "{}",
            json!({
                "precision": engine.compute().as_str(),
                "kernel": engine.kernel(),
                "loaded_s": loaded.as_secs_f64(),
                "first_answer_s": answered.as_secs_f64(),
                "resident_mib": memory.map(|(resident, _)| resident),
                "peak_mib": memory.map(|(_, peak)| peak),
            })
        )?;
        return Ok(());
    }
    writeln!(
        out,
        "{} on {}: loaded after {:.2} s, first answer after {:.2} s",
        engine.compute(),
        engine.kernel(),
        loaded.as_secs_f64(),
        answered.as_secs_f64()
    )?;
    if let Some((resident, peak)) = memory {
        writeln!(out, "memory {resident} MiB, at most {peak} MiB since the start")?;
    }
    Ok(())
}

/// Memory of this process now and at its largest, in MiB, where the system says (Linux, proc(5)).
fn memory() -> Option<(u64, u64)> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    };
    Some((field("VmRSS:")? / 1024, field("VmHWM:")? / 1024))
}

/// Each precision against f32 on labelled reports.
fn agreement(out: &mut impl Write, args: &EngineArgs, csv: &Path) -> Result<(), EngineBenchError> {
    let notes = labelled(csv)?;
    let texts: Vec<&str> = notes.iter().map(|note| note.note.text()).collect();
    let folder = folder(args);
    let measured = |compute| -> Result<_, EngineBenchError> {
        let options = EngineOptions {
            compute,
            threads: args.threads(),
            ..EngineOptions::default()
        };
        let engine =
            Engine::load(&folder, options).map_err(|error| EngineBenchError::Load(folder.clone(), error))?;
        let metrics = training::evaluate(&engine, &notes, "", |_| ()).map_err(ModelCliError::from)?;
        Ok((engine.score_batch(&texts)?, metrics, engine))
    };
    let (reference, reference_metrics, _) = measured(Compute::F32)?;
    for &precision in &args.precision {
        let (scores, metrics, engine) = measured(precision.into())?;
        let threshold = engine.labels().abnormal.threshold;
        let same = scores
            .iter()
            .zip(&reference)
            .filter(|(a, b)| (a.abnormal >= threshold) == (b.abnormal >= threshold))
            .count();
        let largest = scores
            .iter()
            .zip(&reference)
            .flat_map(|(a, b)| {
                let findings = a.findings.iter().zip(&b.findings);
                findings.chain([(&a.abnormal, &b.abnormal)])
            })
            .map(|(a, b)| (a.get() - b.get()).abs())
            .fold(0.0, f64::max);
        let name = engine.compute();
        if args.json {
            writeln!(
                out,
                "{}",
                json!({
                    "precision": name.as_str(),
                    "reports": notes.len(),
                    "same_label": same,
                    "auroc": metrics.auroc,
                    "auroc_f32": reference_metrics.auroc,
                    "macro_f1": metrics.macro_f1,
                    "macro_f1_f32": reference_metrics.macro_f1,
                    "largest_difference": largest,
                })
            )?;
        } else {
            writeln!(
                out,
                "{name}: same label as f32 on {same} of {} reports; AUROC {:.4} (f32 {:.4}), macro F1 {:.4} (f32 {:.4}); a \
                 probability differs by at most {largest:.4}",
                notes.len(),
                metrics.auroc,
                reference_metrics.auroc,
                metrics.macro_f1,
                reference_metrics.macro_f1
            )?;
        }
    }
    Ok(())
}
