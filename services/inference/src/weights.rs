//! `weights.safetensors`: int8 rows with f32 scales for the large matrices of the base, f32 for everything else.

use std::borrow::Cow;
use std::collections::BTreeMap;

use explanation::SplitMix64;
use safetensors::{Dtype, SafeTensors, View};

/// Suffix of the tensor that holds the scales of an int8 matrix.
const SCALE: &str = ".scale";
/// Suffix of the first LoRA matrix, `r × in`.
const LORA_A: &str = ".lora_a";
/// Suffix of the second LoRA matrix, `out × r`, with LoRA's scale `α / r` in it.
const LORA_B: &str = ".lora_b";

/// Head: what each label looks for, `labels × width`. The first label is *abnormal*, then the findings in order.
pub const HEAD_SCORE: &str = "head.score.weight";
/// Head: what each token says for each label, `labels × width`.
pub const HEAD_VALUE: &str = "head.value.weight";
/// Head: bias of each label.
pub const HEAD_BIAS: &str = "head.value.bias";

/// A matrix in int8 with one scale a row: `value = int8 × scale[row]`. Symmetric, so that zero stays zero; one scale
/// per output channel, as in Jacob et al. 2017 (arXiv:1712.05877) and its per-channel refinement (Krishnamoorthi 2018,
/// arXiv:1806.08342, section 3.1.2).
#[derive(Clone, Debug, PartialEq)]
pub struct Int8Matrix {
    rows: usize,
    columns: usize,
    values: Vec<i8>,
    scales: Vec<f32>,
}

impl Int8Matrix {
    /// Rounds a row-major matrix of `columns` columns to int8; the largest value of each row becomes ±127.
    ///
    /// # Errors
    /// [`WeightsError::Shape`] when `values` has no whole number of rows; [`WeightsError::NotFinite`] for NaN and infinities.
    pub fn quantize(columns: usize, values: &[f32]) -> Result<Self, WeightsError> {
        if columns == 0 || !values.len().is_multiple_of(columns) {
            return Err(WeightsError::Shape("int8 matrix".into()));
        }
        if values.iter().any(|value| !value.is_finite()) {
            return Err(WeightsError::NotFinite("int8 matrix".into()));
        }
        let scales: Vec<f32> = values
            .chunks_exact(columns)
            .map(|row| row.iter().fold(0.0_f32, |most, value| most.max(value.abs())) / 127.0)
            .collect();
        let values = values
            .chunks_exact(columns)
            .zip(&scales)
            .flat_map(|(row, &scale)| {
                row.iter()
                    .map(move |value| if scale > 0.0 { to_int8(value / scale) } else { 0 })
            })
            .collect();
        Ok(Self {
            rows: scales.len(),
            columns,
            values,
            scales,
        })
    }

    /// Rows.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Values in a row.
    #[must_use]
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// The f32 values that the int8 values stand for, row-major.
    #[must_use]
    pub fn dequantize(&self) -> Vec<f32> {
        self.values
            .chunks_exact(self.columns)
            .zip(&self.scales)
            .flat_map(|(row, &scale)| row.iter().map(move |&value| f32::from(value) * scale))
            .collect()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "clamped to ±127 and rounded, so the cast is exact"
)]
fn to_int8(value: f32) -> i8 {
    value.round().clamp(-127.0, 127.0) as i8
}

/// A tensor in f32 with its shape, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatTensor {
    /// Size of each dimension.
    pub shape: Vec<usize>,
    /// Values, the last dimension fastest.
    pub values: Vec<f32>,
}

/// The change that LoRA (Hu et al. 2021, arXiv:2106.09685) adds to one matrix: `W + B A`.
#[derive(Clone, Debug, PartialEq)]
pub struct Adapter {
    /// `r × in`, row-major.
    pub a: FloatTensor,
    /// `out × r`, row-major, with LoRA's scale `α / r` multiplied in.
    pub b: FloatTensor,
}

/// The weights of a packed model, as they are stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights {
    /// Large matrices of the base, by their Hugging Face names.
    pub matrices: BTreeMap<String, Int8Matrix>,
    /// Everything small: biases, layer norms, heads.
    pub floats: BTreeMap<String, FloatTensor>,
    /// LoRA by the name of the matrix that it changes, which is one of `matrices` or `floats`.
    pub adapters: BTreeMap<String, Adapter>,
}

/// A matrix on its way into an encoder, row-major.
pub(crate) enum Matrix<'a> {
    /// Values and the scale of each row.
    Int8(&'a [i8], &'a [f32]),
    /// Values.
    Float(Vec<f32>),
}

