//! The tile in AVX-512: 12 × 32, 24 accumulators of 16 columns.

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm512_castps_si512, _mm512_castsi512_ps, _mm512_dpbf16_ps,
    _mm512_dpbusd_epi32, _mm512_fmadd_ps, _mm512_loadu_si512, _mm512_maskz_mov_epi16, _mm512_set1_epi32,
    _mm512_set1_ps, _mm512_setzero_ps, _mm512_setzero_si512, _mm512_slli_epi32, _mm512_storeu_si512,
};

use crate::precision::Precision;
use crate::step::Step;
use crate::tile::Left;

/// The columns of a step, 16 in each register.
#[inline]
#[target_feature(enable = "avx512f")]
fn load(step: &Step) -> [__m512i; 2] {
    let first = step.0.as_ptr();
    // SAFETY: a step has 32 words; these are the first 16.
    let low = unsafe { _mm512_loadu_si512(first.cast()) };
    // SAFETY: a step has 32 words, so that its 17th is in it.
    let middle = unsafe { first.add(16) };
    // SAFETY: these are the last 16.
    let high = unsafe { _mm512_loadu_si512(middle.cast()) };
    [low, high]
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(step: &mut Step, [low, high]: [__m512i; 2]) {
    let first = step.0.as_mut_ptr();
    // SAFETY: a step has 32 words; these are the first 16.
    unsafe { _mm512_storeu_si512(first.cast(), low) };
    // SAFETY: a step has 32 words, so that its 17th is in it.
    let middle = unsafe { first.add(16) };
    // SAFETY: these are the last 16.
    unsafe { _mm512_storeu_si512(middle.cast(), high) };
}

#[inline]
#[target_feature(enable = "avx512f")]
fn zero_f32() -> __m512 {
    _mm512_setzero_ps()
}

#[inline]
#[target_feature(enable = "avx512f")]
fn bits_f32(sum: __m512) -> __m512i {
    _mm512_castps_si512(sum)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn add_f32(sum: __m512, a: __m512i, b: __m512i) -> __m512 {
    _mm512_fmadd_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), sum)
}

/// bf16 without AVX512-BF16: two f32 FMAs, the odd one first.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn add_halves(sum: __m512, a: __m512i, b: __m512i) -> __m512 {
    let odd = |word| _mm512_castsi512_ps(_mm512_maskz_mov_epi16(0xaaaa_aaaa, word));
    let even = |word| _mm512_castsi512_ps(_mm512_slli_epi32::<16>(word));
    _mm512_fmadd_ps(even(a), even(b), _mm512_fmadd_ps(odd(a), odd(b), sum))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn add_bf16(sum: __m512, a: __m512i, b: __m512i) -> __m512 {
    // SAFETY: both are 64 bytes in which any bits are valid, and a word's lower half is the first bf16 of its pair.
    let a = unsafe { std::mem::transmute::<__m512i, __m512bh>(a) };
    // SAFETY: as above.
    let b = unsafe { std::mem::transmute::<__m512i, __m512bh>(b) };
    _mm512_dpbf16_ps(sum, a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn zero_i32() -> __m512i {
    _mm512_setzero_si512()
}

#[inline]
#[target_feature(enable = "avx512f")]
fn bits_i32(sum: __m512i) -> __m512i {
    sum
}

#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn add_int8(sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
    _mm512_dpbusd_epi32(sum, a, b)
}

/// A tile of `R` rows, and the choice of `R` by the rows of `out`. A macro, because a closure with the features cannot be
/// inlined into a generic function without them.
macro_rules! tiles {
    ($any:ident, $tile:ident, $features:literal, $zero:ident, $add:ident, $bits:ident) => {
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
                9 => $tile::<9>(a, b, out),
                10 => $tile::<10>(a, b, out),
                11 => $tile::<11>(a, b, out),
                12 => $tile::<12>(a, b, out),
                rows => panic!("an AVX-512 tile of {rows} rows"),
            }
        }

        #[target_feature(enable = $features)]
        fn $tile<const R: usize>(a: Left<'_>, b: &[Step], out: &mut [Step]) {
            let mut sums = [[$zero(); 2]; R];
            for (a, b) in a.steps::<R>().zip(b) {
                let [low, high] = load(b);
                for (sums, &a) in sums.iter_mut().zip(a) {
                    let a = _mm512_set1_epi32(a.cast_signed());
                    sums[0] = $add(sums[0], a, low);
                    sums[1] = $add(sums[1], a, high);
                }
            }
            for (out, [low, high]) in out.iter_mut().zip(sums) {
                store(out, [$bits(low), $bits(high)]);
            }
        }
    };
}

tiles!(any_f32, tile_f32, "avx512f", zero_f32, add_f32, bits_f32);
tiles!(
    any_halves,
    tile_halves,
    "avx512f,avx512bw",
    zero_f32,
    add_halves,
    bits_f32
);
tiles!(
    any_bf16,
    tile_bf16,
    "avx512f,avx512bf16",
    zero_f32,
    add_bf16,
    bits_f32
);
tiles!(
    any_int8,
    tile_int8,
    "avx512f,avx512vnni",
    zero_i32,
    add_int8,
    bits_i32
);

/// The first 16 columns of a step.
#[inline]
#[target_feature(enable = "avx512f")]
fn load_half(step: &Step) -> __m512 {
    let first = step.0.as_ptr();
    // SAFETY: a step has 32 words; these are the first 16.
    let words = unsafe { _mm512_loadu_si512(first.cast()) };
    _mm512_castsi512_ps(words)
}

/// A tile of one register for each row.
#[target_feature(enable = "avx512f")]
fn tile_half<const R: usize>(a: Left<'_>, b: &[Step], out: &mut [Step]) {
    let mut sums = [_mm512_setzero_ps(); R];
    for (a, b) in a.steps::<R>().zip(b) {
        let b = load_half(b);
        for (sum, &a) in sums.iter_mut().zip(a) {
            *sum = _mm512_fmadd_ps(_mm512_set1_ps(f32::from_bits(a)), b, *sum);
        }
    }
    for (out, sum) in out.iter_mut().zip(sums) {
        let words = _mm512_castps_si512(sum);
        // SAFETY: a step has 32 words; these are the first 16.
        unsafe { _mm512_storeu_si512(out.0.as_mut_ptr().cast(), words) };
    }
}

#[target_feature(enable = "avx512f")]
pub(super) fn multiply_half(a: Left<'_>, b: &[Step], out: &mut [Step]) {
    match out.len() {
        1 => tile_half::<1>(a, b, out),
        2 => tile_half::<2>(a, b, out),
        3 => tile_half::<3>(a, b, out),
        4 => tile_half::<4>(a, b, out),
        5 => tile_half::<5>(a, b, out),
        6 => tile_half::<6>(a, b, out),
        7 => tile_half::<7>(a, b, out),
        8 => tile_half::<8>(a, b, out),
        9 => tile_half::<9>(a, b, out),
        10 => tile_half::<10>(a, b, out),
        11 => tile_half::<11>(a, b, out),
        12 => tile_half::<12>(a, b, out),
        rows => panic!("an AVX-512 tile of {rows} rows"),
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) fn multiply(precision: Precision, a: Left<'_>, b: &[Step], out: &mut [Step]) {
    match precision {
        Precision::F32 => any_f32(a, b, out),
        Precision::Bf16 => any_halves(a, b, out),
        Precision::Int8 => any_int8(a, b, out),
    }
}

#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) fn multiply_bf16(a: Left<'_>, b: &[Step], out: &mut [Step]) {
    any_bf16(a, b, out);
}
