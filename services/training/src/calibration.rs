//! Temperatures and operating points, from notes that training did not see.

use inference::Isotonic;

use crate::metrics::count;

/// Temperatures outside this range say more about few notes than about the model.
const TEMPERATURES: (f64, f64) = (0.25, 4.0);

/// `1 / (1 + exp(-x))`.
pub(crate) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Cross-entropy of a logit with a target in [0, 1], without overflow.
fn loss(logit: f64, target: f64) -> f64 {
    logit.max(0.0) - logit * target + (-logit.abs()).exp().ln_1p()
}

/// The temperature T that makes `sigmoid(logit / T)` most likely (Guo et al. 2017, arXiv:1706.04599, section 4.2), by
/// golden-section search on log T; the loss is convex in 1 / T. 1 when there is nothing to fit.
pub(crate) fn temperature(logits: &[f64], targets: &[f64], weights: &[f64]) -> f64 {
    if logits.is_empty() {
        return 1.0;
    }
    let cost = |log: f64| -> f64 {
        logits
            .iter()
            .zip(targets)
            .zip(weights)
            .map(|((logit, target), weight)| weight * loss(logit / log.exp(), *target))
            .sum()
    };
    let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (TEMPERATURES.0.ln(), TEMPERATURES.1.ln());
    for _ in 0..60 {
        let (a, b) = (high - golden * (high - low), low + golden * (high - low));
        if cost(a) < cost(b) {
            high = b;
        } else {
            low = a;
        }
    }
    f64::midpoint(low, high).exp()
}

/// How the two signs of abnormal are put together; see [`inference::AbnormalPoint`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stack {
    pub(crate) own: f64,
    pub(crate) any: f64,
    pub(crate) bias: f64,
}

/// Strength of the pull of the stack's weights towards one half each: that of one note at the edge of a decision.
const PULL: f64 = 1.0;

/// Fits the stack on pairs (own logit, log-odds of any finding) by logistic regression with a pull towards equal
/// weights, because few notes cannot tell two signs apart that mostly agree. Cyclic Newton steps, one coordinate at a
/// time; the cost is convex, and neither weight goes below zero.
pub(crate) fn stack(pairs: &[(f64, f64)], targets: &[f64], weights: &[f64]) -> Stack {
    let mut fit = [0.5, 0.5, 0.0];
    let prior = fit;
    for _ in 0..500 {
        for at in 0..fit.len() {
            // First and second derivative of the cost along this coordinate.
            let pull = if at == 2 { 0.0 } else { PULL };
            let (mut slope, mut curve) = (pull * (fit[at] - prior[at]), pull + 1e-9);
            for ((&(own, any), target), weight) in pairs.iter().zip(targets).zip(weights) {
                let inputs = [own, any, 1.0];
                let z: f64 = inputs.iter().zip(&fit).map(|(x, w)| x * w).sum();
                let p = sigmoid(z);
                slope += weight * (p - target) * inputs[at];
                curve += weight * (p * (1.0 - p)).max(1e-3) * inputs[at].powi(2);
            }
            fit[at] -= slope / curve;
            if at < 2 {
                fit[at] = fit[at].max(0.0);
            }
        }
    }
    let [own, any, bias] = fit;
    Stack { own, any, bias }
}

/// Targets for fitting a calibration on few notes: of `n` notes of a kind none is certain to be one, but `(n + 1) / (n + 2)`
/// (Platt 1999, Probabilistic Outputs for Support Vector Machines, section 2.2). Without them a slope that is fitted on notes
/// which the model tells apart almost without a mistake says 0.999 where nine in ten are right.
pub(crate) fn smoothed(targets: &[f64], weights: &[f64]) -> Vec<f64> {
    let sum = |part: &dyn Fn(f64) -> f64| {
        targets
            .iter()
            .zip(weights)
            .map(|(t, w)| w * part(*t))
            .sum::<f64>()
    };
    let (with, without) = (sum(&|target| target), sum(&|target| 1.0 - target));
    let (high, low) = ((with + 1.0) / (with + 2.0), 1.0 / (without + 2.0));
    targets
        .iter()
        .map(|target| target * high + (1.0 - target) * low)
        .collect()
}

