//! Multi-head attention over notes laid end to end, without padding, with a gradient.

use std::ops::Range;
use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp3, Error, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use crate::activation::exp;
use crate::{composed, slice};

/// Scaled dot-product attention (Vaswani et al. 2017, arXiv:1706.03762, section 3.2) inside each segment. `query`, `key`
/// and `value` are `tokens × width`; the heads share the width evenly. The segments follow one another and cover every
/// token. Because no token is padding, there is no mask to forget, and the cost follows the real tokens.
pub(crate) fn attention(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    segments: &Arc<[Range<usize>]>,
    heads: usize,
) -> Result<Tensor> {
    if !query.device().is_cpu() {
        return composed::attention(query, key, value, segments, heads);
    }
    let segments = Arc::clone(segments);
    query.apply_op3(key, value, Operation { segments, heads })
}

struct Operation {
    segments: Arc<[Range<usize>]>,
    heads: usize,
}

/// One head of one segment: `length × depth` matrices, row-major.
struct Head {
    length: usize,
    depth: usize,
    scale: f32,
}

/// A gathered copy of one head's columns.
fn gather(rows: &[f32], width: usize, columns: &Range<usize>) -> Vec<f32> {
    rows.chunks_exact(width)
        .flat_map(|row| row[columns.clone()].iter().copied())
        .collect()
}

fn transpose(matrix: &[f32], columns: usize) -> Vec<f32> {
    (0..columns)
        .flat_map(|column| matrix.iter().skip(column).step_by(columns).copied())
        .collect()
}

/// `out += factor × row`.
fn add(out: &mut [f32], factor: f32, row: &[f32]) {
    for (out, value) in out.iter_mut().zip(row) {
        *out += factor * value;
    }
}

impl Head {
    /// Attention weights, `length × length`: each row sums to one.
    fn weights(&self, query: &[f32], key: &[f32]) -> Vec<f32> {
        let key_t = transpose(key, self.depth);
        let mut weights = vec![0.0; self.length * self.length];
        for (row, q) in weights
            .chunks_exact_mut(self.length)
            .zip(query.chunks_exact(self.depth))
        {
            for (&q, keys) in q.iter().zip(key_t.chunks_exact(self.length)) {
                add(row, q * self.scale, keys);
            }
            // The largest score is subtracted, so that exp cannot overflow.
            let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            for weight in row.iter_mut() {
                *weight = exp(*weight - most);
            }
            let rate = 1.0 / row.iter().sum::<f32>();
            for weight in row {
                *weight *= rate;
            }
        }
        weights
    }

    fn forward(&self, query: &[f32], key: &[f32], value: &[f32]) -> Vec<f32> {
        let weights = self.weights(query, key);
        let mut out = vec![0.0; self.length * self.depth];
        for (out, weights) in out
            .chunks_exact_mut(self.depth)
            .zip(weights.chunks_exact(self.length))
        {
            for (&weight, value) in weights.iter().zip(value.chunks_exact(self.depth)) {
                add(out, weight, value);
            }
        }
        out
    }

    /// Gradients of query, key and value.
    fn backward(&self, query: &[f32], key: &[f32], value: &[f32], grad: &[f32]) -> [Vec<f32>; 3] {
        let weights = self.weights(query, key);
        let value_t = transpose(value, self.depth);
        let size = self.length * self.depth;
        let (mut d_query, mut d_key, mut d_value) = (vec![0.0; size], vec![0.0; size], vec![0.0; size]);
        let mut d_row = vec![0.0; self.length];
        for (at, (weights, grad)) in weights
            .chunks_exact(self.length)
            .zip(grad.chunks_exact(self.depth))
            .enumerate()
        {
            // dP = grad Vᵀ, then through the softmax: dS = P (dP − Σ P dP).
            d_row.fill(0.0);
            for (&grad, values) in grad.iter().zip(value_t.chunks_exact(self.length)) {
                add(&mut d_row, grad, values);
            }
            let mean: f32 = d_row.iter().zip(weights).map(|(d, weight)| d * weight).sum();
            let own = at * self.depth..(at + 1) * self.depth;
            for (other, (&weight, d)) in weights.iter().zip(&d_row).enumerate() {
                let range = other * self.depth..(other + 1) * self.depth;
                let d_score = weight * (d - mean) * self.scale;
                add(&mut d_value[range.clone()], weight, grad);
                add(&mut d_query[own.clone()], d_score, &key[range.clone()]);
                add(&mut d_key[range], d_score, &query[own.clone()]);
            }
        }
        [d_query, d_key, d_value]
    }
}

