//! Attention pooling: each label looks at the tokens that speak for it.

use std::ops::Range;
use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp2, Error, Layout, Result, Shape, Tensor};

use crate::{composed, slice};

/// For each segment and label `Σ_t softmax_t(score) value`: `score` and `value` are `tokens × labels`, the result is
/// `segments × labels` (label-wise attention, Mullenbach et al. 2018, arXiv:1802.05695, equations 2 to 4; the product
/// with the label's weights is taken before the sum, which is the same).
pub(crate) fn pool(score: &Tensor, value: &Tensor, segments: &Arc<[Range<usize>]>) -> Result<Tensor> {
    if !score.device().is_cpu() {
        return composed::pool(score, value, segments);
    }
    let segments = Arc::clone(segments);
    score.apply_op2(value, Operation { segments })
}

struct Operation {
    segments: Arc<[Range<usize>]>,
}

/// Softmax of each column over the rows of one segment, row-major.
fn column_softmax(score: &[f32], labels: usize) -> Vec<f32> {
    let mut most = vec![f32::NEG_INFINITY; labels];
    for row in score.chunks_exact(labels) {
        for (most, score) in most.iter_mut().zip(row) {
            *most = most.max(*score);
        }
    }
    let mut sum = vec![0.0; labels];
    let mut weights = Vec::with_capacity(score.len());
    for row in score.chunks_exact(labels) {
        for ((sum, score), most) in sum.iter_mut().zip(row).zip(&most) {
            let weight = (score - most).exp();
            *sum += weight;
            weights.push(weight);
        }
    }
    for row in weights.chunks_exact_mut(labels) {
        for (weight, sum) in row.iter_mut().zip(&sum) {
            *weight /= sum;
        }
    }
    weights
}

impl CustomOp2 for Operation {
    fn name(&self) -> &'static str {
        "attention-pooling"
    }

    fn cpu_fwd(
        &self,
        score: &CpuStorage,
        score_layout: &Layout,
        value: &CpuStorage,
        value_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (tokens, labels) = score_layout.shape().dims2()?;
        if self.segments.last().map_or(0, |segment| segment.end) != tokens || labels == 0 {
            return Err(Error::Msg("the segments do not fit the tokens".into()));
        }
        let score = slice::of(score, score_layout, self.name())?;
        let value = slice::of(value, value_layout, self.name())?;
        let mut out = Vec::with_capacity(self.segments.len() * labels);
        for segment in self.segments.iter() {
            let range = segment.start * labels..segment.end * labels;
            let weights = column_softmax(&score[range.clone()], labels);
            let mut pooled = vec![0.0; labels];
            for (weights, values) in weights
                .chunks_exact(labels)
                .zip(value[range].chunks_exact(labels))
            {
                for ((pooled, weight), value) in pooled.iter_mut().zip(weights).zip(values) {
                    *pooled += weight * value;
                }
            }
            out.extend(pooled);
        }
        Ok((CpuStorage::F32(out), (self.segments.len(), labels).into()))
    }

    fn bwd(
        &self,
        score: &Tensor,
        value: &Tensor,
        out: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (_, labels) = score.dims2()?;
        let (mut d_score, mut d_value) = (Vec::new(), Vec::new());
        slice::with(score, |scores| {
            slice::with(value, |values| {
                slice::with(out, |out| {
                    slice::with(grad, |grad| {
                        for ((segment, out), grad) in self
                            .segments
                            .iter()
                            .zip(out.chunks_exact(labels))
                            .zip(grad.chunks_exact(labels))
                        {
                            let range = segment.start * labels..segment.end * labels;
                            let weights = column_softmax(&scores[range.clone()], labels);
                            for (weights, values) in weights
                                .chunks_exact(labels)
                                .zip(values[range].chunks_exact(labels))
                            {
                                for (((weight, value), out), grad) in
                                    weights.iter().zip(values).zip(out).zip(grad)
                                {
                                    d_value.push(weight * grad);
                                    d_score.push(weight * grad * (value - out));
                                }
                            }
                        }
                        Ok(())
                    })
                })
            })
        })?;
        Ok((
            Some(slice::tensor(d_score, score)?),
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
        let (score, value) = (var(&[7, 2], 1)?, var(&[7, 2], 2)?);
        check_gradients(&[&score, &value], 14, || pool(&score, &value, &segments))
    }

    #[test]
    fn equal_scores_give_the_mean() -> Result<()> {
        let device = candle_core::Device::Cpu;
        let score = Tensor::zeros((3, 1), candle_core::DType::F32, &device)?;
        let value = Tensor::new(&[[1.0_f32], [3.0], [7.0]], &device)?;
        let pooled = pool(&score, &value, &Arc::from([0..2, 2..3]))?;
        assert_eq!(pooled.to_vec2::<f32>()?, [[2.0], [7.0]]);
        assert!(pool(&score, &value, &Arc::from([0..1, 1..2])).is_err());
        Ok(())
    }
}
