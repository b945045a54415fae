//! Which of the words found may be shown.

use crate::explain::MIN_WEIGHT;
use crate::surface::Weights;

/// Fewest words that make a reliable explanation.
pub const FEWEST: usize = 3;

/// Half-width of an interval in standard deviations: 99 % of a normal distribution.
pub const INTERVAL: f64 = 2.576;

/// Of the first words those to show, the strongest first, and the confidence that another draw of the texts would show the
/// same: the least over all of them.
///
/// A word needs a weight of at least [`MIN_WEIGHT`] and an interval that excludes zero; fewer than [`FEWEST`] are none (`None`).
/// The search asked for more than that already, so that few words stand near this limit, where the draw would decide.
pub(crate) fn verified(weights: &Weights, first: usize) -> Option<(Vec<usize>, f64)> {
    let size = |at: usize| weights.effects[at].abs();
    let least = |at: usize| (INTERVAL * weights.deviations[at]).max(MIN_WEIGHT);
    let mut shown: Vec<usize> = (0..weights.effects.len().min(first)).collect();
    let confidence = shown
        .iter()
        .map(|&at| normal((size(at) - least(at)).abs() / weights.deviations[at].max(1e-9)))
        .fold(1.0, f64::min);
    shown.retain(|&at| size(at) >= least(at));
    // A stable sort: equal weights stay in the order of the search.
    shown.sort_by(|&a, &b| size(b).total_cmp(&size(a)));
    (shown.len() >= FEWEST).then_some((shown, confidence))
}

/// Probability that a normal deviate is below `x` (Abramowitz and Stegun 26.2.17; error below 7.5e-8).
pub(crate) fn normal(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let series = [
        0.319_381_530,
        -0.356_563_782,
        1.781_477_937,
        -1.821_255_978,
        1.330_274_429,
    ]
    .iter()
    .rev()
    .fold(0.0, |sum, c| (sum + c) * t);
    let tail = series * (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
    if x < 0.0 { tail } else { 1.0 - tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(effects: &[f64], deviation: f64) -> Weights {
        Weights {
            effects: effects.to_vec(),
            deviations: vec![deviation; effects.len()],
            base: 0.0,
        }
    }

    #[test]
    fn what_is_too_small_or_uncertain_is_not_shown() {
        let effects = [0.01, -2.0, 1.8, 1.7, 0.35];
        let (shown, confidence) = verified(&of(&effects, 0.05), 5).expect("words");
        assert_eq!(shown, [1, 2, 3, 4]);
        assert!(confidence > 0.95, "{confidence}");
        assert_eq!(verified(&of(&effects, 0.2), 5).expect("words").0, [1, 2, 3]);
        assert_eq!(verified(&of(&effects, 0.68), 5), None);
        assert_eq!(verified(&of(&[2.0, 1.0, 1.5], 0.01), 2), None);
    }

    #[test]
    fn normal_is_that_of_the_tables() {
        assert!((normal(1.96) - 0.975_002).abs() < 1e-6);
        assert!((normal(-1.0) - 0.158_655).abs() < 1e-6);
    }
}
