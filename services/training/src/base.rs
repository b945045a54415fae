//! The pretrained encoder that training starts from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use inference::{Config, ConfigError, FloatTensor, Int8Matrix, Tokenizer, TokenizerError, WeightsError};
use safetensors::{Dtype, SafeTensors};
use seal::Digest;

/// Matrices with at least this many values are stored in int8; smaller ones gain nothing.
pub(crate) const LARGE: usize = 1 << 16;

/// A pretrained BERT in the layout of Hugging Face, checked against the digest that the caller expects.
///
/// Its large matrices are rounded to int8 when it is read, and training sees the rounded values: what LoRA learns
/// fits the base that is packed, and packing costs no quality.
pub struct Base {
    pub(crate) config: Config,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) tokenizer_json: Vec<u8>,
    pub(crate) matrices: BTreeMap<String, Int8Matrix>,
    pub(crate) floats: BTreeMap<String, FloatTensor>,
    pub(crate) digest: Digest,
}

/// Why a folder is no base to train from.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// `model.safetensors` is another file than the one that was asked for.
    #[error("model.safetensors has SHA-256 {found}, expected {expected}")]
    Digest {
        /// Digest of the file that is there.
        found: Digest,
        /// Digest that was asked for.
        expected: Digest,
    },
    /// `config.json` is not that of a BERT.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// `tokenizer.json` cannot be used.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// `model.safetensors` is damaged.
    #[error("model.safetensors is damaged")]
    Format(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A tensor is missing, has an unexpected type, or another shape than `config.json` says.
    #[error(
        "tensor {0} is missing, is no f32 or does not fit config.json; `countersign model import` reads every layout of a BERT"
    )]
    Tensor(String),
    /// A tensor holds NaN or an infinity.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

impl Base {
    /// Reads `config.json`, `tokenizer.json` and `model.safetensors` of `folder`. With `expected`, the weights must
    /// have that SHA-256. A leading `bert.` in the tensors' names is dropped; pooler and `position_ids` are left out,
    /// because nothing here uses them.
    ///
    /// # Errors
    /// [`BaseError`] when a file is missing, damaged or another than expected.
    pub fn open(folder: &Path, expected: Option<Digest>) -> Result<Self, BaseError> {
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read(&path).map_err(|source| BaseError::Read { path, source })
        };
        let bytes = read("model.safetensors")?;
        let digest = Digest::of(&bytes);
        if let Some(expected) = expected.filter(|expected| *expected != digest) {
            return Err(BaseError::Digest {
                found: digest,
                expected,
            });
        }
        let config = Config::from_json(&read("config.json")?)?;
        let tokenizer_json = read("tokenizer.json")?;
        let tokenizer = Tokenizer::from_json(&tokenizer_json)?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| BaseError::Format(error.into()))?;
        let (mut matrices, mut floats) = (BTreeMap::new(), BTreeMap::new());
        for (name, shape) in expected_tensors(&config) {
            let tensor = read_tensor(&file, &name, &shape)?;
            match shape[..] {
                [_, columns] if tensor.values.len() >= LARGE => {
                    matrices.insert(name, Int8Matrix::quantize(columns, &tensor.values)?);
                }
                _ => {
                    floats.insert(name, tensor);
                }
            }
        }
        Ok(Self {
            config,
            tokenizer,
            tokenizer_json,
            matrices,
            floats,
            digest,
        })
    }

    /// SHA-256 of `model.safetensors`.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Values of all tensors.
    #[must_use]
    pub fn values(&self) -> usize {
        let shapes = expected_tensors(&self.config);
        shapes
            .iter()
            .map(|(_, shape)| shape.iter().product::<usize>())
            .sum()
    }

    /// A tensor as training sees it: int8 matrices are turned back into f32.
    pub(crate) fn tensor(&self, name: &str) -> Result<FloatTensor, BaseError> {
        let missing = || BaseError::Tensor(name.to_owned());
        if let Some(tensor) = self.floats.get(name) {
            return Ok(tensor.clone());
        }
        let matrix = self.matrices.get(name).ok_or_else(missing)?;
        let values = matrix.dequantize();
        let columns = matrix.columns();
        Ok(FloatTensor {
            shape: vec![values.len() / columns, columns],
            values,
        })
    }
}

