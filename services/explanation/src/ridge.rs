//! The local linear model: weighted ridge regression on masks.

use crate::mask::Mask;

/// Width of the exponential kernel on 100 × cosine distance (`LimeTextExplainer`, marcotcr/lime).
const KERNEL_WIDTH: f64 = 25.0;

/// Penalty on the squared weights (`lime_base.py`: `Ridge(alpha=1, fit_intercept=True)`).
const ALPHA: f64 = 1.0;

/// A fitted local model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fit {
    /// One weight a unit: what keeping it adds to the score.
    pub weights: Vec<f64>,
    /// Value of the model with every unit taken away.
    pub intercept: f64,
    /// Weighted R² on the samples it was fitted to; 0 where the scores do not vary.
    pub r2: f64,
}

/// Closeness of a mask to the whole text: `sqrt(exp(-d² / width²))` with `d` = 100 × (1 − cosine).
fn kernel(mask: &Mask) -> f64 {
    let units = mask.kept().len();
    let kept = mask.kept().iter().filter(|&&kept| kept).count();
    // The cosine of a 0/1 vector with the vector of ones is sqrt(kept / units).
    let cosine = (count(kept) / count(units.max(1))).sqrt();
    let distance = 100.0 * (1.0 - cosine);
    (-(distance / KERNEL_WIDTH).powi(2)).exp().sqrt()
}

