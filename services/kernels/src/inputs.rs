//! The left operand of a product: rows of f32, converted to the precision of the matrix and interleaved for the tiles.

use crate::kernel::{Arithmetic, Isa, Op};
use crate::lanes::LANES;
use crate::packed::Packed;
use crate::precision::{Precision, to_bf16};
use crate::tile;
use crate::turn::{Words, turn};

/// Adding it to a number below 2²² in magnitude leaves the number rounded to nearest, ties to even, in the lowest bits:
/// 1.5 × 2²³, so that the units of an f32 of this size are its last bit. It needs no rounding instruction.
const ROUND: f32 = 12_582_912.0;

/// Below this range of its values, a row counts as zeros: the reciprocal of its scale would overflow.
const LEAST_RANGE: f32 = 255.0 * f32::MIN_POSITIVE;

/// How a row was quantized: value = (byte − zero) × scale. NaN as the scale for a row with NaN or infinities in it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct RowScale {
    pub(crate) scale: f32,
    pub(crate) zero: i32,
}

/// Rows ready for multiplication; the memory is kept for the next ones.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    rows: usize,
    steps: usize,
    most: usize,
    words: Vec<u32>,
    scales: Vec<RowScale>,
    /// A word for each step of each row of a tile, in the order of its bytes.
    staging: Vec<[u8; 4]>,
}

impl Inputs {
    /// Takes the rows of `x` for products with `packed`.
    pub(crate) fn pack(&mut self, isa: Isa, packed: &Packed, x: &[f32]) {
        let (precision, inputs) = (packed.precision(), packed.inputs());
        self.rows = x.len() / inputs;
        let wide = tile::widens(isa, precision);
        let narrow = packed.steps_in_panel();
        self.steps = if wide { 2 * narrow } else { narrow };
        self.most = tile::rows(isa, precision);
        grow(&mut self.words, self.rows * self.steps);
        grow(&mut self.scales, self.rows);
        grow(&mut self.staging, self.most * narrow);
        for rows in tile::cut(self.rows, self.most) {
            let x = &x[rows.start * inputs..rows.end * inputs];
            let staging = &mut self.staging[..rows.len() * narrow];
            match precision {
                Precision::F32 => isa.run(Bits { x, words: staging }),
                Precision::Bf16 => isa.run(Halves {
                    x,
                    inputs,
                    words: staging,
                }),
                Precision::Int8 => isa.run(Quantize {
                    x,
                    inputs,
                    words: staging,
                    scales: &mut self.scales[rows.clone()],
                }),
            }
            let words = &mut self.words[rows.start * self.steps..rows.end * self.steps];
            if wide {
                isa.run(InterleaveWide {
                    rows: staging,
                    steps: narrow,
                    words,
                });
            } else {
                isa.run(Interleave {
                    rows: staging,
                    steps: narrow,
                    words,
                });
            }
        }
    }

    /// The tiles: first row, words, scales.
    pub(crate) fn tiles(&self) -> impl Iterator<Item = (usize, &[u32], &[RowScale])> {
        tile::cut(self.rows, self.most).map(|rows| {
            let words = &self.words[rows.start * self.steps..rows.end * self.steps];
            (rows.start, words, &self.scales[rows])
        })
    }
}

/// Makes `memory` at least `length` long; it never shrinks, so that a steady state allocates nothing.
pub(crate) fn grow<T: Clone + Default>(memory: &mut Vec<T>, length: usize) {
    if memory.len() < length {
        memory.resize(length, T::default());
    }
}

struct Bits<'a> {
    x: &'a [f32],
    words: &'a mut [[u8; 4]],
}

impl Op for Bits<'_> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        for (word, value) in self.words.iter_mut().zip(self.x) {
            *word = value.to_bits().to_le_bytes();
        }
    }
}

/// bf16, two in a word.
struct Halves<'a> {
    x: &'a [f32],
    inputs: usize,
    words: &'a mut [[u8; 4]],
}

impl Op for Halves<'_> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let steps = self.inputs.div_ceil(2);
        for (row, words) in self
            .x
            .chunks_exact(self.inputs)
            .zip(self.words.chunks_exact_mut(steps))
        {
            let (pairs, last) = row.as_chunks::<2>();
            for (word, pair) in words.iter_mut().zip(pairs) {
                *word = (to_bf16(pair[0]) | to_bf16(pair[1]) << 16).to_le_bytes();
            }
            if let ([last], Some(word)) = (last, words.last_mut()) {
                *word = to_bf16(*last).to_le_bytes();
            }
        }
    }
}

