//! `x Wᵀ + b` and what is fused with it.

#[cfg(target_arch = "x86_64")]
mod avx512;

use std::ops::Range;

use crate::activation::{self, Activation};
use crate::disjoint::Disjoint;
use crate::inputs::{Inputs, RowScale, grow};
#[cfg(target_arch = "x86_64")]
use crate::kernel::Kernel;
use crate::kernel::{Arithmetic, Isa, Op};
use crate::norm::LayerNorm;
use crate::packed::{Columns, Packed};
use crate::precision::Precision;
use crate::step::{COLUMNS, Step};
use crate::tile::{self, Left};

/// What is done with a product besides adding its bias.
#[derive(Clone, Copy, Debug)]
pub enum Epilogue<'a> {
    /// `out = x Wᵀ + b`.
    Bias,
    /// `out = f(x Wᵀ + b)`.
    Activation(Activation),
    /// `out += x Wᵀ + b`: a residual connection, or LoRA.
    Add,
    /// `out = norm(out + x Wᵀ + b)`: the end of both halves of a BERT layer.
    AddNorm(&'a LayerNorm),
}

/// What a tile does with its sums.
#[derive(Clone, Copy)]
pub(crate) enum Finish {
    Store,
    Activate(Activation),
    Add,
}

impl<'a> Epilogue<'a> {
    /// What normalises the rows afterwards.
    pub(crate) const fn norm(&self) -> Option<&'a LayerNorm> {
        match self {
            Self::AddNorm(norm) => Some(norm),
            Self::Bias | Self::Activation(_) | Self::Add => None,
        }
    }

    pub(crate) const fn finish(&self) -> Finish {
        match self {
            Self::Bias => Finish::Store,
            Self::Activation(activation) => Finish::Activate(*activation),
            Self::Add | Self::AddNorm(_) => Finish::Add,
        }
    }
}

/// Where the result of a product goes.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) out: &'a Disjoint<'a, f32>,
    /// The result's row that is the first of the inputs'.
    pub(crate) first: usize,
    /// Rows of the result in all.
    pub(crate) rows: usize,
    /// Columns that lie together: all rows of the first so many columns, then all rows of the next. As many as the
    /// result has, or a multiple of a panel's.
    pub(crate) group: usize,
}

impl Place<'_> {
    /// Where a row of the inputs has its value of a column.
    const fn start(&self, row: usize, column: usize) -> usize {
        let (group, within) = (column / self.group, column % self.group);
        (group * self.rows + self.first + row) * self.group + within
    }
}

/// Multiplies all rows of `inputs` with some panels and writes the results to their place. `wide` is memory for a panel
/// whose weights must be widened.
///
/// # Safety
/// While it runs, nobody else may touch the columns of these panels in these rows of the result. `place.group` is the
/// result's columns or a multiple of a panel's that divides them, and `rows × columns` does not wrap: else rows and columns
/// of different tasks may be the same place.
pub(crate) unsafe fn product(
    isa: Isa,
    packed: &Packed,
    inputs: &Inputs,
    panels: Range<usize>,
    finish: Finish,
    place: Place<'_>,
    wide: &mut Vec<Step>,
) {
    debug_assert!(place.group == packed.outputs() || place.group.is_multiple_of(COLUMNS));
    let mut sums = [Step::ZERO; tile::MOST_ROWS];
    let widens = tile::widens(isa, packed.precision());
    for panel in panels {
        let (steps, columns) = packed.panel(panel);
        let steps = if widens {
            grow(wide, 2 * steps.len());
            let wide = &mut wide[..2 * steps.len()];
            tile::widen(isa, steps, wide);
            &*wide
        } else {
            steps
        };
        let column = panel * COLUMNS;
        for (row, words, scales) in inputs.tiles() {
            let left = Left {
                words,
                pitch: scales.len(),
            };
            tile::multiply(isa, packed.precision(), left, steps, &mut sums[..scales.len()]);
            let tile = Tile {
                sums: &sums[..scales.len()],
                columns,
                scales: (packed.precision() == Precision::Int8).then_some(scales),
                finish,
                out: place.out,
                start: place.start(row, column),
                stride: place.group,
                width: COLUMNS.min(packed.outputs() - column),
            };
            tile.finish_on(isa);
        }
    }
}

/// From the sums of a tile to its part of the result. Made by [`product`] only, whose caller's promise it relies on.
struct Tile<'a> {
    sums: &'a [Step],
    columns: &'a Columns,
    /// Of the rows, for int8.
    scales: Option<&'a [RowScale]>,
    finish: Finish,
    out: &'a Disjoint<'a, f32>,
    start: usize,
    stride: usize,
    width: usize,
}

impl Tile<'_> {
    fn finish_on(self, isa: Isa) {
        match isa.kernel() {
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512 | Kernel::Avx512Bf16 if avx512::fits(&self) => {
                // SAFETY: this `Isa` holds an AVX-512 kernel, so that the processor has F and DQ (`Isa::new`).
                unsafe { avx512::finish(&self) }
            }
            _ => isa.run(self),
        }
    }
}

impl Op for Tile<'_> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        for (row, sums) in self.sums.iter().enumerate() {
            let mut values = match self.scales {
                None => with_bias(sums, self.columns),
                Some(scales) => dequantize(sums, self.columns, scales[row]),
            };
            // SAFETY: the place of this row and panel in the result, of which `product`'s caller promises that nobody
            // else touches it now; it is let go before the next row's.
            let out = unsafe { self.out.part(self.start + row * self.stride, self.width) };
            match self.finish {
                Finish::Store => {}
                Finish::Activate(activation) => activation::apply::<A>(activation, &mut values),
                Finish::Add => {
                    for (value, old) in values.iter_mut().zip(out.iter()) {
                        *value += old;
                    }
                }
            }
            match out.first_chunk_mut::<COLUMNS>() {
                Some(out) => *out = values,
                None => out.copy_from_slice(&values[..self.width]),
            }
        }
    }
}

#[inline(always)]
fn with_bias(sums: &Step, columns: &Columns) -> [f32; COLUMNS] {
    let mut values = [0.0; COLUMNS];
    for column in 0..COLUMNS {
        values[column] = f32::from_bits(sums.0[column]) + columns.bias[column];
    }
    values
}

/// `Σ (a − zero) w × scales = (Σ a w − zero Σ w) × scales`, exact but for the last conversion to f32, the product of the
/// scales, the scaling and the bias; no fused operation, so that it is the same on every kernel.
#[inline(always)]
fn dequantize(sums: &Step, columns: &Columns, row: RowScale) -> [f32; COLUMNS] {
    let mut values = [0.0; COLUMNS];
    for column in 0..COLUMNS {
        let sum = sums.0[column].cast_signed() - row.zero * columns.sum[column];
        #[expect(clippy::cast_precision_loss, reason = "rounded to nearest, as documented")]
        let sum = sum as f32;
        values[column] = sum * (row.scale * columns.scale[column]) + columns.bias[column];
    }
    values
}
