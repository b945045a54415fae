//! What the registers can do: 24 (12 on AVX2) independent accumulators, and nothing to load.

use std::time::Instant;

use kernels::{Kernel, Precision};

/// Calls of a loop that are timed together.
const ROUNDS: usize = 200_000;

/// Operations (a multiplication and an addition are two) a second, in 10⁹, of this many threads at once. For the
/// portable kernel that of 16 lanes in plain Rust.
pub fn operations(kernel: Kernel, precision: Precision, threads: usize) -> f64 {
    let best = || (0..5).map(|_| one(kernel, precision)).fold(0.0, f64::max);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(best)).collect();
        all.into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .sum()
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts of operations")]
fn one(kernel: Kernel, precision: Precision) -> f64 {
    let start = Instant::now();
    let each = turn(kernel, precision);
    (each * ROUNDS) as f64 / start.elapsed().as_secs_f64() / 1e9
}

/// Runs the loop; the operations of one round.
fn turn(kernel: Kernel, precision: Precision) -> usize {
    #[cfg(target_arch = "x86_64")]
    match (kernel, precision) {
        // SAFETY: the kernel is available, or there would be no executor beside this.
        (Kernel::Avx2, _) => return unsafe { x86::avx2() },
        // SAFETY: as above.
        (Kernel::Avx512Bf16, Precision::Bf16) => return unsafe { x86::bf16() },
        // SAFETY: as above.
        (Kernel::Avx512 | Kernel::Avx512Bf16, Precision::Int8) => return unsafe { x86::int8() },
        // SAFETY: as above.
        (Kernel::Avx512 | Kernel::Avx512Bf16, _) => return unsafe { x86::f32() },
        _ => {}
    }
    let _ = (kernel, precision);
    let (a, mut sums) = (std::hint::black_box(0.999_f32), [[1.0_f32; 8]; 8]);
    for _ in 0..ROUNDS {
        for sum in sums.iter_mut().flatten() {
            *sum = *sum * a + a;
        }
    }
    std::hint::black_box(sums);
    2 * 64
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m512bh, __m512i, _mm256_fmadd_ps, _mm256_set1_ps, _mm512_dpbf16_ps, _mm512_dpbusd_epi32,
        _mm512_fmadd_ps, _mm512_set1_epi32, _mm512_set1_ps,
    };
    use std::hint::black_box;

    use super::ROUNDS;

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn avx2() -> usize {
        let (a, mut sums) = (_mm256_set1_ps(black_box(0.999)), [_mm256_set1_ps(1.0); 12]);
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(a, a, *sum);
            }
        }
        black_box(sums);
        12 * 16
    }

    #[target_feature(enable = "avx512f")]
    pub(super) fn f32() -> usize {
        let (a, mut sums) = (_mm512_set1_ps(black_box(0.999)), [_mm512_set1_ps(1.0); 24]);
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(a, a, *sum);
            }
        }
        black_box(sums);
        24 * 32
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) fn bf16() -> usize {
        let bits = _mm512_set1_epi32(black_box(0x3f7f_3f7f));
        // SAFETY: both are 64 bytes, and any bits are valid in both.
        let a = unsafe { std::mem::transmute::<__m512i, __m512bh>(bits) };
        let mut sums = [_mm512_set1_ps(1.0); 24];
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                *sum = _mm512_dpbf16_ps(*sum, a, a);
            }
        }
        black_box(sums);
        24 * 64
    }

    #[target_feature(enable = "avx512f,avx512vnni")]
    pub(super) fn int8() -> usize {
        let (a, mut sums) = (
            _mm512_set1_epi32(black_box(0x0102_0304)),
            [_mm512_set1_epi32(1); 24],
        );
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                *sum = _mm512_dpbusd_epi32(*sum, a, a);
            }
        }
        black_box(sums);
        24 * 128
    }
}
