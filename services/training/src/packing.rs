//! From a training run to a packed model.

use std::path::Path;

use clinical::{ModelDigest, NotAProbability, Probability};
use inference::{
    BaseModel, FindingLabel, LabelSet, Metrics, ModelCard, OperatingPoint, Package, PackageError,
    SourceAttributes, TrainingData,
};
use serde::Deserialize;

use crate::base::Base;
use crate::corpus::Corpus;
use crate::fitting::Trained;
use crate::options::Options;

/// What a model card says that no training run can know: written by people, kept beside the data.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// Name of the model.
    pub name: String,
    /// Version, `MAJOR.MINOR.PATCH`.
    pub version: String,
    /// One sentence on what it does.
    pub summary: String,
    /// What it may be used for.
    pub intended_use: String,
    /// What it cannot do, and where it is not to be used.
    pub limits: Vec<String>,
    /// Terms of the weights in one sentence.
    pub licence: String,
    /// Whether the licence allows evaluation only.
    pub evaluation_only: bool,
    /// What training started from.
    pub base: Source,
    /// The labelled notes.
    pub training_data: Source,
    /// The 31 source attributes of 45 CFR 170.315(b)(11)(iv)(B), as far as they are known.
    #[serde(default)]
    pub source_attributes: Option<Box<SourceAttributes>>,
}

/// Something that others made.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Where it comes from.
    pub source: String,
    /// Its licence.
    pub licence: String,
}

/// Why a model cannot be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The folder cannot be written.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// An operating point is no probability.
    #[error(transparent)]
    Threshold(#[from] NotAProbability),
    /// The settings cannot be written into the card.
    #[error("the settings cannot be written into the card")]
    Settings(#[from] serde_json::Error),
}

/// A finished run with all that its card needs.
pub struct Run<'a> {
    /// What training started from.
    pub base: &'a Base,
    /// What it was trained on.
    pub corpus: &'a Corpus,
    /// How.
    pub options: &'a Options,
    /// What came out.
    pub trained: &'a Trained,
    /// What people say about it.
    pub description: &'a Description,
    /// Text of the weights' licence.
    pub licence: &'a str,
    /// The command that makes it again.
    pub command: &'a str,
    /// Revision of the source of the program that runs, where it is known.
    pub revision: Option<&'a str>,
}