/// The rising line through the frequencies: pools neighbours that fall (pool adjacent violators, Ayer et al. 1955, Ann Math
/// Statist 26(4)), each block a knot at its mean probability. Straight lines between the knots keep the order of notes that a
/// step would tie. `None` with fewer than two blocks, which is no line.
pub(crate) fn isotonic(scores: &[f64], targets: &[f64], weights: &[f64]) -> Option<Isotonic> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    // Weight, weighted score and weighted target of each block.
    let mut blocks: Vec<(f64, f64, f64)> = Vec::new();
    for at in order {
        blocks.push((weights[at], weights[at] * scores[at], weights[at] * targets[at]));
        while let [.., a, b] = blocks.as_slice() {
            if a.2 / a.0 < b.2 / b.0 {
                break;
            }
            let joined = (a.0 + b.0, a.1 + b.1, a.2 + b.2);
            blocks.truncate(blocks.len() - 2);
            blocks.push(joined);
        }
    }
    let knots = blocks.iter().map(|&(weight, score, target)| {
        // A frequency of 0 or 1 among few notes is no certainty: half a note more on each side (Laplace's rule halved).
        (score / weight, (target + 0.5) / (weight + 1.0))
    });
    Isotonic::new(knots.collect()).ok()
}

/// The largest threshold at which this part of the positives is found, halfway to the next lower score so that a small change
/// does not lose the note that it stands on; 0.5 without positives.
pub(crate) fn at_sensitivity(scores: &[f64], targets: &[f64], weights: &[f64], wanted: f64) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let all: f64 = targets
        .iter()
        .zip(weights)
        .map(|(target, weight)| target * weight)
        .sum();
    let mut found = 0.0;
    for (place, &at) in order.iter().enumerate() {
        found += targets[at] * weights[at];
        if all > 0.0 && found >= wanted * all - 1e-9 {
            let next = order[place + 1..]
                .iter()
                .map(|&at| scores[at])
                .find(|&score| score < scores[at]);
            return next.map_or(scores[at], |next| f64::midpoint(scores[at], next));
        }
    }
    0.5
}

/// Scores and truth of one label.
pub(crate) struct Scored {
    pub(crate) scores: Vec<f64>,
    pub(crate) truth: Vec<bool>,
}

/// `2 TP`, and `2 TP + FP + FN`, at a threshold.
fn parts(label: &Scored, threshold: f64) -> (f64, f64) {
    let (mut both, mut either) = (0.0, 0.0);
    for (&score, &truth) in label.scores.iter().zip(&label.truth) {
        let said = score >= threshold;
        both += f64::from(u8::from(said && truth)) * 2.0;
        either += f64::from(u8::from(said)) + f64::from(u8::from(truth));
    }
    (both, either)
}

