//! Register tiles: `out[r][c] = Σ a[k][r] · b[k][c]`, the sum in the order of `k` in one accumulator for each output.
//!
//! The shape is that of Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (ACM TOMS 34(3), 2008)
//! and of BLIS (Van Zee and van de Geijn, ACM TOMS 41(3), 2015): one operand in panels of as many columns as a few
//! registers hold, the other in interleaved rows, and as many accumulators as leave registers for the operands. An FMA of
//! latency 4 issued twice a cycle needs 8 of them in flight; 12 × 32 on AVX-512 has 24 of the 32 registers, 6 × 16 on
//! AVX2 has 12 of the 16, 8 × 8 on NEON 16 of the 32. `k` is never split, so that a result does not depend on tiles,
//! blocks or threads.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

use std::ops::Range;

use crate::kernel::{Isa, Kernel};
use crate::precision::Precision;
use crate::step::Step;

/// Most rows of any tile.
pub(crate) const MOST_ROWS: usize = 12;

/// Most rows of a tile of this precision on these instructions.
pub(crate) const fn rows(isa: Isa, precision: Precision) -> usize {
    match (isa.kernel(), precision) {
        (Kernel::Reference | Kernel::Portable, _) | (Kernel::Neon, Precision::Int8) => 4,
        (Kernel::Neon | Kernel::NeonDot | Kernel::NeonI8mm, _) => 8,
        (Kernel::Avx2, _) => 6,
        (Kernel::Avx512 | Kernel::Avx512Bf16, _) => MOST_ROWS,
    }
}

/// Whether int8 goes into the tile as 16 bits, two in a word: AVX2 has no exact product of bytes (`vpmaddubsw` saturates:
/// 2 × 255 × 127 is no i16), but `vpmaddwd` is exact and twice as fast as an FMA. Weights stay in 8 bits in memory and are
/// widened panel by panel, once for all rows of a block.
pub(crate) const fn widens(isa: Isa, precision: Precision) -> bool {
    matches!((isa.kernel(), precision), (Kernel::Avx2, Precision::Int8))
}

/// The steps of a panel for a tile that [`widens`]: of each step the even bytes, then the odd ones.
///
/// # Panics
/// When `wide` has not two steps for each.
pub(crate) fn widen(isa: Isa, steps: &[Step], wide: &mut [Step]) {
    assert_eq!(wide.len(), 2 * steps.len(), "two steps for each");
    match isa.kernel() {
        // SAFETY: this `Isa` holds `Avx2`, so that the processor has AVX2 (`Isa::new`).
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx2 => unsafe { avx2::widen(steps, wide) },
        _ => unreachable!("only AVX2 widens"),
    }
}

/// `count` rows cut into the fewest tiles of at most `most` rows, as even as possible in fours where `most` is fours:
/// 64 rows are 8 + 12 + 12 + 8 + 12 + 12 and not 5 × 12 + 4, because a short tile has too few accumulators to hide the
/// latency of an FMA, and rows are turned into tiles four by four.
pub(crate) fn cut(count: usize, most: usize) -> impl Iterator<Item = Range<usize>> + Clone {
    let unit = if most.is_multiple_of(4) { 4 } else { 1 };
    let (tiles, units) = (count.div_ceil(most), count.div_ceil(unit));
    let edge = move |tile: usize| (tile * units / tiles * unit).min(count);
    (0..tiles).map(move |tile| edge(tile)..edge(tile + 1))
}

/// The left operand of a tile: a word for each row and each step, the words of a step side by side.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a> {
    pub(crate) words: &'a [u32],
    /// Words from one step to the next, at least as many as there are rows.
    pub(crate) pitch: usize,
}

impl<'a> Left<'a> {
    /// # Panics
    /// When there is not a word for each row of `out` in each step of `b`.
    fn check(&self, b: &[Step], out: &[Step]) {
        let least = b
            .len()
            .checked_sub(1)
            .map_or(0, |last| last * self.pitch + out.len());
        assert!(
            self.pitch >= out.len() && self.words.len() >= least,
            "a word for each row and step"
        );
    }

    /// The words of `R` rows, step by step.
    #[inline(always)]
    fn steps<const R: usize>(self) -> impl Iterator<Item = &'a [u32; R]> {
        self.words.chunks(self.pitch).filter_map(<[u32]>::first_chunk)
    }
}