/// Why weights are refused.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// Not a safetensors file.
    #[error("the weights are no safetensors file")]
    Format(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A tensor has a type that this format does not use there.
    #[error("tensor {0} has an unexpected type")]
    Type(String),
    /// A tensor's shape does not fit its partner or its values.
    #[error("tensor {0} has an unexpected shape")]
    Shape(String),
    /// A tensor that the configuration needs is not there.
    #[error("tensor {0} is missing")]
    Missing(String),
    /// Scales, or half of a LoRA pair, without what they belong to.
    #[error("tensor {0} belongs to nothing")]
    Orphan(String),
    /// NaN or an infinity.
    #[error("tensor {0} holds values that are no numbers")]
    NotFinite(String),
}

impl From<safetensors::SafeTensorError> for WeightsError {
    fn from(error: safetensors::SafeTensorError) -> Self {
        Self::Format(error.into())
    }
}

/// One tensor's bytes on their way into a file.
struct Bytes<'a> {
    dtype: Dtype,
    shape: Vec<usize>,
    data: Cow<'a, [u8]>,
}

impl View for Bytes<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.data)
    }
    fn data_len(&self) -> usize {
        self.data.len()
    }
}

fn float_bytes<'a>(shape: &[usize], values: &[f32]) -> Bytes<'a> {
    Bytes {
        dtype: Dtype::F32,
        shape: shape.to_vec(),
        data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
    }
}

impl Weights {
    /// Puts the values of each matrix in another order, each matrix alone; biases, layer norms and scales stay.
    pub(crate) fn shuffle(&mut self, seed: u64) {
        let mut random = SplitMix64::new(seed);
        for matrix in self.matrices.values_mut() {
            random.shuffle(&mut matrix.values);
        }
        let floats = self.floats.values_mut();
        let adapters = self
            .adapters
            .values_mut()
            .flat_map(|adapter| [&mut adapter.a, &mut adapter.b]);
        for tensor in floats.chain(adapters).filter(|tensor| tensor.shape.len() > 1) {
            random.shuffle(&mut tensor.values);
        }
    }

    /// The bytes of `weights.safetensors`; the same weights give the same bytes.
    ///
    /// # Errors
    /// [`WeightsError::Format`] when safetensors refuses the set.
    pub fn to_bytes(&self) -> Result<Vec<u8>, WeightsError> {
        let mut tensors = BTreeMap::new();
        for (name, matrix) in &self.matrices {
            tensors.insert(
                name.clone(),
                Bytes {
                    dtype: Dtype::I8,
                    shape: vec![matrix.rows, matrix.columns],
                    data: matrix
                        .values
                        .iter()
                        .flat_map(|value| value.to_le_bytes())
                        .collect(),
                },
            );
            tensors.insert(
                format!("{name}{SCALE}"),
                float_bytes(&[matrix.rows], &matrix.scales),
            );
        }
        for (name, tensor) in &self.floats {
            tensors.insert(name.clone(), float_bytes(&tensor.shape, &tensor.values));
        }
        for (name, adapter) in &self.adapters {
            for (suffix, part) in [(LORA_A, &adapter.a), (LORA_B, &adapter.b)] {
                tensors.insert(format!("{name}{suffix}"), float_bytes(&part.shape, &part.values));
            }
        }
        Ok(safetensors::serialize(tensors, None)?)
    }

