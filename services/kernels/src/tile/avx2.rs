//! The tile in AVX2 and FMA: 6 × 16, each half of a panel after the other.

use std::arch::x86_64::{
    __m256, __m256i, _mm256_add_epi32, _mm256_and_si256, _mm256_castps_si256, _mm256_castsi256_ps,
    _mm256_fmadd_ps, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_set1_epi32, _mm256_setzero_ps,
    _mm256_setzero_si256, _mm256_slli_epi16, _mm256_slli_epi32, _mm256_srai_epi16, _mm256_storeu_si256,
};

use crate::precision::Precision;
use crate::step::{COLUMNS, Step};
use crate::tile::Left;

/// Columns done at once: two registers.
const HALF: usize = COLUMNS / 2;

#[inline]
#[target_feature(enable = "avx2")]
fn load(columns: &[u32; HALF]) -> [__m256i; 2] {
    let first = columns.as_ptr();
    // SAFETY: there are 16 words; these are the first 8.
    let low = unsafe { _mm256_loadu_si256(first.cast()) };
    // SAFETY: there are 16 words, so that the ninth is one of them.
    let middle = unsafe { first.add(8) };
    // SAFETY: these are the last 8.
    let high = unsafe { _mm256_loadu_si256(middle.cast()) };
    [low, high]
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(columns: &mut [u32; HALF], [low, high]: [__m256i; 2]) {
    let first = columns.as_mut_ptr();
    // SAFETY: there are 16 words; these are the first 8.
    unsafe { _mm256_storeu_si256(first.cast(), low) };
    // SAFETY: there are 16 words, so that the ninth is one of them.
    let middle = unsafe { first.add(8) };
    // SAFETY: these are the last 8.
    unsafe { _mm256_storeu_si256(middle.cast(), high) };
}

#[inline]
#[target_feature(enable = "avx2")]
fn zero_f32() -> __m256 {
    _mm256_setzero_ps()
}

#[inline]
#[target_feature(enable = "avx2")]
fn bits_f32(sum: __m256) -> __m256i {
    _mm256_castps_si256(sum)
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn add_f32(sum: __m256, a: __m256i, b: __m256i) -> __m256 {
    _mm256_fmadd_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), sum)
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn add_bf16(sum: __m256, a: __m256i, b: __m256i) -> __m256 {
    let upper = _mm256_set1_epi32(0xffff_0000_u32.cast_signed());
    let odd = |word| _mm256_castsi256_ps(_mm256_and_si256(word, upper));
    let even = |word| _mm256_castsi256_ps(_mm256_slli_epi32::<16>(word));
    _mm256_fmadd_ps(even(a), even(b), _mm256_fmadd_ps(odd(a), odd(b), sum))
}

/// Pairs of 16 bits, exact: 2 × 255 × 127 is far within an i32.
#[inline]
#[target_feature(enable = "avx2")]
fn add_pairs(sum: __m256i, a: __m256i, b: __m256i) -> __m256i {
    _mm256_add_epi32(sum, _mm256_madd_epi16(a, b))
}

/// Bytes to 16 bits with their sign: the even ones of each step, then the odd ones. Which pairs are summed first does not
/// matter, because all sums are exact; the inputs come in the same order (`inputs.rs`). The first half of `wide` gets the
/// first half of the columns, two steps in one, so that what a tile reads in a pass lies together: with every other line
/// of the cache, it had the use of half of its sets.
#[target_feature(enable = "avx2")]
pub(super) fn widen(steps: &[Step], wide: &mut [Step]) {
    let (first, second) = wide.split_at_mut(steps.len());
    for ((step, first), second) in steps.iter().zip(first).zip(second) {
        for (columns, wide) in step.0.as_chunks::<HALF>().0.iter().zip([first, second]) {
            let words = load(columns);
            let [even, odd] = wide.0.as_chunks_mut::<HALF>().0 else {
                continue;
            };
            store(
                even,
                words.map(|words| _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(words))),
            );
            store(odd, words.map(|words| _mm256_srai_epi16::<8>(words)));
        }
    }
}

