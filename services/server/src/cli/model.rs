//! `countersign model`: train, evaluate and look at a packed model.

mod evaluate;
mod import;
mod predict;
mod print;
mod reports;
mod settings;
mod signing;
mod train;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use inference::{Engine, EngineOptions, LoadError, Trust};
use training::{BaseError, CorpusError, EvaluateError, PackError, TrainError};

/// Train, evaluate and look at the classifier
#[derive(Subcommand)]
pub enum ModelCommand {
    /// Train a model on labelled reports and pack it
    ///
    /// Fine-tunes a BERT encoder by LoRA, or whole with `--full`, as the default model was: one head for normal or abnormal,
    /// one for the findings that occur often enough to be learned. A part of the reports is kept out of training, to
    /// calibrate the probabilities and to choose the operating points, and the model learns what its reports look like, to
    /// abstain from what is unlike them. Every report goes through the de-identification gateway first. The default model
    /// takes some 40 minutes of one core, LoRA less.
    Train(Box<train::TrainArgs>),
    /// Measure a packed model on labelled reports
    Evaluate(evaluate::EvaluateArgs),
    /// Print what a packed model says about each report of a file
    Predict(predict::PredictArgs),
    /// Bring a BERT of Hugging Face's layout into the form that `model train` starts from
    ///
    /// Reads `model.safetensors` in f32, f16 or bf16, and `pytorch_model.bin` as a zip file or in the format before 2020,
    /// with or without a prefix before the names. The pickle inside is read by a reader that builds numbers and names
    /// alone: nothing in the file is run.
    Import(import::ImportArgs),
    /// Make a key that signs models
    Key(signing::KeyArgs),
    /// Sign a packed model: those who serve it check the signature
    Sign(signing::SignArgs),
    /// Check a packed model's signature and digests, and print its card
    Info(InfoArgs),
}

/// Which packed model, and whose.
#[derive(Args, Default)]
pub struct ModelSource {
    /// Folder of a packed model; without it the one that came with this program
    #[arg(long, env = "COUNTERSIGN_MODEL", value_name = "FOLDER")]
    model: Option<PathBuf>,
    /// Public keys whose models are trusted, one a line; without it the one of this project
    #[arg(long, env = "COUNTERSIGN_MODEL_KEYS", value_name = "FILE")]
    model_keys: Option<PathBuf>,
    /// Read a model that nobody trusted signed: its digests are checked all the same
    #[arg(long)]
    unsigned: bool,
}

impl ModelSource {
    fn folder(&self) -> PathBuf {
        self.model.clone().unwrap_or_else(crate::model::bundled)
    }

    /// Loads the model after checking its signature.
    fn load(&self) -> Result<Engine, ModelCliError> {
        let folder = self.folder();
        let keys = crate::model::trusted(self.model_keys.as_deref())?;
        let trust = if self.unsigned {
            Trust::Anybody
        } else {
            Trust::SignedBy(&keys)
        };
        Engine::load_trusted(&folder, trust, EngineOptions::default())
            .map_err(|error| ModelCliError::Load(folder, error))
    }
}

/// Arguments of `model info`.
#[derive(Args)]
pub struct InfoArgs {
    #[command(flatten)]
    source: ModelSource,
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
        column: String,
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
    /// The keys of models cannot be read.
    #[error(transparent)]
    Keys(#[from] crate::model::ModelError),
    /// A name or key was refused.
    #[error(transparent)]
    Key(#[from] seal::KeyError),
    /// A page cannot be made.
    #[error("the page cannot be made")]
    Page(#[from] askama::Error),
    /// A file is no secret key.
    #[error("{} holds no secret key as `countersign model key` makes it", .0.display())]
    Secret(PathBuf),
    /// A file cannot be written.
    #[error("cannot write {}", .0.display())]
    Write(PathBuf, #[source] io::Error),
    /// An encoder cannot be imported.
    #[error(transparent)]
    Import(#[from] training::ImportError),
    /// An imported encoder does not compute what its reference does.
    #[error("the encoder differs from its reference by {0:.1e}")]
    Disagrees(f64),
    /// The model could not score a report.
    #[error(transparent)]
    Score(#[from] inference::ScoreError),
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
        ModelCommand::Train(args) => train::run(&args),
        ModelCommand::Evaluate(args) => evaluate::run(&args),
        ModelCommand::Predict(args) => predict::run(&args),
        ModelCommand::Import(args) => import::run(&args),
        ModelCommand::Key(args) => signing::key(&args),
        ModelCommand::Sign(args) => signing::sign(&args),
        ModelCommand::Info(args) => info(&args),
    };
    match done {
        Err(ModelCliError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

fn info(args: &InfoArgs) -> Result<(), ModelCliError> {
    let engine = args.source.load()?;
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(
            out,
            "{}",
            serde_json::to_string_pretty(engine.card()).map_err(io::Error::from)?
        )?;
    } else {
        let keys = crate::model::trusted(args.source.model_keys.as_deref())?;
        let signer = inference::package_signer(&args.source.folder(), &keys);
        print::card(&mut out, &engine, signer.ok().as_ref())?;
    }
    Ok(())
}

/// Loads a model that this process has packed.
fn load_own(folder: &Path) -> Result<Engine, ModelCliError> {
    Engine::load(folder, EngineOptions::default())
        .map_err(|error| ModelCliError::Load(folder.to_owned(), error))
}

/// Labelled reports with the patients taken out.
///
/// # Errors
/// [`ModelCliError`] when the file is no CSV of labelled reports.
pub fn labelled(csv: &Path) -> Result<Vec<training::LabelledNote>, ModelCliError> {
    Ok(reports::read(csv)?.notes)
}

fn read_text(path: &Path) -> Result<String, ModelCliError> {
    fs::read_to_string(path).map_err(|error| ModelCliError::Read(path.to_owned(), error))
}

/// Writes a file.
fn write(path: &Path, bytes: &[u8]) -> Result<(), ModelCliError> {
    fs::write(path, bytes).map_err(|error| ModelCliError::Write(path.to_owned(), error))
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
    fn the_flags_have_the_defaults_of_the_library() {
        Program::command().debug_assert();
        let parsed = |words: &str| {
            let matches = Program::command().get_matches_from(words.split(' '));
            let program = Program::from_arg_matches(&matches).expect("flags that parse");
            let ModelCommand::Train(args) = program.command else {
                panic!("another command");
            };
            args
        };
        for (flag, wanted) in [
            ("", training::Options::default()),
            (" --small", training::Options::small()),
            (" --full", training::Options::full()),
        ] {
            let words =
                format!("countersign train --base b --train t.csv --card c.toml --licence L --out o{flag}");
            let args = parsed(&words);
            assert_eq!(args.settings.options(), wanted);
            // What the card says makes the same settings again, and names no folder.
            let said = train::command(&args).replace("countersign model", "countersign");
            assert_eq!(parsed(&said).settings.options(), wanted);
        }
    }

    /// TF-IDF with logistic regression reaches these on the same reports (scikit-learn, fitted on the same training part).
    #[test]
    fn the_default_model_beats_a_bag_of_words_on_reports_that_it_has_not_seen() -> Result<(), ModelCliError> {
        let csv = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/openi/dev.csv");
        if !csv.is_file() {
            eprintln!("skipped: the Open-i reports are not on this machine");
            return Ok(());
        }
        let engine = ModelSource::default().load()?;
        let metrics = evaluate::measure(&engine, &reports::read(&csv)?.notes, &csv)?;
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
