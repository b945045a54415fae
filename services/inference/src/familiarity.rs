//! How unlike its training reports a text reads to the model.
//!
//! Two means over a text's word pieces are compared with those of the training reports by the Mahalanobis distance (Lee et
//! al. 2018, arXiv:1807.03888, equation 2, with one class): that of the embeddings, which tells other words and languages,
//! and that of the last hidden states, which tells what the encoder makes of them. Each covariance is shrunk to a few
//! principal directions and one variance for all others (probabilistic principal components, Tipping and Bishop 1999, J R
//! Stat Soc B 61(3), equation 7): it cannot be singular, and a MiniLM's statistics take 54 kB. The mean of few word pieces lies
//! further from the middle than that of many, without being stranger: the distance of a short text is scaled down.

use crate::weights::{FloatTensor, Int8Matrix, Weights, WeightsError};

/// The names of a cloud's tensors, after that of the cloud.
const MEAN: &str = "mean";
const DIRECTIONS: &str = "directions";
const VARIANCES: &str = "variances";
/// The two clouds.
const WORDS: &str = "familiar.words";
const STATES: &str = "familiar.states";

/// Least variance: less says that the training texts are all the same, not that any other is infinitely far away.
const LEAST: f32 = 1e-9;

/// Word pieces whose own spread is as large as that between texts: the mean of n of them spreads as `1 + OWN / n`.
const OWN: f64 = 32.0;
/// Word pieces from which on a text counts as long: the word pieces of a long one repeat each other.
const LONG: f64 = 64.0;

/// Mean and covariance of vectors.
#[derive(Clone, Debug, PartialEq)]
pub struct Cloud {
    mean: Vec<f32>,
    stored: Int8Matrix,
    /// Orthonormal rows.
    directions: Vec<f32>,
    /// How far the mean goes along each, so that a distance needs no memory of its own.
    offsets: Vec<f64>,
    /// Variance along each direction, and then that along any other.
    variances: Vec<f32>,
}

impl Cloud {
    /// A cloud around `mean` with these principal directions, as rows, whose variances are measured on `samples`. The
    /// directions are those that rounding to int8 leaves, made orthonormal, so that a cloud that is read is the same.
    ///
    /// # Errors
    /// [`WeightsError`] when the lengths do not fit, there are as many directions as dimensions, or a number is none.
    pub fn new(
        mean: Vec<f32>,
        directions: Int8Matrix,
        samples: &[impl AsRef<[f32]>],
    ) -> Result<Self, WeightsError> {
        let variances = vec![1.0; directions.rows() + 1];
        let mut cloud = Self::restore(mean, directions, variances)?;
        let (count, width) = (cloud.variances.len() - 1, cloud.mean.len());
        let mut sums = vec![0.0_f64; count + 1];
        for sample in samples {
            let mut squares = 0.0;
            for (sum, along) in sums.iter_mut().zip(cloud.along(sample.as_ref())) {
                *sum += along * along;
                squares += along * along;
            }
            if let Some(rest) = sums.last_mut() {
                *rest += cloud.across(sample.as_ref(), squares);
            }
        }
        let number = float(samples.len().max(1));
        if let Some(rest) = sums.last_mut() {
            *rest /= float(width - count);
        }
        #[expect(clippy::cast_possible_truncation, reason = "kept in the weights' precision")]
        let variances = sums
            .iter()
            .map(|sum| ((sum / number) as f32).max(LEAST))
            .collect();
        cloud.variances = variances;
        cloud.check()
    }

    fn restore(mean: Vec<f32>, stored: Int8Matrix, variances: Vec<f32>) -> Result<Self, WeightsError> {
        let width = mean.len();
        if width == 0
            || stored.columns() != width
            || stored.rows() >= width
            || variances.len() != stored.rows() + 1
        {
            return Err(WeightsError::Shape(DIRECTIONS.to_owned()));
        }
        let mut rows: Vec<f64> = stored.dequantize().into_iter().map(f64::from).collect();
        orthonormal(&mut rows, width);
        #[expect(clippy::cast_possible_truncation, reason = "kept in the weights' precision")]
        let directions: Vec<f32> = rows.into_iter().map(|value| value as f32).collect();
        let offsets = directions
            .chunks_exact(width)
            .map(|direction| dot(direction, &mean))
            .collect();
        Self {
            mean,
            stored,
            directions,
            offsets,
            variances,
        }
        .check()
    }

    fn check(self) -> Result<Self, WeightsError> {
        let numbers = self.mean.iter().chain(&self.directions);
        if numbers.chain(&self.variances).all(|value| value.is_finite())
            && self.variances.iter().all(|&variance| variance > 0.0)
        {
            Ok(self)
        } else {
            Err(WeightsError::NotFinite(VARIANCES.to_owned()))
        }
    }