impl Operation {
    /// Runs `compute` for each head of each segment, on all cores, and puts the columns that it returns in place.
    fn each_head<const N: usize>(
        &self,
        inputs: &[&[f32]],
        width: usize,
        compute: impl Fn(&Head, &[Vec<f32>]) -> [Vec<f32>; N] + Sync,
    ) -> Result<[Vec<f32>; N]> {
        let tokens = self.segments.last().map_or(0, |segment| segment.end);
        if inputs.iter().any(|input| input.len() != tokens * width) || !width.is_multiple_of(self.heads) {
            return Err(Error::Msg(
                "the segments do not fit the tokens, or the heads the width".into(),
            ));
        }
        let depth = width / self.heads;
        #[expect(clippy::cast_precision_loss, reason = "the depth of a head is far below 2^23")]
        let scale = 1.0 / (depth as f32).sqrt();
        let parts: Vec<[Vec<f32>; N]> = self
            .segments
            .par_iter()
            .map(|segment| {
                let length = segment.len();
                let head = Head { length, depth, scale };
                let rows: Vec<&[f32]> = inputs
                    .iter()
                    .map(|input| &input[segment.start * width..segment.end * width])
                    .collect();
                let mut out = std::array::from_fn(|_| vec![0.0; length * width]);
                for at in 0..self.heads {
                    let columns = at * depth..(at + 1) * depth;
                    let gathered: Vec<Vec<f32>> =
                        rows.iter().map(|rows| gather(rows, width, &columns)).collect();
                    let computed = compute(&head, &gathered);
                    for (out, computed) in out.iter_mut().zip(&computed) {
                        for (row, part) in out.chunks_exact_mut(width).zip(computed.chunks_exact(depth)) {
                            row[columns.clone()].copy_from_slice(part);
                        }
                    }
                }
                out
            })
            .collect();
        Ok(std::array::from_fn(|at| {
            parts.iter().flat_map(|part| part[at].iter().copied()).collect()
        }))
    }
}

impl CustomOp3 for Operation {
    fn name(&self) -> &'static str {
        "ragged-attention"
    }

    fn cpu_fwd(
        &self,
        query: &CpuStorage,
        query_layout: &Layout,
        key: &CpuStorage,
        key_layout: &Layout,
        value: &CpuStorage,
        value_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, width) = query_layout.shape().dims2()?;
        let inputs = [
            slice::of(query, query_layout, self.name())?,
            slice::of(key, key_layout, self.name())?,
            slice::of(value, value_layout, self.name())?,
        ];
        let [out] = self.each_head(&inputs, width, |head, parts| match parts {
            [query, key, value] => [head.forward(query, key, value)],
            _ => [Vec::new()],
        })?;
        Ok((CpuStorage::F32(out), query_layout.shape().clone()))
    }

    fn bwd(
        &self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        _out: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (_, width) = query.dims2()?;
        let [d_query, d_key, d_value] = slice::with(query, |q| {
            slice::with(key, |k| {
                slice::with(value, |v| {
                    slice::with(grad, |g| {
                        self.each_head(&[q, k, v, g], width, |head, parts| match parts {
                            [query, key, value, grad] => head.backward(query, key, value, grad),
                            _ => [const { Vec::new() }; 3],
                        })
                    })
                })
            })
        })?;
        Ok((
            Some(slice::tensor(d_query, query)?),
            Some(slice::tensor(d_key, key)?),
            Some(slice::tensor(d_value, value)?),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check_gradients, var};

    #[test]
    fn gradients_agree_with_finite_differences() -> Result<()> {
        let segments: Arc<[Range<usize>]> = Arc::from([0..3, 3..4, 4..7]);
        let (query, key, value) = (var(&[7, 6], 1)?, var(&[7, 6], 2)?, var(&[7, 6], 3)?);
        check_gradients(&[&query, &key, &value], 42, || {
            attention(&query, &key, &value, &segments, 2)
        })
    }

    #[test]
    fn segments_do_not_see_each_other() -> Result<()> {
        let (query, key, value) = (var(&[5, 4], 1)?, var(&[5, 4], 2)?, var(&[5, 4], 3)?);
        let together = attention(&query, &key, &value, &Arc::from([0..2, 2..5]), 2)?;
        let part = |tensor: &Tensor| tensor.narrow(0, 2, 3)?.contiguous();
        #[expect(clippy::single_range_in_vec_init, reason = "one segment")]
        let one: Arc<[Range<usize>]> = Arc::from([0..3]);
        let alone = attention(&part(&query)?, &part(&key)?, &part(&value)?, &one, 2)?;
        assert_eq!(part(&together)?.to_vec2::<f32>()?, alone.to_vec2::<f32>()?);
        Ok(())
    }

    #[test]
    fn segments_that_do_not_fit_are_an_error() -> Result<()> {
        let x = var(&[5, 4], 1)?;
        assert!(attention(&x, &x, &x, &Arc::from([0..2, 2..4]), 2).is_err());
        assert!(attention(&x, &x, &x, &Arc::from([0..2, 2..5]), 3).is_err());
        Ok(())
    }
}
