//! A matrix of the encoder: frozen with a trainable change of low rank, or trained whole.

use std::cell::Cell;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, Error, Layout, Result, Shape, Storage, Tensor, Var};

use crate::dense::dense;
use crate::slice;

/// `y = x Wᵀ + b + s (x Aᵀ) Bᵀ`: `W` and `b` are frozen, `A` (`r × in`) and `B` (`out × r`) are trained (LoRA, Hu et
/// al. 2021, arXiv:2106.09685). candle's own product would compute the gradient of the frozen `W` too, a third of all
/// work, so this is one operation with its own gradient.
pub(crate) struct AdaptedLinear {
    weight: Tensor,
    weight_t: Tensor,
    bias: Tensor,
    adapter: Option<LowRank>,
    whole: Option<(Var, Var)>,
    rounding: Rounding,
}

/// What an int8 product would do to the inputs; only for measuring, as it has no gradient.
#[derive(Clone, Debug, Default)]
pub(crate) enum Rounding {
    /// Nothing.
    #[default]
    None,
    /// Rounds each token by its largest value.
    PerToken,
    /// Rounds all by this value.
    Fixed(f32),
    /// Changes nothing, and keeps the largest value.
    Watch(Cell<f32>),
}

impl Rounding {
    /// A watch that has seen nothing.
    pub(crate) const fn watch() -> Self {
        Self::Watch(Cell::new(0.0))
    }

    /// The inputs as an int8 product sees them: rounded to multiples of `largest / 127`, at most ±127 of them.
    fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let largest = |row: &[f32]| row.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
        let round = |row: &[f32], largest: f32| -> Vec<f32> {
            let step = largest / 127.0;
            row.iter()
                .map(|value| {
                    if step > 0.0 {
                        (value / step).round().clamp(-127.0, 127.0) * step
                    } else {
                        0.0
                    }
                })
                .collect()
        };
        let width = x.dims2()?.1.max(1);
        let values = slice::with(x, |values| {
            Ok(match self {
                Self::None => values.to_vec(),
                Self::PerToken => values
                    .chunks_exact(width)
                    .flat_map(|row| round(row, largest(row)))
                    .collect(),
                Self::Fixed(most) => round(values, *most),
                Self::Watch(most) => {
                    most.set(most.get().max(largest(values)));
                    values.to_vec()
                }
            })
        })?;
        slice::tensor(values, x)
    }
}

/// The trained part.
pub(crate) struct LowRank {
    /// `r × in`.
    pub(crate) a: Var,
    /// `out × r`.
    pub(crate) b: Var,
    /// LoRA's `α / r`.
    pub(crate) scale: f64,
}

impl AdaptedLinear {
    /// `weight` is `out × in`, `bias` has `out` values.
    pub(crate) fn new(weight: Tensor, bias: Tensor, adapter: Option<LowRank>) -> Result<Self> {
        Ok(Self {
            weight_t: weight.t()?,
            weight,
            bias,
            adapter,
            whole: None,
            rounding: Rounding::None,
        })
    }

    /// A matrix and its bias of which every value is trained.
    pub(crate) fn whole(weight: Var, bias: Var) -> Result<Self> {
        let mut linear = Self::new(weight.as_detached_tensor(), bias.as_detached_tensor(), None)?;
        linear.whole = Some((weight, bias));
        Ok(linear)
    }

    /// Rounds the inputs from now on.
    pub(crate) fn round_inputs(&mut self, rounding: Rounding) {
        self.rounding = rounding;
    }

    /// The largest input that was watched.
    pub(crate) fn largest_input(&self) -> f32 {
        match &self.rounding {
            Rounding::Watch(most) => most.get(),
            _ => 0.0,
        }
    }

    pub(crate) fn adapter(&self) -> Option<&LowRank> {
        self.adapter.as_ref()
    }

    /// Matrix and bias, where they are trained whole.
    pub(crate) fn dense(&self) -> Option<(&Var, &Var)> {
        self.whole.as_ref().map(|(weight, bias)| (weight, bias))
    }

    /// The matrices that are trained.
    pub(crate) fn matrices(&self) -> impl Iterator<Item = &Var> {
        let low = self.adapter.iter().flat_map(|low| [&low.a, &low.b]);
        low.chain(self.whole.iter().map(|(weight, _)| weight))
    }

    /// `x` is `tokens × in`; the result is `tokens × out`.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if !matches!(self.rounding, Rounding::None) {
            return self.product(&self.rounding.apply(x)?);
        }
        self.product(x)
    }

    fn product(&self, x: &Tensor) -> Result<Tensor> {
        if let Some((weight, bias)) = &self.whole {
            return dense(x, weight.as_tensor(), bias.as_tensor());
        }
        if !x.device().is_cpu() {
            let out = dense(x, &self.weight, &self.bias)?;
            return match &self.adapter {
                None => Ok(out),
                Some(low) => out + (x.matmul(&low.a.t()?)?.matmul(&low.b.t()?)? * low.scale)?,
            };
        }
        match &self.adapter {
            None => {
                let nothing = Tensor::zeros((0, 0), x.dtype(), x.device())?;
                x.apply_op3(&nothing, &nothing, self.operation(0.0))
            }
            Some(low) => x.apply_op3(low.a.as_tensor(), low.b.as_tensor(), self.operation(low.scale)),
        }
    }

    fn operation(&self, scale: f64) -> Operation {
        Operation {
            weight: self.weight.clone(),
            weight_t: self.weight_t.clone(),
            bias: self.bias.clone(),
            scale,
        }
    }
}

