//! The classifier as the service holds it: loaded once, and refused where its licence does not fit.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clinical::{DeidentifiedNote, Label, ModelDigest, Outcome};
use inference::{Busy, Engine, EngineOptions, Lane, Load, LoadError, ModelCard, Threads, Trust, Urgency};
use records::Pins;
use seal::VerifyingKey;

use crate::config::ModelArgs;

/// The model that came with this program, beside its sources or beside the program.
const BUNDLED: &str = "services/inference/models/default";

/// Whose models are served where nobody says otherwise: this project's key, which signed the model that came with it.
const TRUSTED: &str = include_str!("../../../policies/model-keys.txt");

/// A loaded model.
pub struct Model {
    engine: Engine,
    labels: Vec<Label>,
}

/// Why a model cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// There is no model where one was expected.
    #[error("no packed model at {}: name one with --model or COUNTERSIGN_MODEL", .0.display())]
    Missing(PathBuf),
    /// The file of trusted keys cannot be read.
    #[error("cannot read the keys of models in {}", .0.display())]
    Keys(PathBuf, #[source] std::io::Error),
    /// The file of trusted keys is not in its form.
    #[error(
        "line {line} of the keys of models is no verifier key (name+hash+base64, as `countersign model key` prints it)"
    )]
    Key {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        source: seal::KeyError,
    },
    /// It does not verify or does not load.
    #[error("the model at {} was refused", .0.display())]
    Refused(PathBuf, #[source] LoadError),
    /// Its licence allows evaluation only.
    #[error(
        "the model's licence allows evaluation only; train one on your own reports (countersign model train), or say --allow-evaluation-model if this is an evaluation"
    )]
    EvaluationOnly,
}

/// Where the model is that came with this program: below the folder that the program was built in, or beside the program.
#[must_use]
pub fn bundled() -> PathBuf {
    let beside = std::env::current_exe()
        .ok()
        .and_then(|program| program.parent().map(|folder| folder.join("models/default")))
        .filter(|folder| folder.is_dir());
    beside.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(BUNDLED))
}

/// The keys whose models are trusted: one verifier key a line; empty lines and those that begin with `#` are passed over.
/// Without a file, the built-in one.
///
/// # Errors
/// [`ModelError::Keys`] and [`ModelError::Key`].
pub fn trusted(file: Option<&Path>) -> Result<Vec<VerifyingKey>, ModelError> {
    let text = match file {
        Some(path) => {
            std::fs::read_to_string(path).map_err(|error| ModelError::Keys(path.to_owned(), error))?
        }
        None => TRUSTED.to_owned(),
    };
    (1..)
        .zip(text.lines().map(str::trim))
        .filter(|(_, key)| !key.is_empty() && !key.starts_with('#'))
        .map(|(line, key)| key.parse().map_err(|source| ModelError::Key { line, source }))
        .collect()
}

impl Model {
    /// Loads the model that the settings name. `evaluation` says that this is a trial, where a licence for evaluation is enough.
    ///
    /// # Errors
    /// [`ModelError`].
    pub fn load(args: &ModelArgs, evaluation: bool) -> Result<Self, ModelError> {
        let folder = args.model.clone().unwrap_or_else(bundled);
        if !folder.is_dir() {
            return Err(ModelError::Missing(folder));
        }
        let defaults = EngineOptions::default();
        let options = EngineOptions {
            compute: args.precision.into(),
            threads: Threads {
                number: args.threads,
                pinned: args.pin_threads,
            },
            budget: explanation::Budget {
                samples: args.explanation_texts,
                ..defaults.budget
            },
            ..defaults
        };
        let keys = trusted(args.model_keys.as_deref())?;
        let engine = Engine::load_trusted(&folder, Trust::SignedBy(&keys), options)
            .map_err(|error| ModelError::Refused(folder.clone(), error))?;
        if engine.card().evaluation_only && !evaluation && !args.allow_evaluation_model {
            return Err(ModelError::EvaluationOnly);
        }
        let labels = engine
            .labels()
            .findings
            .iter()
            .map(|finding| finding.label.clone())
            .collect();
        Ok(Self { engine, labels })
    }

    /// Classifies and explains; blocks until it is done. Notes that are assessed at the same time share batches. Background
    /// work waits for room in the engine's queue, until its deadline. The masks are drawn for `case`.
    ///
    /// # Errors
    /// [`Busy::Late`] when the deadline passes first.
    pub fn assess(
        &self,
        note: &DeidentifiedNote,
        case: &[u8],
        lane: Lane,
        deadline: Instant,
    ) -> Result<Outcome, Busy> {
        self.engine.assess_with(
            note,
            case,
            Urgency {
                lane,
                deadline: Some(deadline),
                patient: true,
            },
        )
    }

    /// What waits for the engine, and how fast it goes.
    #[must_use]
    pub fn load_now(&self) -> Option<Load> {
        self.engine.load_now()
    }

    /// What the engine computes with, and the instructions it uses.
    #[must_use]
    pub fn engine(&self) -> (&'static str, &'static str) {
        (self.engine.compute().as_str(), self.engine.kernel())
    }

    /// The card.
    #[must_use]
    pub fn card(&self) -> &ModelCard {
        self.engine.card()
    }

    /// What an assessment is made with, for the audit log.
    #[must_use]
    pub fn pins(&self) -> Pins {
        Pins {
            method: explanation::METHOD,
            model: self.engine.digest(),
            kernel: self.engine.kernel(),
            precision: self.engine.compute().as_str(),
            samples: self.engine.samples(),
        }
    }

    /// Digest over every file of the packed model.
    #[must_use]
    pub fn digest(&self) -> ModelDigest {
        self.engine.digest()
    }

    /// The label set.
    #[must_use]
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// Name and version.
    #[must_use]
    pub fn name(&self) -> String {
        self.card().title()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_keys_are_those_of_the_default_model() -> Result<(), Box<dyn std::error::Error>> {
        let keys = trusted(None)?;
        let signer = inference::package_signer(&bundled(), &keys)?;
        assert!(keys.contains(&signer));
        Ok(())
    }

    #[test]
    fn a_file_of_keys_is_read_line_by_line() -> Result<(), Box<dyn std::error::Error>> {
        let file = tempfile::NamedTempFile::new()?;
        let key = seal::Signer::from_seed("hospital.example/models", &[1; 32])?.public();
        std::fs::write(file.path(), format!("# ours\n\n{key}\n"))?;
        assert_eq!(trusted(Some(file.path()))?, [key]);
        std::fs::write(file.path(), "# ours\nno key\n")?;
        assert!(matches!(
            trusted(Some(file.path())),
            Err(ModelError::Key { line: 2, .. })
        ));
        assert!(matches!(
            trusted(Some(Path::new("/no/such/file"))),
            Err(ModelError::Keys(..))
        ));
        Ok(())
    }
}
