//! From the tokens of a sequence to one row. These read each token once, and run on one thread.

use crate::executor::{Executor, rows_of};
use crate::kernel::{Arithmetic, Op};
use crate::lanes::larger;
use crate::math::exp;

/// Copies the first token of each sequence: `[CLS]`. A sequence without tokens gives zeros.
///
/// # Panics
/// When the lengths do not add up to the rows of `hidden`, or `out` has not one row for each.
pub fn pool_first(width: usize, hidden: &[f32], lengths: &[usize], out: &mut [f32]) {
    check(width, hidden, lengths);
    assert_eq!(out.len(), lengths.len() * width, "a row for each sequence");
    let mut start = 0;
    for (&length, out) in lengths.iter().zip(out.chunks_exact_mut(width)) {
        if length == 0 {
            out.fill(0.0);
        } else {
            out.copy_from_slice(&hidden[start * width..][..width]);
        }
        start += length;
    }
}

/// The mean of the tokens of each sequence, summed in their order (the same bits on every machine). A sequence without
/// tokens gives zeros.
///
/// # Panics
/// As [`pool_first`].
pub fn pool_mean(width: usize, hidden: &[f32], lengths: &[usize], out: &mut [f32]) {
    check(width, hidden, lengths);
    assert_eq!(out.len(), lengths.len() * width, "a row for each sequence");
    let mut rows = hidden.chunks_exact(width);
    for (&length, out) in lengths.iter().zip(out.chunks_exact_mut(width)) {
        out.fill(0.0);
        for row in rows.by_ref().take(length) {
            for (out, value) in out.iter_mut().zip(row) {
                *out += value;
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "sequences are far shorter than 2²⁴")]
        let share = if length == 0 { 0.0 } else { 1.0 / length as f32 };
        for out in out {
            *out *= share;
        }
    }
}

fn check(width: usize, x: &[f32], lengths: &[usize]) {
    let rows = rows_of(x, width);
    assert_eq!(lengths.iter().sum::<usize>(), rows, "lengths that add up");
}

impl Executor {
    /// Attention pooling with a query for each label (Mullenbach et al. 2018, arXiv:1802.05695): row `t` of `looks` holds
    /// `labels` scores and then `labels` values, and label `l` of a sequence gets `Σ softmax(scores)ₜ × valuesₜ` over its
    /// tokens. A sequence without tokens gives zeros.
    ///
    /// # Panics
    /// When the lengths do not add up to the rows of `looks`, or `out` has not `labels` values for each sequence.
    pub fn pool_labels(&mut self, labels: usize, looks: &[f32], lengths: &[usize], out: &mut [f32]) {
        check(2 * labels, looks, lengths);
        assert_eq!(out.len(), lengths.len() * labels, "a value for each label");
        let (mut most, mut sums) = (std::mem::take(&mut self.shared.most), Vec::new());
        std::mem::swap(&mut sums, &mut self.shared.spare);
        most.resize(labels.max(most.len()), 0.0);
        sums.resize(labels.max(sums.len()), 0.0);
        self.isa.run(PoolLabels {
            labels,
            looks,
            lengths,
            most: &mut most[..labels],
            sums: &mut sums[..labels],
            out,
        });
        (self.shared.most, self.shared.spare) = (most, sums);
    }
}

struct PoolLabels<'a> {
    labels: usize,
    looks: &'a [f32],
    lengths: &'a [usize],
    most: &'a mut [f32],
    sums: &'a mut [f32],
    out: &'a mut [f32],
}

impl Op for PoolLabels<'_> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let (labels, mut start) = (self.labels, 0);
        for (&length, out) in self.lengths.iter().zip(self.out.chunks_exact_mut(labels)) {
            let looks = &self.looks[start * 2 * labels..][..length * 2 * labels];
            start += length;
            out.fill(0.0);
            if length == 0 {
                continue;
            }
            self.most.fill(f32::NEG_INFINITY);
            self.sums.fill(0.0);
            for look in looks.chunks_exact(2 * labels) {
                for (most, &score) in self.most.iter_mut().zip(look) {
                    *most = larger(score, *most);
                }
            }
            for look in looks.chunks_exact(2 * labels) {
                let (scores, values) = look.split_at(labels);
                for label in 0..labels {
                    let weight = exp::<A>(scores[label] - self.most[label]);
                    self.sums[label] += weight;
                    out[label] = A::mul_add(weight, values[label], out[label]);
                }
            }
            for (out, sum) in out.iter_mut().zip(&*self.sums) {
                *out /= sum;
            }
        }
    }
}
