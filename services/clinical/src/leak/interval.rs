//! Exact confidence intervals for proportions.

/// The Clopper-Pearson interval of `successes` in `trials` at confidence `level` (0.95 for 95 %): the proportions that a
/// two-sided exact binomial test at `1 - level` would not reject. Clopper and Pearson, "The use of confidence or
/// fiducial limits illustrated in the case of the binomial", Biometrika 26 (1934). `(0, 1)` where nothing was tried.
///
/// ```
/// let (low, high) = clinical::leak::clopper_pearson(0, 300_000, 0.95);
/// assert!(low == 0.0 && high < 0.000_013);
/// let (low, high) = clinical::leak::clopper_pearson(9, 10, 0.95);
/// assert!((low - 0.554_98).abs() < 1e-4 && (high - 0.997_47).abs() < 1e-4);
/// ```
#[must_use]
pub fn clopper_pearson(successes: u64, trials: u64, level: f64) -> (f64, f64) {
    if trials == 0 {
        return (0.0, 1.0);
    }
    let tail = (1.0 - level) / 2.0;
    let failures = trials.saturating_sub(successes);
    let low = if successes == 0 {
        0.0
    } else {
        beta_quantile(tail, as_f64(successes), as_f64(failures) + 1.0)
    };
    let high = if failures == 0 {
        1.0
    } else {
        beta_quantile(1.0 - tail, as_f64(successes) + 1.0, as_f64(failures))
    };
    (low, high)
}

/// The largest leak probability that `trials` trials without any leak leave possible at one-sided confidence `level`:
/// the p with (1 − p)^trials = 1 − level. 300,000 trials bound it below 0.001 % at 95 % (the "rule of three").
#[must_use]
pub fn upper_bound_without_leak(trials: u64, level: f64) -> f64 {
    if trials == 0 {
        return 1.0;
    }
    -((1.0 - level).ln() / as_f64(trials)).exp_m1()
}

/// Counts of notes and spans are far below 2^53, where `f64` stops to be exact.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of notes and spans are far below 2^53"
)]
pub(super) const fn as_f64(count: u64) -> f64 {
    count as f64
}

/// Where the cumulative beta distribution reaches `p`, by bisection.
fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    // Sixty halvings reach the last bit of numbers near 1; small ones need a few more.
    for _ in 0..120 {
        let middle = f64::midpoint(low, high);
        if beta_cdf(middle, a, b) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// The regularised incomplete beta function by its continued fraction (Lentz), Numerical Recipes section 6.4.
fn beta_cdf(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(x, a, b) / a
    } else {
        1.0 - front * fraction(1.0 - x, b, a) / b
    }
}

#[expect(clippy::many_single_char_names, reason = "the names of Numerical Recipes")]
fn fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let full = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / full(1.0 - (a + b) * x / (a + 1.0));
    let mut h = d;
    for step in 1..2000_u32 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / full(1.0 + even * d);
        c = full(1.0 + even / c);
        h *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / full(1.0 + odd * d);
        c = full(1.0 + odd / c);
        let change = d * c;
        h *= change;
        if (change - 1.0).abs() < 1e-14 {
            break;
        }
    }
    h
}

/// Lanczos approximation (g = 7, n = 9), good to 15 digits for positive arguments.
fn ln_gamma(x: f64) -> f64 {
    const COEFFICIENTS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let mut sum = 0.999_999_999_999_809_9;
    for (place, coefficient) in (1_u32..).zip(COEFFICIENTS) {
        sum += coefficient / (x + f64::from(place));
    }
    let t = x + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_agree_with_tables() {
        // R: binom.test(k, n)$conf.int
        for (k, n, low, high) in [
            (0, 10, 0.0, 0.308_497_1),
            (10, 10, 0.691_502_9, 1.0),
            (5, 10, 0.187_086, 0.812_914),
            (1540, 1570, 0.972_836_3, 0.987_063_6),
        ] {
            let found = clopper_pearson(k, n, 0.95);
            assert!(
                (found.0 - low).abs() < 2e-4 && (found.1 - high).abs() < 2e-4,
                "{k} of {n}: {found:?}"
            );
        }
        assert_eq!(clopper_pearson(0, 0, 0.95), (0.0, 1.0));
    }

    #[test]
    fn three_hundred_thousand_clean_trials_bound_the_leak() {
        let bound = upper_bound_without_leak(300_000, 0.95);
        assert!(bound < 0.000_01 && bound > 0.000_009_9, "{bound}");
        assert!((upper_bound_without_leak(0, 0.95) - 1.0).abs() < f64::EPSILON);
    }
}
