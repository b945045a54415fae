//! Layer normalisation with a gradient.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use crate::{composed, slice};

/// `y = γ (x − mean) / sqrt(var + ε) + β` over the last dimension (Ba, Kiros and Hinton 2016, arXiv:1607.06450).
/// candle's own `LayerNorm` has no backward pass and stops the gradient in silence.
pub(crate) fn layer_norm(x: &Tensor, gamma: &Tensor, beta: &Tensor, epsilon: f64) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return composed::layer_norm(x, gamma, beta, epsilon);
    }
    x.contiguous()?.apply_op3(gamma, beta, Operation { epsilon })
}

struct Operation {
    epsilon: f64,
}

impl Operation {
    /// Mean and `1 / sqrt(var + ε)` of a row. Sums are in f64: rows are short, and the difference of large numbers is not.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "lengths far below 2^52; results return to the precision of the weights"
    )]
    fn moments(&self, row: &[f32]) -> (f32, f32) {
        let count = row.len() as f64;
        let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
        let variance = row.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count;
        (mean as f32, (1.0 / (variance + self.epsilon).sqrt()) as f32)
    }
}

impl CustomOp3 for Operation {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        gamma: &CpuStorage,
        gamma_layout: &Layout,
        beta: &CpuStorage,
        beta_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = slice::of(x, x_layout, self.name())?;
        let gamma = slice::of(gamma, gamma_layout, self.name())?;
        let beta = slice::of(beta, beta_layout, self.name())?;
        let mut out = Vec::with_capacity(x.len());
        for row in x.chunks_exact(gamma.len()) {
            let (mean, rate) = self.moments(row);
            out.extend(
                row.iter()
                    .zip(gamma)
                    .zip(beta)
                    .map(|((x, g), b)| (x - mean) * rate * g + b),
            );
        }
        Ok((CpuStorage::F32(out), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        gamma: &Tensor,
        _beta: &Tensor,
        _out: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let width = gamma.elem_count();
        let mut d_x = Vec::with_capacity(x.elem_count());
        let mut d_gamma = vec![0.0_f32; width];
        let mut d_beta = vec![0.0_f32; width];
        slice::with(x, |xs| {
            slice::with(gamma, |gamma| {
                slice::with(grad, |grads| {
                    for (row, grad) in xs.chunks_exact(width).zip(grads.chunks_exact(width)) {
                        let (mean, rate) = self.moments(row);
                        // With n = (x − mean) rate and h = grad γ: dx = rate (h − mean(h) − n mean(h n)).
                        let (mut sum, mut sum_n) = (0.0_f32, 0.0_f32);
                        for (at, (x, grad)) in row.iter().zip(grad).enumerate() {
                            let n = (x - mean) * rate;
                            d_gamma[at] += grad * n;
                            d_beta[at] += grad;
                            sum += grad * gamma[at];
                            sum_n += grad * gamma[at] * n;
                        }
                        #[expect(clippy::cast_precision_loss, reason = "a width far below 2^23")]
                        let width = width as f32;
                        let (mean_h, mean_hn) = (sum / width, sum_n / width);
                        d_x.extend(row.iter().zip(grad).zip(gamma).map(|((x, grad), gamma)| {
                            rate * (grad * gamma - mean_h - (x - mean) * rate * mean_hn)
                        }));
                    }
                    Ok(())
                })
            })
        })?;
        Ok((
            Some(slice::tensor(d_x, x)?),
            Some(Tensor::from_vec(d_gamma, width, x.device())?),
            Some(Tensor::from_vec(d_beta, width, x.device())?),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check_gradients, var};

    #[test]
    fn gradients_agree_with_finite_differences() -> Result<()> {
        let (x, gamma, beta) = (var(&[4, 6], 1)?, var(&[6], 2)?, var(&[6], 3)?);
        check_gradients(&[&x, &gamma, &beta], 24, || layer_norm(&x, &gamma, &beta, 1e-5))
    }

    #[test]
    fn values_are_those_of_candle() -> Result<()> {
        let (x, gamma, beta) = (var(&[4, 6], 1)?, var(&[6], 2)?, var(&[6], 3)?);
        let slow = candle_nn::ops::layer_norm_slow(&x, &gamma, &beta, 1e-5)?;
        let apart = (layer_norm(&x, &gamma, &beta, 1e-5)? - slow)?.abs()?.max_all()?;
        assert!(apart.to_scalar::<f32>()? < 1e-5);
        Ok(())
    }
}
