//! Weighted least squares from running sums: samples are added one by one and forgotten, so that memory does not grow
//! with their number.

/// Sums over samples of 0/1 features with a response and a weight.
#[derive(Clone, Debug)]
pub(crate) struct Moments {
    features: usize,
    samples: u32,
    weight: f64,
    response: f64,
    square: f64,
    mean: Vec<f64>,
    moment: Vec<f64>,
    /// Lower triangle, by rows of full length.
    gram: Vec<f64>,
}

/// A fitted linear model over chosen features.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Linear {
    /// One coefficient a chosen feature, in the order of the choice.
    pub coefficients: Vec<f64>,
    /// Value of the model with every feature at zero.
    pub intercept: f64,
    /// Weighted R² on the samples it was fitted to; 0 where the responses do not vary.
    pub r2: f64,
}

impl Moments {
    pub(crate) fn new(features: usize) -> Self {
        Self {
            features,
            samples: 0,
            weight: 0.0,
            response: 0.0,
            square: 0.0,
            mean: vec![0.0; features],
            moment: vec![0.0; features],
            gram: vec![0.0; features * features],
        }
    }

    /// Adds a sample: which features are present, its response and its weight.
    pub(crate) fn add(&mut self, present: &[bool], response: f64, weight: f64) {
        let on: Vec<usize> = (0..self.features.min(present.len()))
            .filter(|&at| present[at])
            .collect();
        self.samples = self.samples.saturating_add(1);
        self.weight += weight;
        self.response += weight * response;
        self.square += weight * response * response;
        for (nth, &row) in on.iter().enumerate() {
            self.mean[row] += weight;
            self.moment[row] += weight * response;
            let cells = &mut self.gram[row * self.features..][..=row];
            for &column in &on[..=nth] {
                cells[column] += weight;
            }
        }
    }

    /// Samples added.
    pub(crate) const fn samples(&self) -> u32 {
        self.samples
    }

    /// The sums around the weighted means; a free intercept is the same as centring both sides.
    pub(crate) fn centred(&self) -> Centred {
        let n = self.features;
        let total = self.weight.max(f64::MIN_POSITIVE);
        let mean: Vec<f64> = self.mean.iter().map(|sum| sum / total).collect();
        let response = self.response / total;
        let mut gram = vec![0.0; n * n];
        for row in 0..n {
            for column in 0..=row {
                let value = self.gram[row * n + column] - total * mean[row] * mean[column];
                gram[row * n + column] = value;
                gram[column * n + row] = value;
            }
        }
        let moment = self
            .moment
            .iter()
            .zip(&mean)
            .map(|(sum, mean)| sum - total * mean * response)
            .collect();
        Centred {
            features: n,
            around: (self.square - total * response * response).max(0.0),
            response,
            mean,
            moment,
            gram,
        }
    }
}

/// Sums around the weighted means.
pub(crate) struct Centred {
    features: usize,
    /// Weighted sum of squares of the response.
    pub around: f64,
    response: f64,
    mean: Vec<f64>,
    moment: Vec<f64>,
    /// Full and symmetric.
    gram: Vec<f64>,
}

impl Centred {
    /// Ridge regression on the features in `chosen` with a free intercept and a penalty of `alpha` on the squared
    /// coefficients.
    pub(crate) fn ridge(&self, chosen: &[usize], alpha: f64) -> Linear {
        let n = chosen.len();
        let mut gram = self.block(chosen);
        for at in 0..n {
            gram[at * n + at] += alpha;
        }
        let moment: Vec<f64> = chosen.iter().map(|&at| self.moment[at]).collect();
        let factor = cholesky(gram, n);
        let coefficients = solve(&factor, moment.clone(), n);
        let block = self.block(chosen);
        let explained: f64 = coefficients.iter().zip(&moment).map(|(b, m)| b * m).sum();
        let curved: f64 = (0..n)
            .map(|row| coefficients[row] * dot(&block[row * n..row * n + n], &coefficients))
            .sum();
        let left = self.around - 2.0 * explained + curved;
        Linear {
            intercept: self.response
                - coefficients
                    .iter()
                    .zip(chosen)
                    .map(|(b, &at)| b * self.mean[at])
                    .sum::<f64>(),
            r2: if self.around > 1e-12 {
                1.0 - left / self.around
            } else {
                0.0
            },
            coefficients,
        }
    }

    fn block(&self, chosen: &[usize]) -> Vec<f64> {
        chosen
            .iter()
            .flat_map(|&row| {
                chosen
                    .iter()
                    .map(move |&column| self.gram[row * self.features + column])
            })
            .collect()
    }