/// As in AVX-512, but for one half of the panel after the other.
macro_rules! tiles {
    ($any:ident, $tile:ident, $zero:ident, $add:ident, $bits:ident) => {
        #[target_feature(enable = "avx2,fma")]
        fn $any(a: Left<'_>, b: &[Step], out: &mut [Step], halves: usize) {
            match out.len() {
                1 => $tile::<1>(a, b, out, halves),
                2 => $tile::<2>(a, b, out, halves),
                3 => $tile::<3>(a, b, out, halves),
                4 => $tile::<4>(a, b, out, halves),
                5 => $tile::<5>(a, b, out, halves),
                6 => $tile::<6>(a, b, out, halves),
                rows => panic!("an AVX2 tile of {rows} rows"),
            }
        }

        #[target_feature(enable = "avx2,fma")]
        fn $tile<const R: usize>(a: Left<'_>, b: &[Step], out: &mut [Step], halves: usize) {
            for half in 0..halves {
                let mut sums = [[$zero(); 2]; R];
                for (a, b) in a.steps::<R>().zip(b) {
                    let [low, high] = load(&b.0.as_chunks().0[half]);
                    for (sums, &a) in sums.iter_mut().zip(a) {
                        let a = _mm256_set1_epi32(a.cast_signed());
                        sums[0] = $add(sums[0], a, low);
                        sums[1] = $add(sums[1], a, high);
                    }
                }
                for (out, [low, high]) in out.iter_mut().zip(sums) {
                    store(
                        &mut out.0.as_chunks_mut().0[half],
                        [$bits(low), $bits(high)],
                    );
                }
            }
        }
    };
}

tiles!(any_f32, tile_f32, zero_f32, add_f32, bits_f32);
tiles!(any_bf16, tile_bf16, zero_f32, add_bf16, bits_f32);

#[target_feature(enable = "avx2,fma")]
fn any_wide(a: Left<'_>, b: &[Step], out: &mut [Step]) {
    match out.len() {
        1 => tile_wide::<1>(a, b, out),
        2 => tile_wide::<2>(a, b, out),
        3 => tile_wide::<3>(a, b, out),
        4 => tile_wide::<4>(a, b, out),
        5 => tile_wide::<5>(a, b, out),
        6 => tile_wide::<6>(a, b, out),
        rows => panic!("an AVX2 tile of {rows} rows"),
    }
}

/// A tile of what [`widen`] made.
#[target_feature(enable = "avx2,fma")]
fn tile_wide<const R: usize>(a: Left<'_>, b: &[Step], out: &mut [Step]) {
    // Only packed inputs are int8, and they leave nothing between steps.
    let (a, _) = a.words.as_chunks::<R>();
    let (first, second) = b.split_at(b.len() / 2);
    for (half, b) in [first, second].into_iter().enumerate() {
        let mut sums = [[_mm256_setzero_si256(); 2]; R];
        for (a, b) in a.as_chunks::<2>().0.iter().zip(b) {
            for (a, columns) in a.iter().zip(b.0.as_chunks().0) {
                let [low, high] = load(columns);
                for (sums, &a) in sums.iter_mut().zip(a) {
                    let a = _mm256_set1_epi32(a.cast_signed());
                    sums[0] = add_pairs(sums[0], a, low);
                    sums[1] = add_pairs(sums[1], a, high);
                }
            }
        }
        for (out, sums) in out.iter_mut().zip(sums) {
            store(&mut out.0.as_chunks_mut().0[half], sums);
        }
    }
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn multiply(precision: Precision, a: Left<'_>, b: &[Step], out: &mut [Step]) {
    match precision {
        Precision::F32 => any_f32(a, b, out, 2),
        Precision::Bf16 => any_bf16(a, b, out, 2),
        Precision::Int8 => any_wide(a, b, out),
    }
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn multiply_half(a: Left<'_>, b: &[Step], out: &mut [Step]) {
    any_f32(a, b, out, 1);
}
