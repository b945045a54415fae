//! The tile in NEON: 8 × 8, each quarter of a panel after the other, so that 16 of the 32 registers are accumulators.
//!
//! Bytes are multiplied with their sign (`smull`, `sdot`), and inputs have none: 128 is taken from each, and 128 times the
//! sum of the column's weights is added in the end. All of it is exact, so that the sums are those of every other kernel.
//! The intrinsics of `sdot` and `sudot` are not stable in Rust; their instructions are written out.

use std::arch::aarch64::{
    float32x4_t, int8x16_t, int32x4_t, uint32x4_t, vaddq_s32, vandq_u32, vdupq_n_f32, vdupq_n_s8,
    vdupq_n_s32, vdupq_n_u32, veorq_u32, vfmaq_n_f32, vget_low_s8, vld1q_u32, vmull_high_s8, vmull_s8,
    vpadalq_s16, vpaddlq_s8, vpaddq_s32, vreinterpretq_f32_u32, vreinterpretq_s8_u32, vreinterpretq_u32_f32,
    vreinterpretq_u32_s8, vreinterpretq_u32_s32, vshlq_n_s32, vshlq_n_u32, vst1q_u32,
};
use std::arch::asm;

use crate::precision::Precision;
use crate::step::{COLUMNS, Step};
use crate::tile::Left;

/// Columns done at once: two registers.
const QUARTER: usize = 8;
/// Rows whose words are loaded at once.
const FOUR: usize = 4;
/// The highest bit of each byte: with it flipped, an unsigned byte is itself less 128 with a sign.
const FLIP: u32 = 0x8080_8080;

