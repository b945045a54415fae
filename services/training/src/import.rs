//! Any BERT of Hugging Face's layout, brought into the one layout that training reads.

mod vocabulary;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use inference::{Config, ConfigError, FloatTensor, Tokenizer, TokenizerError, WeightsError};
use rand::SeedableRng;
use rand::rngs::StdRng;
use safetensors::{Dtype, tensor::TensorView};
use seal::Digest;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::base::{Base, expected_tensors};
use crate::checkpoint::{Checkpoint, CheckpointError, Format};
use crate::model::{Model, ModelError, Tokens};
use crate::options::Options;
use crate::slice;

use vocabulary::tokenizer;

/// Makes a value of JSON, which no constant can hold.
type Preset = fn() -> Value;

/// Values of `config.json` that older models leave out; these are the defaults of transformers' `BertConfig`.
const DEFAULTS: [(&str, Preset); 4] = [
    ("layer_norm_eps", || json!(1e-12)),
    ("pad_token_id", || json!(0)),
    ("type_vocab_size", || json!(2)),
    ("hidden_act", || json!("gelu")),
];
/// Largest text file that is read: a vocabulary of a BERT has some 250 KB, its `tokenizer.json` a megabyte.
const LONGEST_TEXT: u64 = 64 << 20;
/// Whether a vocabulary tells capitals from small letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Casing {
    /// Text is read as it is.
    Cased,
    /// Text is lower-cased, and its accents are taken off, before it is split.
    Uncased,
}