/// An operating point for each label: the threshold with the largest F1. Few held-out notes have a rare finding, so
/// each label borrows from all: the counts of the other labels at the same threshold are added as if they were
/// `borrowed` notes with the finding. The middle of the widest stretch of equally good thresholds is taken.
pub(crate) fn operating_points(labels: &[Scored], borrowed: f64) -> Vec<f64> {
    let grid: Vec<f64> = (2..=19)
        .map(|step| f64::from(step) * 0.05)
        .map(|t| t.min(0.9))
        .collect();
    let positives = |label: &Scored| count(label.truth.iter().filter(|&&truth| truth).count());
    let total: f64 = labels.iter().map(positives).sum();
    let pooled: Vec<(f64, f64)> = grid
        .iter()
        .map(|&threshold| {
            labels.iter().fold((0.0, 0.0), |(both, either), label| {
                let own = parts(label, threshold);
                (both + own.0, either + own.1)
            })
        })
        .collect();
    labels
        .iter()
        .map(|label| {
            let share = if total > 0.0 { borrowed / total } else { 0.0 };
            let values: Vec<f64> = grid
                .iter()
                .zip(&pooled)
                .map(|(&threshold, pool)| {
                    let own = parts(label, threshold);
                    (own.0 + share * pool.0) / (own.1 + share * pool.1).max(f64::MIN_POSITIVE)
                })
                .collect();
            let best = values.iter().copied().fold(0.0, f64::max);
            let good: Vec<f64> = grid
                .iter()
                .zip(&values)
                .filter(|(_, value)| **value >= best - 1e-3)
                .map(|(threshold, _)| *threshold)
                .collect();
            good.get(good.len() / 2).copied().unwrap_or(0.5)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overconfident_model_is_cooled() {
        // Logits of ±4 that are right three times in four: the best temperature is 4 / ln 3.
        let logits = [4.0, 4.0, 4.0, 4.0, -4.0, -4.0, -4.0, -4.0];
        let targets = [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0];
        let fitted = temperature(&logits, &targets, &[1.0; 8]);
        assert!((fitted - 4.0 / 3.0_f64.ln()).abs() < 1e-3, "{fitted}");
        assert!((sigmoid(4.0 / fitted) - 0.75).abs() < 1e-3);
        assert!((temperature(&[], &[], &[]) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_temperature_stays_within_bounds() {
        let right = temperature(&[1.0, -1.0], &[1.0, 0.0], &[1.0; 2]);
        assert!((right - TEMPERATURES.0).abs() < 1e-3);
    }

    #[test]
    fn the_stack_follows_the_sign_that_is_right() {
        // The first sign is noise around zero, the second is right three times in four at ±2.
        let pairs: Vec<(f64, f64)> = (0..80)
            .map(|at| {
                (
                    if at % 2 == 0 { 1.0 } else { -1.0 },
                    if at % 4 < 2 { 2.0 } else { -2.0 },
                )
            })
            .collect();
        let targets: Vec<f64> = (0..80)
            .map(|at| {
                let right = at % 16 < 12;
                f64::from(u8::from((at % 4 < 2) == right))
            })
            .collect();
        let fit = stack(&pairs, &targets, &[1.0; 80]);
        assert!(fit.own.abs() < 0.1 && fit.bias.abs() < 0.1, "{fit:?}");
        assert!((fit.any - 3.0_f64.ln() / 2.0).abs() < 0.05, "{fit:?}");
        // Without notes it stays where it starts.
        assert!((stack(&[], &[], &[]).own - 0.5).abs() < 1e-12);
        // A sign that points the wrong way is left out, not turned around.
        let wrong: Vec<f64> = targets.iter().map(|target| 1.0 - target).collect();
        assert!(stack(&pairs, &wrong, &[1.0; 80]).any.abs() < 1e-12);
    }

    #[test]
    fn few_notes_without_a_mistake_do_not_make_certain() {
        // Eight notes that the model tells apart: three of one kind, of which one has two copies, and five of the other.
        let targets = [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        let weights = [1.0, 1.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0];
        let smoothed = smoothed(&targets, &weights);
        assert!((smoothed[0] - 5.0 / 6.0).abs() < 1e-12 && (smoothed[7] - 1.0 / 7.0).abs() < 1e-12);
        let pairs: Vec<(f64, f64)> = targets
            .iter()
            .map(|target| (20.0 * target - 10.0, 20.0 * target - 10.0))
            .collect();
        let said = |targets: &[f64]| {
            let fit = stack(&pairs, targets, &weights);
            sigmoid(fit.bias + 10.0 * (fit.own + fit.any))
        };
        assert!(said(&targets) > 0.99 && said(&smoothed) < 0.95);
    }

    #[test]
    fn frequencies_that_fall_are_pooled_and_the_order_stays() {
        // Says 0.2 and 0.4 where one in two is positive, 0.9 where all are: an overconfident middle.
        let scores: Vec<f64> = [0.1; 40]
            .iter()
            .chain(&[0.3; 40])
            .chain(&[0.4; 40])
            .chain(&[0.9; 40])
            .copied()
            .collect();
        let targets: Vec<f64> = (0..160)
            .map(|at| {
                f64::from(u8::from(match at / 40 {
                    0 => false,
                    1 => at % 2 == 0,
                    2 => at % 4 == 0,
                    _ => true,
                }))
            })
            .collect();
        let fitted = isotonic(&scores, &targets, &[1.0; 160]).expect("a line");
        // 0.3 and 0.4 fall from 1/2 to 1/4: together 3/8.
        assert!((fitted.bend(0.35) - 0.375).abs() < 0.01, "{fitted:?}");
        assert!(fitted.bend(0.05) < 0.02 && fitted.bend(0.95) > 0.98);
        let mut last = 0.0;
        for step in 0..=100 {
            let bent = fitted.bend(f64::from(step) / 100.0);
            assert!(bent >= last && bent <= 1.0);
            last = bent;
        }
        assert!(isotonic(&[0.5], &[1.0], &[1.0]).is_none());
    }

    #[test]
    fn the_operating_point_finds_the_part_that_was_asked_for() {
        let scores: Vec<f64> = (0..100).map(|at| f64::from(at) / 100.0).collect();
        let targets: Vec<f64> = (0..100).map(|at| f64::from(u8::from(at % 2 == 1))).collect();
        for wanted in [0.5, 0.9, 0.98, 1.0] {
            let threshold = at_sensitivity(&scores, &targets, &[1.0; 100], wanted);
            let found = (0..100)
                .filter(|at| at % 2 == 1 && scores[*at] >= threshold)
                .count();
            assert!((count(found) / 50.0 - wanted).abs() < 0.011, "{wanted}: {found}");
        }
        assert!((at_sensitivity(&[0.9], &[0.0], &[1.0], 0.9) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn a_label_without_examples_takes_the_threshold_of_the_others() {
        let clear = Scored {
            scores: vec![0.9, 0.35, 0.25, 0.05],
            truth: vec![true, true, false, false],
        };
        let unseen = Scored {
            scores: vec![0.01; 4],
            truth: vec![false; 4],
        };
        let points = operating_points(&[clear, unseen], 1.0);
        assert!(points[0] > 0.25 && points[0] <= 0.35, "{points:?}");
        assert!((points[0] - points[1]).abs() < 1e-9, "{points:?}");
        assert!(operating_points(&[], 1.0).is_empty());
    }
}
