//! Numbers that say how good scores are.

/// Area under the receiver operating characteristic: the probability that a positive scores above a negative, ties
/// counted half (Hanley and `McNeil` 1982, Radiology 143). `None` without both classes.
#[must_use]
pub fn auroc(scores: &[f64], truth: &[bool]) -> Option<f64> {
    let mut order: Vec<usize> = (0..scores.len().min(truth.len())).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let (mut below, mut won, mut positives) = (0.0, 0.0, 0.0);
    for tied in order.chunk_by(|&a, &b| scores[a].total_cmp(&scores[b]).is_eq()) {
        let here = count(tied.iter().filter(|&&at| truth[at]).count());
        let others = count(tied.len()) - here;
        won += here * (below + 0.5 * others);
        below += others;
        positives += here;
    }
    (positives > 0.0 && below > 0.0).then(|| won / (positives * below))
}

/// Average precision: the area under the precision-recall curve without interpolation, as scikit-learn's
/// `average_precision_score`. `None` without a positive.
#[must_use]
pub fn average_precision(scores: &[f64], truth: &[bool]) -> Option<f64> {
    let mut order: Vec<usize> = (0..scores.len().min(truth.len())).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let (mut seen, mut found, mut sum) = (0.0, 0.0, 0.0);
    for tied in order.chunk_by(|&a, &b| scores[a].total_cmp(&scores[b]).is_eq()) {
        let here = count(tied.iter().filter(|&&at| truth[at]).count());
        seen += count(tied.len());
        found += here;
        sum += here * found / seen;
    }
    (found > 0.0).then(|| sum / found)
}

/// Part of the decisions that agree with the truth; 0 for none.
#[must_use]
pub fn accuracy(decisions: &[bool], truth: &[bool]) -> f64 {
    let right = decisions.iter().zip(truth).filter(|(a, b)| a == b).count();
    ratio(count(right), count(decisions.len()))
}

/// Harmonic mean of precision and recall, `2 TP / (2 TP + FP + FN)`; 0 without a positive, as scikit-learn says.
#[must_use]
pub fn f1(decisions: &[bool], truth: &[bool]) -> f64 {
    let both = decisions.iter().zip(truth).filter(|(a, b)| **a && **b).count();
    let either =
        count(decisions.iter().filter(|&&a| a).count()) + count(truth.iter().filter(|&&b| b).count());
    ratio(2.0 * count(both), either)
}

/// Part of the cases where `truth` is `class` in which the decision is `class` too: sensitivity for `true`,
/// specificity for `false`.
#[must_use]
pub fn recall(decisions: &[bool], truth: &[bool], class: bool) -> f64 {
    let own: Vec<bool> = decisions
        .iter()
        .zip(truth)
        .filter(|(_, b)| **b == class)
        .map(|(a, _)| *a == class)
        .collect();
    ratio(
        count(own.iter().filter(|&&right| right).count()),
        count(own.len()),
    )
}

/// Mean probability, frequency and size of each bin of equal width that has scores.
#[must_use]
pub fn reliability(scores: &[f64], truth: &[bool], bins: u32) -> Vec<(f64, f64, usize)> {
    let mut cells = vec![(0.0, 0.0, 0_usize); bins.max(1) as usize];
    let last = cells.len() - 1;
    for (&score, &truth) in scores.iter().zip(truth) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to the bins"
        )]
        let at = ((score * f64::from(bins.max(1))).clamp(0.0, count(last)) as usize).min(last);
        let (sum, positives, size) = &mut cells[at];
        *sum += score;
        *positives += f64::from(u8::from(truth));
        *size += 1;
    }
    cells
        .into_iter()
        .filter(|&(_, _, size)| size > 0)
        .map(|(sum, positives, size)| (sum / count(size), positives / count(size), size))
        .collect()
}

/// Expected calibration error of the probability of the positive class in `bins` bins of equal width: the mean
/// distance of mean probability and frequency, weighted by the bins' sizes (Guo et al. 2017, arXiv:1706.04599, eq. 3,
/// with the probability of one class as confidence).
#[must_use]
pub fn calibration_error(scores: &[f64], truth: &[bool], bins: u32) -> f64 {
    let cells = reliability(scores, truth, bins);
    let distance: f64 = cells
        .iter()
        .map(|&(mean, frequency, size)| (mean - frequency).abs() * count(size))
        .sum();
    ratio(distance, cells.iter().map(|&(_, _, size)| count(size)).sum())
}

