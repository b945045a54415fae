//! Dropout from a seeded generator: candle's own cannot be seeded on the CPU.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rand::RngExt;
use rand::rngs::StdRng;

use crate::slice;

/// Sets each value to zero with probability `rate` and scales the others so that the mean stays (Srivastava et al.
/// 2014, JMLR 15). A rate of zero changes nothing and draws nothing.
pub(crate) fn dropout(x: &Tensor, rate: f32, random: &mut StdRng) -> Result<Tensor> {
    if rate <= 0.0 {
        return Ok(x.clone());
    }
    let keep = 1.0 / (1.0 - rate);
    let mask = (0..x.elem_count())
        .map(|_| if random.random::<f32>() < rate { 0.0 } else { keep })
        .collect();
    if !x.device().is_cpu() {
        // Drawn in main memory all the same, so that a seed draws the same everywhere.
        return x * Tensor::from_vec(mask, x.shape(), x.device())?;
    }
    x.contiguous()?.apply_op1(Mask(mask))
}

struct Mask(Vec<f32>);

impl CustomOp1 for Mask {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = slice::of(x, layout, self.name())?;
        let out = x.iter().zip(&self.0).map(|(x, mask)| x * mask).collect();
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, _x: &Tensor, _out: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let values = slice::with(grad, |grad| {
            Ok(grad.iter().zip(&self.0).map(|(grad, mask)| grad * mask).collect())
        })?;
        slice::tensor(values, grad).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::testing::{check_gradients, var};

    #[test]
    fn the_mean_stays_and_the_seed_decides() -> Result<()> {
        let x = Tensor::ones((100, 100), candle_core::DType::F32, &candle_core::Device::Cpu)?;
        let drawn = |seed| {
            dropout(&x, 0.25, &mut StdRng::seed_from_u64(seed))?
                .flatten_all()?
                .to_vec1::<f32>()
        };
        let values = drawn(1)?;
        assert!((values.iter().sum::<f32>() / 10_000.0 - 1.0).abs() < 0.02);
        assert!(
            values
                .iter()
                .all(|&value| value == 0.0 || (value - 4.0 / 3.0).abs() < 1e-6)
        );
        assert_eq!(values, drawn(1)?);
        assert_ne!(values, drawn(2)?);
        Ok(())
    }

    #[test]
    fn gradients_agree_with_finite_differences() -> Result<()> {
        let x = var(&[3, 4], 1)?;
        check_gradients(&[&x], 12, || dropout(&x, 0.5, &mut StdRng::seed_from_u64(3)))
    }
}
