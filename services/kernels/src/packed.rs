//! A matrix packed once, when a model is loaded.

use std::error::Error;
use std::fmt;

use crate::precision::{Precision, to_bf16};
use crate::step::{COLUMNS, Step};

/// Longest row in int8: a sum and its correction are each within 2¹⁵ × 255 × 128, and so within an i32, also if their
/// magnitudes are added.
pub const MOST_INPUTS: usize = 1 << 15;

/// Why a matrix cannot be packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackError {
    /// The values are no whole number of rows, or there is not one bias or scale for each row.
    Shape,
    /// A weight, a scale or a bias is NaN or infinite.
    NotFinite,
    /// A row has more than [`MOST_INPUTS`] int8 values.
    TooLong,
}

impl fmt::Display for PackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shape => "the values, scales and biases do not fit each other",
            Self::NotFinite => "a value is NaN or infinite",
            Self::TooLong => "a row is too long for int8",
        })
    }
}

impl Error for PackError {}

/// What belongs to the columns of a panel, apart from the weights.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Columns {
    pub(crate) bias: [f32; COLUMNS],
    /// int8: the value of one step of the weights.
    pub(crate) scale: [f32; COLUMNS],
    /// int8: the sum of the weights, which takes the inputs' zero point out again.
    pub(crate) sum: [i32; COLUMNS],
}

impl Columns {
    const ZERO: Self = Self {
        bias: [0.0; COLUMNS],
        scale: [0.0; COLUMNS],
        sum: [0; COLUMNS],
    };
}

/// A weight matrix `outputs × inputs` with its bias, in panels of 32 outputs, in the order in which a tile reads them. The
/// layout is the same for every [`Kernel`](crate::Kernel).
#[derive(Clone, Debug)]
pub struct Packed {
    precision: Precision,
    inputs: usize,
    outputs: usize,
    /// Panel after panel.
    steps: Vec<Step>,
    columns: Vec<Columns>,
}

impl Packed {
    /// Packs row-major `weights` (a row for each output) in f32, with `bias`, or without one when it is empty.
    ///
    /// # Errors
    /// [`PackError::Shape`] and [`PackError::NotFinite`].
    pub fn f32(inputs: usize, weights: &[f32], bias: &[f32]) -> Result<Self, PackError> {
        finite(weights)?;
        let mut packed = Self::empty(Precision::F32, inputs, weights.len(), bias)?;
        packed.fill(weights, |word| word[0].to_bits());
        Ok(packed)
    }

    /// The same in bfloat16: half the memory and, with AVX512-BF16, twice the speed.
    ///
    /// # Errors
    /// [`PackError::Shape`] and [`PackError::NotFinite`].
    pub fn bf16(inputs: usize, weights: &[f32], bias: &[f32]) -> Result<Self, PackError> {
        finite(weights)?;
        let mut packed = Self::empty(Precision::Bf16, inputs, weights.len(), bias)?;
        packed.fill(weights, |word| to_bf16(word[0]) | to_bf16(word[1]) << 16);
        Ok(packed)
    }

    /// The same in int8, symmetric with one scale for each output, so that the largest weight of an output becomes ±127
    /// (Krishnamoorthi 2018, arXiv:1806.08342, section 3.1.2).
    ///
    /// # Errors
    /// [`PackError`].
    pub fn int8(inputs: usize, weights: &[f32], bias: &[f32]) -> Result<Self, PackError> {
        finite(weights)?;
        let inputs_or_one = inputs.max(1);
        let scales: Vec<f32> = weights
            .chunks(inputs_or_one)
            .map(|row| row.iter().fold(0.0_f32, |most, weight| most.max(weight.abs())) / 127.0)
            .collect();
        let values: Vec<i8> = weights
            .chunks(inputs_or_one)
            .zip(&scales)
            .flat_map(|(row, &scale)| row.iter().map(move |&weight| to_int8(weight, scale)))
            .collect();
        Self::from_int8(inputs, &values, &scales, bias)
    }

    /// Packs int8 weights that were quantized before: the value of `weights[o][i]` is `weights[o][i] × scales[o]`.
    ///
    /// # Errors
    /// [`PackError`].
    pub fn from_int8(inputs: usize, weights: &[i8], scales: &[f32], bias: &[f32]) -> Result<Self, PackError> {
        if inputs > MOST_INPUTS {
            return Err(PackError::TooLong);
        }
        finite(scales)?;
        let mut packed = Self::empty(Precision::Int8, inputs, weights.len(), bias)?;
        if scales.len() != packed.outputs {
            return Err(PackError::Shape);
        }
        packed.fill(weights, |word| u32::from_le_bytes(word.map(i8::cast_unsigned)));
        for (output, (row, &scale)) in weights.chunks_exact(inputs).zip(scales).enumerate() {
            let columns = &mut packed.columns[output / COLUMNS];
            columns.scale[output % COLUMNS] = scale;
            columns.sum[output % COLUMNS] = row.iter().map(|&weight| i32::from(weight)).sum();
        }
        Ok(packed)
    }

