//! What int8 costs: the trained model with its weights rounded row by row and its activations rounded as an int8 product
//! sees them, against the same model in f32, on the notes that were kept out.
//!
//! Weights and activations are rounded and turned back (fake quantization, Jacob et al. 2017, arXiv:1712.05877, section 3), which gives the
//! numbers of an int8 product with 32-bit sums, up to the order of the sums. Dynamic: one scale for each token, from the token itself.
//! Static: one scale for each matrix, from the largest activation that a calibration set brought to it.

use std::collections::BTreeMap;

use inference::{FloatTensor, HEAD_BIAS, HEAD_SCORE, HEAD_VALUE, Int8Matrix, Tokenizer};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::base::{Base, BaseError};
use crate::corpus::{Corpus, Example};
use crate::fitting::{Trained, quality, score};
use crate::linear::Rounding;
use crate::metrics;
use crate::model::{Model, ModelError};
use crate::options::Options;
use crate::run::{HeldOut, TrainError};

/// Notes of the training part that the static scales are taken from.
const CALIBRATION: usize = 128;
/// Matrices below this size stay in f32 in the package.
const LARGE: usize = 1 << 16;

/// How activations are rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// A scale for each token, from the token.
    Dynamic,
    /// A scale for each matrix, from a calibration set.
    Static,
}

impl std::fmt::Display for Scheme {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Dynamic => "dynamic",
            Self::Static => "static",
        })
    }
}

/// What one scheme costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantizationLoss {
    /// The scheme.
    pub scheme: Scheme,
    /// Quality in f32.
    pub before: HeldOut,
    /// Quality in int8.
    pub after: HeldOut,
    /// Part of the decisions at probability one half, on abnormal and every finding, that stay.
    pub agreement: f64,
    /// Largest change of a probability.
    pub largest: f64,
}

/// The cost of both schemes for a trained model.
///
/// # Errors
/// [`TrainError`] when a computation fails.
pub fn quantization_loss(
    base: &Base,
    corpus: &Corpus,
    options: &Options,
    trained: &Trained,
) -> Result<[QuantizationLoss; 2], TrainError> {
    let merged = trained
        .weights
        .clone()
        .merge()
        .map_err(BaseError::from)
        .map_err(ModelError::from)?;
    let mut exact = model(base, corpus, &merged)?;
    let rounded = merged
        .iter()
        .map(|(name, tensor)| Ok((name.clone(), round(name, tensor)?)))
        .collect::<Result<BTreeMap<_, _>, BaseError>>()
        .map_err(ModelError::from)?;
    let mut int8 = model(base, corpus, &rounded)?;
    let budget = options.batch_tokens;
    let before = score(&exact, &corpus.held_out, budget)?;
    let measure = |scheme: Scheme, rows: &[Vec<f64>]| {
        let outputs = 1 + corpus.labels().len();
        let mut loss = QuantizationLoss {
            scheme,
            before: quality(&before, &corpus.held_out, outputs),
            after: quality(rows, &corpus.held_out, outputs),
            agreement: 0.0,
            largest: 0.0,
        };
        let (mut same, mut all) = (0_usize, 0_usize);
        for (a, b) in before.iter().zip(rows) {
            for (a, b) in a.iter().zip(b).take(outputs) {
                all += 1;
                same += usize::from((*a >= 0.0) == (*b >= 0.0));
                let apart = (crate::calibration::sigmoid(*a) - crate::calibration::sigmoid(*b)).abs();
                loss.largest = loss.largest.max(apart);
            }
        }
        loss.agreement = metrics::count(same) / metrics::count(all.max(1));
        loss
    };
    int8.round_inputs(|_| Rounding::PerToken);
    let dynamic = measure(Scheme::Dynamic, &score(&int8, &corpus.held_out, budget)?);
    // The scales come from the f32 model on notes that it was trained on.
    let sample: Vec<Example> = corpus.train.iter().take(CALIBRATION).cloned().collect();
    exact.round_inputs(|_| Rounding::watch());
    score(&exact, &sample, budget)?;
    let largest = exact.largest_inputs();
    int8.round_inputs(|at| Rounding::Fixed(largest.get(at).copied().unwrap_or_default()));
    let fixed = measure(Scheme::Static, &score(&int8, &corpus.held_out, budget)?);
    Ok([dynamic, fixed])
}

/// A large matrix of the encoder's layers as int8 gives it back; everything else as it is.
fn round(name: &str, tensor: &FloatTensor) -> Result<FloatTensor, BaseError> {
    match tensor.shape[..] {
        [_, columns] if name.starts_with("encoder.") && tensor.values.len() >= LARGE => Ok(FloatTensor {
            shape: tensor.shape.clone(),
            values: Int8Matrix::quantize(columns, &tensor.values)?.dequantize(),
        }),
        _ => Ok(tensor.clone()),
    }
}

/// A model of merged weights, without LoRA.
fn model(base: &Base, corpus: &Corpus, tensors: &BTreeMap<String, FloatTensor>) -> Result<Model, TrainError> {
    let merged = Base {
        config: base.config.clone(),
        tokenizer: Tokenizer::from_json(&base.tokenizer_json)
            .map_err(BaseError::from)
            .map_err(ModelError::from)?,
        tokenizer_json: Vec::new(),
        matrices: BTreeMap::new(),
        floats: tensors.clone(),
        digest: base.digest(),
    };
    let frozen = Options {
        targets: Vec::new(),
        ..Options::default()
    };
    let model = Model::new(&merged, corpus.outputs(), &frozen, &mut StdRng::seed_from_u64(0))?;
    let head = |name: &str| {
        tensors
            .get(name)
            .map(|tensor| tensor.values.clone())
            .ok_or_else(|| ModelError::from(BaseError::Tensor(name.to_owned())))
    };
    model.set_head(head(HEAD_SCORE)?, head(HEAD_VALUE)?, head(HEAD_BIAS)?)?;
    Ok(model)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{testing, train};

    #[test]
    fn int8_costs_little_and_a_scale_that_does_not_fit_much() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        testing::write_base(folder.path())?;
        let base = Base::open(folder.path(), None)?;
        let options = Options {
            epochs: 8,
            ..testing::quick()
        };
        let corpus = Corpus::new(&testing::notes(), &base, &options)?;
        let trained = train(&base, &corpus, &options, |_| ())?;
        let [dynamic, fixed] = quantization_loss(&base, &corpus, &options, &trained)?;
        assert!((dynamic.before.auroc - trained.held_out.auroc).abs() < 1e-9);
        for loss in [dynamic, fixed] {
            assert!(loss.agreement > 0.98 && loss.largest < 0.1, "{loss:?}");
            assert!(loss.largest > 0.0, "nothing was rounded: {loss:?}");
        }
        // Rounded to nothing, the layers say nothing and the answers move: the measure can fail.
        let merged = trained.weights.clone().merge()?;
        let mut blind = model(&base, &corpus, &merged)?;
        let before = score(&blind, &corpus.held_out, 64)?;
        blind.round_inputs(|_| Rounding::Fixed(1e-6));
        let rows = score(&blind, &corpus.held_out, 64)?;
        let moved = before
            .iter()
            .flatten()
            .zip(rows.iter().flatten())
            .map(|(a, b)| (a - b).abs());
        assert!(moved.fold(0.0, f64::max) > 0.5);
        Ok(())
    }
}
