//! The trainable BERT with its head.

use std::ops::Range;
use std::sync::Arc;

use candle_core::{Device, Result, Tensor, Var};
use inference::{
    Adapter, Config, DeviceError, FloatTensor, HEAD_BIAS, HEAD_SCORE, HEAD_VALUE, Int8Matrix, Weights,
};
use rand::RngExt;
use rand::rngs::StdRng;

use crate::activation::gelu;
use crate::attention::attention;
use crate::base::{Base, BaseError, LARGE};
use crate::dropout::dropout;
use crate::linear::{AdaptedLinear, LowRank, Rounding};
use crate::normalization::layer_norm;
use crate::options::{Options, Target};
use crate::pooling::pool;
use crate::slice;

/// Why a model cannot be built or run.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The base lacks a tensor.
    #[error(transparent)]
    Base(#[from] BaseError),
    /// There is no such device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// candle refused a computation.
    #[error("a computation failed")]
    Computation(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<candle_core::Error> for ModelError {
    fn from(error: candle_core::Error) -> Self {
        Self::Computation(error.into())
    }
}

/// Notes laid end to end: no padding.
pub(crate) struct Tokens {
    /// Word pieces of every note, special tokens included.
    pub(crate) ids: Vec<u32>,
    /// Where each note stands in `ids`.
    pub(crate) segments: Arc<[Range<usize>]>,
}

impl Tokens {
    pub(crate) fn new<'a>(notes: impl IntoIterator<Item = &'a [u32]>) -> Self {
        let (mut ids, mut segments) = (Vec::new(), Vec::new());
        for note in notes {
            let start = ids.len();
            ids.extend_from_slice(note);
            segments.push(start..ids.len());
        }
        Self {
            ids,
            segments: segments.into(),
        }
    }
}

struct Norm {
    gamma: Var,
    beta: Var,
}

struct Layer {
    query: AdaptedLinear,
    key: AdaptedLinear,
    value: AdaptedLinear,
    output: AdaptedLinear,
    attention_norm: Norm,
    up: AdaptedLinear,
    down: AdaptedLinear,
    norm: Norm,
}

/// BERT (Devlin et al. 2018, arXiv:1810.04805) over ragged batches, with trainable LoRA and layer norms, and a head of
/// label-wise attention pooling.
pub(crate) struct Model {
    config: Config,
    words: Vec<f32>,
    positions: Vec<f32>,
    segment_type: Vec<f32>,
    embedding_norm: Norm,
    layers: Vec<Layer>,
    score: Var,
    value: Var,
    bias: Var,
    device: Device,
}

/// Trainable variables by how they are trained.
pub(crate) struct Groups {
    /// LoRA, or whole matrices: weight decay.
    pub(crate) adapters: Vec<Var>,
    /// Layer norms and biases: no weight decay.
    pub(crate) norms: Vec<Var>,
    /// Head: its own learning rate.
    pub(crate) head: Vec<Var>,
}

/// Uniform values in ±`bound`.
fn uniform(count: usize, bound: f32, random: &mut StdRng) -> Vec<f32> {
    (0..count).map(|_| random.random_range(-bound..=bound)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "dimensions are far below 2^23")]
fn float(count: usize) -> f32 {
    count as f32
}

impl Model {
    /// A model that starts from `base`: LoRA changes nothing yet (`B` is zero), the head is nearly zero.
    pub(crate) fn new(
        base: &Base,
        labels: usize,
        options: &Options,
        random: &mut StdRng,
    ) -> std::result::Result<Self, ModelError> {
        let device = options.device.open()?;
        let config = base.config.clone();
        let width = config.hidden_size;
        let norm = |name: &str| -> std::result::Result<Norm, ModelError> {
            let var = |part: &str| -> std::result::Result<Var, ModelError> {
                let tensor = base.tensor(&format!("{name}.{part}"))?;
                Ok(Var::from_vec(tensor.values, width, &device)?)
            };
            Ok(Norm {
                gamma: var("weight")?,
                beta: var("bias")?,
            })
        };
        let mut linear = |name: &str, target: Target| -> std::result::Result<AdaptedLinear, ModelError> {
            let weight = base.tensor(&format!("{name}.weight"))?;
            let bias = base.tensor(&format!("{name}.bias"))?;
            let &[rows, columns] = &weight.shape[..] else {
                return Err(BaseError::Tensor(name.to_owned()).into());
            };
            let weight = Tensor::from_vec(weight.values, (rows, columns), &device)?;
            let bias = Tensor::from_vec(bias.values, rows, &device)?;
            if options.full {
                return Ok(AdaptedLinear::whole(
                    Var::from_tensor(&weight)?,
                    Var::from_tensor(&bias)?,
                )?);
            }
            let low = if options.adapts(target) {
                // Kaiming-uniform with a = sqrt(5), as in LoRA's reference code: bound 1 / sqrt(in).
                let a = uniform(options.rank * columns, 1.0 / float(columns).sqrt(), random);
                Some(LowRank {
                    a: Var::from_vec(a, (options.rank, columns), &device)?,
                    b: Var::zeros((rows, options.rank), candle_core::DType::F32, &device)?,
                    scale: options.scale(),
                })
            } else {
                None
            };
            Ok(AdaptedLinear::new(weight, bias, low)?)
        };
        let layers = (0..config.num_hidden_layers)
            .map(|at| {
                let name = |part: &str| format!("encoder.layer.{at}.{part}");
                Ok(Layer {
                    query: linear(&name("attention.self.query"), Target::Query)?,
                    key: linear(&name("attention.self.key"), Target::Key)?,
                    value: linear(&name("attention.self.value"), Target::Value)?,
                    output: linear(&name("attention.output.dense"), Target::Output)?,
                    attention_norm: norm(&name("attention.output.LayerNorm"))?,
                    up: linear(&name("intermediate.dense"), Target::Up)?,
                    down: linear(&name("output.dense"), Target::Down)?,
                    norm: norm(&name("output.LayerNorm"))?,
                })
            })
            .collect::<std::result::Result<Vec<_>, ModelError>>()?;
        let segment_type = base.tensor("embeddings.token_type_embeddings.weight")?;
        let small = 0.02;
        Ok(Self {
            words: base.tensor("embeddings.word_embeddings.weight")?.values,
            positions: base.tensor("embeddings.position_embeddings.weight")?.values,
            segment_type: segment_type.values[..width].to_vec(),
            embedding_norm: norm("embeddings.LayerNorm")?,
            layers,
            score: Var::from_vec(uniform(labels * width, small, random), (labels, width), &device)?,
            value: Var::from_vec(uniform(labels * width, small, random), (labels, width), &device)?,
            bias: Var::zeros(labels, candle_core::DType::F32, &device)?,
            config,
            device,
        })
    }

    /// Sets the head's bias, so that training starts from the labels' frequencies.
    pub(crate) fn set_bias(&self, values: &[f32]) -> Result<()> {
        self.bias.set(&Tensor::new(values, &self.device)?)
    }

    /// Sets the whole head.
    pub(crate) fn set_head(&self, score: Vec<f32>, value: Vec<f32>, bias: Vec<f32>) -> Result<()> {
        for (var, values) in [(&self.score, score), (&self.value, value), (&self.bias, bias)] {
            var.set(&Tensor::from_vec(values, var.shape(), &self.device)?)?;
        }
        Ok(())
    }

    /// Rounds the inputs of each matrix, counted in the order of computation.
    pub(crate) fn round_inputs(&mut self, rounding: impl Fn(usize) -> Rounding) {
        let linears = self.layers.iter_mut().flat_map(|layer| {
            [
                &mut layer.query,
                &mut layer.key,
                &mut layer.value,
                &mut layer.output,
                &mut layer.up,
                &mut layer.down,
            ]
        });
        for (at, linear) in linears.enumerate() {
            linear.round_inputs(rounding(at));
        }
    }

    /// The largest input of each matrix, where it was watched.
    pub(crate) fn largest_inputs(&self) -> Vec<f32> {
        self.named_linears()
            .map(|(_, linear)| linear.largest_input())
            .collect()
    }

    /// Last hidden states, `tokens × width`. With `random`, hidden states are dropped out at `rate`.
    pub(crate) fn encode(
        &self,
        tokens: &Tokens,
        rate: f32,
        random: &mut Option<&mut StdRng>,
    ) -> Result<Tensor> {
        let mut drop = |x: Tensor| match random {
            Some(random) => dropout(&x, rate, random),
            None => Ok(x),
        };
        let epsilon = self.config.layer_norm_eps;
        let norm =
            |x: &Tensor, norm: &Norm| layer_norm(x, norm.gamma.as_tensor(), norm.beta.as_tensor(), epsilon);
        let mut x = drop(self.start(tokens)?)?;
        for layer in &self.layers {
            let attended = attention(
                &layer.query.forward(&x)?,
                &layer.key.forward(&x)?,
                &layer.value.forward(&x)?,
                &tokens.segments,
                self.config.num_attention_heads,
            )?;
            let attended = drop(layer.output.forward(&attended)?)?;
            x = norm(&(attended + x)?, &layer.attention_norm)?;
            let inner = drop(layer.down.forward(&gelu(&layer.up.forward(&x)?)?)?)?;
            x = norm(&(inner + x)?, &layer.norm)?;
        }
        Ok(x)
    }

    /// What the first layer sees, `tokens × width`.
    pub(crate) fn start(&self, tokens: &Tokens) -> Result<Tensor> {
        let norm = &self.embedding_norm;
        layer_norm(
            &self.embed(tokens)?,
            norm.gamma.as_tensor(),
            norm.beta.as_tensor(),
            self.config.layer_norm_eps,
        )
    }

    /// Logits, `notes × labels`.
    pub(crate) fn forward(
        &self,
        tokens: &Tokens,
        rate: f32,
        mut random: Option<&mut StdRng>,
    ) -> Result<Tensor> {
        let hidden = self.encode(tokens, rate, &mut random)?;
        let hidden = match random {
            Some(random) => dropout(&hidden, rate, random)?,
            None => hidden,
        };
        let score = hidden.matmul(&self.score.t()?)?;
        let value = hidden.matmul(&self.value.t()?)?;
        pool(&score, &value, &tokens.segments)?.broadcast_add(&self.bias)
    }

    /// Sum of word, position and segment vectors: frozen, so it is no part of the graph.
    fn embed(&self, tokens: &Tokens) -> Result<Tensor> {
        let width = self.config.hidden_size;
        let mut out = Vec::with_capacity(tokens.ids.len() * width);
        for segment in tokens.segments.iter() {
            for (position, &id) in tokens.ids[segment.clone()].iter().enumerate() {
                let row =
                    |table: &[f32], at: usize| table.get(at * width..(at + 1) * width).map(<[f32]>::to_vec);
                let (Some(word), Some(place)) =
                    (row(&self.words, id as usize), row(&self.positions, position))
                else {
                    return Err(candle_core::Error::Msg(
                        "a word piece or a position is outside the base's tables".into(),
                    ));
                };
                out.extend(
                    word.iter()
                        .zip(&place)
                        .zip(&self.segment_type)
                        .map(|((word, place), kind)| word + place + kind),
                );
            }
        }
        Tensor::from_vec(out, (tokens.ids.len(), width), &self.device)
    }

    fn named_linears(&self) -> impl Iterator<Item = (String, &AdaptedLinear)> {
        self.layers.iter().enumerate().flat_map(|(at, layer)| {
            [
                ("attention.self.query", &layer.query),
                ("attention.self.key", &layer.key),
                ("attention.self.value", &layer.value),
                ("attention.output.dense", &layer.output),
                ("intermediate.dense", &layer.up),
                ("output.dense", &layer.down),
            ]
            .map(|(part, linear)| (format!("encoder.layer.{at}.{part}.weight"), linear))
        })
    }

    fn named_norms(&self) -> impl Iterator<Item = (String, &Norm)> {
        let layers = self.layers.iter().enumerate().flat_map(|(at, layer)| {
            [
                ("attention.output.LayerNorm", &layer.attention_norm),
                ("output.LayerNorm", &layer.norm),
            ]
            .map(|(part, norm)| (format!("encoder.layer.{at}.{part}"), norm))
        });
        std::iter::once(("embeddings.LayerNorm".to_owned(), &self.embedding_norm)).chain(layers)
    }

    /// Everything that is trained.
    pub(crate) fn groups(&self) -> Groups {
        Groups {
            adapters: self
                .named_linears()
                .flat_map(|(_, linear)| linear.matrices())
                .cloned()
                .collect(),
            norms: self
                .named_norms()
                .flat_map(|(_, norm)| [&norm.gamma, &norm.beta])
                .chain(
                    self.named_linears()
                        .filter_map(|(_, linear)| Some(linear.dense()?.1)),
                )
                .cloned()
                .collect(),
            head: vec![self.score.clone(), self.value.clone(), self.bias.clone()],
        }
    }

    /// Rounds the large matrices that are trained whole as the package will, so that what is calibrated afterwards is what
    /// is served. LoRA's base is rounded from the start.
    pub(crate) fn round_weights(&self) -> std::result::Result<(), BaseError> {
        for (name, linear) in self.named_linears() {
            if let Some((weight, _)) = linear.dense()
                && weight.elem_count() >= LARGE
            {
                let fail = |_| BaseError::Tensor(name.clone());
                let columns = weight.dim(1).map_err(fail)?;
                let values = slice::with(weight, |values| Ok(values.to_vec())).map_err(fail)?;
                let values = Int8Matrix::quantize(columns, &values)?.dequantize();
                Tensor::from_vec(values, weight.shape(), &self.device)
                    .and_then(|rounded| weight.set(&rounded))
                    .map_err(fail)?;
            }
        }
        Ok(())
    }

    /// The weights as a packed model stores them.
    pub(crate) fn weights(&self, base: &Base) -> std::result::Result<Weights, ModelError> {
        let tensor = |tensor: &Tensor, scale: f64| -> Result<FloatTensor> {
            let scaled = (tensor * scale)?;
            Ok(FloatTensor {
                shape: tensor.dims().to_vec(),
                values: slice::with(&scaled, |values| Ok(values.to_vec()))?,
            })
        };
        let mut weights = Weights {
            matrices: base.matrices.clone(),
            floats: base.floats.clone(),
            ..Weights::default()
        };
        for (name, linear) in self.named_linears() {
            if let Some((weight, bias)) = linear.dense() {
                let stem = name.strip_suffix("weight").unwrap_or(&name);
                weights.floats.insert(format!("{stem}bias"), tensor(bias, 1.0)?);
                let weight = tensor(weight, 1.0)?;
                if weight.values.len() >= LARGE {
                    let columns = weight.shape.last().copied().unwrap_or_default();
                    let matrix = Int8Matrix::quantize(columns, &weight.values).map_err(BaseError::from)?;
                    weights.matrices.insert(name, matrix);
                } else {
                    weights.floats.insert(name, weight);
                }
            } else if let Some(low) = linear.adapter() {
                weights.adapters.insert(
                    name,
                    Adapter {
                        a: tensor(&low.a, 1.0)?,
                        b: tensor(&low.b, low.scale)?,
                    },
                );
            }
        }
        for (name, norm) in self.named_norms() {
            weights
                .floats
                .insert(format!("{name}.weight"), tensor(&norm.gamma, 1.0)?);
            weights
                .floats
                .insert(format!("{name}.bias"), tensor(&norm.beta, 1.0)?);
        }
        for (name, var) in [
            (HEAD_SCORE, &self.score),
            (HEAD_VALUE, &self.value),
            (HEAD_BIAS, &self.bias),
        ] {
            weights.floats.insert(name.to_owned(), tensor(var, 1.0)?);
        }
        Ok(weights)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use candle_core::DType;
    use candle_nn::VarBuilder;
    use candle_transformers::models::bert;
    use rand::SeedableRng;

    use super::*;
    use crate::testing;

    fn tiny() -> (Base, Model) {
        let folder = tempfile::tempdir().expect("a folder");
        testing::write_base(folder.path()).expect("a base");
        let base = Base::open(folder.path(), None).expect("a base that opens");
        let options = Options {
            rank: 2,
            ..Options::default()
        };
        let model = Model::new(&base, 3, &options, &mut StdRng::seed_from_u64(1)).expect("a model");
        (base, model)
    }

    fn tokens() -> Tokens {
        Tokens::new([&[2, 5, 6, 7, 3][..], &[2, 3], &[2, 4, 11, 12, 9, 8, 17, 3]])
    }

    /// Moves every trained variable away from where it starts, so that nothing is zero by chance.
    fn disturb(model: &Model) -> Result<Vec<Var>> {
        let Groups {
            adapters,
            norms,
            head,
        } = model.groups();
        let vars: Vec<Var> = [adapters, norms, head].concat();
        for (seed, var) in (0..).zip(&vars) {
            let shift = Tensor::from_vec(testing::values(var.elem_count(), seed), var.shape(), var.device())?;
            var.set(&(var.as_tensor() + (shift * 0.3)?)?)?;
        }
        Ok(vars)
    }

    #[test]
    fn gradients_of_the_whole_model_agree_with_finite_differences() -> Result<()> {
        let (_, model) = tiny();
        let vars = disturb(&model)?;
        let vars: Vec<&Var> = vars.iter().collect();
        let tokens = tokens();
        testing::check_gradients(&vars, 6, || model.forward(&tokens, 0.0, None))?;
        // With dropout too: the same seed drops the same values.
        testing::check_gradients(&vars, 2, || {
            model.forward(&tokens, 0.2, Some(&mut StdRng::seed_from_u64(5)))
        })
    }

    #[test]
    fn gradients_are_those_of_pytorch() -> std::result::Result<(), Box<dyn std::error::Error>> {
        #[derive(serde::Deserialize)]
        struct LoRA {
            a: Vec<f32>,
            b: Vec<f32>,
            grad_a: Vec<f32>,
            grad_b: Vec<f32>,
        }
        #[derive(serde::Deserialize)]
        struct Said {
            ids: Vec<u32>,
            lora: std::collections::BTreeMap<String, LoRA>,
            norms: std::collections::BTreeMap<String, Vec<f32>>,
        }
        let folder =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/import/mini-safetensors");
        let said: Said = serde_json::from_slice(&std::fs::read(folder.join("gradients.json"))?)?;
        let base = Base::open(&folder, None)?;
        let options = Options {
            rank: 2,
            alpha: 2.0,
            ..Options::default()
        };
        let model = Model::new(&base, 1, &options, &mut StdRng::seed_from_u64(1))?;
        let set =
            |var: &Var, values: &[f32]| var.set(&Tensor::from_slice(values, var.shape(), var.device())?);
        let mut wanted: Vec<(String, Var, &[f32])> = Vec::new();
        for (name, linear) in model.named_linears() {
            if let (Some(lora), Some(own)) = (said.lora.get(&name), linear.adapter()) {
                set(&own.a, &lora.a)?;
                set(&own.b, &lora.b)?;
                wanted.push((format!("{name} A"), own.a.clone(), &lora.grad_a));
                wanted.push((format!("{name} B"), own.b.clone(), &lora.grad_b));
            }
        }
        for (name, norm) in model.named_norms() {
            for (part, var) in [("weight", &norm.gamma), ("bias", &norm.beta)] {
                let name = format!("{name}.{part}");
                wanted.push((name.clone(), var.clone(), &said.norms[&name]));
            }
        }
        assert_eq!(wanted.len(), 4 + 10);
        let hidden = model.encode(&Tokens::new([said.ids.as_slice()]), 0.0, &mut None)?;
        let weights: Vec<f32> = (0..u16::try_from(hidden.elem_count())?)
            .map(|at| f32::from(at).cos())
            .collect();
        let grads = (&hidden * Tensor::from_vec(weights, hidden.shape(), hidden.device())?)?
            .sum_all()?
            .backward()?;
        for (name, var, wanted) in wanted {
            let own = slice::with(grads.get(&var).ok_or("no gradient")?, |grad| Ok(grad.to_vec()))?;
            let most = wanted.iter().fold(0.0_f32, |most, grad| most.max(grad.abs()));
            assert!(most > 0.1, "{name}");
            for (own, wanted) in own.iter().zip(wanted) {
                assert!(
                    (own - wanted).abs() < 1e-4 * most.max(1.0),
                    "{name}: {own} {wanted}"
                );
            }
        }
        Ok(())
    }

    #[test]
    fn hidden_states_are_those_of_the_stock_bert() -> Result<()> {
        let (base, model) = tiny();
        disturb(&model)?;
        let tokens = tokens();
        let own = model.encode(&tokens, 0.0, &mut None)?;

        let device = Device::Cpu;
        let merged = model
            .weights(&base)
            .expect("weights")
            .merge()
            .expect("weights that fit");
        let tensors = merged
            .into_iter()
            .map(|(name, tensor)| Ok((name, Tensor::from_vec(tensor.values, tensor.shape, &device)?)))
            .collect::<Result<HashMap<String, Tensor>>>()?;
        let config = bert::Config {
            vocab_size: base.config.vocab_size,
            hidden_size: base.config.hidden_size,
            num_hidden_layers: base.config.num_hidden_layers,
            num_attention_heads: base.config.num_attention_heads,
            intermediate_size: base.config.intermediate_size,
            max_position_embeddings: base.config.max_position_embeddings,
            ..bert::Config::default()
        };
        let stock = bert::BertModel::load(VarBuilder::from_tensors(tensors, DType::F32, &device), &config)?;
        for segment in tokens.segments.iter() {
            let ids = Tensor::new(&tokens.ids[segment.clone()], &device)?.unsqueeze(0)?;
            let mask = ids.ones_like()?;
            let wanted = stock.forward(&ids, &ids.zeros_like()?, Some(&mask))?.squeeze(0)?;
            let apart = (own.narrow(0, segment.start, segment.len())? - wanted)?
                .abs()?
                .max_all()?;
            let apart = apart.to_scalar::<f32>()?;
            assert!(apart < 1e-4, "{apart}");
        }
        Ok(())
    }

    #[test]
    fn lora_changes_nothing_before_it_is_trained() {
        let (base, model) = tiny();
        let weights = model.weights(&base).expect("weights");
        let (untouched, merged) = (weights.floats.clone(), weights.merge().expect("weights that fit"));
        let name = "encoder.layer.1.attention.self.query.weight";
        assert_eq!(untouched[name], merged[name]);
    }

    #[test]
    fn word_pieces_outside_the_base_are_an_error() {
        let (_, model) = tiny();
        for ids in [&[2, 900, 3][..], &[2; 40]] {
            assert!(model.forward(&Tokens::new([ids]), 0.0, None).is_err());
        }
    }
}