/// The ROC curve: false positive rate and sensitivity from (0, 0) to (1, 1), one point for each distinct score. Empty
/// without both classes.
#[must_use]
pub fn roc(scores: &[f64], truth: &[bool]) -> Vec<(f64, f64)> {
    let mut order: Vec<usize> = (0..scores.len().min(truth.len())).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let positives = count(order.iter().filter(|&&at| truth[at]).count());
    let negatives = count(order.len()) - positives;
    if positives == 0.0 || negatives == 0.0 {
        return Vec::new();
    }
    let (mut right, mut wrong) = (0.0, 0.0);
    let mut points = vec![(0.0, 0.0)];
    for tied in order.chunk_by(|&a, &b| scores[a].total_cmp(&scores[b]).is_eq()) {
        let here = count(tied.iter().filter(|&&at| truth[at]).count());
        right += here;
        wrong += count(tied.len()) - here;
        points.push((wrong / negatives, right / positives));
    }
    points
}

/// Mean squared distance of probability and truth (Brier 1950, Monthly Weather Review 78(1)); 0 for none.
#[must_use]
pub fn brier(scores: &[f64], truth: &[bool]) -> f64 {
    let each: Vec<f64> = scores
        .iter()
        .zip(truth)
        .map(|(score, &truth)| (score - f64::from(u8::from(truth))).powi(2))
        .collect();
    mean(&each)
}

/// Mean of values; 0 for none.
pub(crate) fn mean(values: &[f64]) -> f64 {
    ratio(values.iter().sum(), count(values.len()))
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
pub(crate) fn count(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: f64, wanted: f64) {
        assert!((got - wanted).abs() < 1e-9, "{got} is not {wanted}");
    }

    #[test]
    fn areas_agree_with_scikit_learn() {
        // The example of scikit-learn's own documentation of both functions.
        let (scores, truth) = ([0.1, 0.4, 0.35, 0.8], [false, false, true, true]);
        close(auroc(&scores, &truth).unwrap_or_default(), 0.75);
        close(
            average_precision(&scores, &truth).unwrap_or_default(),
            0.833_333_333_333,
        );
        // All tied: chance, and the base rate.
        close(
            auroc(&[0.5; 4], &[true, false, false, false]).unwrap_or_default(),
            0.5,
        );
        close(
            average_precision(&[0.5; 4], &[true, false, false, false]).unwrap_or_default(),
            0.25,
        );
        assert_eq!(auroc(&[0.1, 0.2], &[true, true]), None);
        assert_eq!(average_precision(&[0.1], &[false]), None);
    }

    #[test]
    fn the_curve_has_the_area() {
        let (scores, truth) = ([0.1, 0.4, 0.35, 0.8, 0.35], [false, false, true, true, false]);
        let curve = roc(&scores, &truth);
        let area: f64 = curve
            .windows(2)
            .map(|pair| (pair[1].0 - pair[0].0) * f64::midpoint(pair[0].1, pair[1].1))
            .sum();
        close(area, auroc(&scores, &truth).unwrap_or_default());
        assert!(roc(&[0.1], &[true]).is_empty());
    }

    #[test]
    fn decisions_are_counted() {
        let (decisions, truth) = ([true, true, false, false, true], [true, false, true, false, true]);
        close(accuracy(&decisions, &truth), 0.6);
        close(f1(&decisions, &truth), 2.0 / 3.0);
        close(recall(&decisions, &truth, true), 2.0 / 3.0);
        close(recall(&decisions, &truth, false), 0.5);
        close(f1(&[false], &[false]), 0.0);
    }

    #[test]
    fn calibration_is_the_distance_of_probability_and_frequency() {
        close(calibration_error(&[0.0, 1.0], &[false, true], 15), 0.0);
        close(
            calibration_error(&[0.9, 0.9, 0.9, 0.9], &[true, true, false, false], 10),
            0.4,
        );
        close(calibration_error(&[], &[], 10), 0.0);
        close(brier(&[0.9, 0.2], &[true, false]), 0.025);
    }
}
