//! What the training reports look like to the encoder, and from where on a text is unlike them.
//!
//! The limit is chosen on texts that had no part in the statistics they are judged by: five times, four fifths of the texts make
//! the statistics and the rest is measured (cross-validation, Stone 1974, J R Stat Soc B 36(2)). The statistics that are packed
//! are those of all.

use inference::{Cloud, Familiarity, Int8Matrix, WeightsError, orthonormal};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::corpus::{Corpus, Example};
use crate::metrics::count;
use crate::model::{Model, Tokens};
use crate::options::Options;
use crate::run::{TrainError, batches};
use crate::slice;

/// Principal directions of each cloud, where the encoder is wide enough.
const DIRECTIONS: usize = 64;
/// Parts of the texts, each measured by the others.
const FOLDS: usize = 5;
/// Part of the reports of the training's own kind that lie beyond the distance which the limit is made from.
const FLAGGED: f64 = 0.01;
/// The limit, as a multiple of that distance: another hospital's reports of the same kind have headings and turns of phrase of
/// their own, and must not all be refused (docs/models.md has what each costs).
const MARGIN: f64 = 1.2;
/// Steps of the search for the directions; the variances are measured afterwards, so that it need not end.
const STEPS: usize = 20;

/// Means over the word pieces of one text.
struct Pooled {
    words: Vec<f32>,
    states: Vec<f32>,
    /// Word pieces with special tokens.
    pieces: usize,
    /// Reports that read so.
    copies: f64,
}

impl Pooled {
    fn distance(&self, known: &Familiarity) -> f64 {
        known.distance(&self.words, &self.states, self.pieces)
    }
}

/// Statistics of the corpus for a trained model, and the distance above which a text is unlike it.
pub(crate) fn fit(
    model: &Model,
    corpus: &Corpus,
    options: &Options,
) -> Result<(Familiarity, f64), TrainError> {
    let examples: Vec<&Example> = corpus.train.iter().chain(&corpus.held_out).collect();
    let pooled = pool(model, &examples, options.batch_tokens)?;
    let all: Vec<&Pooled> = pooled.iter().collect();
    let mut judged = Vec::with_capacity(pooled.len());
    for fold in 0..FOLDS {
        let part = |own: bool| -> Vec<&Pooled> {
            let numbered = all.iter().enumerate();
            numbered
                .filter(|(at, _)| (at % FOLDS == fold) == own)
                .map(|(_, &text)| text)
                .collect()
        };
        let others = familiarity(&part(false))?;
        judged.extend(
            part(true)
                .into_iter()
                .map(|text| (text.distance(&others), text.copies)),
        );
    }
    Ok((familiarity(&all)?, (MARGIN * limit(judged)).min(f64::MAX)))
}

/// The least distance with at most [`FLAGGED`] of the reports beyond it, given each text's distance and copies.
fn limit(mut judged: Vec<(f64, f64)>) -> f64 {
    judged.sort_by(|a, b| b.0.total_cmp(&a.0));
    let all: f64 = judged.iter().map(|(_, copies)| copies).sum();
    let mut beyond = 0.0;
    for &(distance, copies) in &judged {
        beyond += copies;
        if beyond > FLAGGED * all {
            return distance;
        }
    }
    f64::MAX
}

/// Means of embeddings and of last hidden states of each example, in their order.
fn pool(model: &Model, examples: &[&Example], budget: usize) -> Result<Vec<Pooled>, TrainError> {
    let lengths: Vec<usize> = examples.iter().map(|example| example.ids.len()).collect();
    let order: Vec<usize> = (0..examples.len()).collect();
    let mut pooled = Vec::with_capacity(examples.len());
    for batch in batches(&lengths, &order, budget) {
        let tokens = Tokens::new(batch.iter().map(|&at| examples[at].ids.as_slice()));
        let words = model.start(&tokens)?.detach();
        let states = model.encode(&tokens, 0.0, &mut None)?.detach();
        let width = words.dims2()?.1;
        slice::with(&words, |words| {
            slice::with(&states, |states| {
                for (segment, &at) in tokens.segments.iter().zip(&batch) {
                    let range = segment.start * width..segment.end * width;
                    pooled.push(Pooled {
                        words: mean(&words[range.clone()], width),
                        states: mean(&states[range], width),
                        pieces: segment.len(),
                        copies: f64::from(examples[at].copies),
                    });
                }
                Ok(())
            })
        })?;
    }
    Ok(pooled)
}

#[expect(clippy::cast_possible_truncation, reason = "kept in the weights' precision")]
fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

/// The mean of rows of `width` values.
fn mean(rows: &[f32], width: usize) -> Vec<f32> {
    let mut sums = vec![0.0_f64; width];
    for row in rows.chunks_exact(width) {
        for (sum, &value) in sums.iter_mut().zip(row) {
            *sum += f64::from(value);
        }
    }
    let rows = count((rows.len() / width).max(1));
    for sum in &mut sums {
        *sum /= rows;
    }
    single(&sums)
}

