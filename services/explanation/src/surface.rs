//! What the scores say of each phrase: Bayesian quadrature over the masks.
//!
//! A least-squares line treats every interaction of phrases as noise, and needs many masks to average it away. Here the
//! log-odds are a Gaussian process over the masks, whose kernel is a product over the phrases,
//! `k(x, z) = Π (1 + λᵢ xᵢ zᵢ) / (1 + λᵢ)` with `x`, `z` in {−1, +1}: strong phrases get a large λ, so that their
//! interactions are learned, and the others are smoothed over. The weight of a phrase is its effect averaged over the
//! neighbourhood of the note, an integral that this kernel has in closed form, with its posterior variance (O'Hagan,
//! "Bayes-Hermite quadrature", J. Stat. Plan. Inference 1991; Rasmussen and Williams, Gaussian Processes for Machine
//! Learning, 2006, chapters 2 and 5).

use crate::moments::{cholesky, dot, solve};

/// Share of the process that no phrase explains, as variance: rounding of the scores, and texts that two masks share.
const NOISE: f64 = 1e-3;

/// Mean of a phrase's ±1 under the neighbourhood: a quarter of the phrases is away, as in the design.
const MEAN: f64 = 0.5;

/// Correlations λ tried where all phrases are alike, and scales tried once they differ.
const COMMON: [f64; 5] = [0.03, 0.06, 0.12, 0.25, 0.4];
const SCALES: [f64; 5] = [0.05, 0.1, 0.2, 0.4, 0.7];

/// Weights of the phrases.
#[derive(Clone, Debug)]
pub(crate) struct Weights {
    /// Effect of keeping each phrase, in log-odds.
    pub effects: Vec<f64>,
    /// Posterior standard deviation of each effect.
    pub deviations: Vec<f64>,
    /// Value of the line through these effects with every phrase away.
    pub base: f64,
}

impl Weights {
    /// The line's value for a mask.
    pub(crate) fn line(&self, kept: &[bool]) -> f64 {
        let present = self.effects.iter().zip(kept).filter(|(_, kept)| **kept);
        self.base + present.map(|(effect, _)| effect).sum::<f64>()
    }
}

/// Chooses the λ of each phrase by marginal likelihood: a common one first, then in proportion to the effects found.
pub(crate) fn correlations(masks: &[Vec<bool>], log_odds: &[f64]) -> Vec<f64> {
    let units = masks.first().map_or(0, Vec::len);
    let best = |candidates: &mut dyn Iterator<Item = Vec<f64>>| {
        candidates
            .filter_map(|lambda| Some((Process::new(masks, log_odds, &lambda)?.evidence, lambda)))
            .reduce(|best, next| if next.0 > best.0 { next } else { best })
            .map(|(_, lambda)| lambda)
    };
    let mut lambda =
        best(&mut COMMON.iter().map(|&common| vec![common; units])).unwrap_or_else(|| vec![COMMON[0]; units]);
    for _ in 0..2 {
        let effects = weights(masks, log_odds, &lambda).effects;
        let size =
            (dot(&effects, &effects) / f64::from(u32::try_from(units.max(1)).unwrap_or(u32::MAX))).sqrt();
        if size <= f64::EPSILON {
            break;
        }
        let scaled = |scale: f64| -> Vec<f64> {
            effects
                .iter()
                .map(|effect| (scale * effect.abs() / size).clamp(0.01, 0.9))
                .collect()
        };
        match best(&mut SCALES.iter().map(|&scale| scaled(scale))) {
            Some(better) => lambda = better,
            None => break,
        }
    }
    lambda
}

/// The process given the masks: factor of the kernel matrix, and the centred log-odds solved by it.
struct Process {
    factor: Vec<f64>,
    alpha: Vec<f64>,
    variance: f64,
    evidence: f64,
}

