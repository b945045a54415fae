//! What the tests share: kernels of this machine, numbers, and plain references in f64.

use kernels::{Executor, Kernel};

/// The kernels that this machine can run.
pub fn kernels() -> impl Iterator<Item = Kernel> {
    Kernel::ALL.into_iter().filter(|kernel| kernel.is_available())
}

/// An executor of this kernel.
pub fn executor(kernel: Kernel, threads: usize) -> Executor {
    Executor::new(kernel, threads).expect("the kernel is available")
}

/// `count` values in −1..1, the same for the same seed (splitmix64, Steele et al. 2014).
#[expect(clippy::cast_precision_loss, reason = "24 bits fit an f32")]
pub fn values(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed;
    (0..count)
        .map(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
        })
        .collect()
}

/// The bits of each value.
pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// `x Wᵀ + b` in f64, and `Σ |x w| + |b|` beside each value.
pub fn product(k: usize, x: &[f32], weights: &[f32], bias: &[f32]) -> Vec<(f64, f64)> {
    let mut out = Vec::new();
    for x in x.chunks_exact(k) {
        for (weights, &bias) in weights.chunks_exact(k).zip(bias) {
            let terms = || x.iter().zip(weights).map(|(&x, &w)| f64::from(x) * f64::from(w));
            let sum = terms().sum::<f64>() + f64::from(bias);
            let size = terms().map(f64::abs).sum::<f64>() + f64::from(bias).abs();
            out.push((sum, size));
        }
    }
    out
}

/// erf in f64: its Maclaurin series to where that is exact, and 1 beyond (Abramowitz and Stegun 1964, 7.1.5).
pub fn erf(x: f64) -> f64 {
    if x.abs() > 5.0 {
        return x.signum();
    }
    let (mut term, mut sum, mut n) = (x, x, 0.0);
    while term.abs() > 1e-18 {
        n += 1.0;
        term *= -x * x / n;
        sum += term / (2.0 * n + 1.0);
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI
}

/// Fails when a value is not what it should be.
pub fn near(kernel: Kernel, value: f32, want: f64, tolerance: f64) {
    let value = f64::from(value);
    assert!(
        (value - want).abs() <= tolerance,
        "{kernel:?}: {value} is not {want}"
    );
}

/// Softmax in f64.
pub fn softmax(row: &[f32]) -> Vec<f64> {
    let most = row.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(f64::from(b)));
    let powers: Vec<f64> = row.iter().map(|&x| (f64::from(x) - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}
