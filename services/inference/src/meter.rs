//! How many word pieces a model reads in a second, without a text.

use std::path::Path;

use crate::classifier::Classifier;
use crate::config::{Activation, Config};
use crate::load::{LoadError, Parts, Prepared};
use crate::package::Trust;
use crate::runner::{Compute, Place, Runner, RunnerError, Threads};
use crate::weights::{FloatTensor, HEAD_BIAS, HEAD_SCORE, HEAD_VALUE, Int8Matrix, Weights};

/// Outputs of the head of a model of random weights: those of the default model.
const OUTPUTS: usize = 58;

/// Dimensions of a model of random weights: speed does not depend on what the weights are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Six layers of width 384 (MiniLM-L6-H384, Wang et al. 2020, arXiv:2002.10957).
    MiniLm,
    /// Twelve layers of width 768 and a cased vocabulary (BERT-base, Devlin et al. 2018, arXiv:1810.04805).
    Base,
}

impl Shape {
    /// Its name in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MiniLm => "minilm-random",
            Self::Base => "bert-base-random",
        }
    }

    const fn config(self) -> Config {
        let (vocab_size, hidden_size, num_hidden_layers) = match self {
            Self::MiniLm => (30_522, 384, 6),
            Self::Base => (28_996, 768, 12),
        };
        Config {
            vocab_size,
            hidden_size,
            num_hidden_layers,
            num_attention_heads: 12,
            intermediate_size: 4 * hidden_size,
            hidden_act: Activation::Gelu,
            max_position_embeddings: 512,
            type_vocab_size: 2,
            layer_norm_eps: 1e-12,
            pad_token_id: 0,
        }
    }
}

/// Why nothing can be measured.
#[derive(Debug, thiserror::Error)]
pub enum MeterError {
    /// The folder does not load.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The word pieces asked for do not fit the encoder.
    #[error("an input must have 1 to {0} word pieces")]
    Length(usize),
    /// The computation failed.
    #[error("the computation failed")]
    Computation(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<RunnerError> for MeterError {
    fn from(error: RunnerError) -> Self {
        Self::Load(error.into())
    }
}

/// Runs forward passes over random word pieces.
pub struct Meter {
    prepared: Prepared,
    vocabulary: usize,
    positions: usize,
    seed: u64,
    ids: Vec<u32>,
    logits: Vec<f32>,
}

impl Meter {
    /// A packed model, prepared as an engine would. Where threads are pinned, the calling one is among them.
    ///
    /// # Errors
    /// [`MeterError::Load`].
    pub fn open(folder: &Path, compute: Compute, threads: Threads) -> Result<Self, MeterError> {
        let mut parts = Parts::read(folder, Trust::Anybody)?;
        let prepared = parts.prepare(compute, Place::new(None, threads))?;
        Self::new(prepared, parts.config())
    }

    /// A model of random weights; `Auto` is int8, because there is nothing that could agree.
    ///
    /// # Errors
    /// [`MeterError::Load`].
    pub fn random(shape: Shape, compute: Compute, threads: Threads) -> Result<Self, MeterError> {
        let config = shape.config();
        let weights = random_weights(&config)?;
        if let Some(device) = compute.device() {
            let device = device.open().map_err(LoadError::from)?;
            let merged = weights.merge().map_err(LoadError::from)?;
            let classifier = Classifier::new(&config, OUTPUTS, merged, None, device)
                .map_err(|error| LoadError::Shape(error.into()))?;
            return Self::new(Prepared::Candle(Box::new(classifier)), &config);
        }
        let precision = match compute {
            Compute::Auto | Compute::Int8 | Compute::Candle | Compute::Cuda => kernels::Precision::Int8,
            Compute::Bf16 => kernels::Precision::Bf16,
            Compute::F32 => kernels::Precision::F32,
        };
        let runner = Runner::new(&config, OUTPUTS, &weights, precision, Place::new(None, threads))?;
        Self::new(Prepared::Kernels(Box::new(runner)), &config)
    }

    fn new(prepared: Prepared, config: &Config) -> Result<Self, MeterError> {
        if let Prepared::Kernels(runner) = &prepared {
            runner
                .settle()
                .map_err(|error| LoadError::Threads(error.into()))?;
        }
        Ok(Self {
            prepared,
            vocabulary: config.vocab_size,
            positions: config.max_position_embeddings,
            seed: 1,
            ids: Vec::new(),
            logits: Vec::new(),
        })
    }

    /// What it computes with.
    #[must_use]
    pub fn compute(&self) -> Compute {
        match &self.prepared {
            Prepared::Kernels(runner) => runner.precision().into(),
            Prepared::Candle(classifier) => classifier.compute(),
        }
    }

    /// The instructions it uses.
    #[must_use]
    pub fn kernel(&self) -> &'static str {
        match &self.prepared {
            Prepared::Kernels(runner) => runner.kernel().as_str(),
            Prepared::Candle(classifier) => classifier.compute().as_str(),
        }
    }

    /// One forward pass over inputs of these lengths as one batch, of random word pieces, with the head.
    ///
    /// # Errors
    /// [`MeterError::Length`] and [`MeterError::Computation`].
    pub fn pass(&mut self, lengths: &[usize]) -> Result<(), MeterError> {
        if lengths
            .iter()
            .any(|&length| length == 0 || length > self.positions)
        {
            return Err(MeterError::Length(self.positions));
        }
        self.ids.clear();
        for _ in 0..lengths.iter().sum() {
            self.ids.push(draw(&mut self.seed, self.vocabulary));
        }
        match &mut self.prepared {
            Prepared::Kernels(runner) => runner
                .logits(&self.ids, lengths, &mut self.logits)
                .map_err(|error| MeterError::Computation(error.into())),
            Prepared::Candle(classifier) => {
                let mut rest = self.ids.as_slice();
                let inputs: Vec<&[u32]> = lengths
                    .iter()
                    .map_while(|&length| {
                        let (input, after) = rest.split_at_checked(length)?;
                        rest = after;
                        Some(input)
                    })
                    .collect();
                classifier
                    .logits(&inputs)
                    .map(|_| ())
                    .map_err(|error| MeterError::Computation(error.into()))
            }
        }
    }
}

/// Knuth's 64-bit congruential generator (The Art of Computer Programming 2, section 3.3.4); its high bits.
fn next(seed: &mut u64) -> u32 {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 40) as u32
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "below the number of word pieces, a u32"
)]
fn draw(seed: &mut u64, below: usize) -> u32 {
    (next(seed) as usize % below.max(1)) as u32
}

