//! What a model must beat: TF-IDF over one and two words with logistic regression, trained on the same notes.
//!
//! The settings are those of scikit-learn's `TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)` and
//! `LogisticRegression(C=10)`: a word is two letters, digits or underscores or more in lower case; a term that fewer than two notes have is left
//! out; its weight is `(1 + ln tf) (1 + ln((1 + n) / (1 + df)))`; rows have length one (Salton and Buckley 1988, Inf Process
//! Manage 24(5)); the penalty is `½ |w|²` against `C` times the log-loss, and the intercept is free.

use std::collections::HashMap;

use rayon::prelude::*;

use crate::calibration::sigmoid;

/// Weight of the log-loss against the penalty.
const C: f64 = 10.0;
/// Notes that a term must stand in.
const LEAST_NOTES: u32 = 2;
/// Steps of the optimiser at most, and its memory (Liu and Nocedal 1989, Math Program 45).
const STEPS: usize = 300;
const MEMORY: usize = 10;
/// Largest slope at which it ends.
const FLAT: f64 = 1e-3;

/// A row: number and weight of each of its terms, in order.
type SparseRow = Vec<(usize, f64)>;

/// The numbers of the words of a text: FNV-1a of each word of two characters or more, in lower case.
pub(crate) fn words(text: &str) -> Vec<u64> {
    text.to_lowercase()
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| word.chars().nth(1).is_some())
        .map(|word| {
            word.bytes().fold(0xcbf2_9ce4_8422_2325, |sum: u64, byte| {
                (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            })
        })
        .collect()
}

/// One and two neighbouring tokens, as numbers.
fn terms(tokens: &[u64]) -> impl Iterator<Item = u64> {
    let pair = |pair: &[u64]| {
        pair[0].rotate_left(31).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ pair[1].wrapping_mul(0xbf58_476d_1ce4_e5b9)
    };
    tokens.iter().copied().chain(tokens.windows(2).map(pair))
}

/// The fitted bag of words: one regression for each output.
pub(crate) struct Baseline {
    /// Number and inverse document frequency of each term.
    index: HashMap<u64, (usize, f64)>,
    /// Weights of the terms and, last, the intercept.
    outputs: Vec<Vec<f64>>,
}

impl Baseline {
    /// Fits one regression for each row of `targets`, which has one value a note.
    pub(crate) fn fit(notes: &[Vec<u64>], targets: &[Vec<bool>]) -> Self {
        let mut frequencies: HashMap<u64, u32> = HashMap::new();
        for tokens in notes {
            let mut own: Vec<u64> = terms(tokens).collect();
            own.sort_unstable();
            own.dedup();
            for term in own {
                *frequencies.entry(term).or_default() += 1;
            }
        }
        let mut kept: Vec<(u64, u32)> = frequencies
            .into_iter()
            .filter(|&(_, notes)| notes >= LEAST_NOTES)
            .collect();
        kept.sort_unstable();
        let all = crate::metrics::count(notes.len());
        let index: HashMap<u64, (usize, f64)> = kept
            .into_iter()
            .enumerate()
            .map(|(at, (term, notes))| (term, (at, 1.0 + ((1.0 + all) / (1.0 + f64::from(notes))).ln())))
            .collect();
        let mut fitted = Self {
            index,
            outputs: Vec::new(),
        };
        let rows: Vec<SparseRow> = notes.iter().map(|tokens| fitted.row(tokens)).collect();
        fitted.outputs = targets
            .par_iter()
            .map(|targets| regress(&rows, targets, fitted.index.len()))
            .collect();
        fitted
    }

    fn row(&self, tokens: &[u64]) -> SparseRow {
        let mut counts: HashMap<usize, (f64, f64)> = HashMap::new();
        for &(at, idf) in terms(tokens).filter_map(|term| self.index.get(&term)) {
            counts.entry(at).or_insert((0.0, idf)).0 += 1.0;
        }
        let mut row: SparseRow = counts
            .into_iter()
            .map(|(at, (count, idf))| (at, (1.0 + count.ln()) * idf))
            .collect();
        row.sort_unstable_by_key(|&(at, _)| at);
        let length = row.iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt();
        for (_, weight) in &mut row {
            *weight /= length;
        }
        row
    }

    /// Probability of each output.
    pub(crate) fn predict(&self, tokens: &[u64]) -> Vec<f64> {
        let row = self.row(tokens);
        self.outputs
            .iter()
            .map(|weights| sigmoid(logit(&row, weights)))
            .collect()
    }
}

fn logit(row: &[(usize, f64)], weights: &[f64]) -> f64 {
    let bias = weights.last().copied().unwrap_or_default();
    row.iter().map(|&(at, weight)| weight * weights[at]).sum::<f64>() + bias
}

