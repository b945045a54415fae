//! Layer normalisation (Ba, Kiros and Hinton 2016, arXiv:1607.06450).

use crate::PackError;
use crate::kernel::{Arithmetic, Op};
use crate::lanes;

/// The learnt part of a layer normalisation.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerNorm {
    gamma: Vec<f32>,
    beta: Vec<f32>,
    epsilon: f32,
}

impl LayerNorm {
    /// Scale, shift, and what is added to the variance.
    ///
    /// # Errors
    /// [`PackError::Shape`] when scale and shift are not equally long or are empty; [`PackError::NotFinite`], also for
    /// an ε that is not positive.
    pub fn new(gamma: &[f32], beta: &[f32], epsilon: f32) -> Result<Self, PackError> {
        if gamma.is_empty() || gamma.len() != beta.len() {
            return Err(PackError::Shape);
        }
        let finite = gamma.iter().chain(beta).all(|value| value.is_finite());
        if !finite || !epsilon.is_finite() || epsilon <= 0.0 {
            return Err(PackError::NotFinite);
        }
        Ok(Self {
            gamma: gamma.to_vec(),
            beta: beta.to_vec(),
            epsilon,
        })
    }

    /// Values in a row.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.gamma.len()
    }
}

/// Normalises one row: mean, then variance about it (two passes, so that nothing cancels), then scale and shift.
#[inline(always)]
pub(crate) fn normalize<A: Arithmetic>(norm: &LayerNorm, row: &mut [f32]) {
    #[expect(clippy::cast_precision_loss, reason = "rows are far shorter than 2²⁴")]
    let share = 1.0 / row.len() as f32;
    let mean = lanes::sum(row, |sum, x| sum + x) * share;
    let squares = lanes::sum(row, |sum, x| A::mul_add(x - mean, x - mean, sum));
    let inverse = 1.0 / A::mul_add(squares, share, norm.epsilon).sqrt();
    for ((x, gamma), beta) in row.iter_mut().zip(&norm.gamma).zip(&norm.beta) {
        *x = A::mul_add((*x - mean) * inverse, *gamma, *beta);
    }
}

/// Normalises rows, after adding those of `residual` if there are any.
pub(crate) struct Normalize<'a> {
    pub(crate) norm: &'a LayerNorm,
    pub(crate) residual: Option<&'a [f32]>,
    pub(crate) x: &'a mut [f32],
}

impl Op for Normalize<'_> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let width = self.norm.width();
        for (index, row) in self.x.chunks_exact_mut(width).enumerate() {
            if let Some(residual) = self.residual {
                for (x, residual) in row.iter_mut().zip(&residual[index * width..]) {
                    *x += residual;
                }
            }
            normalize::<A>(self.norm, row);
        }
    }
}
