//! The exact GELU with a gradient, on all cores.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use crate::slice;

/// Values that one thread takes at a time.
const CHUNK: usize = 1 << 14;

/// `x Φ(x)`, Φ the normal distribution function (Hendrycks and Gimpel 2016, arXiv:1606.08415).
pub(crate) fn gelu(x: &Tensor) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return x.gelu_erf();
    }
    x.contiguous()?.apply_op1(Gelu)
}

struct Gelu;

/// `exp(x)` for x ≤ 0 without a branch, so that the compiler can use wide registers: 2^n times a polynomial of the
/// rest (degree 6 around 0, |rest| ≤ ln 2 / 2, relative error below 1e-7).
pub(crate) fn exp(x: f32) -> f32 {
    // 1.5 × 2^23: adding and taking it away rounds to a whole number, without a call.
    const ROUND: f32 = 12_582_912.0;
    let x = x.max(-87.0);
    let n = (x * std::f32::consts::LOG2_E + ROUND) - ROUND;
    // ln 2 in two parts (Cody and Waite), so that the rest is exact.
    let r = (x - n * 0.693_359_4) - n * -2.121_944_4e-4;
    let p = 1.0
        + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0))))));
    #[expect(
        clippy::cast_possible_truncation,
        reason = "n is a whole number from -126 to 0"
    )]
    let exponent = n as i32;
    p * f32::from_bits(((exponent + 127).cast_unsigned()) << 23)
}

/// The normal distribution function, and its density, at `x`. The error function is Abramowitz and Stegun's 7.1.26,
/// with an absolute error of 1.5e-7.
fn normal(x: f32) -> (f32, f32) {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let e = exp(-z * z);
    let poly =
        t * (0.254_829_6 + t * (-0.284_496_72 + t * (1.421_413_8 + t * (-1.453_152_1 + t * 1.061_405_4))));
    let erf = (1.0 - poly * e).copysign(x);
    (0.5 * (1.0 + erf), 0.398_942_3 * e)
}

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = slice::of(x, layout, self.name())?;
        let mut out = vec![0.0; x.len()];
        out.par_chunks_mut(CHUNK)
            .zip(x.par_chunks(CHUNK))
            .for_each(|(out, x)| {
                for (out, &x) in out.iter_mut().zip(x) {
                    *out = x * normal(x).0;
                }
            });
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _out: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let mut out = vec![0.0; x.elem_count()];
        slice::with(x, |x| {
            slice::with(grad, |grad| {
                out.par_chunks_mut(CHUNK)
                    .zip(x.par_chunks(CHUNK))
                    .zip(grad.par_chunks(CHUNK))
                    .for_each(|((out, x), grad)| {
                        for ((out, &x), grad) in out.iter_mut().zip(x).zip(grad) {
                            let (below, density) = normal(x);
                            *out = grad * (below + x * density);
                        }
                    });
                Ok(())
            })
        })?;
        slice::tensor(out, x).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_and_erf_are_those_of_the_tables() {
        for (x, wanted) in [
            (0.0, 1.0),
            (-1.0, 0.367_879_44),
            (-10.0, 4.539_993e-5),
            (-0.3, 0.740_818_2),
        ] {
            assert!((exp(x) - wanted).abs() < 2e-7, "exp({x})");
        }
        // Φ(1) and Φ(−2) to seven digits (NIST/SEMATECH e-Handbook, table of the normal distribution).
        assert!((normal(1.0).0 - 0.841_344_7).abs() < 3e-7);
        assert!((normal(-2.0).0 - 0.022_750_1).abs() < 3e-7);
        assert!((normal(0.0).1 - 0.398_942_3).abs() < 1e-7);
    }

    #[test]
    fn gradients_agree_with_finite_differences() -> Result<()> {
        let x = crate::testing::var(&[3, 5], 1)?;
        crate::testing::check_gradients(&[&x], 15, || gelu(&(x.as_tensor() * 2.0)?))
    }
}
