//! The tile in plain Rust. It defines the results of the other two.

use crate::precision::Precision;
use crate::step::{COLUMNS, Step};
use crate::tile::Left;

/// Columns done at once: four rows of eight f32 are eight registers of SSE2 or NEON.
const LANES: usize = 8;

/// What a step adds to an accumulator.
trait Dot {
    type Sum: Copy + Default;
    fn add(sum: Self::Sum, a: u32, b: u32) -> Self::Sum;
    fn bits(sum: Self::Sum) -> u32;
}

struct F32;
struct FusedF32;
struct Bf16;
struct Int8;

impl Dot for F32 {
    type Sum = f32;
    #[inline(always)]
    fn add(sum: f32, a: u32, b: u32) -> f32 {
        sum + f32::from_bits(a) * f32::from_bits(b)
    }
    #[inline(always)]
    fn bits(sum: f32) -> u32 {
        sum.to_bits()
    }
}

impl Dot for FusedF32 {
    type Sum = f32;
    #[inline(always)]
    fn add(sum: f32, a: u32, b: u32) -> f32 {
        f32::from_bits(a).mul_add(f32::from_bits(b), sum)
    }
    #[inline(always)]
    fn bits(sum: f32) -> u32 {
        sum.to_bits()
    }
}

/// The two halves of a word, as f32.
#[inline(always)]
const fn halves(word: u32) -> (f32, f32) {
    (f32::from_bits(word << 16), f32::from_bits(word & 0xffff_0000))
}

impl Dot for Bf16 {
    type Sum = f32;
    /// The odd products first, as the manual has it (Intel SDM vol. 2, `VDPBF16PS`). A product of two bf16 is exact.
    #[inline(always)]
    fn add(sum: f32, a: u32, b: u32) -> f32 {
        let ((a0, a1), (b0, b1)) = (halves(a), halves(b));
        (sum + a1 * b1) + a0 * b0
    }
    #[inline(always)]
    fn bits(sum: f32) -> u32 {
        sum.to_bits()
    }
}

impl Dot for Int8 {
    type Sum = i32;
    /// Unsigned `a`, signed `b`: `VPDPBUSD`. It cannot overflow: see [`crate::packed::MOST_INPUTS`].
    #[inline(always)]
    fn add(sum: i32, a: u32, b: u32) -> i32 {
        let a = a.cast_signed();
        let b = b.cast_signed();
        let low = (a & 0xff) * ((b << 24) >> 24) + ((a >> 8) & 0xff) * ((b << 16) >> 24);
        let high = ((a >> 16) & 0xff) * ((b << 8) >> 24) + ((a >> 24) & 0xff) * (b >> 24);
        sum + (low + high)
    }
    #[inline(always)]
    fn bits(sum: i32) -> u32 {
        sum.cast_unsigned()
    }
}

pub(super) fn multiply(precision: Precision, a: Left<'_>, b: &[Step], out: &mut [Step]) {
    match precision {
        Precision::F32 => any::<F32>(a, b, out, COLUMNS),
        Precision::Bf16 => any::<Bf16>(a, b, out, COLUMNS),
        Precision::Int8 => any::<Int8>(a, b, out, COLUMNS),
    }
}

/// [`multiply`] with f32 rounded as FMA does.
pub(super) fn multiply_fused(precision: Precision, a: Left<'_>, b: &[Step], out: &mut [Step]) {
    match precision {
        Precision::F32 => any::<FusedF32>(a, b, out, COLUMNS),
        Precision::Bf16 | Precision::Int8 => multiply(precision, a, b, out),
    }
}

pub(super) fn multiply_half(a: Left<'_>, b: &[Step], out: &mut [Step]) {
    any::<F32>(a, b, out, COLUMNS / 2);
}

pub(super) fn multiply_half_fused(a: Left<'_>, b: &[Step], out: &mut [Step]) {
    any::<FusedF32>(a, b, out, COLUMNS / 2);
}

fn any<D: Dot>(a: Left<'_>, b: &[Step], out: &mut [Step], columns: usize) {
    match out.len() {
        1 => tile::<D, 1>(a, b, out, columns),
        2 => tile::<D, 2>(a, b, out, columns),
        3 => tile::<D, 3>(a, b, out, columns),
        4 => tile::<D, 4>(a, b, out, columns),
        rows => panic!("a portable tile of {rows} rows"),
    }
}

fn tile<D: Dot, const R: usize>(a: Left<'_>, b: &[Step], out: &mut [Step], columns: usize) {
    for first in (0..columns).step_by(LANES) {
        let mut sums = [[D::Sum::default(); LANES]; R];
        for (a, b) in a.steps::<R>().zip(b) {
            let Some(b) = b.0[first..].first_chunk::<LANES>() else {
                break;
            };
            for (sums, &a) in sums.iter_mut().zip(a) {
                for (sum, &b) in sums.iter_mut().zip(b) {
                    *sum = D::add(*sum, a, b);
                }
            }
        }
        for (out, sums) in out.iter_mut().zip(sums) {
            for (out, sum) in out.0[first..first + LANES].iter_mut().zip(sums) {
                *out = D::bits(sum);
            }
        }
    }
}
