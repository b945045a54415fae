//! What comes between the two products of a feed-forward layer.

use crate::kernel::{Arithmetic, Op};
use crate::math::{erf, exp};

/// An activation function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    /// `x Φ(x)`, exact (Hendrycks and Gimpel 2016, arXiv:1606.08415): `gelu` of BERT. Off by at most 3e-7 × max(1, |x|).
    /// −∞ gives NaN (−∞ × 0), as in PyTorch.
    Gelu,
    /// The approximation of the same paper, `x / (1 + exp(−2 √(2/π) (x + 0.044715 x³)))`: `gelu_new`, `gelu_pytorch_tanh`.
    GeluTanh,
    /// The larger of `x` and 0; NaN stays NaN.
    Relu,
}

/// 2 √(2/π).
const TWICE_ROOT: f32 = 1.595_769;
/// The cubic term's weight (Hendrycks and Gimpel, section 2).
const CUBIC: f32 = 0.044_715;

#[inline(always)]
pub(crate) fn gelu<A: Arithmetic>(x: f32) -> f32 {
    let half = 0.5 * x;
    A::mul_add(half, erf::<A>(x * std::f32::consts::FRAC_1_SQRT_2), half)
}

#[inline(always)]
pub(crate) fn gelu_tanh<A: Arithmetic>(x: f32) -> f32 {
    let inner = TWICE_ROOT * A::mul_add(CUBIC * x * x, x, x);
    x / (1.0 + exp::<A>(-inner))
}

#[inline(always)]
pub(crate) fn relu(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { x }
}

/// Applies it to all values.
#[inline(always)]
pub(crate) fn apply<A: Arithmetic>(activation: Activation, x: &mut [f32]) {
    match activation {
        Activation::Gelu => x.iter_mut().for_each(|x| *x = gelu::<A>(*x)),
        Activation::GeluTanh => x.iter_mut().for_each(|x| *x = gelu_tanh::<A>(*x)),
        Activation::Relu => x.iter_mut().for_each(|x| *x = relu(*x)),
    }
}

pub(crate) struct Activate<'a> {
    pub(crate) activation: Activation,
    pub(crate) x: &'a mut [f32],
}

impl Op for Activate<'_> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        apply::<A>(self.activation, self.x);
    }
}