/// Cost and slope at `weights`.
fn cost(rows: &[SparseRow], targets: &[bool], weights: &[f64]) -> (f64, Vec<f64>) {
    let terms = weights.len() - 1;
    let mut slope = weights.to_vec();
    slope[terms] = 0.0;
    let mut sum = 0.5 * weights[..terms].iter().map(|w| w * w).sum::<f64>();
    for (row, &target) in rows.iter().zip(targets) {
        let z = logit(row, weights);
        let target = f64::from(u8::from(target));
        sum += C * (z.max(0.0) - z * target + (-z.abs()).exp().ln_1p());
        let error = C * (sigmoid(z) - target);
        for &(at, weight) in row {
            slope[at] += error * weight;
        }
        slope[terms] += error;
    }
    (sum, slope)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Minimises the cost by L-BFGS with a line search that halves the step until the cost has fallen enough (Armijo). The
/// cost is convex, so that every pair of steps keeps the curvature positive.
fn regress(rows: &[SparseRow], targets: &[bool], terms: usize) -> Vec<f64> {
    let mut weights = vec![0.0; terms + 1];
    let (mut value, mut slope) = cost(rows, targets, &weights);
    let mut history: std::collections::VecDeque<(Vec<f64>, Vec<f64>, f64)> =
        std::collections::VecDeque::new();
    for _ in 0..STEPS {
        if slope.iter().all(|slope| slope.abs() < FLAT) {
            break;
        }
        // The two loops of Nocedal (1980, Math Comput 35): the slope times an estimate of the inverse curvature.
        let mut direction = slope.clone();
        let mut shares = Vec::with_capacity(history.len());
        for (step, change, inverse) in history.iter().rev() {
            let share = inverse * dot(step, &direction);
            for (direction, change) in direction.iter_mut().zip(change) {
                *direction -= share * change;
            }
            shares.push(share);
        }
        if let Some((_, change, inverse)) = history.back() {
            let scale = 1.0 / (inverse * dot(change, change));
            for direction in &mut direction {
                *direction *= scale;
            }
        }
        for ((step, change, inverse), share) in history.iter().zip(shares.into_iter().rev()) {
            let back = inverse * dot(change, &direction);
            for (direction, step) in direction.iter_mut().zip(step) {
                *direction += (share - back) * step;
            }
        }
        let along = dot(&direction, &slope);
        let mut length = if history.is_empty() {
            1.0 / dot(&slope, &slope).sqrt().max(1.0)
        } else {
            1.0
        };
        let mut next;
        loop {
            let moved: Vec<f64> = weights
                .iter()
                .zip(&direction)
                .map(|(w, d)| w - length * d)
                .collect();
            let (cost, at) = cost(rows, targets, &moved);
            next = (moved, cost, at);
            if next.1 <= value - 1e-4 * length * along || length < 1e-10 {
                break;
            }
            length *= 0.5;
        }
        let (moved, cost, at) = next;
        let step: Vec<f64> = moved.iter().zip(&weights).map(|(a, b)| a - b).collect();
        let change: Vec<f64> = at.iter().zip(&slope).map(|(a, b)| a - b).collect();
        let curve = dot(&step, &change);
        (weights, value, slope) = (moved, cost, at);
        if curve <= 1e-12 {
            break;
        }
        history.push_back((step, change, 1.0 / curve));
        if history.len() > MEMORY {
            history.pop_front();
        }
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_weighted_as_scikit_learn_does() {
        // TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True) on these three notes keeps `clear`, `lungs` and
        // `lungs clear`: idf ln(4/3)+1 for each; the first note has tf 2 for `lungs`.
        let notes: Vec<Vec<u64>> = ["Lungs clear lungs", "a lungs clear", "effusion x"]
            .map(words)
            .to_vec();
        let fitted = Baseline::fit(&notes, &[vec![false, false, true]]);
        assert_eq!(fitted.index.len(), 3);
        let row = fitted.row(&notes[0]);
        let mut weights: Vec<f64> = row.iter().map(|(_, weight)| *weight).collect();
        weights.sort_by(f64::total_cmp);
        let length = (2.0 + (1.0 + 2.0_f64.ln()).powi(2)).sqrt();
        assert!(
            (weights[0] - 1.0 / length).abs() < 1e-12
                && (weights[2] - (1.0 + 2.0_f64.ln()) / length).abs() < 1e-12
        );
        assert!(fitted.row(&words("nothing known")).is_empty());
    }

    #[test]
    fn the_regression_is_at_its_minimum_and_separates() {
        let notes: Vec<Vec<u64>> = (0..40)
            .map(|at| {
                words(if at % 2 == 0 {
                    "large effusion seen"
                } else {
                    "lungs are clear"
                })
            })
            .collect();
        let targets: Vec<bool> = (0..40).map(|at| at % 2 == 0).collect();
        let fitted = Baseline::fit(&notes, std::slice::from_ref(&targets));
        let rows: Vec<SparseRow> = notes.iter().map(|tokens| fitted.row(tokens)).collect();
        let (_, slope) = cost(&rows, &targets, &fitted.outputs[0]);
        assert!(slope.iter().all(|slope| slope.abs() < 1e-2), "{slope:?}");
        // And the slope is that of the cost.
        let mut moved = fitted.outputs[0].clone();
        moved[0] += 0.3;
        let (_, at) = cost(&rows, &targets, &moved);
        let value = |by: f64| {
            let mut shifted = moved.clone();
            shifted[0] += by;
            cost(&rows, &targets, &shifted).0
        };
        assert!(((value(1e-5) - value(-1e-5)) / 2e-5 - at[0]).abs() < 1e-4);
        assert!(fitted.predict(&words("effusion"))[0] > 0.7);
        assert!(fitted.predict(&words("clear lungs"))[0] < 0.3);
        assert!((0.4..0.6).contains(&fitted.predict(&[])[0]));
    }
}
