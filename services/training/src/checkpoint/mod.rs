//! The weights of a pretrained BERT, in every form in which Hugging Face has kept them: `model.safetensors`, and
//! `pytorch_model.bin` as a zip file or, before 2020, as a plain row of pickles.

mod pickle;
mod torch;
mod zip;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use inference::FloatTensor;
use safetensors::{Dtype, SafeTensors};
use seal::Digest;

use pickle::Element;
pub use pickle::PickleError;

/// Where a tensor's numbers lie in the file.
#[derive(Debug, Clone)]
struct Entry {
    element: Element,
    /// Bytes of the whole storage.
    place: Range<usize>,
    /// First element, and shape and strides, in elements.
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

/// How the weights are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `model.safetensors`.
    Safetensors,
    /// `pytorch_model.bin`, a zip file (PyTorch 1.6 and later).
    Zip,
    /// `pytorch_model.bin` as it was before.
    Legacy,
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Safetensors => "model.safetensors",
            Self::Zip => "pytorch_model.bin (zip)",
            Self::Legacy => "pytorch_model.bin (the format before 2020)",
        })
    }
}

/// Why weights cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// None of the files that hold weights is there.
    #[error(
        "{} has neither model.safetensors nor pytorch_model.bin (weights in several parts, of TensorFlow or of Flax are not read)",
        .0.display()
    )]
    Missing(PathBuf),
    /// `model.safetensors` is damaged.
    #[error("model.safetensors is damaged")]
    Safetensors(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// `pytorch_model.bin` is of no known form.
    #[error("pytorch_model.bin is no file of PyTorch (neither a zip file nor the format before 2020)")]
    Unknown,
    /// The file ends too early: an upload or a download was cut off, or it is a pointer of Git LFS.
    #[error("the weights are cut short; fetch the file again")]
    Short,
    /// The machine that wrote it keeps its numbers the other way round.
    #[error("pytorch_model.bin was written on a big-endian machine; save it again on another one")]
    BigEndian,
    /// The pickle in `pytorch_model.bin` is refused.
    #[error("pytorch_model.bin is refused")]
    Pickle(#[from] PickleError),
    /// `pytorch_model.bin` is not laid out as PyTorch does.
    #[error("pytorch_model.bin is damaged: {0}")]
    Torch(&'static str),
    /// There is no BERT among the tensors, or more than one.
    #[error("the weights hold {0} tables of word embeddings of a BERT; one is needed")]
    Encoders(usize),
    /// A tensor is missing, has another shape than `config.json` says, or is of a type that no weights have.
    #[error("tensor {0} is missing or does not fit config.json")]
    Tensor(String),
    /// NaN or an infinity.
    #[error("tensor {0} holds values that are no numbers")]
    NotFinite(String),
}

/// The tensors of one file, by the names that Hugging Face gives them today, without the prefix of a larger model.
pub struct Checkpoint {
    bytes: Vec<u8>,
    entries: BTreeMap<String, Entry>,
    format: Format,
    prefix: String,
    digest: Digest,
}

/// The tensor that every BERT has, from which the prefix is known.
const WORDS: &str = "embeddings.word_embeddings.weight";

impl Checkpoint {
    /// Reads the weights of `folder`; `model.safetensors` is taken where both kinds are there.
    ///
    /// # Errors
    /// [`CheckpointError`] when there are none, they are damaged, or they are not those of one BERT.
    pub fn read(folder: &Path) -> Result<Self, CheckpointError> {
        for name in ["model.safetensors", "pytorch_model.bin"] {
            let path = folder.join(name);
            match std::fs::read(&path) {
                Ok(bytes) => return Self::from_bytes(bytes, name == "model.safetensors"),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => return Err(CheckpointError::Read { path, source }),
            }
        }
        Err(CheckpointError::Missing(folder.to_owned()))
    }

    fn from_bytes(bytes: Vec<u8>, safetensors: bool) -> Result<Self, CheckpointError> {
        let (format, entries) = if safetensors {
            (Format::Safetensors, of_safetensors(&bytes)?)
        } else {
            let zip = bytes.starts_with(b"PK");
            let format = if zip { Format::Zip } else { Format::Legacy };
            (format, torch::entries(&bytes)?)
        };
        // `embeddings…`, `bert.embeddings…`, `model.embeddings…`, `module.bert.embeddings…`: whatever stands before.
        let prefixes: Vec<&str> = entries
            .keys()
            .filter_map(|name| name.strip_suffix(WORDS))
            .filter(|prefix| prefix.is_empty() || prefix.ends_with('.'))
            .collect();
        let &[prefix] = prefixes.as_slice() else {
            return Err(CheckpointError::Encoders(prefixes.len()));
        };
        let prefix = prefix.to_owned();
        let entries = entries
            .into_iter()
            .filter_map(|(name, entry)| Some((modern(name.strip_prefix(&prefix)?), entry)))
            .collect();
        Ok(Self {
            digest: Digest::of(&bytes),
            bytes,
            entries,
            format,
            prefix,
        })
    }

    /// How the weights are kept.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// What stood before the names: empty, `bert.`, …
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// SHA-256 of the file.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The tensor `name` in f32, which must have `shape`. Half precision of either kind is widened, double rounded.
    ///
    /// # Errors
    /// [`CheckpointError::Tensor`] when it is not there, has another shape or lies outside its storage;
    /// [`CheckpointError::NotFinite`] for NaN and infinities.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<FloatTensor, CheckpointError> {
        let misfit = || CheckpointError::Tensor(name.to_owned());
        let entry = self.entries.get(name).ok_or_else(misfit)?;
        if entry.shape != shape || entry.strides.len() != shape.len() {
            return Err(misfit());
        }
        let storage = self.bytes.get(entry.place.clone()).ok_or_else(misfit)?;
        let length = storage.len() / entry.element.size();
        let count = shape
            .iter()
            .try_fold(1_usize, |count, &size| count.checked_mul(size))
            // A tensor that repeats elements (stride 0) could be larger than its file: no checkpoint has one.
            .filter(|&count| count > 0 && count <= length)
            .ok_or_else(misfit)?;
        let last = shape
            .iter()
            .zip(&entry.strides)
            .try_fold(entry.offset, |last, (size, stride)| {
                last.checked_add((size - 1).checked_mul(*stride)?)
            })
            .filter(|&last| last < length)
            .ok_or_else(misfit)?;
        let mut values = Vec::with_capacity(count);
        if entry.strides == contiguous(shape) {
            let size = entry.element.size();
            let part = &storage[entry.offset * size..(last + 1) * size];
            append(&mut values, entry.element, part).ok_or_else(misfit)?;
        } else {
            let mut index = vec![0; shape.len()];
            for _ in 0..count {
                let at: usize = entry.offset
                    + index
                        .iter()
                        .zip(&entry.strides)
                        .map(|(i, s)| i * s)
                        .sum::<usize>();
                let size = entry.element.size();
                append(&mut values, entry.element, &storage[at * size..(at + 1) * size])
                    .ok_or_else(misfit)?;
                for (place, &size) in index.iter_mut().zip(shape).rev() {
                    *place += 1;
                    if *place < size {
                        break;
                    }
                    *place = 0;
                }
            }
        }
        if values.iter().any(|value| !value.is_finite()) {
            return Err(CheckpointError::NotFinite(name.to_owned()));
        }
        Ok(FloatTensor {
            shape: shape.to_vec(),
            values,
        })
    }
}

/// Strides of a tensor without gaps, the last dimension fastest.
fn contiguous(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1_usize; shape.len()];
    for at in (1..shape.len()).rev() {
        strides[at - 1] = strides[at].saturating_mul(shape[at]);
    }
    strides
}