/// Multiplies one tile: each column's result goes to `out`, a step for each row: the bits of an f32, or an i32 for int8.
///
/// # Panics
/// When `out` has no row or more than [`rows`], or there are not as many words as rows for each step of `b`.
pub(crate) fn multiply(isa: Isa, precision: Precision, a: Left<'_>, b: &[Step], out: &mut [Step]) {
    a.check(b, out);
    match isa.kernel() {
        Kernel::Reference => portable::multiply_fused(precision, a, b, out),
        Kernel::Portable => portable::multiply(precision, a, b, out),
        // SAFETY: this `Isa` holds `Avx2`, so that the processor has AVX2 and FMA (`Isa::new`).
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx2 => unsafe { avx2::multiply(precision, a, b, out) },
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx512Bf16 if precision == Precision::Bf16 => {
            // SAFETY: this `Isa` holds `Avx512Bf16`, so that the processor has AVX-512 F and BF16 (`Isa::new`).
            unsafe { avx512::multiply_bf16(a, b, out) }
        }
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx512 | Kernel::Avx512Bf16 => {
            // SAFETY: this `Isa` holds an AVX-512 kernel, so that the processor has F, BW and VNNI (`Isa::new`).
            unsafe { avx512::multiply(precision, a, b, out) }
        }
        #[cfg(target_arch = "aarch64")]
        Kernel::NeonDot if precision == Precision::Int8 => {
            // SAFETY: this `Isa` holds `NeonDot`, so that the processor has NEON and dotprod (`Isa::new`).
            unsafe { neon::multiply_signed(a, b, out) }
        }
        #[cfg(target_arch = "aarch64")]
        Kernel::NeonI8mm if precision == Precision::Int8 => {
            // SAFETY: this `Isa` holds `NeonI8mm`, so that the processor has NEON and i8mm (`Isa::new`).
            unsafe { neon::multiply_mixed(a, b, out) }
        }
        #[cfg(target_arch = "aarch64")]
        Kernel::Neon | Kernel::NeonDot | Kernel::NeonI8mm => {
            // SAFETY: this `Isa` holds a NEON kernel, so that the processor has NEON (`Isa::new`).
            unsafe { neon::multiply(precision, a, b, out) }
        }
        _ => unreachable!("no `Isa` of another processor's kernel"),
    }
}

/// [`multiply`] in f32 for the first half of the columns; the other half of `out` is left as it was.
///
/// # Panics
/// As [`multiply`].
pub(crate) fn multiply_half(isa: Isa, a: Left<'_>, b: &[Step], out: &mut [Step]) {
    a.check(b, out);
    match isa.kernel() {
        Kernel::Reference => portable::multiply_half_fused(a, b, out),
        Kernel::Portable => portable::multiply_half(a, b, out),
        // SAFETY: this `Isa` holds `Avx2`, so that the processor has AVX2 and FMA (`Isa::new`).
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx2 => unsafe { avx2::multiply_half(a, b, out) },
        // SAFETY: this `Isa` holds an AVX-512 kernel, so that the processor has F (`Isa::new`).
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx512 | Kernel::Avx512Bf16 => unsafe { avx512::multiply_half(a, b, out) },
        // SAFETY: this `Isa` holds a NEON kernel, so that the processor has NEON (`Isa::new`).
        #[cfg(target_arch = "aarch64")]
        Kernel::Neon | Kernel::NeonDot | Kernel::NeonI8mm => unsafe { neon::multiply_half(a, b, out) },
        _ => unreachable!("no `Isa` of another processor's kernel"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_cut_evenly_and_completely() {
        for most in 1..=MOST_ROWS {
            for count in 0..100 {
                let tiles: Vec<_> = cut(count, most).collect();
                assert_eq!(tiles.iter().map(ExactSizeIterator::len).sum::<usize>(), count);
                assert!(tiles.windows(2).all(|pair| pair[0].end == pair[1].start));
                let (least, largest) = (
                    tiles.iter().map(ExactSizeIterator::len).min(),
                    tiles.iter().map(ExactSizeIterator::len).max(),
                );
                let unit = if most % 4 == 0 { 4 } else { 1 };
                assert!(largest.unwrap_or(0) <= most);
                assert!(count < most || largest.unwrap_or(0) - least.unwrap_or(0) < 2 * unit);
            }
        }
    }
}
