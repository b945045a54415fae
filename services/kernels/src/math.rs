//! exp and erf in f32, written so that compilers make vectors of them: no branches, no tables, no calls.

use crate::kernel::Arithmetic;

/// Adding 1.5 × 2²³ rounds to an integer in the lowest bits.
const ROUND: f32 = 12_582_912.0;
/// ln 2 in two parts, the first with zeros at its end, so that `n × LN2_HIGH` is exact for |n| < 2⁸ (Cody and Waite 1980;
/// values of Cephes `expf.c`).
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;
/// The minimax polynomial of `(eˣ − 1 − x) / x²` on ±ln 2 / 2, of Cephes `expf.c` (Moshier 1989), highest power first.
const EXP: [f32; 6] = [
    1.987_569_1e-4,
    1.398_199_9e-3,
    8.333_452e-3,
    4.166_579_6e-2,
    1.666_666_5e-1,
    5e-1,
];
/// Above it, eˣ is infinite in f32.
const EXP_MOST: f32 = 88.722_83;
/// Below it, eˣ is not normal in f32, and counts as zero.
const EXP_LEAST: f32 = -87.336_54;

/// eˣ within 2 units in the last place; 0 below −87.34 (no subnormals), ∞ above 88.72; NaN stays NaN.
#[inline(always)]
pub(crate) fn exp<A: Arithmetic>(x: f32) -> f32 {
    let shifted = A::mul_add(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = A::mul_add(n, -LN2_LOW, A::mul_add(n, -LN2_HIGH, x));
    let mut p = EXP[0];
    for coefficient in &EXP[1..] {
        p = A::mul_add(p, r, *coefficient);
    }
    let p = A::mul_add(p * r, r, r) + 1.0;
    // 2ⁿ in two factors, because 2¹²⁸ has no f32; the exponent's bits are those of `shifted` from the bottom.
    let n = shifted
        .to_bits()
        .cast_signed()
        .wrapping_sub(ROUND.to_bits().cast_signed());
    let half = n >> 1;
    let power = |n: i32| f32::from_bits((n.wrapping_add(127) << 23).cast_unsigned());
    let value = p * power(half) * power(n.wrapping_sub(half));
    let value = if x < EXP_LEAST { 0.0 } else { value };
    if x > EXP_MOST { f32::INFINITY } else { value }
}

/// From here on, erf is 1 within 5e-8.
pub(crate) const ERF_ONE: f32 = 3.875;
/// 2 / 3.875², which maps x² to −1..1 (after subtracting 1).
pub(crate) const ERF_SCALE: f32 = 2.0 / (ERF_ONE * ERF_ONE);
/// Minimax polynomial of `erf(x) / x` in `2 x² / 3.875² − 1`, the absolute error of erf weighted evenly: Lawson's
/// iteration (1961) on 200 points in 40 digits, error 7.4e-8; our own. Lowest power first.
pub(crate) const ERF: [f32; 15] = [
    0.364_919_42,
    -0.182_150_48,
    0.135_449_33,
    -0.109_950_77,
    0.090_775_624,
    -0.073_668_726,
    0.057_038_4,
    -0.041_115_86,
    0.029_152_038,
    -0.021_143_83,
    0.011_644_237,
    -0.003_467_166,
    0.002_811_826_3,
    -0.003_660_165_2,
    0.001_430_652_5,
];

/// erf x with an absolute error of at most 4e-7 (measured over every 61st f32; Abramowitz and Stegun 1964, 7.1.26, has
/// 1.5e-7 and needs a division and an exponential). ±1 beyond ±3.875, infinities included; NaN stays NaN.
#[inline(always)]
pub(crate) fn erf<A: Arithmetic>(x: f32) -> f32 {
    let u = A::mul_add(x * x, ERF_SCALE, -1.0);
    let mut p = ERF[14];
    let mut power = 14;
    while power > 0 {
        power -= 1;
        p = A::mul_add(p, u, ERF[power]);
    }
    let value = x * p;
    if x.abs() >= ERF_ONE {
        1.0_f32.copysign(x)
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Isa, Kernel, Op};

    /// Both functions of one value, compiled for a kernel.
    struct Both(f32);
    impl Op for Both {
        type Output = (f32, f32);
        #[inline(always)]
        fn run<A: Arithmetic>(self) -> (f32, f32) {
            (exp::<A>(self.0), erf::<A>(self.0))
        }
    }

    /// Maclaurin's series in f64 (Abramowitz and Stegun 1964, 7.1.5).
    fn exact_erf(x: f64) -> f64 {
        let (mut term, mut sum, mut n) = (x, x, 0.0);
        while term.abs() > 1e-18 {
            n += 1.0;
            term *= -x * x / n;
            sum += term / (2.0 * n + 1.0);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    }

    #[test]
    fn exp_and_erf_are_as_near_as_they_say() {
        for isa in Kernel::ALL.into_iter().filter_map(Isa::new) {
            let (mut worst_exp, mut worst_erf) = (0.0_f64, 0.0_f64);
            // Every 20,011th f32 of each sign.
            for bits in (0..=f32::INFINITY.to_bits()).step_by(20_011) {
                for x in [f32::from_bits(bits), -f32::from_bits(bits)] {
                    let (power, error) = isa.run(Both(x));
                    let exact = f64::from(x).exp();
                    if x < EXP_LEAST {
                        assert_eq!(power.to_bits(), 0);
                    } else if x > EXP_MOST {
                        assert_eq!(power.to_bits(), f32::INFINITY.to_bits());
                    } else {
                        let ulp = f64::from(f32::EPSILON) * 2.0_f64.powf(exact.log2().floor());
                        worst_exp = worst_exp.max((f64::from(power) - exact).abs() / ulp);
                    }
                    let exact = if x.abs() < 5.0 {
                        exact_erf(f64::from(x))
                    } else {
                        f64::from(x.signum())
                    };
                    worst_erf = worst_erf.max((f64::from(error) - exact).abs());
                }
            }
            assert!(
                worst_exp <= 2.0,
                "{isa:?}: exp is off by {worst_exp} units in the last place"
            );
            assert!(worst_erf <= 4e-7, "{isa:?}: erf is off by {worst_erf}");
            let (power, error) = isa.run(Both(f32::NAN));
            assert!(power.is_nan() && error.is_nan());
        }
    }
}
