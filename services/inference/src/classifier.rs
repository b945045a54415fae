//! The encoder and its head: word pieces in, logits out.

use std::collections::{BTreeMap, HashMap};

use candle_core::{D, DType, Device, Error, Module as _, Result, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::BertModel;

use crate::weights::{HEAD_BIAS, HEAD_SCORE, HEAD_VALUE};
use crate::{Compute, Config, Familiarity, FloatTensor};

/// Added to the score of padding, so that the softmax over tokens gives it nothing.
const MASKED: f64 = -1e9;

/// The embeddings of a BERT, which candle's keeps to itself: for the distance from the training reports.
struct Embeddings {
    words: Tensor,
    positions: Tensor,
    segment: Tensor,
    norm: candle_nn::LayerNorm,
}

impl Embeddings {
    fn new(config: &Config, weights: &VarBuilder<'_>) -> Result<Self> {
        let width = config.hidden_size;
        let table = |rows, name: &str| weights.get((rows, width), &format!("{name}_embeddings.weight"));
        Ok(Self {
            words: table(config.vocab_size, "word")?,
            positions: table(config.max_position_embeddings, "position")?,
            segment: table(config.type_vocab_size, "token_type")?.narrow(0, 0, 1)?,
            norm: candle_nn::layer_norm(width, config.layer_norm_eps, weights.pp("LayerNorm"))?,
        })
    }

    /// Of `ids`, `inputs × length`.
    fn forward(&self, ids: &Tensor) -> Result<Tensor> {
        let (inputs, length) = ids.dims2()?;
        let words = self.words.index_select(&ids.flatten_all()?, 0)?;
        let words = words.reshape((inputs, length, self.words.dim(1)?))?;
        let sum = words
            .broadcast_add(&self.positions.narrow(0, 0, length)?)?
            .broadcast_add(&self.segment)?;
        self.norm.forward(&sum)
    }
}

/// candle's own BERT with a head of label-wise attention pooling.
pub(crate) struct Classifier {
    bert: BertModel,
    /// `width × labels`.
    score: Tensor,
    /// `width × labels`.
    value: Tensor,
    bias: Tensor,
    /// What training reports look like, and what it is seen in.
    familiarity: Option<(Familiarity, Embeddings)>,
    padding: u32,
    device: Device,
}

impl Classifier {
    /// What it computes with.
    pub(crate) const fn compute(&self) -> Compute {
        match self.device {
            Device::Cpu => Compute::Candle,
            Device::Cuda(_) | Device::Metal(_) => Compute::Cuda,
        }
    }

    /// Builds the classifier from merged f32 tensors on `device`; every shape is checked against `config` and `outputs`.
    pub(crate) fn new(
        config: &Config,
        outputs: usize,
        tensors: BTreeMap<String, FloatTensor>,
        familiarity: Option<Familiarity>,
        device: Device,
    ) -> Result<Self> {
        let tensors = tensors
            .into_iter()
            .map(|(name, tensor)| Ok((name, Tensor::from_vec(tensor.values, tensor.shape, &device)?)))
            .collect::<Result<HashMap<String, Tensor>>>()?;
        let weights = VarBuilder::from_tensors(tensors, DType::F32, &device);
        let width = config.hidden_size;
        Ok(Self {
            score: weights.get((outputs, width), HEAD_SCORE)?.t()?.contiguous()?,
            value: weights.get((outputs, width), HEAD_VALUE)?.t()?.contiguous()?,
            bias: weights.get(outputs, HEAD_BIAS)?,
            familiarity: familiarity
                .map(|known| Ok::<_, Error>((known, Embeddings::new(config, &weights.pp("embeddings"))?)))
                .transpose()?,
            bert: BertModel::load(weights, &config.to_candle())?,
            padding: config.pad_token_id,
            device,
        })
    }

    /// Logits of each input, a row after the other, with the distance from the training reports at its end where the model
    /// knows them; in batches of similar length of at most `batch_tokens` word pieces,
    /// padding included (a single longer input is a batch of its own).
    pub(crate) fn all_logits(&self, inputs: &[Vec<u32>], batch_tokens: usize) -> Result<Vec<f32>> {
        let mut order: Vec<usize> = (0..inputs.len()).collect();
        order.sort_by_key(|&at| std::cmp::Reverse(inputs[at].len()));
        let mut rows: Vec<(usize, Vec<f32>)> = Vec::with_capacity(inputs.len());
        let mut rest = order.as_slice();
        while let Some(&first) = rest.first() {
            // The first is the longest: it sets the width of the batch.
            let size = (batch_tokens / inputs[first].len().max(1)).clamp(1, rest.len());
            let (batch, after) = rest.split_at(size);
            rest = after;
            let batch_inputs: Vec<&[u32]> = batch.iter().map(|&at| inputs[at].as_slice()).collect();
            rows.extend(batch.iter().copied().zip(self.logits(&batch_inputs)?));
        }
        rows.sort_by_key(|(at, _)| *at);
        Ok(rows.into_iter().flat_map(|(_, row)| row).collect())
    }

    /// Logits of each input, abnormal first, and then its distance. Inputs of unequal length are padded, and the padding is masked in the
    /// encoder and in the head, so that an input's logits do not depend on its neighbours.
    pub(crate) fn logits(&self, inputs: &[&[u32]]) -> Result<Vec<Vec<f32>>> {
        let longest = inputs.iter().map(|input| input.len()).max().unwrap_or(0);
        if longest == 0 {
            return Ok(vec![Vec::new(); inputs.len()]);
        }
        let (mut ids, mut mask) = (Vec::new(), Vec::new());
        for input in inputs {
            let padding = longest - input.len();
            ids.extend_from_slice(input);
            ids.extend(std::iter::repeat_n(self.padding, padding));
            mask.extend(std::iter::repeat_n(1.0_f32, input.len()));
            mask.extend(std::iter::repeat_n(0.0_f32, padding));
        }
        let shape = (inputs.len(), longest);
        let ids = Tensor::from_vec(ids, shape, &self.device)?;
        let mask = Tensor::from_vec(mask, shape, &self.device)?;
        let hidden = self.bert.forward(&ids, &ids.zeros_like()?, Some(&mask))?;
        let blocked = ((mask.unsqueeze(D::Minus1)? - 1.0)? * -MASKED)?;
        let score = hidden.broadcast_matmul(&self.score)?.broadcast_add(&blocked)?;
        let value = hidden.broadcast_matmul(&self.value)?;
        let looks = candle_nn::ops::softmax(&score, 1)?;
        let mut rows: Vec<Vec<f32>> = (looks * value)?.sum(1)?.broadcast_add(&self.bias)?.to_vec2()?;
        if let Some((familiarity, embeddings)) = &self.familiarity {
            let mean = |of: &Tensor| -> Result<Vec<Vec<f32>>> {
                let mask = mask.unsqueeze(D::Minus1)?;
                of.broadcast_mul(&mask)?
                    .sum(1)?
                    .broadcast_div(&mask.sum(1)?)?
                    .to_vec2()
            };
            let words = mean(&embeddings.forward(&ids)?)?;
            let both = words.into_iter().zip(mean(&hidden)?);
            for ((row, (words, states)), input) in rows.iter_mut().zip(both).zip(inputs) {
                #[expect(clippy::cast_possible_truncation, reason = "as the encoder keeps it")]
                row.push(familiarity.distance(&words, &states, input.len()) as f32);
            }
        }
        Ok(rows)
    }
}