    fn empty(precision: Precision, inputs: usize, values: usize, bias: &[f32]) -> Result<Self, PackError> {
        if inputs == 0 || !values.is_multiple_of(inputs) {
            return Err(PackError::Shape);
        }
        let outputs = values / inputs;
        if !bias.is_empty() && bias.len() != outputs {
            return Err(PackError::Shape);
        }
        finite(bias)?;
        let panels = outputs.div_ceil(COLUMNS);
        let mut columns = vec![Columns::ZERO; panels];
        for (columns, bias) in columns.iter_mut().zip(bias.chunks(COLUMNS)) {
            columns.bias[..bias.len()].copy_from_slice(bias);
        }
        Ok(Self {
            precision,
            inputs,
            outputs,
            steps: vec![Step::ZERO; panels * inputs.div_ceil(precision.per_word())],
            columns,
        })
    }

    /// Writes every weight to its place; a word's values beyond the row's end are zero.
    fn fill<T: Copy + Default>(&mut self, weights: &[T], word: impl Fn([T; 4]) -> u32) {
        let (steps, per_word) = (self.steps_in_panel(), self.precision.per_word());
        for (output, row) in weights.chunks_exact(self.inputs).enumerate() {
            let panel = &mut self.steps[output / COLUMNS * steps..][..steps];
            for (step, values) in panel.iter_mut().zip(row.chunks(per_word)) {
                let mut four = [T::default(); 4];
                four[..values.len()].copy_from_slice(values);
                step.0[output % COLUMNS] = word(four);
            }
        }
    }

    /// What its product computes with.
    #[must_use]
    pub const fn precision(&self) -> Precision {
        self.precision
    }

    /// Columns of the input (`k`).
    #[must_use]
    pub const fn inputs(&self) -> usize {
        self.inputs
    }

    /// Columns of the result (`n`).
    #[must_use]
    pub const fn outputs(&self) -> usize {
        self.outputs
    }

    /// Memory that it takes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        size_of_val(self.steps.as_slice()) + size_of_val(self.columns.as_slice())
    }

    pub(crate) const fn steps_in_panel(&self) -> usize {
        self.inputs.div_ceil(self.precision.per_word())
    }

    pub(crate) const fn panels(&self) -> usize {
        self.columns.len()
    }

    pub(crate) fn panel(&self, panel: usize) -> (&[Step], &Columns) {
        let steps = self.steps_in_panel();
        (
            &self.steps[panel * steps..(panel + 1) * steps],
            &self.columns[panel],
        )
    }
}

fn finite(values: &[f32]) -> Result<(), PackError> {
    let all = values.iter().all(|value| value.is_finite());
    all.then_some(()).ok_or(PackError::NotFinite)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "rounded and within ±127, so the cast is exact"
)]
fn to_int8(weight: f32, scale: f32) -> i8 {
    let steps = if scale > 0.0 { weight / scale } else { 0.0 };
    steps.round().clamp(-127.0, 127.0) as i8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused() {
        let shape = |packed: Result<Packed, _>| assert_eq!(packed.err(), Some(PackError::Shape));
        shape(Packed::f32(0, &[], &[]));
        shape(Packed::int8(0, &[1.0], &[]));
        shape(Packed::bf16(3, &[1.0; 4], &[]));
        shape(Packed::f32(2, &[1.0; 4], &[0.0]));
        shape(Packed::from_int8(2, &[1; 4], &[1.0], &[]));
        assert_eq!(Packed::f32(1, &[f32::NAN], &[]).err(), Some(PackError::NotFinite));
        assert_eq!(
            Packed::f32(1, &[0.0], &[f32::INFINITY]).err(),
            Some(PackError::NotFinite)
        );
        assert_eq!(
            Packed::from_int8(1, &[0], &[f32::NAN], &[]).err(),
            Some(PackError::NotFinite)
        );
        let long = Packed::from_int8(MOST_INPUTS + 1, &vec![0; MOST_INPUTS + 1], &[1.0], &[]);
        assert_eq!(long.err(), Some(PackError::TooLong));
    }

    #[test]
    fn int8_takes_a_quarter_of_the_memory() {
        let weights = vec![0.5; 384 * 384];
        let bytes = |packed: Result<Packed, _>| packed.map(|packed| packed.bytes());
        let whole = bytes(Packed::f32(384, &weights, &[])).expect("a square");
        let quarter = bytes(Packed::int8(384, &weights, &[])).expect("a square");
        assert!(quarter * 100 < whole * 26);
    }
}