fn familiarity(texts: &[&Pooled]) -> Result<Familiarity, TrainError> {
    let words: Vec<&[f32]> = texts.iter().map(|text| text.words.as_slice()).collect();
    let states: Vec<&[f32]> = texts.iter().map(|text| text.states.as_slice()).collect();
    Ok(Familiarity::new(cloud(&words)?, cloud(&states)?))
}

fn cloud(vectors: &[&[f32]]) -> Result<Cloud, WeightsError> {
    let width = vectors.first().map_or(0, |vector| vector.len());
    let middle = mean(&vectors.concat(), width.max(1));
    let directions = DIRECTIONS.min(width / 4).max(1);
    let rows = principal(&covariance(vectors, &middle), width, directions);
    Cloud::new(middle, Int8Matrix::quantize(width, &single(&rows))?, vectors)
}

/// `width × width`, row-major; up to the factor of the number of vectors, which no direction depends on.
fn covariance(vectors: &[&[f32]], middle: &[f32]) -> Vec<f64> {
    let width = middle.len();
    let mut sums = vec![0.0_f64; width * width];
    for vector in vectors {
        let apart: Vec<f64> = vector
            .iter()
            .zip(middle)
            .map(|(&own, &middle)| f64::from(own) - f64::from(middle))
            .collect();
        for (row, &left) in sums.chunks_exact_mut(width.max(1)).zip(&apart) {
            for (sum, right) in row.iter_mut().zip(&apart) {
                *sum += left * right;
            }
        }
    }
    sums
}

/// The directions of largest variance as rows, by orthogonal iteration (Golub and Van Loan, Matrix Computations, section
/// 8.2.4) from a fixed start.
fn principal(covariance: &[f64], width: usize, directions: usize) -> Vec<f64> {
    let mut random = StdRng::seed_from_u64(1);
    let mut rows: Vec<f64> = (0..directions * width)
        .map(|_| random.random_range(-1.0..1.0))
        .collect();
    for _ in 0..STEPS {
        rows = rows
            .chunks_exact(width)
            .flat_map(|row| {
                let mut next = vec![0.0_f64; width];
                for (&value, column) in row.iter().zip(covariance.chunks_exact(width)) {
                    for (next, entry) in next.iter_mut().zip(column) {
                        *next += value * entry;
                    }
                }
                next
            })
            .collect();
        orthonormal(&mut rows, width);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Base;
    use crate::testing;

    #[test]
    fn the_direction_of_largest_variance_is_found() {
        // Wide along (3, 4, 0) / 5, less so along the third axis.
        let vectors = [
            [3.0, 4.0, 0.0],
            [-3.0, -4.0, 0.0],
            [0.4, -0.3, 1.0],
            [-0.4, 0.3, -1.0],
        ];
        let vectors: Vec<&[f32]> = vectors.iter().map(<[f32; 3]>::as_slice).collect();
        let middle = mean(&vectors.concat(), 3);
        assert_eq!(middle, [0.0; 3]);
        let rows = principal(&covariance(&vectors, &middle), 3, 1);
        let along = rows[0] * 0.6 + rows[1] * 0.8;
        assert!((along.abs() - 1.0).abs() < 1e-6, "{rows:?}");
    }

    #[test]
    fn one_report_in_a_hundred_lies_beyond_the_limit() {
        let judged = |copies: f64| (0..200_u8).map(|at| (f64::from(at), copies)).collect();
        assert!((limit(judged(1.0)) - 197.0).abs() < 1e-9);
        assert!((limit(judged(7.0)) - 197.0).abs() < 1e-9);
        // A text that many reports share weighs as many.
        let shared = vec![(9.0, 1.0), (5.0, 99.0), (1.0, 100.0)];
        assert!((limit(shared) - 5.0).abs() < 1e-9);
        assert!(limit(Vec::new()) > 1e300);
    }

    #[test]
    fn texts_of_other_words_are_further_away() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        testing::write_base(folder.path())?;
        let base = Base::open(folder.path(), None)?;
        let options = testing::options();
        let corpus = Corpus::new(&testing::notes(), &base, &options)?;
        let model = Model::new(&base, corpus.outputs(), &options, &mut StdRng::seed_from_u64(1))?;
        let (known, limit) = fit(&model, &corpus, &options)?;
        let of = |ids: &[u32]| -> Result<f64, TrainError> {
            let example = Example {
                ids: ids.to_vec(),
                ends: Vec::new(),
                targets: Vec::new(),
                copies: 1.0,
            };
            let pooled = pool(&model, &[&example], 64)?;
            Ok(pooled[0].distance(&known))
        };
        let own = corpus.held_out.iter().map(|example| of(&example.ids));
        let own: Vec<f64> = own.collect::<Result<_, _>>()?;
        assert!(own.iter().sum::<f64>() / count(own.len()) < 2.0, "{own:?}");
        // Word pieces that the corpus seldom puts together.
        let strange = of(&[2, 5, 5, 5, 6, 5, 6, 6, 5, 5, 3])?;
        assert!(strange > limit, "{strange} within {limit}");
        Ok(())
    }
}