/// Appends little-endian elements as f32; `None` for integers.
fn append(values: &mut Vec<f32>, element: Element, bytes: &[u8]) -> Option<()> {
    match element {
        Element::F32 => values.extend(bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four))),
        Element::F64 => values.extend(bytes.as_chunks().0.iter().map(|eight| {
            #[expect(clippy::cast_possible_truncation, reason = "weights are used in f32")]
            let value = f64::from_le_bytes(*eight) as f32;
            value
        })),
        // The upper half of an f32.
        Element::Bf16 => values.extend(
            (bytes.as_chunks().0.iter()).map(|two| f32::from_bits(u32::from(u16::from_le_bytes(*two)) << 16)),
        ),
        Element::F16 => values.extend(
            bytes
                .as_chunks()
                .0
                .iter()
                .map(|two| half(u16::from_le_bytes(*two))),
        ),
        Element::Integer(_) => return None,
    }
    Some(())
}

/// An IEEE 754 binary16 as f32, exactly: 1 sign bit, 5 bits of exponent with bias 15, 10 bits of fraction.
fn half(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    sign * match exponent {
        0 => fraction * (-24_f32).exp2(),
        0x1f if fraction == 0.0 => f32::INFINITY,
        0x1f => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2_f32.powi(exponent - 15),
    }
}

/// Names before 2019 called the two halves of a layer norm gamma and beta.
fn modern(name: &str) -> String {
    if let Some(stem) = name.strip_suffix("LayerNorm.gamma") {
        format!("{stem}LayerNorm.weight")
    } else if let Some(stem) = name.strip_suffix("LayerNorm.beta") {
        format!("{stem}LayerNorm.bias")
    } else {
        name.to_owned()
    }
}

fn of_safetensors(bytes: &[u8]) -> Result<BTreeMap<String, Entry>, CheckpointError> {
    let damaged = |error: safetensors::SafeTensorError| CheckpointError::Safetensors(error.into());
    // The whole file is checked, then read by the places in its header.
    SafeTensors::deserialize(bytes).map_err(damaged)?;
    let (header, metadata) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let start = header + 8;
    let mut entries = BTreeMap::new();
    for (name, info) in metadata.tensors() {
        let element = match info.dtype {
            Dtype::F32 => Element::F32,
            Dtype::F16 => Element::F16,
            Dtype::BF16 => Element::Bf16,
            Dtype::F64 => Element::F64,
            _ => Element::Integer(1),
        };
        let (from, to) = info.data_offsets;
        entries.insert(
            name,
            Entry {
                element,
                place: start + from..start + to,
                offset: 0,
                shape: info.shape.clone(),
                strides: contiguous(&info.shape),
            },
        );
    }
    Ok(entries)
}