/// Unsigned 8 bits, four in a word, with a scale and a zero point for each row (Jacob et al. 2017, arXiv:1712.05877,
/// section 2.1). Written without fused operations, so that every kernel quantizes to the same bits.
struct Quantize<'a> {
    x: &'a [f32],
    inputs: usize,
    words: &'a mut [[u8; 4]],
    scales: &'a mut [RowScale],
}

impl Op for Quantize<'_> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let steps = self.inputs.div_ceil(4);
        for ((row, words), scale) in self
            .x
            .chunks_exact(self.inputs)
            .zip(self.words.chunks_exact_mut(steps))
            .zip(self.scales)
        {
            *scale = quantize::<A>(row, words);
        }
    }
}

#[inline(always)]
fn quantize<A: Arithmetic>(row: &[f32], words: &mut [[u8; 4]]) -> RowScale {
    let (low, high, finite) = range::<A>(row);
    let range = high - low;
    let (scale, inverse) = if range >= LEAST_RANGE {
        (range * (1.0 / 255.0), 255.0 / range)
    } else {
        (0.0, 0.0)
    };
    // Without fractions and within 0..=255 for finite rows; what it is for others does not matter.
    let zero = ((-low * inverse) + ROUND).to_bits().cast_signed() - ROUND.to_bits().cast_signed();
    let zero = zero.clamp(0, 255);
    let (bytes, rest) = words.as_flattened_mut().split_at_mut(row.len());
    for (byte, &value) in bytes.iter_mut().zip(row) {
        *byte = to_byte(value, inverse, zero);
    }
    rest.fill(0);
    RowScale {
        scale: if finite { scale } else { f32::NAN },
        zero,
    }
}

#[expect(clippy::cast_sign_loss, reason = "clamped to 0..=255, so the cast is exact")]
#[inline(always)]
fn to_byte(value: f32, inverse: f32, zero: i32) -> u8 {
    let steps = (value * inverse + ROUND).to_bits().cast_signed() - ROUND.to_bits().cast_signed();
    (steps.wrapping_add(zero)).clamp(0, 255) as u8
}

/// The least and the largest value, zero among them, and whether all are finite.
#[inline(always)]
fn range<A: Arithmetic>(row: &[f32]) -> (f32, f32, bool) {
    let (mut low, mut high, mut probe) = ([0.0_f32; LANES], [0.0_f32; LANES], [0.0_f32; LANES]);
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            let value = chunk[lane];
            low[lane] = if value < low[lane] { value } else { low[lane] };
            high[lane] = if value > high[lane] { value } else { high[lane] };
            probe[lane] = A::mul_add(value, 0.0, probe[lane]);
        }
    }
    for (lane, &value) in rest.iter().enumerate() {
        low[lane] = if value < low[lane] { value } else { low[lane] };
        high[lane] = if value > high[lane] { value } else { high[lane] };
        probe[lane] = A::mul_add(value, 0.0, probe[lane]);
    }
    let low = low.into_iter().fold(0.0_f32, f32::min);
    let high = high.into_iter().fold(0.0_f32, f32::max);
    (low, high, probe.into_iter().sum::<f32>() == 0.0)
}

/// Row-major words into the order of a tile: all rows of a step together.
struct Interleave<'a> {
    rows: &'a [[u8; 4]],
    steps: usize,
    words: &'a mut [u32],
}

/// Steps that are interleaved row by row: 12 rows of them are 3 KiB, which stay in the first-level cache.
const STRIP: usize = 64;

impl Op for Interleave<'_> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let count = self.rows.len() / self.steps;
        turn(
            count,
            |row| &self.rows[row * self.steps..(row + 1) * self.steps],
            &mut Words {
                words: self.words,
                pitch: count,
            },
        );
    }
}

/// The same, each word of four bytes becoming two of 16 bits: the even bytes, then the odd ones.
struct InterleaveWide<'a> {
    rows: &'a [[u8; 4]],
    steps: usize,
    words: &'a mut [u32],
}

impl Op for InterleaveWide<'_> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        const BYTES: u32 = 0x00ff_00ff;
        let count = self.rows.len() / self.steps;
        for (strip, words) in self.words.chunks_mut(2 * STRIP * count).enumerate() {
            for (row, source) in self.rows.chunks_exact(self.steps).enumerate() {
                let source = &source[strip * STRIP..];
                for (pair, value) in words.chunks_exact_mut(2 * count).zip(source) {
                    let value = u32::from_le_bytes(*value);
                    pair[row] = value & BYTES;
                    pair[count + row] = (value >> 8) & BYTES;
                }
            }
        }
    }
}