#[inline]
#[target_feature(enable = "neon")]
fn load_four(words: &[u32; FOUR]) -> uint32x4_t {
    // SAFETY: there are four words.
    unsafe { vld1q_u32(words.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
fn load(columns: &[u32; QUARTER]) -> [uint32x4_t; 2] {
    let [low, high] = columns.as_chunks::<FOUR>().0 else {
        unreachable!("eight are twice four")
    };
    [load_four(low), load_four(high)]
}

#[inline]
#[target_feature(enable = "neon")]
fn store(columns: &mut [u32; QUARTER], registers: [uint32x4_t; 2]) {
    for (columns, register) in columns.as_chunks_mut::<FOUR>().0.iter_mut().zip(registers) {
        // SAFETY: there are four words.
        unsafe { vst1q_u32(columns.as_mut_ptr(), register) };
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn add_f32(sum: float32x4_t, a: u32, b: uint32x4_t) -> float32x4_t {
    vfmaq_n_f32(sum, vreinterpretq_f32_u32(b), f32::from_bits(a))
}

#[inline]
#[target_feature(enable = "neon")]
fn add_bf16(sum: float32x4_t, a: u32, b: uint32x4_t) -> float32x4_t {
    let odd = vandq_u32(b, vdupq_n_u32(0xffff_0000));
    let even = vshlq_n_u32::<16>(b);
    add_f32(add_f32(sum, a & 0xffff_0000, odd), a << 16, even)
}

macro_rules! floats {
    ($any:ident, $tile:ident, $add:ident) => {
        #[target_feature(enable = "neon")]
        fn $any(a: Left<'_>, b: &[Step], out: &mut [Step], columns: usize) {
            match out.len() {
                1 => $tile::<1>(a, b, out, columns),
                2 => $tile::<2>(a, b, out, columns),
                3 => $tile::<3>(a, b, out, columns),
                4 => $tile::<4>(a, b, out, columns),
                5 => $tile::<5>(a, b, out, columns),
                6 => $tile::<6>(a, b, out, columns),
                7 => $tile::<7>(a, b, out, columns),
                8 => $tile::<8>(a, b, out, columns),
                rows => panic!("a NEON tile of {rows} rows"),
            }
        }

        #[target_feature(enable = "neon")]
        fn $tile<const R: usize>(a: Left<'_>, b: &[Step], out: &mut [Step], columns: usize) {
            for quarter in 0..columns / QUARTER {
                let mut sums = [[vdupq_n_f32(0.0); 2]; R];
                for (a, b) in a.steps::<R>().zip(b) {
                    let [low, high] = load(&b.0.as_chunks().0[quarter]);
                    for (sums, &a) in sums.iter_mut().zip(a) {
                        sums[0] = $add(sums[0], a, low);
                        sums[1] = $add(sums[1], a, high);
                    }
                }
                for (out, sums) in out.iter_mut().zip(sums) {
                    let [low, high] = sums;
                    let bits = [vreinterpretq_u32_f32(low), vreinterpretq_u32_f32(high)];
                    store(&mut out.0.as_chunks_mut().0[quarter], bits);
                }
            }
        }
    };
}

floats!(any_f32, tile_f32, add_f32);
floats!(any_bf16, tile_bf16, add_bf16);

/// Most rows of a tile of bytes without `sdot`, which has twice as many accumulators: each column's even and odd pairs.
pub(super) const ROWS_OF_PAIRS: usize = 4;

/// A tile of bytes with what every NEON has: products in 16 bits, at most 128 × 128, added in pairs.
#[target_feature(enable = "neon")]
fn any_pairs(a: Left<'_>, b: &[Step], out: &mut [Step]) {
    match out.len() {
        1 => tile_pairs::<1>(a, b, out),
        2 => tile_pairs::<2>(a, b, out),
        3 => tile_pairs::<3>(a, b, out),
        4 => tile_pairs::<ROWS_OF_PAIRS>(a, b, out),
        rows => panic!("a NEON tile of {rows} rows of bytes"),
    }
}

#[target_feature(enable = "neon")]
fn tile_pairs<const R: usize>(a: Left<'_>, b: &[Step], out: &mut [Step]) {
    for quarter in 0..COLUMNS / QUARTER {
        let mut sums = [[[vdupq_n_s32(0); 2]; 2]; R];
        let mut weights = [vdupq_n_s32(0); 2];
        for (a, b) in a.steps::<R>().zip(b) {
            let b = load(&b.0.as_chunks().0[quarter]).map(|b| vreinterpretq_s8_u32(b));
            for (weights, b) in weights.iter_mut().zip(b) {
                *weights = vpadalq_s16(*weights, vpaddlq_s8(b));
            }
            for (sums, &a) in sums.iter_mut().zip(a) {
                let a = vreinterpretq_s8_u32(vdupq_n_u32(a ^ FLIP));
                for ([low, high], b) in sums.iter_mut().zip(b) {
                    *low = vpadalq_s16(*low, vmull_s8(vget_low_s8(a), vget_low_s8(b)));
                    *high = vpadalq_s16(*high, vmull_high_s8(a, b));
                }
            }
        }
        for (out, sums) in out.iter_mut().zip(sums) {
            let sums = sums.map(|[low, high]| vpaddq_s32(low, high));
            store(&mut out.0.as_chunks_mut().0[quarter], unflipped(sums, weights));
        }
    }
}

/// The sums with what [`FLIP`] took, 128 times each column's weights.
#[inline]
#[target_feature(enable = "neon")]
fn unflipped([low, high]: [int32x4_t; 2], weights: [int32x4_t; 2]) -> [uint32x4_t; 2] {
    let [less_low, less_high] = weights.map(|weights| vshlq_n_s32::<7>(weights));
    [vaddq_s32(low, less_low), vaddq_s32(high, less_high)].map(|sum| vreinterpretq_u32_s32(sum))
}

/// Adds to each column's sum its four weights times the four bytes of a row, both with their sign (Arm ARM DDI 0487,
/// `SDOT` by element).
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn add_signed<const ROW: i32>(mut sum: int32x4_t, a: uint32x4_t, b: int8x16_t) -> int32x4_t {
    // SAFETY: the function has the feature `dotprod`; the instruction reads and writes registers alone.
    unsafe {
        asm!(
            "sdot {sum:v}.4s, {b:v}.16b, {a:v}.4b[{row}]",
            sum = inout(vreg) sum, b = in(vreg) b, a = in(vreg) a, row = const ROW,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sum
}

/// The same where the row's bytes have no sign (Arm ARM DDI 0487, `SUDOT` by element).
#[inline]
#[target_feature(enable = "neon,i8mm")]
fn add_mixed<const ROW: i32>(mut sum: int32x4_t, a: uint32x4_t, b: int8x16_t) -> int32x4_t {
    // SAFETY: the function has the feature `i8mm`; the instruction reads and writes registers alone.
    unsafe {
        asm!(
            "sudot {sum:v}.4s, {b:v}.16b, {a:v}.4b[{row}]",
            sum = inout(vreg) sum, b = in(vreg) b, a = in(vreg) a, row = const ROW,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sum
}

macro_rules! dots {
    ($features:literal, $any:ident, $tile:ident, $step:ident, $add:ident, flip: $flip:literal) => {
        #[target_feature(enable = $features)]
        fn $any(a: Left<'_>, b: &[Step], out: &mut [Step]) {
            match out.len() {
                1 => $tile::<1>(a, b, out),
                2 => $tile::<2>(a, b, out),
                3 => $tile::<3>(a, b, out),
                4 => $tile::<4>(a, b, out),
                5 => $tile::<5>(a, b, out),
                6 => $tile::<6>(a, b, out),
                7 => $tile::<7>(a, b, out),
                8 => $tile::<8>(a, b, out),
                rows => panic!("a NEON tile of {rows} rows"),
            }
        }

        #[target_feature(enable = $features)]
        fn $tile<const R: usize>(a: Left<'_>, b: &[Step], out: &mut [Step]) {
            for quarter in 0..COLUMNS / QUARTER {
                let mut sums = [[vdupq_n_s32(0); 2]; R];
                let mut weights = [vdupq_n_s32(0); 2];
                for (a, b) in a.steps::<R>().zip(b) {
                    let b = load(&b.0.as_chunks().0[quarter]).map(|b| vreinterpretq_s8_u32(b));
                    $step(a, b, &mut sums);
                    if $flip {
                        let ones = vreinterpretq_u32_s8(vdupq_n_s8(1));
                        weights = [
                            $add::<0>(weights[0], ones, b[0]),
                            $add::<0>(weights[1], ones, b[1]),
                        ];
                    }
                }
                for (out, sums) in out.iter_mut().zip(sums) {
                    store(
                        &mut out.0.as_chunks_mut().0[quarter],
                        unflipped(sums, weights),
                    );
                }
            }
        }

        /// What a step adds to the sums of its rows.
        #[inline]
        #[target_feature(enable = $features)]
        fn $step(a: &[u32], b: [int8x16_t; 2], sums: &mut [[int32x4_t; 2]]) {
            let flip = vdupq_n_u32(if $flip { FLIP } else { 0 });
            let (sums, last_sums) = sums.as_chunks_mut::<FOUR>();
            let (a, last) = a.as_chunks::<FOUR>();
            for (sums, a) in sums.iter_mut().zip(a) {
                let a = veorq_u32(load_four(a), flip);
                for half in 0..2 {
                    sums[0][half] = $add::<0>(sums[0][half], a, b[half]);
                    sums[1][half] = $add::<1>(sums[1][half], a, b[half]);
                    sums[2][half] = $add::<2>(sums[2][half], a, b[half]);
                    sums[3][half] = $add::<3>(sums[3][half], a, b[half]);
                }
            }
            for (sums, &a) in last_sums.iter_mut().zip(last) {
                let a = veorq_u32(vdupq_n_u32(a), flip);
                for half in 0..2 {
                    sums[half] = $add::<0>(sums[half], a, b[half]);
                }
            }
        }
    };
}

dots!("neon,dotprod", any_signed, tile_signed, step_signed, add_signed, flip: true);
dots!("neon,i8mm", any_mixed, tile_mixed, step_mixed, add_mixed, flip: false);

#[target_feature(enable = "neon")]
pub(super) fn multiply(precision: Precision, a: Left<'_>, b: &[Step], out: &mut [Step]) {
    match precision {
        Precision::F32 => any_f32(a, b, out, COLUMNS),
        Precision::Bf16 => any_bf16(a, b, out, COLUMNS),
        Precision::Int8 => any_pairs(a, b, out),
    }
}

#[target_feature(enable = "neon")]
pub(super) fn multiply_half(a: Left<'_>, b: &[Step], out: &mut [Step]) {
    any_f32(a, b, out, COLUMNS / 2);
}

/// [`multiply`] of bytes by `sdot`.
#[target_feature(enable = "neon,dotprod")]
pub(super) fn multiply_signed(a: Left<'_>, b: &[Step], out: &mut [Step]) {
    any_signed(a, b, out);
}

/// [`multiply`] of bytes by `sudot`.
#[target_feature(enable = "neon,i8mm")]
pub(super) fn multiply_mixed(a: Left<'_>, b: &[Step], out: &mut [Step]) {
    any_mixed(a, b, out);
}
