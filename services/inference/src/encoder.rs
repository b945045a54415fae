//! The encoder and its head over the crate `kernels`: weights packed once, sequences side by side without padding.

use kernels::{
    Activation, Embedding, Epilogue, Executor, Heads, LayerNorm, Memory, PackError, Packed, Precision, Table,
};

use crate::Config;
use crate::familiarity::{self, Familiarity};
use crate::weights::{HEAD_BIAS, HEAD_SCORE, HEAD_VALUE, Matrix, Weights, WeightsError};

/// Why weights make no encoder.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EncoderError {
    /// A tensor is missing, or it or its LoRA has another shape than the configuration says.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A tensor cannot be packed.
    #[error("{0} cannot be packed")]
    Pack(String, #[source] PackError),
}

/// One of the layers of a BERT.
struct Layer {
    /// Queries, keys and values in one product: the rows are read once.
    qkv: Packed,
    output: Packed,
    mixed_norm: LayerNorm,
    up: Packed,
    down: Packed,
    norm: LayerNorm,
}

/// A BERT (Devlin et al. 2018, arXiv:1810.04805) with a head of label-wise attention pooling, ready to run.
pub(crate) struct Encoder {
    precision: Precision,
    heads: Heads,
    embedding: Embedding,
    layers: Vec<Layer>,
    /// Score and value of each label, always in f32: the head is a thousandth of the work.
    look: Packed,
    bias: Vec<f32>,
    /// What training reports look like, where the model knows it.
    familiarity: Option<Familiarity>,
}

/// What a forward pass writes on its way. It grows to what the largest batch needs and is then used again.
#[derive(Default)]
pub(crate) struct Space {
    hidden: Memory,
    qkv: Memory,
    mixed: Memory,
    looks: Memory,
    /// Mean of embeddings, then of last hidden states, of each sequence.
    words: Vec<f32>,
    states: Vec<f32>,
    /// How unlike the training reports each sequence is; empty where the model does not know them.
    pub(crate) distances: Vec<f32>,
}

/// Reads tensors of the shapes that a configuration says, and packs them.
struct Reader<'a> {
    config: &'a Config,
    weights: &'a Weights,
    precision: Precision,
}

