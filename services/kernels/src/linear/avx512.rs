//! The end of a tile in AVX-512: what the compiler makes of [`Tile`]'s arrays goes through memory, a cache line at a time
//! and a half; here a row stays in two registers. The same operations in the same order, and so the same bits.

use std::arch::x86_64::{
    __m512, __m512i, _CMP_GE_OQ, _mm512_abs_ps, _mm512_add_ps, _mm512_and_si512, _mm512_castps_si512,
    _mm512_castsi512_ps, _mm512_cmp_ps_mask, _mm512_cvtepi32_ps, _mm512_fmadd_ps, _mm512_loadu_ps,
    _mm512_loadu_si512, _mm512_mask_mov_ps, _mm512_mul_ps, _mm512_mullo_epi32, _mm512_or_si512,
    _mm512_set1_epi32, _mm512_set1_ps, _mm512_storeu_ps, _mm512_sub_epi32,
};

use super::{Finish, Tile};
use crate::activation::Activation;
use crate::math::{ERF, ERF_ONE, ERF_SCALE};
use crate::step::COLUMNS;
use crate::turn::Word;

/// A row of a tile: its first 16 columns and its last.
type Row<T> = [T; 2];

/// A row's columns in 16s.
const HALF: usize = COLUMNS / 2;

#[inline]
#[target_feature(enable = "avx512f")]
fn floats(values: &[f32; COLUMNS]) -> Row<__m512> {
    let first = values.as_ptr();
    // SAFETY: there are 32 values; these are the first 16.
    let low = unsafe { _mm512_loadu_ps(first) };
    // SAFETY: there are 32 values, so that the 17th is one of them.
    let middle = unsafe { first.add(HALF) };
    // SAFETY: these are the last 16.
    let high = unsafe { _mm512_loadu_ps(middle) };
    [low, high]
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(values: &mut [f32; COLUMNS], [low, high]: Row<__m512>) {
    let first = values.as_mut_ptr();
    // SAFETY: there are 32 values; these are the first 16.
    unsafe { _mm512_storeu_ps(first, low) };
    // SAFETY: there are 32 values, so that the 17th is one of them.
    let middle = unsafe { first.add(HALF) };
    // SAFETY: these are the last 16.
    unsafe { _mm512_storeu_ps(middle, high) };
}

#[inline]
#[target_feature(enable = "avx512f")]
fn words<T: Word>(values: &[T; COLUMNS]) -> Row<__m512i> {
    let first = values.as_ptr();
    // SAFETY: there are 32 words; these are the first 16.
    let low = unsafe { _mm512_loadu_si512(first.cast()) };
    // SAFETY: there are 32 words, so that the 17th is one of them.
    let middle = unsafe { first.add(HALF) };
    // SAFETY: these are the last 16.
    let high = unsafe { _mm512_loadu_si512(middle.cast()) };
    [low, high]
}

/// [`crate::activation::gelu`] of both halves: two chains of multiplications, each of which hides the latency of the
/// other's.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
fn gelu(x: Row<__m512>) -> Row<__m512> {
    let splat = |value: f32| _mm512_set1_ps(value);
    let half = x.map(|x| _mm512_mul_ps(splat(0.5), x));
    let scaled = x.map(|x| _mm512_mul_ps(x, splat(std::f32::consts::FRAC_1_SQRT_2)));
    let u = scaled.map(|x| _mm512_fmadd_ps(_mm512_mul_ps(x, x), splat(ERF_SCALE), splat(-1.0)));
    let [first, rest @ ..] = &ERF_DOWN;
    let mut p = [splat(*first); 2];
    for coefficient in rest {
        p[0] = _mm512_fmadd_ps(p[0], u[0], splat(*coefficient));
        p[1] = _mm512_fmadd_ps(p[1], u[1], splat(*coefficient));
    }
    let sign = _mm512_set1_epi32(i32::MIN);
    let mut result = [splat(0.0); 2];
    for index in 0..2 {
        let value = _mm512_mul_ps(scaled[index], p[index]);
        let signed = _mm512_and_si512(_mm512_castps_si512(scaled[index]), sign);
        let one = _mm512_castsi512_ps(_mm512_or_si512(signed, _mm512_castps_si512(splat(1.0))));
        let beyond = _mm512_cmp_ps_mask::<_CMP_GE_OQ>(_mm512_abs_ps(scaled[index]), splat(ERF_ONE));
        let erf = _mm512_mask_mov_ps(value, beyond, one);
        result[index] = _mm512_fmadd_ps(half[index], erf, half[index]);
    }
    result
}

/// The polynomial, highest power first.
const ERF_DOWN: [f32; ERF.len()] = {
    let mut down = ERF;
    let mut index = 0;
    while index < ERF.len() {
        down[index] = ERF[ERF.len() - 1 - index];
        index += 1;
    }
    down
};

/// Whether [`finish`] can do it: whole panels, and no other activation than GELU.
pub(super) fn fits(tile: &Tile<'_>) -> bool {
    let known = match tile.finish {
        Finish::Store | Finish::Add | Finish::Activate(Activation::Gelu) => true,
        Finish::Activate(_) => false,
    };
    tile.width == COLUMNS && known
}

/// What [`Tile`] does, for tiles that [`fits`].
#[target_feature(enable = "avx512f,avx512dq")]
pub(super) fn finish(tile: &Tile<'_>) {
    let columns = tile.columns;
    let (bias, scale, sum) = (floats(&columns.bias), floats(&columns.scale), words(&columns.sum));
    for (row, sums) in tile.sums.iter().enumerate() {
        let sums = words(&sums.0);
        let mut values = [_mm512_set1_ps(0.0); 2];
        for half in 0..2 {
            let value = match tile.scales {
                None => _mm512_castsi512_ps(sums[half]),
                Some(scales) => {
                    let zero = _mm512_mullo_epi32(_mm512_set1_epi32(scales[row].zero), sum[half]);
                    let whole = _mm512_cvtepi32_ps(_mm512_sub_epi32(sums[half], zero));
                    _mm512_mul_ps(
                        whole,
                        _mm512_mul_ps(_mm512_set1_ps(scales[row].scale), scale[half]),
                    )
                }
            };
            values[half] = _mm512_add_ps(value, bias[half]);
        }
        // SAFETY: as in `Tile::run`.
        let out = unsafe { tile.out.part(tile.start + row * tile.stride, COLUMNS) };
        let Some(out) = out.first_chunk_mut::<COLUMNS>() else {
            return;
        };
        match tile.finish {
            Finish::Store | Finish::Activate(Activation::Relu | Activation::GeluTanh) => {}
            Finish::Activate(Activation::Gelu) => values = gelu(values),
            Finish::Add => {
                let old = floats(out);
                values = [_mm512_add_ps(values[0], old[0]), _mm512_add_ps(values[1], old[1])];
            }
        }
        store(out, values);
    }
}
