//! `x Wᵀ + b` and what is fused with it.

use std::ops::Range;

use crate::activation::{self, Activation};
use crate::disjoint::Disjoint;
use crate::inputs::{Inputs, RowScale, grow};
use crate::kernel::{Arithmetic, Isa, Op};
use crate::norm::LayerNorm;
use crate::packed::{Columns, Packed};
use crate::precision::Precision;
use crate::step::{COLUMNS, Step};
use crate::tile;

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

impl Epilogue<'_> {
    pub(crate) const fn finish(&self) -> Finish {
        match self {
            Self::Bias => Finish::Store,
            Self::Activation(activation) => Finish::Activate(*activation),
            Self::Add | Self::AddNorm(_) => Finish::Add,
        }
    }
}

/// Multiplies all rows of `inputs` with some panels and writes to the rows of `out` from `first` on. `wide` is memory for a
/// panel whose weights must be widened.
///
/// # Safety
/// While it runs, nobody else may touch the columns of these panels in these rows of `out`.
pub(crate) unsafe fn product(
    isa: Isa,
    packed: &Packed,
    inputs: &Inputs,
    panels: Range<usize>,
    finish: Finish,
    (out, first): (&Disjoint<'_, f32>, usize),
    wide: &mut Vec<Step>,
) {
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
            tile::multiply(isa, packed.precision(), scales.len(), words, steps, &mut sums);
            isa.run(Tile {
                sums: &sums[..scales.len()],
                columns,
                scales: (packed.precision() == Precision::Int8).then_some(scales),
                finish,
                out,
                start: (first + row) * packed.outputs() + column,
                stride: packed.outputs(),
                width: COLUMNS.min(packed.outputs() - column),
            });
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
