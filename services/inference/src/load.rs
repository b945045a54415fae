//! From a folder to the parts of an engine.

use std::path::Path;

use clinical::ModelDigest;

use crate::ModelCard;
use crate::agreement;
use crate::classifier::Classifier;
use crate::config::{Config, ConfigError};
use crate::device::DeviceError;
use crate::familiarity::Familiarity;
use crate::labels::{LabelSet, LabelSetError};
use crate::package::{self, Files, PackageError, Trust};
use crate::runner::{Compute, Place, Runner, RunnerError};
use crate::tokenizer::{Tokenizer, TokenizerError};
use crate::weights::{Weights, WeightsError};

/// Why a folder cannot be loaded as a model.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The folder does not verify.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The configuration is not that of a BERT.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The label set makes no sense.
    #[error(transparent)]
    Labels(#[from] LabelSetError),
    /// The tokenizer cannot be used.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The tokenizer knows more word pieces than the encoder.
    #[error("the tokenizer has {tokenizer} word pieces, the encoder {encoder}")]
    Vocabulary {
        /// Word pieces of the tokenizer.
        tokenizer: usize,
        /// Rows of the encoder's table.
        encoder: usize,
    },
    /// The weights are damaged.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The weights do not fit the configuration or the label set.
    #[error("the weights do not fit config.json or labels.json")]
    Shape(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// There is a limit of unfamiliar texts, but nothing to measure by.
    #[error(
        "labels.json has a limit for unfamiliar texts, but the weights have no statistics of the training reports"
    )]
    Statistics,
    /// There is no GPU to compute on.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The operating system gives no threads, or does not let them stay on processors.
    #[error("no threads for the engine")]
    Threads(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The model card is not in its form.
    #[error("card.json is no model card")]
    Card(#[source] serde_json::Error),
}

impl From<RunnerError> for LoadError {
    fn from(error: RunnerError) -> Self {
        match error {
            RunnerError::Encoder(error) => Self::Shape(error.into()),
            RunnerError::Executor(error) => Self::Threads(error.into()),
        }
    }
}

/// A packed model, read and checked. The weights are let go once something is prepared from them.
pub(crate) struct Parts {
    config: Config,
    weights: Weights,
    pub(crate) labels: LabelSet,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) card: ModelCard,
    /// SHA-256 of the manifest.
    pub(crate) digest: ModelDigest,
    /// Whether the weights have statistics of the training reports.
    pub(crate) measures_distance: bool,
}

/// What can compute.
pub(crate) enum Prepared {
    /// Our kernels.
    Kernels(Box<Runner>),
    /// candle's BERT.
    Candle(Box<Classifier>),
}

impl Parts {
    /// Reads a folder whose manifest is signed as `trust` says.
    pub(crate) fn read(folder: &Path, trust: Trust<'_>) -> Result<Self, LoadError> {
        let mut files = Files::read(folder, trust)?;
        let config = Config::from_json(files.get(package::CONFIG)?)?;
        let labels = LabelSet::from_json(files.get(package::LABELS)?, config.max_position_embeddings)?;
        let tokenizer = Tokenizer::from_json(files.get(package::TOKENIZER)?)?;
        if tokenizer.vocabulary() > config.vocab_size {
            return Err(LoadError::Vocabulary {
                tokenizer: tokenizer.vocabulary(),
                encoder: config.vocab_size,
            });
        }
        let card = serde_json::from_slice(files.get(package::CARD)?).map_err(LoadError::Card)?;
        // The bytes are let go before anything is packed.
        let weights = Weights::from_bytes(&files.take(package::WEIGHTS)?)?;
        let familiarity = Familiarity::read(&weights, config.hidden_size)?;
        if labels.unfamiliar.is_some() && familiarity.is_none() {
            return Err(LoadError::Statistics);
        }
        Ok(Self {
            config,
            weights,
            labels,
            tokenizer,
            card,
            digest: files.digest,
            measures_distance: familiarity.is_some(),
        })
    }

    /// Builds what is asked for and lets the weights go.
    pub(crate) fn prepare(&mut self, compute: Compute, place: Place) -> Result<Prepared, LoadError> {
        let (config, labels, weights) = (&self.config, &self.labels, std::mem::take(&mut self.weights));
        let of = |precision| Runner::new(config, labels.outputs(), &weights, precision, place);
        if let Some(device) = compute.device() {
            let familiarity = Familiarity::read(&weights, config.hidden_size)?;
            return Classifier::new(
                config,
                labels.outputs(),
                weights.merge()?,
                familiarity,
                device.open()?,
            )
            .map(|classifier| Prepared::Candle(Box::new(classifier)))
            .map_err(|error| LoadError::Shape(error.into()));
        }
        let runner = match compute {
            Compute::Auto => agreement::choose((config, labels), &weights, &self.tokenizer, place)?,
            Compute::F32 => of(kernels::Precision::F32)?,
            Compute::Bf16 => of(kernels::Precision::Bf16)?,
            // What candle computes has gone its way above.
            Compute::Int8 | Compute::Candle | Compute::Cuda => of(kernels::Precision::Int8)?,
        };
        Ok(Prepared::Kernels(Box::new(runner)))
    }

    /// Puts the values of each matrix in another order.
    pub(crate) fn shuffle(&mut self, seed: u64) {
        self.weights.shuffle(seed);
    }

    /// Dimensions of the encoder.
    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }
}
