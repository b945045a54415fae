//! The classifier as the service holds it: loaded once, and refused where its licence does not fit.

use std::path::{Path, PathBuf};

use clinical::{DeidentifiedNote, Label, ModelDigest, Outcome};
use inference::{Engine, EngineOptions, LoadError, ModelCard};

use crate::config::ModelArgs;

/// The model that came with this program, beside its sources or beside the program.
const BUNDLED: &str = "services/inference/models/default";

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
        let engine = Engine::load(&folder, EngineOptions::default())
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

    /// Classifies and explains; takes a core for as long as it takes.
    #[must_use]
    pub fn assess(&self, note: &DeidentifiedNote) -> Outcome {
        self.engine.assess(note)
    }

    /// The card.
    #[must_use]
    pub fn card(&self) -> &ModelCard {
        self.engine.card()
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