struct Operation {
    weight: Tensor,
    weight_t: Tensor,
    bias: Tensor,
    scale: f64,
}

/// The product of two storages that are matrices, as values.
pub(crate) fn product(left: (&CpuStorage, &Layout), right: (&CpuStorage, &Layout)) -> Result<Vec<f32>> {
    let (rows, inner) = left.1.shape().dims2()?;
    let (height, columns) = right.1.shape().dims2()?;
    if inner != height {
        return Err(Error::Msg(format!(
            "a product of {rows} x {inner} and {height} x {columns}"
        )));
    }
    match left
        .0
        .matmul(right.0, (1, rows, columns, inner), left.1, right.1)?
    {
        CpuStorage::F32(values) => Ok(values),
        _ => Err(Error::Msg("a product is not in f32".into())),
    }
}

impl CustomOp3 for Operation {
    fn name(&self) -> &'static str {
        "adapted-linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (weight, weight_layout) = self.weight_t.storage_and_layout();
        let Storage::Cpu(weight) = &*weight else {
            return Err(Error::Msg("a weight is not in main memory".into()));
        };
        let mut out = product((x, x_layout), (weight, weight_layout))?;
        let (rows, columns) = (x_layout.shape().dims2()?.0, self.bias.dim(0)?);
        if self.scale != 0.0 {
            let a_t = a_layout.transpose(0, 1)?;
            let b_t = b_layout.transpose(0, 1)?;
            let inner = product((x, x_layout), (a, &a_t))?;
            let rank = a_layout.shape().dims2()?.0;
            let inner = CpuStorage::F32(inner);
            let inner_layout = Layout::contiguous((rows, rank));
            let change = product((&inner, &inner_layout), (b, &b_t))?;
            #[expect(clippy::cast_possible_truncation, reason = "a scale near one")]
            let scale = self.scale as f32;
            for (out, change) in out.iter_mut().zip(&change) {
                *out += scale * change;
            }
        }
        slice::with(&self.bias, |bias| {
            for row in out.chunks_exact_mut(columns) {
                for (out, bias) in row.iter_mut().zip(bias) {
                    *out += bias;
                }
            }
            Ok(())
        })?;
        Ok((CpuStorage::F32(out), (rows, columns).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        a: &Tensor,
        b: &Tensor,
        _out: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let through = grad.matmul(&self.weight)?;
        if self.scale == 0.0 {
            return Ok((Some(through), None, None));
        }
        // With z = x Aᵀ: dB = s gradᵀ z, dz = s grad B, dA = dzᵀ x, dx = grad W + dz A.
        let (x, a, b) = (x.detach(), a.detach(), b.detach());
        let z = x.matmul(&a.t()?)?;
        let d_b = (grad.t()?.matmul(&z)? * self.scale)?;
        let d_z = (grad.matmul(&b)? * self.scale)?;
        let d_a = d_z.t()?.matmul(&x)?;
        let d_x = (through + d_z.matmul(&a)?)?;
        Ok((Some(d_x), Some(d_a), Some(d_b)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check_gradients, var};

    #[test]
    fn gradients_agree_with_finite_differences() -> Result<()> {
        let (x, a, b) = (var(&[3, 4], 1)?, var(&[2, 4], 2)?, var(&[5, 2], 3)?);
        let (weight, bias) = (var(&[5, 4], 4)?, var(&[5], 5)?);
        let low = LowRank {
            a: a.clone(),
            b: b.clone(),
            scale: 1.5,
        };
        let linear = AdaptedLinear::new(weight.as_detached_tensor(), bias.as_detached_tensor(), Some(low))?;
        check_gradients(&[&x, &a, &b], 20, || linear.forward(&x))?;
        let frozen = AdaptedLinear::new(weight.as_detached_tensor(), bias.as_detached_tensor(), None)?;
        check_gradients(&[&x], 12, || frozen.forward(&x))
    }

    #[test]
    fn the_change_is_added_to_the_frozen_matrix() -> Result<()> {
        let (x, a, b) = (var(&[3, 4], 1)?, var(&[2, 4], 2)?, var(&[5, 2], 3)?);
        let (weight, bias) = (var(&[5, 4], 4)?, var(&[5], 5)?);
        let merged = (weight.as_tensor() + (b.matmul(&a)? * 1.5)?)?;
        let wanted = x.matmul(&merged.t()?)?.broadcast_add(&bias)?;
        let low = LowRank { a, b, scale: 1.5 };
        let linear = AdaptedLinear::new(weight.as_detached_tensor(), bias.as_detached_tensor(), Some(low))?;
        let apart = (linear.forward(&x)? - wanted)?.abs()?.max_all()?;
        assert!(apart.to_scalar::<f32>()? < 1e-5);
        Ok(())
    }
}