    /// Up to `most` features, each step the one that raises R² most (the first of equals), as `forward_selection` of
    /// `lime_base.py` with its `Ridge(alpha=0)`. A step sweeps the chosen feature out of the sums (Beaton's sweep
    /// operator) in place of fitting every candidate anew, which gives the same gain.
    pub(crate) fn forward_selection(&self, most: usize) -> Vec<usize> {
        let n = self.features;
        let mut gram = self.gram.clone();
        let mut moment = self.moment.clone();
        let mut chosen = Vec::new();
        while chosen.len() < most.min(n) {
            let gain = |at: usize| {
                // What is left of a feature that the chosen ones already make up is rounding.
                let spread = gram[at * n + at];
                if spread > 1e-10 * self.gram[at * n + at].max(f64::MIN_POSITIVE) {
                    moment[at] * moment[at] / spread
                } else {
                    0.0
                }
            };
            let best = (0..n)
                .filter(|at| !chosen.contains(at))
                .map(|at| (at, gain(at)))
                .reduce(|best, next| if next.1 > best.1 { next } else { best });
            let Some((best, gained)) = best else { break };
            chosen.push(best);
            if gained <= 0.0 {
                continue;
            }
            let pivot = gram[best * n + best];
            let row: Vec<f64> = gram[best * n..best * n + n].to_vec();
            let step = moment[best] / pivot;
            for at in 0..n {
                let share = row[at] / pivot;
                moment[at] -= row[at] * step;
                for (cell, other) in gram[at * n..at * n + n].iter_mut().zip(&row) {
                    *cell -= share * other;
                }
            }
        }
        chosen
    }
}

pub(crate) fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

/// Cholesky's decomposition `A = L Lᵀ` of a symmetric positive definite matrix of `n` rows (Golub and Van Loan, Matrix
/// Computations, 4th ed., algorithm 4.2.1). A pivot that rounding has made negative counts as a very large one, which
/// takes its feature out of the fit.
pub(crate) fn cholesky(mut a: Vec<f64>, n: usize) -> Vec<f64> {
    for row in 0..n {
        let (above, current) = a.split_at_mut(row * n);
        let diagonal = current[row];
        for column in 0..row {
            let pivot_row = &above[column * n..=column * n + column];
            let value = current[column] - dot(&pivot_row[..column], &current[..column]);
            current[column] = value / pivot_row[column];
        }
        let pivot = diagonal - dot(&current[..row], &current[..row]);
        current[row] = if pivot > 1e-10 * diagonal.abs() && pivot > 0.0 {
            pivot.sqrt()
        } else {
            1e150
        };
    }
    a
}

/// Solves `L Lᵀ x = b` for a factor of [`cholesky`].
pub(crate) fn solve(factor: &[f64], mut b: Vec<f64>, n: usize) -> Vec<f64> {
    for row in 0..n {
        let known = dot(&factor[row * n..row * n + row], &b[..row]);
        b[row] = (b[row] - known) / factor[row * n + row];
    }
    for row in (0..n).rev() {
        let known: f64 = (row + 1..n).map(|below| factor[below * n + row] * b[below]).sum();
        b[row] = (b[row] - known) / factor[row * n + row];
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
        let x = solve(&cholesky(a, 3), vec![-20.0, -43.0, 192.0], 3);
        close(x[0], 1.0);
        close(x[1], 2.0);
        close(x[2], 3.0);
    }

    #[test]
    fn an_exact_line_comes_back_and_the_strongest_is_selected_first() {
        let mut moments = Moments::new(3);
        for bits in 0..8_u8 {
            let present = [bits & 1 > 0, bits & 2 > 0, bits & 4 > 0];
            let on = |at: usize| f64::from(u8::from(present[at]));
            moments.add(&present, 0.5 + on(0) - 3.0 * on(1) + 2.0 * on(2), 0.7);
        }
        let centred = moments.centred();
        let fit = centred.ridge(&[0, 1, 2], 0.0);
        close(fit.coefficients[0], 1.0);
        close(fit.coefficients[1], -3.0);
        close(fit.coefficients[2], 2.0);
        close(fit.intercept, 0.5);
        close(fit.r2, 1.0);
        assert_eq!(centred.forward_selection(2), [1, 2]);
        assert_eq!(moments.samples(), 8);
    }

    #[test]
    fn a_feature_that_never_changes_gets_no_coefficient() {
        let mut moments = Moments::new(2);
        moments.add(&[true, true], 1.0, 1.0);
        moments.add(&[true, false], 0.0, 1.0);
        let fit = moments.centred().ridge(&[0, 1], 0.0);
        close(fit.coefficients[0], 0.0);
        close(fit.coefficients[1], 1.0);
        assert_eq!(moments.centred().forward_selection(2), [1, 0]);
    }

    #[test]
    fn no_samples_no_model() {
        let fit = Moments::new(0).centred().ridge(&[], 1.0);
        assert_eq!((fit.coefficients.len(), fit.intercept, fit.r2), (0, 0.0, 0.0));
    }
}