/// Names and shapes of every tensor that a BERT of this configuration has.
pub(crate) fn expected_tensors(config: &Config) -> Vec<(String, Vec<usize>)> {
    let (width, inner) = (config.hidden_size, config.intermediate_size);
    let mut tensors: Vec<(String, Vec<usize>)> = vec![
        (
            "embeddings.word_embeddings.weight".into(),
            vec![config.vocab_size, width],
        ),
        (
            "embeddings.position_embeddings.weight".into(),
            vec![config.max_position_embeddings, width],
        ),
        (
            "embeddings.token_type_embeddings.weight".into(),
            vec![config.type_vocab_size, width],
        ),
        ("embeddings.LayerNorm.weight".into(), vec![width]),
        ("embeddings.LayerNorm.bias".into(), vec![width]),
    ];
    for layer in 0..config.num_hidden_layers {
        let mut add = |name: &str, shape: &[usize]| {
            tensors.push((format!("encoder.layer.{layer}.{name}"), shape.to_vec()));
        };
        for part in ["self.query", "self.key", "self.value", "output.dense"] {
            add(&format!("attention.{part}.weight"), &[width, width]);
            add(&format!("attention.{part}.bias"), &[width]);
        }
        add("intermediate.dense.weight", &[inner, width]);
        add("intermediate.dense.bias", &[inner]);
        add("output.dense.weight", &[width, inner]);
        add("output.dense.bias", &[width]);
        for part in ["attention.output", "output"] {
            add(&format!("{part}.LayerNorm.weight"), &[width]);
            add(&format!("{part}.LayerNorm.bias"), &[width]);
        }
    }
    tensors
}

fn read_tensor(file: &SafeTensors<'_>, name: &str, shape: &[usize]) -> Result<FloatTensor, BaseError> {
    let view = file
        .tensor(name)
        .or_else(|_| file.tensor(&format!("bert.{name}")))
        .map_err(|_| BaseError::Tensor(name.to_owned()))?;
    if view.dtype() != Dtype::F32 || view.shape() != shape {
        return Err(BaseError::Tensor(name.to_owned()));
    }
    let values: Vec<f32> = view
        .data()
        .as_chunks::<4>()
        .0
        .iter()
        .map(|four| f32::from_le_bytes(*four))
        .collect();
    if values.iter().any(|value| !value.is_finite()) {
        return Err(WeightsError::NotFinite(name.to_owned()).into());
    }
    Ok(FloatTensor {
        shape: shape.to_vec(),
        values,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_base_is_read_and_its_digest_is_checked() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        testing::write_base(folder.path())?;
        let base = Base::open(folder.path(), None)?;
        assert_eq!(base.tensor("embeddings.LayerNorm.weight")?.shape, [16]);
        assert!(matches!(
            base.tensor("pooler.dense.weight"),
            Err(BaseError::Tensor(_))
        ));
        assert!(Base::open(folder.path(), Some(base.digest())).is_ok());
        let other = Digest::of(b"another file");
        assert!(matches!(
            Base::open(folder.path(), Some(other)),
            Err(BaseError::Digest { .. })
        ));
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_refused() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        assert!(matches!(
            Base::open(folder.path(), None),
            Err(BaseError::Read { .. })
        ));
        testing::write_base(folder.path())?;
        let path = folder.path().join("config.json");
        let config = std::fs::read_to_string(&path)?;
        std::fs::write(
            &path,
            config.replace("\"intermediate_size\":32", "\"intermediate_size\":48"),
        )?;
        assert!(matches!(
            Base::open(folder.path(), None),
            Err(BaseError::Tensor(_))
        ));
        std::fs::write(&path, config)?;
        let path = folder.path().join("model.safetensors");
        let mut bytes = std::fs::read(&path)?;
        bytes.truncate(bytes.len() / 2);
        std::fs::write(&path, bytes)?;
        assert!(matches!(
            Base::open(folder.path(), None),
            Err(BaseError::Format(_))
        ));
        Ok(())
    }

    #[test]
    fn large_matrices_are_seen_as_they_are_stored() -> Result<(), Box<dyn std::error::Error>> {
        let values = testing::values(LARGE, 1);
        let matrix = Int8Matrix::quantize(256, &values)?;
        let folder = tempfile::tempdir()?;
        testing::write_base(folder.path())?;
        let mut base = Base::open(folder.path(), None)?;
        base.matrices.insert("large".into(), matrix.clone());
        let seen = base.tensor("large")?;
        assert_eq!(seen.shape, [256, 256]);
        assert_eq!(seen.values, matrix.dequantize());
        Ok(())
    }
}