impl Reader<'_> {
    fn vector(&self, name: &str, length: usize) -> Result<Vec<f32>, EncoderError> {
        Ok(self.weights.float(name, &[length])?)
    }

    fn norm(&self, name: &str) -> Result<LayerNorm, EncoderError> {
        let width = self.config.hidden_size;
        let gamma = self.vector(&format!("{name}.weight"), width)?;
        let beta = self.vector(&format!("{name}.bias"), width)?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the norm computes in f32, as candle's does"
        )]
        let epsilon = self.config.layer_norm_eps as f32;
        LayerNorm::new(&gamma, &beta, epsilon).map_err(|error| EncoderError::Pack(name.to_owned(), error))
    }

    /// A table stays in the format in which it is stored: looking a row up costs the same in both.
    fn table(&self, name: &str, rows: usize) -> Result<Table, EncoderError> {
        let width = self.config.hidden_size;
        match self.weights.matrix(name, rows, width)? {
            Matrix::Int8(values, scales) => Table::int8(width, values.to_vec(), scales.to_vec()),
            Matrix::Float(values) => Table::f32(width, values),
        }
        .map_err(|error| EncoderError::Pack(name.to_owned(), error))
    }

    /// Packs matrices of as many inputs, one below the other. What is stored in int8 without LoRA goes into int8 as it is.
    fn linear(&self, names: &[&str], inputs: usize, outputs: usize) -> Result<Packed, EncoderError> {
        let fail = |error| EncoderError::Pack(names.join(" + "), error);
        let mut bias = Vec::with_capacity(names.len() * outputs);
        for name in names {
            bias.extend(self.vector(&format!("{name}.bias"), outputs)?);
        }
        let mut parts = Vec::with_capacity(names.len());
        for name in names {
            parts.push(self.weights.matrix(&format!("{name}.weight"), outputs, inputs)?);
        }
        if self.precision == Precision::Int8 && parts.iter().all(|part| matches!(part, Matrix::Int8(..))) {
            let (mut values, mut scales) = (Vec::new(), Vec::new());
            for part in &parts {
                if let Matrix::Int8(more, their) = part {
                    values.extend_from_slice(more);
                    scales.extend_from_slice(their);
                }
            }
            return Packed::from_int8(inputs, &values, &scales, &bias).map_err(fail);
        }
        let mut values = Vec::with_capacity(names.len() * inputs * outputs);
        for part in parts {
            match part {
                Matrix::Int8(int8, scales) => {
                    for (row, scale) in int8.chunks_exact(inputs).zip(scales) {
                        values.extend(row.iter().map(|&value| f32::from(value) * scale));
                    }
                }
                Matrix::Float(more) => values.extend(more),
            }
        }
        match self.precision {
            Precision::F32 => Packed::f32(inputs, &values, &bias),
            Precision::Bf16 => Packed::bf16(inputs, &values, &bias),
            Precision::Int8 => Packed::int8(inputs, &values, &bias),
        }
        .map_err(fail)
    }

    fn layer(&self, index: usize) -> Result<Layer, EncoderError> {
        let (width, inner) = (self.config.hidden_size, self.config.intermediate_size);
        let name = |part: &str| format!("encoder.layer.{index}.{part}");
        let parts = ["query", "key", "value"].map(|part| name(&format!("attention.self.{part}")));
        let [query, key, value] = &parts;
        Ok(Layer {
            qkv: self.linear(&[query, key, value], width, width)?,
            output: self.linear(&[&name("attention.output.dense")], width, width)?,
            mixed_norm: self.norm(&name("attention.output.LayerNorm"))?,
            up: self.linear(&[&name("intermediate.dense")], width, inner)?,
            down: self.linear(&[&name("output.dense")], inner, width)?,
            norm: self.norm(&name("output.LayerNorm"))?,
        })
    }

    fn embedding(&self) -> Result<Embedding, EncoderError> {
        let (config, part) = (self.config, |name: &str| format!("embeddings.{name}"));
        Embedding::new(
            self.table(&part("word_embeddings.weight"), config.vocab_size)?,
            self.table(
                &part("position_embeddings.weight"),
                config.max_position_embeddings,
            )?,
            self.table(&part("token_type_embeddings.weight"), config.type_vocab_size)?,
            self.norm(&part("LayerNorm"))?,
        )
        .map_err(|error| EncoderError::Pack("embeddings".into(), error))
    }

    /// Scores and values of the labels in one product, and the bias.
    fn head(&self, labels: usize) -> Result<(Packed, Vec<f32>), EncoderError> {
        let width = self.config.hidden_size;
        let mut values = self.weights.float(HEAD_SCORE, &[labels, width])?;
        values.extend(self.weights.float(HEAD_VALUE, &[labels, width])?);
        let look =
            Packed::f32(width, &values, &[]).map_err(|error| EncoderError::Pack("head".into(), error))?;
        Ok((look, self.vector(HEAD_BIAS, labels)?))
    }
}

impl Encoder {
    /// Packs `weights`; every shape is checked against `config` and `labels`, and LoRA is merged.
    pub(crate) fn new(
        config: &Config,
        labels: usize,
        weights: &Weights,
        precision: Precision,
    ) -> Result<Self, EncoderError> {
        weights.check_adapters()?;
        let reader = Reader {
            config,
            weights,
            precision,
        };
        let (look, bias) = reader.head(labels)?;
        Ok(Self {
            precision,
            heads: heads(config),
            embedding: reader.embedding()?,
            layers: (0..config.num_hidden_layers)
                .map(|index| reader.layer(index))
                .collect::<Result<_, _>>()?,
            look,
            bias,
            familiarity: Familiarity::read(weights, config.hidden_size)?,
        })
    }

    /// What its large products compute with.
    pub(crate) const fn precision(&self) -> Precision {
        self.precision
    }

    /// Outputs of the head.
    pub(crate) fn labels(&self) -> usize {
        self.bias.len()
    }