    /// Reads `weights.safetensors`. Lengths are checked by the safetensors crate against the file; shapes, pairs and
    /// values here. Nothing is mapped into memory: the bytes are copied once.
    ///
    /// # Errors
    /// [`WeightsError`] for anything that [`Weights::to_bytes`] does not write.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WeightsError> {
        let file = SafeTensors::deserialize(bytes)?;
        let mut weights = Self::default();
        let mut floats = BTreeMap::new();
        let mut integers = BTreeMap::new();
        for (name, view) in file.iter() {
            match view.dtype() {
                Dtype::I8 => {
                    let values: Vec<i8> = view.data().iter().map(|byte| byte.cast_signed()).collect();
                    integers.insert(name.to_owned(), (view.shape().to_vec(), values));
                }
                Dtype::F32 => {
                    let values: Vec<f32> = view
                        .data()
                        .as_chunks::<4>()
                        .0
                        .iter()
                        .map(|four| f32::from_le_bytes(*four))
                        .collect();
                    if values.iter().any(|value| !value.is_finite()) {
                        return Err(WeightsError::NotFinite(name.to_owned()));
                    }
                    let shape = view.shape().to_vec();
                    floats.insert(name.to_owned(), FloatTensor { shape, values });
                }
                _ => return Err(WeightsError::Type(name.to_owned())),
            }
        }
        for (name, (shape, values)) in integers {
            let scales = floats
                .remove(&format!("{name}{SCALE}"))
                .ok_or_else(|| WeightsError::Orphan(name.clone()))?;
            match shape[..] {
                [rows, columns] if columns > 0 && scales.shape == [rows] => {
                    let scales = scales.values;
                    weights.matrices.insert(
                        name,
                        Int8Matrix {
                            rows,
                            columns,
                            values,
                            scales,
                        },
                    );
                }
                _ => return Err(WeightsError::Shape(name)),
            }
        }
        let firsts: Vec<String> = floats
            .keys()
            .filter_map(|name| name.strip_suffix(LORA_A).map(str::to_owned))
            .collect();
        for name in firsts {
            let (first, second) = (format!("{name}{LORA_A}"), format!("{name}{LORA_B}"));
            match (floats.remove(&first), floats.remove(&second)) {
                (Some(a), Some(b)) => weights.adapters.insert(name, Adapter { a, b }),
                _ => return Err(WeightsError::Orphan(first)),
            };
        }
        if let Some(orphan) = floats
            .keys()
            .find(|name| name.ends_with(LORA_B) || name.ends_with(SCALE))
        {
            return Err(WeightsError::Orphan(orphan.clone()));
        }
        weights.floats = floats;
        Ok(weights)
    }

    /// That every LoRA pair has its matrix.
    ///
    /// # Errors
    /// [`WeightsError::Orphan`].
    pub(crate) fn check_adapters(&self) -> Result<(), WeightsError> {
        let orphan = self
            .adapters
            .keys()
            .find(|name| !self.matrices.contains_key(*name) && !self.floats.contains_key(*name));
        orphan.map_or(Ok(()), |name| Err(WeightsError::Orphan(name.clone())))
    }

    /// A small tensor of exactly this shape in f32, its LoRA merged.
    ///
    /// # Errors
    /// [`WeightsError::Missing`] and [`WeightsError::Shape`].
    pub(crate) fn float(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, WeightsError> {
        let mut tensor = if let Some(tensor) = self.floats.get(name) {
            tensor.clone()
        } else {
            let matrix = self
                .matrices
                .get(name)
                .ok_or_else(|| WeightsError::Missing(name.to_owned()))?;
            FloatTensor {
                shape: vec![matrix.rows, matrix.columns],
                values: matrix.dequantize(),
            }
        };
        let crooked = || WeightsError::Shape(name.to_owned());
        if tensor.shape != shape || tensor.values.len() != shape.iter().product::<usize>() {
            return Err(crooked());
        }
        if let Some(adapter) = self.adapters.get(name) {
            add_product(&mut tensor, adapter).ok_or_else(crooked)?;
            if tensor.values.iter().any(|value| !value.is_finite()) {
                return Err(WeightsError::NotFinite(name.to_owned()));
            }
        }
        Ok(tensor.values)
    }

    /// A matrix of exactly this shape: as it is stored where that is int8 without LoRA, else in f32 with its LoRA merged.
    ///
    /// # Errors
    /// [`WeightsError::Missing`] and [`WeightsError::Shape`].
    pub(crate) fn matrix(&self, name: &str, rows: usize, columns: usize) -> Result<Matrix<'_>, WeightsError> {
        match self.matrices.get(name) {
            Some(matrix) if !self.adapters.contains_key(name) => {
                if (matrix.rows, matrix.columns) != (rows, columns) {
                    return Err(WeightsError::Shape(name.to_owned()));
                }
                Ok(Matrix::Int8(&matrix.values, &matrix.scales))
            }
            _ => Ok(Matrix::Float(self.float(name, &[rows, columns])?)),
        }
    }

    /// Every matrix in f32 with its LoRA merged in (`W + B A`), and every other tensor as it is.
    ///
    /// # Errors
    /// [`WeightsError::Orphan`] for LoRA on a matrix that is not there, [`WeightsError::Shape`] where it does not fit.
    pub fn merge(self) -> Result<BTreeMap<String, FloatTensor>, WeightsError> {
        let mut merged = self.floats;
        for (name, matrix) in self.matrices {
            let shape = vec![matrix.rows, matrix.columns];
            let values = matrix.dequantize();
            merged.insert(name, FloatTensor { shape, values });
        }
        for (name, adapter) in &self.adapters {
            let matrix = merged
                .get_mut(name)
                .ok_or_else(|| WeightsError::Orphan(name.clone()))?;
            add_product(matrix, adapter).ok_or_else(|| WeightsError::Shape(name.clone()))?;
        }
        Ok(merged)
    }
}

