//! A product with a matrix that is trained whole.

use candle_core::{CpuStorage, CustomOp3, Error, Layout, Result, Shape, Tensor};

use crate::linear::product;
use crate::{composed, slice};

/// `y = x Wᵀ + b`, with gradients of all three: `x` is `tokens × in`, `weight` is `out × in`, `bias` has `out` values.
/// One operation, so that the sum keeps nothing for its gradient besides `x` and `W`.
pub(crate) fn dense(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return composed::dense(x, weight, bias);
    }
    x.apply_op3(weight, bias, Operation)
}

struct Operation;

impl CustomOp3 for Operation {
    fn name(&self) -> &'static str {
        "dense"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let bias = slice::of(bias, bias_layout, self.name())?;
        if bias.is_empty() {
            return Err(Error::Msg("a matrix without rows".into()));
        }
        let mut out = product((x, x_layout), (weight, &weight_layout.transpose(0, 1)?))?;
        for row in out.chunks_exact_mut(bias.len()) {
            for (out, bias) in row.iter_mut().zip(bias) {
                *out += bias;
            }
        }
        let rows = x_layout.shape().dims2()?.0;
        Ok((CpuStorage::F32(out), (rows, bias.len()).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _bias: &Tensor,
        _out: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (x, weight) = (x.detach(), weight.detach());
        let d_x = grad.matmul(&weight)?;
        let d_weight = grad.t()?.matmul(&x)?;
        Ok((Some(d_x), Some(d_weight), Some(grad.sum(0)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check_gradients, var};

    #[test]
    fn gradients_agree_with_finite_differences() -> Result<()> {
        let (x, weight, bias) = (var(&[3, 4], 1)?, var(&[5, 4], 2)?, var(&[5], 3)?);
        check_gradients(&[&x, &weight, &bias], 20, || {
            dense(x.as_tensor(), weight.as_tensor(), bias.as_tensor())
        })
    }

    #[test]
    fn values_are_those_of_the_plain_product() -> Result<()> {
        let (x, weight, bias) = (var(&[3, 4], 1)?, var(&[5, 4], 2)?, var(&[5], 3)?);
        let wanted = x.matmul(&weight.t()?)?.broadcast_add(&bias)?;
        let apart = (dense(&x, &weight, &bias)? - wanted)?.abs()?.max_all()?;
        assert!(apart.to_scalar::<f32>()? < 1e-6);
        Ok(())
    }
}
