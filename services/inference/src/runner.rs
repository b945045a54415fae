//! An encoder, its threads and its memory: what turns a batch of word pieces into logits.

use std::num::NonZeroUsize;

use kernels::{Executor, ExecutorError, Kernel, Precision};

use crate::Config;
use crate::device::Device;
use crate::encoder::{Encoder, EncoderError, ReferenceError, Space};
use crate::weights::Weights;

/// What a model computes with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compute {
    /// int8 where its answers to sample sentences agree with those of f32 when the model is loaded; else bf16 where the
    /// processor multiplies it (AVX512-BF16) and it agrees; else f32.
    #[default]
    Auto,
    /// Single precision: the answers that the others are measured against.
    F32,
    /// Large products in bfloat16.
    Bf16,
    /// Large products in int8: weights with a scale for each output, inputs quantized token by token.
    Int8,
    /// candle's own BERT in f32: the reference in tests.
    Candle,
    /// The same on the first NVIDIA GPU, in a build with the feature `cuda`.
    Cuda,
}

impl Compute {
    /// Its name in tables, options and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
            Self::Candle => "candle",
            Self::Cuda => "cuda",
        }
    }

    /// Where candle computes it; `None` for our own kernels.
    #[must_use]
    pub const fn device(self) -> Option<Device> {
        match self {
            Self::Candle => Some(Device::Cpu),
            Self::Cuda => Some(Device::Cuda),
            Self::Auto | Self::F32 | Self::Bf16 | Self::Int8 => None,
        }
    }

    /// What has this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [
            Self::Auto,
            Self::F32,
            Self::Bf16,
            Self::Int8,
            Self::Candle,
            Self::Cuda,
        ]
        .into_iter()
        .find(|compute| compute.as_str() == name)
    }
}

impl From<Precision> for Compute {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32,
            Precision::Bf16 => Self::Bf16,
            Precision::Int8 => Self::Int8,
        }
    }
}

impl std::fmt::Display for Compute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why there is nothing to run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunnerError {
    /// The weights do not fit.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// No threads.
    #[error(transparent)]
    Executor(#[from] ExecutorError),
}

/// The threads that a model computes with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Threads {
    /// How many; `None` for one for each processor that this process may use.
    pub number: Option<NonZeroUsize>,
    /// Whether each stays on a processor of its own, of those that this process may use (Linux).
    pub pinned: bool,
}

impl Threads {
    /// How many there are.
    #[must_use]
    pub fn number(self) -> NonZeroUsize {
        let all = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        self.number.unwrap_or_else(all)
    }
}

/// What a runner runs on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub kernel: Kernel,
    pub threads: Threads,
}

impl Place {
    /// What is asked for; where nothing is, the best kernel of this processor, and all processors.
    pub(crate) fn new(kernel: Option<Kernel>, threads: Threads) -> Self {
        Self {
            kernel: kernel.unwrap_or_else(Kernel::best),
            threads,
        }
    }
}

/// Runs one batch at a time.
pub(crate) struct Runner {
    encoder: Encoder,
    executor: Executor,
    space: Space,
    vocabulary: usize,
    positions: usize,
}

impl Runner {
    /// Packs `weights`, to run in `place`.
    pub(crate) fn new(
        config: &Config,
        labels: usize,
        weights: &Weights,
        precision: Precision,
        place: Place,
    ) -> Result<Self, RunnerError> {
        let threads = place.threads.number().get();
        let executor = if place.threads.pinned {
            Executor::pinned(place.kernel, threads)?
        } else {
            Executor::new(place.kernel, threads)?
        };
        Ok(Self {
            executor,
            encoder: Encoder::new(config, labels, weights, precision)?,
            space: Space::default(),
            vocabulary: config.vocab_size,
            positions: config.max_position_embeddings,
        })
    }

    /// Keeps the calling thread, which is going to run it, on its processor, where threads are pinned.
    pub(crate) fn settle(&self) -> Result<(), ExecutorError> {
        self.executor.settle()
    }

    /// The instructions it uses.
    pub(crate) const fn kernel(&self) -> Kernel {
        self.executor.kernel()
    }

    /// What it computes with.
    pub(crate) const fn precision(&self) -> Precision {
        self.encoder.precision()
    }

    /// Outputs for each sequence.
    pub(crate) fn labels(&self) -> usize {
        self.encoder.labels()
    }

    /// How unlike the training reports each sequence of the last batch is; empty where the model does not know them.
    pub(crate) fn distances(&self) -> &[f32] {
        &self.space.distances
    }

    /// Word pieces that may be asked for, and how many in a sequence.
    pub(crate) const fn limits(&self) -> (usize, usize) {
        (self.vocabulary, self.positions)
    }

    /// The logits of sequences side by side, a row for each, over `out`.
    pub(crate) fn logits(
        &mut self,
        ids: &[u32],
        lengths: &[usize],
        out: &mut Vec<f32>,
    ) -> Result<(), kernels::EmbedError> {
        self.encoder
            .forward(&mut self.executor, &mut self.space, ids, lengths, out)
    }

    /// The same in f32, without a second model in memory.
    pub(crate) fn reference(
        &mut self,
        config: &Config,
        weights: &Weights,
        ids: &[u32],
        lengths: &[usize],
    ) -> Result<Vec<f32>, ReferenceError> {
        self.encoder
            .reference(&mut self.executor, (config, weights), ids, lengths)
    }
}