    /// Writes the logits of sequences that lie side by side in `ids`, one row of [`Encoder::labels`] for each of
    /// `lengths`, over `out`, and their distances from the training reports into `space`. A sequence's numbers are the same
    /// bits whatever lies beside it.
    pub(crate) fn forward(
        &self,
        executor: &mut Executor,
        space: &mut Space,
        ids: &[u32],
        lengths: &[usize],
        out: &mut Vec<f32>,
    ) -> Result<(), kernels::EmbedError> {
        let (tokens, width) = (ids.len(), self.embedding.width());
        let hidden = space.hidden.take(tokens * width);
        executor.embed(&self.embedding, ids, None, lengths, hidden)?;
        if self.familiarity.is_some() {
            means(hidden, width, lengths, &mut space.words);
        }
        for layer in &self.layers {
            run_layer(
                executor,
                layer,
                self.heads,
                lengths,
                hidden,
                &mut space.qkv,
                &mut space.mixed,
            );
        }
        space.distances.clear();
        if let Some(familiarity) = &self.familiarity {
            means(hidden, width, lengths, &mut space.states);
            let both = space
                .words
                .chunks_exact(width)
                .zip(space.states.chunks_exact(width));
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a distance beyond f32 becomes infinite, which is far enough"
            )]
            let distances = both
                .zip(lengths)
                .map(|((words, states), &pieces)| familiarity.distance(words, states, pieces) as f32);
            space.distances.extend(distances);
        }
        let labels = self.labels();
        let looks = space.looks.take(tokens * 2 * labels);
        self.pool(executor, hidden, lengths, looks, out);
        Ok(())
    }

    fn pool(
        &self,
        executor: &mut Executor,
        hidden: &[f32],
        lengths: &[usize],
        looks: &mut [f32],
        out: &mut Vec<f32>,
    ) {
        let labels = self.labels();
        executor.linear(hidden, &self.look, Epilogue::Bias, looks);
        out.clear();
        out.resize(lengths.len() * labels, 0.0);
        executor.pool_labels(labels, looks, lengths, out);
        for row in out.chunks_exact_mut(labels) {
            for (logit, bias) in row.iter_mut().zip(&self.bias) {
                *logit += bias;
            }
        }
    }

    /// The logits that these weights give in f32, for comparison: each layer is packed, used and let go, so that no
    /// second model is in memory. Embedding and head are this encoder's, which are the same at every precision.
    pub(crate) fn reference(
        &self,
        executor: &mut Executor,
        (config, weights): (&Config, &Weights),
        ids: &[u32],
        lengths: &[usize],
    ) -> Result<Vec<f32>, ReferenceError> {
        let reader = Reader {
            config,
            weights,
            precision: Precision::F32,
        };
        let (tokens, width) = (ids.len(), self.embedding.width());
        let mut hidden = vec![0.0; tokens * width];
        let (mut qkv, mut mixed, mut out) = (Memory::default(), Memory::default(), Vec::new());
        executor.embed(&self.embedding, ids, None, lengths, &mut hidden)?;
        for index in 0..config.num_hidden_layers {
            let layer = reader.layer(index)?;
            run_layer(
                executor,
                &layer,
                self.heads,
                lengths,
                &mut hidden,
                &mut qkv,
                &mut mixed,
            );
        }
        let mut looks = vec![0.0; tokens * 2 * self.labels()];
        self.pool(executor, &hidden, lengths, &mut looks, &mut out);
        Ok(out)
    }
}

/// Why there is nothing to compare with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReferenceError {
    /// The weights are not those of the encoder.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// The tokens are not of the vocabulary.
    #[error(transparent)]
    Embed(#[from] kernels::EmbedError),
}

/// The mean of each sequence's rows, over `out`.
fn means(hidden: &[f32], width: usize, lengths: &[usize], out: &mut Vec<f32>) {
    out.clear();
    let mut rest = hidden;
    for &length in lengths {
        let Some((rows, after)) = rest.split_at_checked(length * width) else {
            return;
        };
        familiarity::mean(rows, width, out);
        rest = after;
    }
}

fn heads(config: &Config) -> Heads {
    Heads {
        count: config.num_attention_heads,
        width: config.hidden_size / config.num_attention_heads,
    }
}

fn run_layer(
    executor: &mut Executor,
    layer: &Layer,
    heads: Heads,
    lengths: &[usize],
    hidden: &mut [f32],
    qkv: &mut Memory,
    mixed: &mut Memory,
) {
    let qkv = executor.project(hidden, &layer.qkv, heads, qkv.take(3 * hidden.len()));
    let mixed = mixed.take(hidden.len());
    executor.attention(qkv, heads, lengths, mixed);
    executor.linear(mixed, &layer.output, Epilogue::AddNorm(&layer.mixed_norm), hidden);
    executor.feed_forward(hidden, &layer.up, Activation::Gelu, &layer.down, &layer.norm);
}

#[cfg(test)]
mod tests;