/// Why a folder cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file cannot be read or written.
    #[error("cannot read or write {}", path.display())]
    Access {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The weights cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// `config.json` is not that of a BERT that we can run.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// `config.json` says something that would change the computation.
    #[error("config.json: {0}")]
    Kind(&'static str),
    /// A JSON file is not in its form.
    #[error("{0} is not in its form")]
    Json(&'static str),
    /// There is no tokenizer.
    #[error("{} has neither tokenizer.json nor vocab.txt", .0.display())]
    NoTokenizer(PathBuf),
    /// Nothing says whether `vocab.txt` is for lower-cased text.
    #[error(
        "vocab.txt does not say whether text is lower-cased before it is split: say --cased or --uncased \
         ({0} of its pieces have capitals, which an uncased vocabulary has not)"
    )]
    Casing(usize),
    /// What was said about casing does not fit.
    #[error("{0}")]
    Contradiction(&'static str),
    /// `vocab.txt` is no vocabulary.
    #[error("vocab.txt: {0}")]
    Vocabulary(&'static str),
    /// The tokenizer cannot be used.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The tokenizer has more word pieces than the encoder's table.
    #[error(
        "the tokenizer has {tokenizer} word pieces, config.json {encoder}: they belong to different models"
    )]
    Size {
        /// Word pieces of the tokenizer.
        tokenizer: usize,
        /// Rows of the encoder's table.
        encoder: usize,
    },
    /// The folder to write is in use.
    #[error("{} is there already; name a new folder", .0.display())]
    Occupied(PathBuf),
    /// The weights cannot be written.
    #[error("the weights cannot be written")]
    Write(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A matrix cannot be used.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The encoder cannot be run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The word pieces are not those of the reference.
    #[error("text {0} of the vectors is split into other word pieces than the reference's")]
    Pieces(usize),
    /// The reference vectors are not in their form, or not those of this encoder.
    #[error("the vectors have {0}")]
    Vectors(&'static str),
}

/// An encoder in memory, whole and checked.
pub struct Import {
    config: Config,
    tokenizer: Tokenizer,
    tokenizer_json: Vec<u8>,
    tensors: BTreeMap<String, FloatTensor>,
    /// How the weights were kept.
    pub format: Format,
    /// What stood before their names.
    pub prefix: String,
    /// SHA-256 of the file that they came from.
    pub digest: Digest,
    /// Whether text is lower-cased.
    pub casing: Casing,
}

/// Last hidden states that another program computed, such as PyTorch's transformers.
#[derive(Deserialize)]
pub struct Vectors {
    texts: Vec<String>,
    inputs: Vec<Vec<u32>>,
    hidden: Vec<Vec<Vec<f64>>>,
}

/// How far an encoder is from its reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreement {
    /// Values compared.
    pub values: usize,
    /// Largest absolute difference.
    pub largest: f64,
}

impl Import {
    /// Reads a folder: `config.json`; `tokenizer.json`, or `vocab.txt` with its casing; and the weights. `casing` is what
    /// the caller says; without it `tokenizer_config.json` is asked, and where that is silent too, nothing is guessed:
    /// a cased vocabulary read as an uncased one loses every capitalised word without an error.
    ///
    /// # Errors
    /// [`ImportError`] when a file is missing or damaged, or the parts do not fit one another.
    pub fn read(folder: &Path, casing: Option<Casing>) -> Result<Self, ImportError> {
        let config = config(&text(&folder.join("config.json"))?)?;
        let (tokenizer_json, casing) = tokenizer(folder, casing)?;
        let tokenizer = Tokenizer::from_json(&tokenizer_json)?;
        if tokenizer.vocabulary() > config.vocab_size {
            return Err(ImportError::Size {
                tokenizer: tokenizer.vocabulary(),
                encoder: config.vocab_size,
            });
        }
        let checkpoint = Checkpoint::read(folder)?;
        let tensors = expected_tensors(&config)
            .into_iter()
            .map(|(name, shape)| Ok((name.clone(), checkpoint.tensor(&name, &shape)?)))
            .collect::<Result<_, CheckpointError>>()?;
        Ok(Self {
            config,
            tokenizer,
            tokenizer_json,
            tensors,
            format: checkpoint.format(),
            prefix: checkpoint.prefix().to_owned(),
            digest: checkpoint.digest(),
            casing,
        })
    }

    /// The shape of the encoder.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Values of all tensors.
    #[must_use]
    pub fn values(&self) -> usize {
        self.tensors.values().map(|tensor| tensor.values.len()).sum()
    }

    /// Writes `config.json`, `tokenizer.json` and `model.safetensors` (f32, names without prefix) into a new folder, and
    /// returns the SHA-256 of the weights, by which `Base::open` knows them.
    ///
    /// # Errors
    /// [`ImportError::Occupied`] when `folder` is there, [`ImportError::Access`] when it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<Digest, ImportError> {
        if folder.exists() {
            return Err(ImportError::Occupied(folder.to_owned()));
        }
        let bytes: Vec<(&String, &[usize], Vec<u8>)> = self
            .tensors
            .iter()
            .map(|(name, tensor)| {
                let bytes = tensor
                    .values
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect();
                (name, tensor.shape.as_slice(), bytes)
            })
            .collect();
        let views = bytes
            .iter()
            .map(|(name, shape, bytes)| Ok((name, TensorView::new(Dtype::F32, shape.to_vec(), bytes)?)))
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>();
        let weights = views
            .and_then(|views| safetensors::serialize(views, None))
            .map_err(|error| ImportError::Write(error.into()))?;
        let config =
            serde_json::to_vec_pretty(&self.config).map_err(|error| ImportError::Write(error.into()))?;
        std::fs::create_dir_all(folder).map_err(access(folder))?;
        for (name, bytes) in [
            ("config.json", &config),
            ("tokenizer.json", &self.tokenizer_json),
            ("model.safetensors", &weights),
        ] {
            let path = folder.join(name);
            std::fs::write(&path, bytes).map_err(access(&path))?;
        }
        Ok(Digest::of(&weights))
    }

    /// Compares word pieces and last hidden states with those of another program, input by input, in f32.
    ///
    /// # Errors
    /// [`ImportError`] when the word pieces differ, the vectors are not those of an encoder of this shape, or it cannot be run.
    pub fn compare(self, vectors: &Vectors) -> Result<Agreement, ImportError> {
        let Vectors {
            texts,
            inputs,
            hidden,
        } = vectors;
        if inputs.len() != hidden.len() || texts.len() != inputs.len() || inputs.is_empty() {
            return Err(ImportError::Vectors(
                "not as many texts as inputs and hidden states",
            ));
        }
        let room = self.config.max_position_embeddings.saturating_sub(2);
        for (at, (text, wanted)) in texts.iter().zip(inputs).enumerate() {
            let mut ids = self.tokenizer.pieces(text)?.ids;
            ids.truncate(room);
            if self.tokenizer.input(&ids) != *wanted {
                return Err(ImportError::Pieces(at + 1));
            }
        }
        let width = self.config.hidden_size;
        let base = Base {
            config: self.config,
            tokenizer: self.tokenizer,
            tokenizer_json: self.tokenizer_json,
            matrices: BTreeMap::new(),
            floats: self.tensors,
            digest: self.digest,
        };
        let frozen = Options {
            targets: Vec::new(),
            ..Options::default()
        };
        let model = Model::new(&base, 1, &frozen, &mut StdRng::seed_from_u64(0))?;
        let mut agreement = Agreement {
            values: 0,
            largest: 0.0,
        };
        for (ids, wanted) in inputs.iter().zip(hidden) {
            let states = model
                .encode(&Tokens::new([ids.as_slice()]), 0.0, &mut None)
                .map_err(ModelError::from)?;
            let own = slice::with(&states, |values| Ok(values.to_vec())).map_err(ModelError::from)?;
            let wanted: Vec<f64> = wanted.iter().flatten().copied().collect();
            if own.len() != wanted.len() || own.len() != ids.len() * width {
                return Err(ImportError::Vectors("hidden states of another shape"));
            }
            for (own, wanted) in own.iter().zip(&wanted) {
                let apart = (f64::from(*own) - wanted).abs();
                if !apart.is_finite() {
                    return Err(ImportError::Vectors("values that are no numbers"));
                }
                agreement.largest = agreement.largest.max(apart);
            }
            agreement.values += own.len();
        }
        Ok(agreement)
    }
}