impl Run<'_> {
    /// Writes the packed model to `folder`, with `metrics` in its card, and returns its identity.
    ///
    /// # Errors
    /// [`PackError`] when the folder cannot be written.
    pub fn pack(&self, metrics: Option<Metrics>, folder: &Path) -> Result<ModelDigest, PackError> {
        let point = |temperature, threshold| -> Result<OperatingPoint, NotAProbability> {
            Ok(OperatingPoint {
                temperature,
                threshold: Probability::new(threshold)?,
            })
        };
        let labels = LabelSet {
            abnormal: self.trained.abnormal,
            findings: self
                .trained
                .findings
                .iter()
                .map(|finding| {
                    Ok(FindingLabel {
                        label: finding.label.clone(),
                        point: point(finding.temperature, finding.threshold)?,
                    })
                })
                .collect::<Result<_, NotAProbability>>()?,
            supporting: self.trained.supporting.clone(),
            window: self.options.window,
            overlap: self.options.overlap,
            isotonic: self.trained.isotonic.clone(),
            reads: self.options.reads.clone(),
            unfamiliar: Some(self.trained.unfamiliar).filter(|limit| *limit < f64::MAX),
        };
        let card = self.card(metrics)?;
        let package = Package {
            config: &self.base.config,
            tokenizer: &self.base.tokenizer_json,
            labels: &labels,
            weights: &self.trained.weights,
            card: &card,
            licence: self.licence,
        };
        Ok(package.write(folder)?)
    }

    fn card(&self, metrics: Option<Metrics>) -> Result<ModelCard, PackError> {
        let said = self.description;
        let config = &self.base.config;
        let (distinct, held_out) = self.corpus.parts();
        Ok(ModelCard {
            name: said.name.clone(),
            version: said.version.clone(),
            summary: said.summary.clone(),
            intended_use: said.intended_use.clone(),
            limits: said.limits.clone(),
            architecture: format!(
                "BERT, {} layers of width {}, int8 weights with one scale a row; {} and layer norms trained ({} values with the \
                 head{}); one label-wise attention pooling for abnormal, each of {} findings and {} that are too rare to be \
                 reported; abnormal is a stack of its own output and a noisy-or of all others; window of {} word pieces",
                config.num_hidden_layers,
                config.hidden_size,
                if self.options.full {
                    "all matrices and biases of the layers".to_owned()
                } else {
                    format!("LoRA of rank {}", self.options.rank)
                },
                self.trained.trained_values,
                if self.options.average > 0.0 {
                    ", as a moving average"
                } else {
                    ""
                },
                self.trained.findings.len(),
                self.trained.supporting.len(),
                self.options.window,
            ),
            base: BaseModel {
                name: said.base.name.clone(),
                source: said.base.source.clone(),
                sha256: self.base.digest(),
                licence: said.base.licence.clone(),
            },
            training_data: TrainingData {
                name: said.training_data.name.clone(),
                source: said.training_data.source.clone(),
                licence: said.training_data.licence.clone(),
                notes: self.corpus.rows(),
                distinct,
                held_out,
                sha256: self.corpus.digest(),
            },
            settings: serde_json::from_value(serde_json::to_value(self.options)?)?,
            seed: self.options.seed,
            command: self.command.to_owned(),
            metrics,
            licence: said.licence.clone(),
            evaluation_only: said.evaluation_only,
            revision: self.revision.map(str::to_owned),
            source_attributes: said.source_attributes.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use clinical::Label;
    use inference::{Engine, EngineOptions};

    use super::*;
    use crate::{evaluate, testing, train};

    fn description() -> Description {
        let source = Source {
            name: "tiny".into(),
            source: "a test".into(),
            licence: "none".into(),
        };
        Description {
            name: "tiny".into(),
            version: "0.0.1".into(),
            summary: "A test.".into(),
            intended_use: "A test.".into(),
            limits: vec!["Knows fourteen words.".into()],
            licence: "none".into(),
            evaluation_only: true,
            base: source.clone(),
            training_data: source,
            source_attributes: None,
        }
    }

    #[test]
    fn a_trained_model_is_packed_loaded_and_right() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        testing::write_base(folder.path())?;
        let base = Base::open(folder.path(), None)?;
        let options = testing::quick();
        let notes = testing::notes();
        let corpus = Corpus::new(&notes, &base, &options)?;
        let mut losses = Vec::new();
        let trained = train(&base, &corpus, &options, |progress| losses.push(progress.loss))?;
        assert!(losses[losses.len() - 1] < losses[0] / 4.0, "{losses:?}");
        // The same seed makes the same model.
        assert_eq!(train(&base, &corpus, &options, |_| ())?.weights, trained.weights);

        let description = description();
        let run = Run {
            base: &base,
            corpus: &corpus,
            options: &options,
            trained: &trained,
            description: &description,
            licence: "No licence.",
            command: "cargo test",
            revision: Some("a revision"),
        };
        let path = folder.path().join("model");
        let digest = run.pack(None, &path)?;
        let engine = Engine::load(&path, EngineOptions::default())?;
        assert_eq!(engine.digest(), digest);
        let metrics = evaluate(&engine, &notes, "the same notes", |_| ())?;
        assert!(metrics.auroc > 0.99 && metrics.macro_f1 > 0.9, "{metrics:?}");
        // What it was trained on is familiar to it.
        let texts: Vec<&str> = notes.iter().map(|note| note.note.text()).collect();
        let far = engine.score_batch(&texts)?;
        let far = far.iter().filter(|scores| engine.is_unfamiliar(scores)).count();
        assert!(engine.labels().unfamiliar.is_some() && far <= 2, "{far} of 80");
        let labels: Vec<Label> = engine
            .labels()
            .findings
            .iter()
            .map(|finding| finding.label.clone())
            .collect();
        assert_eq!(labels, corpus.labels());
        // With its numbers in the card it is another model, in the same place.
        assert_ne!(run.pack(Some(metrics.clone()), &path)?, digest);
        let card = Engine::load(&path, EngineOptions::default())?.card().clone();
        // Numbers in JSON may differ in the last bit.
        let said = card.metrics.ok_or("no metrics in the card")?;
        assert!((said.auroc - metrics.auroc).abs() < 1e-9 && (said.macro_f1 - metrics.macro_f1).abs() < 1e-9);
        assert_eq!((said.findings.len(), said.notes), (metrics.findings.len(), 80));
        assert_eq!(card.revision.as_deref(), Some("a revision"));
        assert_eq!(
            (card.settings["rank"].as_u64(), card.evaluation_only),
            (Some(2), true)
        );
        Ok(())
    }

    #[test]
    fn a_model_that_is_trained_whole_is_packed_in_int8() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        testing::write_base_of(folder.path(), 4096)?;
        let base = Base::open(folder.path(), None)?;
        let options = Options {
            full: true,
            learning_rate: 3e-3,
            ..testing::quick()
        };
        let notes = testing::notes();
        let corpus = Corpus::new(&notes, &base, &options)?;
        let mut losses = Vec::new();
        let trained = train(&base, &corpus, &options, |progress| losses.push(progress.loss))?;
        assert!(losses[losses.len() - 1] < losses[0] / 4.0, "{losses:?}");
        let name = "encoder.layer.1.output.dense.weight";
        let (weights, before) = (&trained.weights, &base.matrices);
        assert!(weights.adapters.is_empty());
        // Beside the encoder's there are those of the statistics alone.
        assert!(before.keys().all(|name| weights.matrices.contains_key(name)));
        assert_eq!(weights.matrices.len(), before.len() + 2);
        assert_ne!(weights.matrices[name], before[name]);
        assert_ne!(
            weights.floats["encoder.layer.0.attention.self.query.bias"],
            base.floats["encoder.layer.0.attention.self.query.bias"]
        );
        assert_eq!(
            weights.floats["embeddings.word_embeddings.weight"],
            base.floats["embeddings.word_embeddings.weight"]
        );
        let description = description();
        let run = Run {
            base: &base,
            corpus: &corpus,
            options: &options,
            trained: &trained,
            description: &description,
            licence: "No licence.",
            command: "cargo test",
            revision: None,
        };
        let path = folder.path().join("model");
        run.pack(None, &path)?;
        // In f32, so that nothing but the weights' own rounding is between training and this.
        let engine = Engine::load(
            &path,
            EngineOptions {
                compute: inference::Compute::F32,
                ..EngineOptions::default()
            },
        )?;
        assert!(engine.card().architecture.contains("all matrices"));
        let metrics = evaluate(&engine, &notes, "the same notes", |_| ())?;
        assert!(metrics.auroc > 0.99 && metrics.macro_f1 > 0.9, "{metrics:?}");
        Ok(())
    }

    #[test]
    fn settings_out_of_range_are_refused() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        testing::write_base(folder.path())?;
        let base = Base::open(folder.path(), None)?;
        let good = testing::options();
        let corpus = Corpus::new(&testing::notes(), &base, &good)?;
        for bad in [
            Options {
                rank: 0,
                ..good.clone()
            },
            Options {
                epochs: 0,
                ..good.clone()
            },
            Options {
                average: 1.0,
                ..good.clone()
            },
            Options {
                shuffle: -0.1,
                ..good.clone()
            },
            Options {
                dropout: 1.0,
                ..good.clone()
            },
            Options {
                window: 33,
                ..good.clone()
            },
            Options {
                overlap: 14,
                ..good.clone()
            },
            Options {
                learning_rate: f64::NAN,
                ..good.clone()
            },
        ] {
            let refused = train(&base, &corpus, &bad, |_| ());
            assert!(matches!(refused, Err(crate::TrainError::Option(_))));
        }
        Ok(())
    }
}
