//! The operations out of candle's own: for devices that the ones written here have no code for. candle knows their gradients.
//!
//! Notes lie end to end here too, but a GPU wants one large product instead of many small ones, so that [`attention`] and
//! [`pool`] lay them out beside each other, each as long as the longest, and mask what is no note.

use std::ops::Range;

use candle_core::{D, Device, Error, Result, Tensor};

/// What is added to a score that must not count.
const MASKED: f32 = -1e9;

/// As [`crate::normalization::layer_norm`].
pub(crate) fn layer_norm(x: &Tensor, gamma: &Tensor, beta: &Tensor, epsilon: f64) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    centred
        .broadcast_div(&(variance + epsilon)?.sqrt()?)?
        .broadcast_mul(gamma)?
        .broadcast_add(beta)
}

/// As [`crate::dense::dense`].
pub(crate) fn dense(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    x.matmul(&weight.t()?)?.broadcast_add(bias)
}

/// As [`crate::attention::attention`].
pub(crate) fn attention(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    segments: &[Range<usize>],
    heads: usize,
) -> Result<Tensor> {
    let (_, width) = query.dims2()?;
    if heads == 0 || !width.is_multiple_of(heads) {
        return Err(Error::Msg("the heads do not fit the width".into()));
    }
    let depth = width / heads;
    let places = Places::new(segments, query)?;
    let shape = (places.notes, places.longest, heads, depth);
    // notes × heads × longest × depth
    let split =
        |x: &Tensor| -> Result<Tensor> { places.spread(x)?.reshape(shape)?.transpose(1, 2)?.contiguous() };
    let (query, key, value) = (split(query)?, split(key)?, split(value)?);
    #[expect(clippy::cast_precision_loss, reason = "the depth of a head is far below 2^52")]
    let scale = 1.0 / (depth as f64).sqrt();
    let scores = (query.matmul(&key.transpose(2, 3)?.contiguous()?)? * scale)?;
    let mask = places.mask.reshape((places.notes, 1, 1, places.longest))?;
    let weights = softmax(&scores.broadcast_add(&mask)?, 3)?;
    let out = weights.matmul(&value)?.transpose(1, 2)?.contiguous()?;
    places.gather(&out.reshape((places.notes * places.longest, width))?)
}

/// As [`crate::pooling::pool`].
pub(crate) fn pool(score: &Tensor, value: &Tensor, segments: &[Range<usize>]) -> Result<Tensor> {
    let labels = score.dims2()?.1;
    let places = Places::new(segments, score)?;
    let shape = (places.notes, places.longest, labels);
    let mask = places.mask.reshape((places.notes, places.longest, 1))?;
    let scores = places.spread(score)?.reshape(shape)?.broadcast_add(&mask)?;
    let values = places.spread(value)?.reshape(shape)?;
    (softmax(&scores, 1)? * values)?.sum(1)
}

/// `exp(x) / Σ exp(x)` over one dimension; the largest value is taken away first, and is no part of the gradient.
fn softmax(x: &Tensor, dimension: usize) -> Result<Tensor> {
    let most = x.max_keepdim(dimension)?.detach();
    let exp = x.broadcast_sub(&most)?.exp()?;
    exp.broadcast_div(&exp.sum_keepdim(dimension)?)
}

/// Where each token of notes laid end to end is when they lie beside each other.
struct Places {
    notes: usize,
    longest: usize,
    /// Token of each place; the places behind a note's end have the first token, and are masked.
    token: Tensor,
    /// Place of each token.
    place: Tensor,
    /// 0 where there is a token, [`MASKED`] behind a note's end.
    mask: Tensor,
}