/// Counts of units are far below 2^32, where f64 is exact.
fn count(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

/// Fits `responses` (one a mask) by ridge regression with a free intercept, weighted by closeness to the whole text.
/// The masks all have the same number of units; without masks everything is zero.
pub(crate) fn fit(masks: &[Mask], responses: &[f64]) -> Fit {
    let units = masks.first().map_or(0, |mask| mask.kept().len());
    let closeness: Vec<f64> = masks.iter().map(kernel).collect();
    let total: f64 = closeness.iter().sum();
    if units == 0 || total <= 0.0 {
        return Fit {
            weights: vec![0.0; units],
            intercept: 0.0,
            r2: 0.0,
        };
    }
    // A free intercept is the same as centring both sides at their weighted means.
    let mut mean_x = vec![0.0; units];
    for (mask, w) in masks.iter().zip(&closeness) {
        for (mean, &kept) in mean_x.iter_mut().zip(mask.kept()) {
            *mean += if kept { w / total } else { 0.0 };
        }
    }
    let mean_y = responses.iter().zip(&closeness).map(|(y, w)| y * w).sum::<f64>() / total;

    let mut gram = vec![0.0; units * units];
    let mut moment = vec![0.0; units];
    for ((mask, &w), y) in masks.iter().zip(&closeness).zip(responses) {
        let centred: Vec<f64> = mask
            .kept()
            .iter()
            .zip(&mean_x)
            .map(|(&kept, mean)| f64::from(u8::from(kept)) - mean)
            .collect();
        for (row, &x) in centred.iter().enumerate() {
            moment[row] += w * x * (y - mean_y);
            for (cell, &other) in gram[row * units..=row * units + row].iter_mut().zip(&centred) {
                *cell += w * x * other;
            }
        }
    }
    for at in 0..units {
        gram[at * units + at] += ALPHA;
    }
    let weights = cholesky_solve(gram, moment, units);
    let intercept = mean_y - weights.iter().zip(&mean_x).map(|(b, x)| b * x).sum::<f64>();

    let (mut left, mut around) = (0.0, 0.0);
    for ((mask, w), y) in masks.iter().zip(&closeness).zip(responses) {
        let line: f64 = mask
            .kept()
            .iter()
            .zip(&weights)
            .filter(|(kept, _)| **kept)
            .map(|(_, b)| b)
            .sum();
        left += w * (y - intercept - line).powi(2);
        around += w * (y - mean_y).powi(2);
    }
    let r2 = if around > f64::EPSILON {
        1.0 - left / around
    } else {
        0.0
    };
    Fit {
        weights,
        intercept,
        r2,
    }
}

/// Solves `A x = b` for a symmetric positive definite `A` of `n` rows, of which the lower triangle is read, by
/// Cholesky's decomposition `A = L Lᵀ` (Golub and Van Loan, Matrix Computations, 4th ed., algorithm 4.2.1).
fn cholesky_solve(mut a: Vec<f64>, mut b: Vec<f64>, n: usize) -> Vec<f64> {
    let dot = |x: &[f64], y: &[f64]| -> f64 { x.iter().zip(y).map(|(x, y)| x * y).sum() };
    for row in 0..n {
        let (above, current) = a.split_at_mut(row * n);
        for column in 0..row {
            let pivot_row = &above[column * n..=column * n + column];
            let value = current[column] - dot(&pivot_row[..column], &current[..column]);
            current[column] = value / pivot_row[column];
        }
        // The penalty on the diagonal keeps every pivot at ALPHA or above, up to rounding.
        let pivot = current[row] - dot(&current[..row], &current[..row]);
        current[row] = pivot.max(f64::MIN_POSITIVE).sqrt();
    }
    for row in 0..n {
        let known = dot(&a[row * n..row * n + row], &b[..row]);
        b[row] = (b[row] - known) / a[row * n + row];
    }
    for row in (0..n).rev() {
        let known: f64 = (row + 1..n).map(|below| a[below * n + row] * b[below]).sum();
        b[row] = (b[row] - known) / a[row * n + row];
    }
    b
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: f64, wanted: f64) {
        assert!((got - wanted).abs() < 1e-9, "{got} is not {wanted}");
    }

    #[test]
    fn cholesky_solves_a_system_by_hand() {
        // A = L Lᵀ with L = [[2, 0, 0], [6, 1, 0], [-8, 5, 3]]; A (1, 2, 3)ᵀ = (-20, -43, 192)ᵀ.
        let a = vec![4.0, 0.0, 0.0, 12.0, 37.0, 0.0, -16.0, -43.0, 98.0];
        let x = cholesky_solve(a, vec![-20.0, -43.0, 192.0], 3);
        close(x[0], 1.0);
        close(x[1], 2.0);
        close(x[2], 3.0);
    }

    #[test]
    fn kernel_is_that_of_lime() {
        close(kernel(&Mask::of(&[true, true])), 1.0);
        // Half of the units: d = 100 (1 - sqrt(1/2)) = 29.289…; sqrt(exp(-(d / 25)²)) = exp(-0.68629…).
        close(
            kernel(&Mask::of(&[true, false])),
            (-(100.0 * (1.0 - 0.5_f64.sqrt()) / 25.0).powi(2) / 2.0).exp(),
        );
        assert!((kernel(&Mask::of(&[true, false])) - 0.503_44).abs() < 1e-4);
    }

    #[test]
    fn ridge_agrees_with_a_case_by_hand() {
        // One mask a side: keep both (k = 1), or one of two (k = q); scores 1, a, b with equal closeness q for the two.
        // With centred columns x1 = (q, 0, -1 - ... ) the normal equations are solved below in closed form.
        let masks = [
            Mask::of(&[true, true]),
            Mask::of(&[true, false]),
            Mask::of(&[false, true]),
        ];
        let y = [0.9, 0.7, 0.3];
        let q = kernel(&masks[1]);
        let total = 1.0 + 2.0 * q;
        // Weighted means and centred second moments, written out.
        let mean_x = (1.0 + q) / total;
        let mean_y = (0.9 + q * 1.0) / total;
        let variance = (1.0 + q) - total * mean_x * mean_x + 1.0;
        let covariance = 1.0 - total * mean_x * mean_x;
        let m1 = (0.9 + 0.7 * q) - total * mean_x * mean_y;
        let m2 = (0.9 + 0.3 * q) - total * mean_x * mean_y;
        let determinant = variance * variance - covariance * covariance;
        let b1 = (variance * m1 - covariance * m2) / determinant;
        let b2 = (variance * m2 - covariance * m1) / determinant;
        let fit = fit(&masks, &y);
        close(fit.weights[0], b1);
        close(fit.weights[1], b2);
        close(fit.intercept, mean_y - (b1 + b2) * mean_x);
        assert!(fit.r2 > 0.0 && fit.r2 < 1.0);
        assert!(fit.weights[0] > fit.weights[1]);
    }

    #[test]
    fn constant_scores_have_no_weights_and_no_fit() {
        let masks = [Mask::of(&[true, true]), Mask::of(&[true, false])];
        let fit = fit(&masks, &[0.5, 0.5]);
        close(fit.weights[0], 0.0);
        close(fit.intercept, 0.5);
        close(fit.r2, 0.0);
    }

    #[test]
    fn no_masks_no_model() {
        assert_eq!(
            fit(&[], &[]),
            Fit {
                weights: Vec::new(),
                intercept: 0.0,
                r2: 0.0
            }
        );
    }
}