/// Weights in ±0.05, which keep the values of a BERT of any depth finite.
fn random_weights(config: &Config) -> Result<Weights, LoadError> {
    let mut seed = 1;
    #[expect(clippy::cast_precision_loss, reason = "24 bits fit an f32")]
    let mut values = |count: usize| -> Vec<f32> {
        (0..count)
            .map(|_| (next(&mut seed) as f32 / 16_777_216.0 - 0.5) * 0.1)
            .collect()
    };
    let (width, inner) = (config.hidden_size, config.intermediate_size);
    let mut weights = Weights::default();
    let mut matrix = |name: String, rows: usize, columns: usize| -> Result<(), LoadError> {
        let matrix = Int8Matrix::quantize(columns, &values(rows * columns))?;
        weights.matrices.insert(name, matrix);
        Ok(())
    };
    for (name, rows) in [
        ("word", config.vocab_size),
        ("position", config.max_position_embeddings),
        ("token_type", config.type_vocab_size),
    ] {
        matrix(format!("embeddings.{name}_embeddings.weight"), rows, width)?;
    }
    let mut vectors = vec![("embeddings.LayerNorm".to_owned(), width, true)];
    for layer in 0..config.num_hidden_layers {
        let name = |part: &str| format!("encoder.layer.{layer}.{part}");
        for (part, rows, columns) in [
            ("attention.self.query", width, width),
            ("attention.self.key", width, width),
            ("attention.self.value", width, width),
            ("attention.output.dense", width, width),
            ("intermediate.dense", inner, width),
            ("output.dense", width, inner),
        ] {
            matrix(name(part) + ".weight", rows, columns)?;
            vectors.push((name(part), rows, false));
        }
        vectors.push((name("attention.output.LayerNorm"), width, true));
        vectors.push((name("output.LayerNorm"), width, true));
    }
    let mut float = |name: String, shape: &[usize], value: f32| {
        let tensor = FloatTensor {
            shape: shape.to_vec(),
            values: vec![value; shape.iter().product()],
        };
        weights.floats.insert(name, tensor);
    };
    for (name, length, norm) in vectors {
        if norm {
            float(name.clone() + ".weight", &[length], 1.0);
        }
        float(name + ".bias", &[length], 0.0);
    }
    float(HEAD_SCORE.into(), &[OUTPUTS, width], 0.01);
    float(HEAD_VALUE.into(), &[OUTPUTS, width], 0.01);
    float(HEAD_BIAS.into(), &[OUTPUTS], 0.0);
    Ok(weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_that_do_not_fit_are_refused() -> Result<(), MeterError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("model");
        crate::testing::Tiny::new()
            .write(&path)
            .map_err(LoadError::from)?;
        let two = Threads {
            number: std::num::NonZeroUsize::new(2),
            pinned: false,
        };
        for compute in [Compute::F32, Compute::Int8, Compute::Candle] {
            let mut meter = Meter::open(&path, compute, two)?;
            assert_eq!(meter.compute(), compute);
            meter.pass(&[3, 1, 16])?;
            assert!(matches!(meter.pass(&[17]), Err(MeterError::Length(16))));
            assert!(matches!(meter.pass(&[0]), Err(MeterError::Length(16))));
        }
        Ok(())
    }
}