impl Places {
    fn new(segments: &[Range<usize>], x: &Tensor) -> Result<Self> {
        let (tokens, device): (usize, &Device) = (x.dim(0)?, x.device());
        let longest = segments.iter().map(Range::len).max().unwrap_or(0);
        let mut next = 0;
        let (mut token, mut place, mut mask) = (Vec::new(), Vec::new(), Vec::new());
        let number = |at: usize| u32::try_from(at).map_err(Error::wrap);
        for (note, segment) in segments.iter().enumerate() {
            if segment.start != next {
                return Err(Error::Msg("the segments do not fit the tokens".into()));
            }
            next = segment.end;
            for at in 0..longest {
                let within = at < segment.len();
                token.push(number(if within { segment.start + at } else { 0 })?);
                mask.push(if within { 0.0 } else { MASKED });
                if within {
                    place.push(number(note * longest + at)?);
                }
            }
        }
        if next != tokens {
            return Err(Error::Msg("the segments do not fit the tokens".into()));
        }
        Ok(Self {
            notes: segments.len(),
            longest,
            mask: Tensor::from_vec(mask, token.len(), device)?,
            token: Tensor::from_vec(token, segments.len() * longest, device)?,
            place: Tensor::from_vec(place, tokens, device)?,
        })
    }

    /// From tokens to places.
    fn spread(&self, x: &Tensor) -> Result<Tensor> {
        x.index_select(&self.token, 0)
    }

    /// From places to tokens.
    fn gather(&self, x: &Tensor) -> Result<Tensor> {
        x.index_select(&self.place, 0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use candle_core::Var;

    use super::*;
    use crate::testing::{values, var};

    /// Values and gradients of two ways to compute the same.
    fn check(
        vars: &[&Var],
        own: impl Fn() -> Result<Tensor>,
        composed: impl Fn() -> Result<Tensor>,
    ) -> Result<()> {
        let (own, composed) = (own()?, composed()?);
        let near = |a: &Tensor, b: &Tensor| -> Result<f32> { (a - b)?.abs()?.max_all()?.to_scalar() };
        assert!(near(&own, &composed)? < 1e-5);
        let weights = Tensor::from_vec(values(own.elem_count(), 9), own.shape(), own.device())?;
        let gradients = |out: &Tensor| (out * &weights)?.sum_all()?.backward();
        let (of_own, of_composed) = (gradients(&own)?, gradients(&composed)?);
        for var in vars {
            let (a, b) = (of_own.get(var), of_composed.get(var));
            let (a, b) = (a.expect("a gradient"), b.expect("a gradient"));
            assert!(near(a, b)? < 1e-5);
            assert!(a.abs()?.max_all()?.to_scalar::<f32>()? > 1e-3);
        }
        Ok(())
    }

    #[test]
    fn values_and_gradients_are_those_of_our_own_operations() -> Result<()> {
        let (x, gamma, beta) = (var(&[7, 6], 1)?, var(&[6], 2)?, var(&[6], 3)?);
        check(
            &[&x, &gamma, &beta],
            || crate::normalization::layer_norm(&x, &gamma, &beta, 1e-5),
            || layer_norm(&x, &gamma, &beta, 1e-5),
        )?;
        let (weight, bias) = (var(&[5, 6], 4)?, var(&[5], 5)?);
        check(
            &[&x, &weight, &bias],
            || crate::dense::dense(&x, &weight, &bias),
            || dense(&x, &weight, &bias),
        )?;
        check(&[&x], || crate::activation::gelu(&x), || x.gelu_erf())
    }

    #[test]
    fn notes_beside_each_other_are_notes_end_to_end() -> Result<()> {
        let segments: Arc<[Range<usize>]> = Arc::from([0..3, 3..4, 4..7]);
        let (query, key, value) = (var(&[7, 6], 1)?, var(&[7, 6], 2)?, var(&[7, 6], 3)?);
        check(
            &[&query, &key, &value],
            || crate::attention::attention(&query, &key, &value, &segments, 2),
            || attention(&query, &key, &value, &segments, 2),
        )?;
        check(
            &[&key, &value],
            || crate::pooling::pool(&key, &value, &segments),
            || pool(&key, &value, &segments),
        )?;
        assert!(pool(&key, &value, &[0..3, 3..6]).is_err());
        assert!(pool(&key, &value, &[0..3, 4..7]).is_err());
        assert!(attention(&query, &key, &value, &segments, 4).is_err());
        Ok(())
    }
}
