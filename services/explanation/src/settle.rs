//! Where the shown phrases end: a cut at a gap that the masks settle.

use crate::surface::Weights;

/// Fewest phrases that make a reliable explanation.
pub const FEWEST: usize = 3;

/// Half-width of an interval in standard deviations: 99 % of a normal distribution.
pub const INTERVAL: f64 = 2.576;

/// Standard errors by which the chosen gap must exceed zero before sampling may stop. Far more than a test would ask: a set
/// that is the same for every seed is worth some texts, and so many deviations leave no near tie.
const GAP: f64 = 8.0;

/// Standard errors by which it must exceed every other gap.
const RIVAL: f64 = 8.0;

/// Standard errors of the gap below which nothing is shown when the budget ends (95 %, one-sided).
const LEAST: f64 = 1.645;

/// A choice of phrases.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cut {
    /// The phrases above the cut, by falling absolute weight.
    pub shown: Vec<usize>,
    /// Standard errors of the gap below the last shown.
    pub score: f64,
    /// Whether more masks would hardly change the choice.
    pub settled: bool,
}

impl Cut {
    /// Whether the cut may be shown when no more masks can be afforded.
    pub(crate) fn holds(&self) -> bool {
        self.score >= LEAST
    }
}

/// Cuts after the rank (from [`FEWEST`] to `most`) with the widest gap. Every phrase above it has an interval that
/// excludes zero and an absolute weight of at least `least`; `None` where fewer than [`FEWEST`] have.
pub(crate) fn cut(weights: &Weights, most: usize, least: f64) -> Option<Cut> {
    let size = |at: usize| weights.effects[at].abs();
    let mut order: Vec<usize> = (0..weights.effects.len()).collect();
    // A stable sort: equal weights stay in reading order.
    order.sort_by(|&a, &b| size(b).total_cmp(&size(a)));
    let verified = order
        .iter()
        .take_while(|&&at| size(at) >= least && size(at) > INTERVAL * weights.deviations[at])
        .count();
    let latest = verified.min(most);
    let gap = |rank: usize| {
        let above = order[rank - 1];
        let (below, deviation) = match order.get(rank) {
            Some(&at) => (size(at), weights.deviations[at]),
            None => (0.0, 0.0),
        };
        (
            size(above) - below,
            weights.deviations[above].hypot(deviation).max(1e-9),
        )
    };
    let (rank, (wide, error)) = (FEWEST..=latest)
        .map(|rank| (rank, gap(rank)))
        .reduce(|best, next| if next.1.0 > best.1.0 { next } else { best })?;
    let score = wide / error;
    let beats = |other: usize| {
        let (rival, rival_error) = gap(other);
        other == rank || wide - rival >= RIVAL * error.hypot(rival_error)
    };
    let settled = score >= GAP && (FEWEST..=latest).all(beats);
    order.truncate(rank);
    Some(Cut {
        settled,
        score,
        shown: order,
    })
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
    fn the_widest_gap_is_chosen_and_must_be_settled() {
        let effects = [0.1, -2.0, 1.8, 1.7, 0.9, 0.8];
        let got = cut(&of(&effects, 0.005), 6, 0.01).expect("a cut");
        assert_eq!((got.shown, got.settled), (vec![1, 2, 3], true));
        let got = cut(&of(&effects, 0.25), 6, 0.01).expect("a cut");
        assert!(!got.settled && got.holds());
        assert_eq!(cut(&of(&effects, 0.8), 6, 0.01), None);
        assert_eq!(cut(&of(&[2.0, 1.0], 0.01), 6, 0.01), None);
    }

    #[test]
    fn normal_is_that_of_the_tables() {
        assert!((normal(1.96) - 0.975_002).abs() < 1e-6);
        assert!((normal(-1.0) - 0.158_655).abs() < 1e-6);
    }
}
