//! How much memory a run needs, before it starts.

use crate::base::Base;
use crate::corpus::Corpus;
use crate::options::Options;
use crate::run::trained_share;

/// Values of a token that a layer keeps for its gradient, in widths: three projections, attention, four outputs with their
/// dropout and sums, two norms (14), and twice the inner width, which is counted apart.
const KEPT: usize = 14;

/// Copies of what is trained while nothing is written: values, gradient, two moments, average, best.
const LIVE: usize = 6;
/// Copies that a checkpoint holds: all of these but the gradient.
const STORED: usize = 5;

/// Copies more with several runs: what each begins with, and their mean.
const SEVERAL: usize = 2;

/// Models in f32 that are compared in the end.
const COMPARED: usize = 3;

/// What a run needs at most, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The base in f32, and its rounded form for the package.
    pub weights: usize,
    /// What is trained, with its gradient, two moments, its average and the best epoch's; and a checkpoint of them on its way,
    /// once as numbers and once as bytes.
    pub trained: usize,
    /// What one batch keeps for its gradient, and the gradients on their way.
    pub batch: usize,
    /// After training: the finished model in f32 and rounded to int8 in two ways, to compare them.
    pub comparison: usize,
}

impl Memory {
    /// Of a run with these parts; the largest batch has `batch_tokens` word pieces, or those of the longest note.
    #[must_use]
    pub fn of(base: &Base, corpus: &Corpus, options: &Options) -> Self {
        let config = &base.config;
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let values = base.values();
        let (trained, _) = trained_share(base, corpus, options);
        let longest = corpus
            .train
            .iter()
            .map(|example| example.ids.len())
            .max()
            .unwrap_or(0);
        let tokens = options.batch_tokens.max(longest);
        let kept = config.num_hidden_layers * (KEPT * width + 2 * inner) + 4 * width;
        // Attention keeps nothing between the passes: it computes the weights of a head again.
        Self {
            // The tables of words and positions are held twice: in the base and in the model.
            weights: values * (4 + 1) + 4 * (config.vocab_size + config.max_position_embeddings) * width,
            trained: trained * 4 * (LIVE + 2 * STORED + if options.runs > 1 { SEVERAL } else { 0 }),
            batch: tokens * kept * 4 * 3 / 2,
            comparison: values * 4 * COMPARED,
        }
    }

    /// What is needed at one time: when the comparison begins, gradients and moments are gone.
    #[must_use]
    pub const fn total(&self) -> usize {
        let phase = if self.trained > self.comparison {
            self.trained
        } else {
            self.comparison
        };
        self.weights + self.batch + phase
    }
}