    fn read(weights: &Weights, name: &str, width: usize) -> Result<Self, WeightsError> {
        let missing = |part: &str| WeightsError::Missing(format!("{name}.{part}"));
        let float = |part: &str| -> Result<&FloatTensor, WeightsError> {
            let tensor = weights.floats.get(&format!("{name}.{part}"));
            tensor.ok_or_else(|| missing(part))
        };
        let (mean, variances) = (float(MEAN)?, float(VARIANCES)?);
        let directions = weights.matrices.get(&format!("{name}.{DIRECTIONS}"));
        let directions = directions.ok_or_else(|| missing(DIRECTIONS))?;
        if mean.shape != [width] {
            return Err(WeightsError::Shape(format!("{name}.{MEAN}")));
        }
        Self::restore(mean.values.clone(), directions.clone(), variances.values.clone())
    }

    fn store(&self, weights: &mut Weights, name: &str) {
        weights
            .matrices
            .insert(format!("{name}.{DIRECTIONS}"), self.stored.clone());
        for (part, values) in [(MEAN, &self.mean), (VARIANCES, &self.variances)] {
            let tensor = FloatTensor {
                shape: vec![values.len()],
                values: values.clone(),
            };
            weights.floats.insert(format!("{name}.{part}"), tensor);
        }
    }

    /// How far a vector goes from the mean along each direction.
    fn along(&self, vector: &[f32]) -> impl Iterator<Item = f64> {
        let directions = self.directions.chunks_exact(self.mean.len());
        directions
            .zip(&self.offsets)
            .map(move |(direction, offset)| dot(direction, vector) - offset)
    }

    /// The square of what lies across all directions, given those along them. Rounding may leave a little less than nothing;
    /// NaN stays NaN.
    fn across(&self, vector: &[f32], along: f64) -> f64 {
        let rest = square_apart(vector, &self.mean) - along;
        if rest < 0.0 { 0.0 } else { rest }
    }

    /// The squared Mahalanobis distance, per dimension: 1 on the mean of the samples. NaN where the vector is.
    #[must_use]
    pub fn distance(&self, vector: &[f32]) -> f64 {
        let (mut sum, mut squares) = (0.0, 0.0);
        for (along, &variance) in self.along(vector).zip(&self.variances) {
            let square = along * along;
            sum += square / f64::from(variance);
            squares += square;
        }
        if let Some(&variance) = self.variances.last() {
            sum += self.across(vector, squares) / f64::from(variance);
        }
        sum / float(self.mean.len())
    }
}

/// What training reports look like to the encoder.
#[derive(Clone, Debug, PartialEq)]
pub struct Familiarity {
    words: Cloud,
    states: Cloud,
}

impl Familiarity {
    /// Of the means of embeddings and of last hidden states.
    #[must_use]
    pub const fn new(words: Cloud, states: Cloud) -> Self {
        Self { words, states }
    }

    /// What a packed model knows; `None` for one that was packed before this was made.
    ///
    /// # Errors
    /// [`WeightsError`] when a part is missing, or does not fit an encoder of this width.
    pub(crate) fn read(weights: &Weights, width: usize) -> Result<Option<Self>, WeightsError> {
        let names = weights.floats.keys().chain(weights.matrices.keys());
        if !names.into_iter().any(|name| name.starts_with("familiar.")) {
            return Ok(None);
        }
        Ok(Some(Self {
            words: Cloud::read(weights, WORDS, width)?,
            states: Cloud::read(weights, STATES, width)?,
        }))
    }

    /// Puts it among the weights of a model that is packed.
    pub fn store(&self, weights: &mut Weights) {
        self.words.store(weights, WORDS);
        self.states.store(weights, STATES);
    }

    /// How unlike the training reports a text is, from the mean of its embeddings, that of its last hidden states, and its
    /// word pieces: about 1 for one of them, larger the less it is like them. The geometric mean of the two distances: a text
    /// that repeats itself is far in its words alone.
    #[must_use]
    pub fn distance(&self, words: &[f32], states: &[f32], pieces: usize) -> f64 {
        let pieces = float(pieces).min(LONG);
        let scale = (1.0 + OWN / LONG) * pieces / (pieces + OWN);
        (self.words.distance(words) * self.states.distance(states)).sqrt() * scale
    }
}

/// Makes rows of `width` values orthonormal, from the first to the last (Gram and Schmidt, each row against those before it
/// as they have become). A row that the others already span becomes zeros, and counts for nothing.
pub fn orthonormal(rows: &mut [f64], width: usize) {
    for at in 0..rows.len() / width.max(1) {
        let (before, rest) = rows.split_at_mut(at * width);
        let row = &mut rest[..width];
        // Twice is enough for the rounding of the first time (Giraud et al. 2005, Numer Math 101).
        for _ in 0..2 {
            for other in before.chunks_exact(width) {
                let common: f64 = other.iter().zip(&*row).map(|(a, b)| a * b).sum();
                for (value, other) in row.iter_mut().zip(other) {
                    *value -= common * other;
                }
            }
            let norm = row.iter().map(|value| value * value).sum::<f64>().sqrt();
            for value in &mut *row {
                *value = if norm > 1e-9 { *value / norm } else { 0.0 };
            }
        }
    }
}

/// The product of two vectors.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    sum(a, b, |a, b| a * b)
}

/// The square of the distance of two vectors.
fn square_apart(a: &[f32], b: &[f32]) -> f64 {
    sum(a, b, |a, b| (a - b) * (a - b))
}