impl Process {
    fn new(masks: &[Vec<bool>], log_odds: &[f64], lambda: &[f64]) -> Option<Self> {
        let n = masks.len();
        // Two masks that differ in a phrase have (1 − λ) in its factor where equal ones have (1 + λ).
        let step: Vec<f64> = lambda.iter().map(|l| ((1.0 - l) / (1.0 + l)).ln()).collect();
        let mut kernel = vec![0.0; n * n];
        for (row, a) in masks.iter().enumerate() {
            for (column, b) in masks[..=row].iter().enumerate() {
                let apart: f64 = a
                    .iter()
                    .zip(b)
                    .zip(&step)
                    .map(|((a, b), step)| if a == b { 0.0 } else { *step })
                    .sum();
                kernel[row * n + column] = apart.exp();
            }
            kernel[row * n + row] += NOISE;
        }
        let factor = cholesky(kernel, n);
        // The mean by generalised least squares.
        let ones = solve(&factor, vec![1.0; n], n);
        let scored = solve(&factor, log_odds.to_vec(), n);
        let mean = scored.iter().sum::<f64>() / ones.iter().sum::<f64>();
        let alpha: Vec<f64> = scored.iter().zip(&ones).map(|(y, one)| y - mean * one).collect();
        let count = f64::from(u32::try_from(n).unwrap_or(u32::MAX)).max(1.0);
        let variance = log_odds
            .iter()
            .zip(&alpha)
            .map(|(y, a)| (y - mean) * a)
            .sum::<f64>()
            .max(0.0)
            / count;
        let logs: f64 = (0..n).map(|at| factor[at * n + at].ln()).sum();
        let evidence = -0.5 * count * variance.max(1e-12).ln() - logs;
        evidence.is_finite().then_some(Self {
            factor,
            alpha,
            variance,
            evidence,
        })
    }
}

/// The effect of each phrase over the neighbourhood of the note, with its posterior deviation.
pub(crate) fn weights(masks: &[Vec<bool>], log_odds: &[f64], lambda: &[f64]) -> Weights {
    let n = masks.len();
    let count = f64::from(u32::try_from(n).unwrap_or(u32::MAX)).max(1.0);
    let Some(process) = Process::new(masks, log_odds, lambda) else {
        return Weights {
            effects: vec![0.0; lambda.len()],
            deviations: vec![f64::INFINITY; lambda.len()],
            base: 0.0,
        };
    };
    let sign = |kept: bool| if kept { 1.0 } else { -1.0 };
    let scale: f64 = lambda.iter().map(|l| 1.0 / (1.0 + l)).product();
    // Covariance of a text's score with the mean over the neighbourhood, and that mean's own prior variance.
    let whole: Vec<f64> = masks
        .iter()
        .map(|kept| {
            let factors = kept.iter().zip(lambda);
            factors
                .map(|(&kept, l)| 1.0 + l * MEAN * sign(kept))
                .product::<f64>()
                * scale
        })
        .collect();
    let prior: f64 = lambda.iter().map(|l| 1.0 + l * MEAN * MEAN).product::<f64>() * scale;
    let mut effects = Vec::with_capacity(lambda.len());
    let mut deviations = Vec::with_capacity(lambda.len());
    for (unit, l) in lambda.iter().enumerate() {
        let cross: Vec<f64> = masks
            .iter()
            .zip(&whole)
            .map(|(kept, whole)| {
                let s = sign(kept[unit]);
                2.0 * l * s * whole / (1.0 + l * MEAN * s)
            })
            .collect();
        effects.push(dot(&cross, &process.alpha));
        let known = dot(&cross, &solve(&process.factor, cross.clone(), n));
        let left = 4.0 * l * prior / (1.0 + l * MEAN * MEAN) - known;
        deviations.push((process.variance * left.max(0.0)).sqrt());
    }
    let line = Weights {
        effects,
        deviations,
        base: 0.0,
    };
    let base = masks
        .iter()
        .zip(log_odds)
        .map(|(kept, y)| y - line.line(kept))
        .sum::<f64>()
        / count;
    Weights { base, ..line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_additive_score_comes_back_with_small_deviations() {
        let truth = [2.0, -1.0, 0.0, 0.5];
        let masks: Vec<Vec<bool>> = (0..16_u8)
            .map(|bits| (0..4).map(|at| bits >> at & 1 == 1).collect())
            .collect();
        let y: Vec<f64> = masks
            .iter()
            .map(|kept| {
                -0.3 + kept
                    .iter()
                    .zip(truth)
                    .map(|(&k, w)| if k { w } else { 0.0 })
                    .sum::<f64>()
            })
            .collect();
        let lambda = correlations(&masks, &y);
        let got = weights(&masks, &y, &lambda);
        for ((effect, deviation), wanted) in got.effects.iter().zip(&got.deviations).zip(truth) {
            assert!((effect - wanted).abs() < 0.05, "{effect} is not {wanted}");
            assert!(*deviation < 0.1, "{deviation}");
        }
        assert!((got.base + 0.3).abs() < 0.05, "{}", got.base);
        assert!((got.line(&[true, false, true, true]) - 2.2).abs() < 0.1);
    }

    #[test]
    fn without_masks_there_are_no_effects_and_no_panic() {
        let got = weights(&[], &[], &[]);
        assert!(got.effects.is_empty());
        assert!(correlations(&[], &[]).is_empty());
        let flat = weights(&[vec![true, false], vec![false, true]], &[0.2, 0.2], &[0.1, 0.1]);
        assert!(flat.effects.iter().all(|effect| effect.abs() < 1e-9));
    }
}