impl Vectors {
    /// Reads the JSON that `services/training/tests/fixtures/import/make.py` writes.
    ///
    /// # Errors
    /// [`ImportError`] when it cannot be read or is not in its form.
    pub fn read(path: &Path) -> Result<Self, ImportError> {
        serde_json::from_slice(&text(path)?).map_err(|_| ImportError::Json("the file of vectors"))
    }
}

fn access(path: &Path) -> impl FnOnce(io::Error) -> ImportError + '_ {
    move |source| ImportError::Access {
        path: path.to_owned(),
        source,
    }
}

/// A text file of bounded size.
fn text(path: &Path) -> Result<Vec<u8>, ImportError> {
    let size = std::fs::metadata(path).map_err(access(path))?.len();
    if size > LONGEST_TEXT {
        return Err(access(path)(io::Error::other("the file is too large")));
    }
    std::fs::read(path).map_err(access(path))
}

/// Reads `config.json`, with the defaults of what older models leave out.
fn config(json: &[u8]) -> Result<Config, ImportError> {
    let mut fields: Map<String, Value> =
        serde_json::from_slice(json).map_err(|_| ImportError::Json("config.json"))?;
    if fields.get("model_type").is_some_and(|kind| kind != "bert") {
        return Err(ImportError::Kind("the model is no BERT (model_type)"));
    }
    for (name, wrong) in [
        ("is_decoder", "the model is a decoder"),
        ("add_cross_attention", "the model has cross attention"),
    ] {
        if fields.get(name).is_some_and(|value| *value == Value::Bool(true)) {
            return Err(ImportError::Kind(wrong));
        }
    }
    if fields.get("hidden_act").is_some_and(|act| act != "gelu") {
        return Err(ImportError::Kind("hidden_act must be gelu, the exact one"));
    }
    for (name, default) in DEFAULTS {
        if fields.get(name).is_none_or(Value::is_null) {
            fields.insert(name.to_owned(), default());
        }
    }
    let json = serde_json::to_vec(&fields).map_err(|_| ImportError::Json("config.json"))?;
    Ok(Config::from_json(&json)?)
}