/// Sums what `of` says of each pair, in eight sums side by side, which the compiler puts into one register: a single sum
/// waits for itself.
fn sum(a: &[f32], b: &[f32], of: impl Fn(f32, f32) -> f32) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0_f32; 8];
    for (a, b) in a.iter().zip(b) {
        for (sum, (&a, &b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += of(a, b);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(&a, &b)| of(a, b)).sum();
    sums.into_iter().chain([rest]).map(f64::from).sum()
}

/// The mean of rows of `width` values, added to `out`.
pub(crate) fn mean(rows: &[f32], width: usize, out: &mut Vec<f32>) {
    let from = out.len();
    out.resize(from + width, 0.0);
    let out = &mut out[from..];
    for row in rows.chunks_exact(width) {
        for (sum, value) in out.iter_mut().zip(row) {
            *sum += value;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a note is far below 2^23 word pieces")]
    let count = (rows.len() / width).max(1) as f32;
    for sum in out {
        *sum /= count;
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points that are wide along (3, 4, 0) / 5 and narrow elsewhere.
    fn cloud() -> Cloud {
        let samples: Vec<Vec<f32>> = [(5.0, 0.1), (-5.0, 0.1), (5.0, -0.1), (-5.0, -0.1)]
            .map(|(wide, narrow)| vec![0.6 * wide + 1.0, 0.8 * wide, narrow])
            .to_vec();
        let directions = Int8Matrix::quantize(3, &[3.0, 4.0, 0.0]).expect("a row");
        Cloud::new(vec![1.0, 0.0, 0.0], directions, &samples).expect("a cloud")
    }

    #[test]
    fn far_is_counted_in_the_spread_of_each_direction() {
        let cloud = cloud();
        // The samples' own mean distance is one.
        assert!((cloud.distance(&[4.0, 4.0, 0.1]) - 1.0).abs() < 0.05);
        assert!(cloud.distance(&[1.0, 0.0, 0.0]) < 1e-6);
        let (along, across) = (cloud.distance(&[7.0, 8.0, 0.0]), cloud.distance(&[1.0, 0.0, 8.0]));
        assert!(along < 2.0 && across > 1000.0, "{along} {across}");
        assert!(cloud.distance(&[f32::NAN, 0.0, 0.0]).is_nan());
    }

    #[test]
    fn what_is_stored_is_read_back_the_same() -> Result<(), WeightsError> {
        let familiarity = Familiarity::new(cloud(), cloud());
        let mut weights = Weights::default();
        assert_eq!(Familiarity::read(&weights, 3)?, None);
        familiarity.store(&mut weights);
        let weights = Weights::from_bytes(&weights.to_bytes()?)?;
        let again = Familiarity::read(&weights, 3)?.expect("statistics");
        assert_eq!(again, familiarity);
        let text = ([0.5, 0.25, 3.0], [1.0, -2.0, 0.0]);
        let of = |known: &Familiarity, pieces| known.distance(&text.0, &text.1, pieces);
        let (a, b) = (of(&again, 70), of(&familiarity, 70));
        // A short text may lie further away; beyond some length nothing changes.
        assert!(of(&again, 5) < a / 4.0 && (of(&again, 500) - a).abs() < 1e-9);
        assert_eq!(a.to_bits(), b.to_bits());
        Ok(())
    }

    #[test]
    fn statistics_that_do_not_fit_are_refused() {
        let stored = || {
            let mut weights = Weights::default();
            Familiarity::new(cloud(), cloud()).store(&mut weights);
            weights
        };
        assert!(Familiarity::read(&stored(), 4).is_err());
        let mut short = stored();
        short.floats.remove("familiar.states.mean");
        assert!(matches!(
            Familiarity::read(&short, 3),
            Err(WeightsError::Missing(_))
        ));
        let mut flat = stored();
        let tensor = flat
            .floats
            .get_mut("familiar.words.variances")
            .expect("variances");
        tensor.values[1] = 0.0;
        assert!(matches!(
            Familiarity::read(&flat, 3),
            Err(WeightsError::NotFinite(_))
        ));
        let mut crooked = stored();
        let tensor = crooked
            .floats
            .get_mut("familiar.words.variances")
            .expect("variances");
        tensor.values.push(1.0);
        assert!(matches!(
            Familiarity::read(&crooked, 3),
            Err(WeightsError::Shape(_))
        ));
    }

    #[test]
    fn rows_become_orthonormal_and_what_they_span_twice_becomes_nothing() {
        let mut rows = [2.0, 0.0, 0.0, 1.0, 1.0, 0.0, 3.0, -1.0, 0.0];
        orthonormal(&mut rows, 3);
        let wanted = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0];
        assert!(
            rows.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-5),
            "{rows:?}"
        );
    }

    #[test]
    fn means_are_appended() {
        let mut out = vec![9.0];
        mean(&[1.0, 2.0, 3.0, 6.0], 2, &mut out);
        assert_eq!(out, [9.0, 2.0, 4.0]);
        mean(&[], 2, &mut out);
        assert_eq!(out.len(), 5);
    }
}