/// `matrix += b a`, row by row in the order of the rank, or `None` when the shapes do not fit. Ranks are small: plain
/// loops are as fast as a product that would start threads for it.
fn add_product(matrix: &mut FloatTensor, adapter: &Adapter) -> Option<()> {
    let shape = |tensor: &FloatTensor| <[usize; 2]>::try_from(tensor.shape.as_slice()).ok();
    let [rows, columns] = shape(matrix)?;
    let ([rank, inputs], [outputs, inner]) = (shape(&adapter.a)?, shape(&adapter.b)?);
    let fits = (inputs, outputs, inner) == (columns, rows, rank)
        && [
            (&matrix.values, rows.checked_mul(columns)),
            (&adapter.a.values, rank.checked_mul(columns)),
            (&adapter.b.values, rows.checked_mul(rank)),
        ]
        .into_iter()
        .all(|(values, length)| length == Some(values.len()));
    if !fits || columns == 0 || rank == 0 {
        return None;
    }
    for (row, b) in matrix
        .values
        .chunks_exact_mut(columns)
        .zip(adapter.b.values.chunks_exact(rank))
    {
        for (&b, a) in b.iter().zip(adapter.a.values.chunks_exact(columns)) {
            for (value, a) in row.iter_mut().zip(a) {
                *value += b * a;
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tensor(shape: &[usize], values: &[f32]) -> FloatTensor {
        FloatTensor {
            shape: shape.to_vec(),
            values: values.to_vec(),
        }
    }

    fn sample() -> Weights {
        let matrix = Int8Matrix::quantize(2, &[1.0, -0.5, 0.0, 0.0]).expect("two rows");
        Weights {
            matrices: BTreeMap::from([("w".to_owned(), matrix)]),
            floats: BTreeMap::from([("bias".to_owned(), tensor(&[2], &[0.25, 4.0]))]),
            adapters: BTreeMap::from([(
                "w".to_owned(),
                Adapter {
                    a: tensor(&[1, 2], &[1.0, 2.0]),
                    b: tensor(&[2, 1], &[10.0, 100.0]),
                },
            )]),
        }
    }

    #[test]
    fn what_is_written_is_read_back() -> Result<(), WeightsError> {
        let weights = sample();
        let bytes = weights.to_bytes()?;
        assert_eq!(bytes, weights.to_bytes()?);
        assert_eq!(Weights::from_bytes(&bytes)?, weights);
        Ok(())
    }

    #[test]
    fn lora_is_added_to_its_matrix() -> Result<(), WeightsError> {
        let merged = sample().merge()?;
        let w = &merged["w"].values;
        assert!((w[0] - 11.0).abs() < 1e-6 && (w[1] - 19.5).abs() < 0.005);
        assert!((w[2] - 100.0).abs() < 1e-6 && (w[3] - 200.0).abs() < 1e-6);
        Ok(())
    }

    #[test]
    fn pairs_that_do_not_fit_are_refused() -> Result<(), WeightsError> {
        let mut orphan = sample();
        orphan.matrices.clear();
        assert!(matches!(orphan.clone().merge(), Err(WeightsError::Orphan(_))));
        let mut crooked = sample();
        crooked
            .adapters
            .values_mut()
            .for_each(|adapter| adapter.a.shape = vec![2, 1]);
        assert!(matches!(crooked.merge(), Err(WeightsError::Shape(_))));
        let mut nan = sample();
        nan.floats.insert("bad".to_owned(), tensor(&[1], &[f32::NAN]));
        assert!(matches!(
            Weights::from_bytes(&nan.to_bytes()?),
            Err(WeightsError::NotFinite(_))
        ));
        let mut scale = sample();
        scale.floats.insert(format!("other{SCALE}"), tensor(&[1], &[1.0]));
        assert!(matches!(
            Weights::from_bytes(&scale.to_bytes()?),
            Err(WeightsError::Orphan(_))
        ));
        Ok(())
    }

    proptest! {
        #[test]
        fn rounding_to_int8_errs_by_half_a_step(values in prop::collection::vec(-4.0_f32..4.0, 24)) {
            let matrix = Int8Matrix::quantize(8, &values).expect("three rows");
            for (row, back) in values.chunks_exact(8).zip(matrix.dequantize().chunks_exact(8)) {
                let step = row.iter().fold(0.0_f32, |most, value| most.max(value.abs())) / 127.0;
                for (value, back) in row.iter().zip(back) {
                    prop_assert!((value - back).abs() <= step * 0.5 + 1e-6);
                }
            }
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0_usize..400) {
            let _ = Weights::from_bytes(&bytes);
            let mut spoilt = sample().to_bytes().expect("a small set");
            let at = at % spoilt.len();
            spoilt.splice(at..at, bytes.iter().copied());
            let _ = Weights::from_bytes(&spoilt).map(Weights::merge);
        }
    }
}
