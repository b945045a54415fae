//! The sanity check of explanations: they must not survive when the model forgets what it learned.
//!
//! Adebayo et al. 2018, Sanity Checks for Saliency Maps (arXiv:1810.03292, section 3): an explanation that stays the same for
//! weights in another order explains the text, not the model.

use clinical::{Impression, Span};
use explanation::Budget;
use inference::Engine;

use super::bench::{Error, erased};
use super::{scores, whole};

/// How alike the explanations of a text by two models are, as correlations (Pearson) over its words.
#[derive(Clone, Copy, Default)]
pub(super) struct Alike {
    /// Of the log-odds that each word moves when it alone is taken away.
    pub left_out: f64,
    /// Of the weights shown, where a word that is not shown weighs nothing.
    pub shown: f64,
    /// Whether the second model has a reliable explanation at all.
    pub reliable: bool,
}

/// Compares the explanations of a text by a model and by the same with shuffled weights; `None` for a text whose words
/// move nothing.
pub(super) fn alike(
    [real, shuffled]: [&Engine; 2],
    text: &str,
    budget: Budget,
) -> Result<Option<Alike>, Error> {
    let words = explanation::words(text);
    let mut texts = vec![text.to_owned()];
    texts.extend(words.iter().map(|&word| erased(text, &words, &[word], false)));
    let mut moved = Vec::new();
    let mut weighed = Vec::new();
    let mut reliable = false;
    for engine in [real, shuffled] {
        let mut scorer = engine.scorer();
        let all = scores(&mut scorer, &texts).map_err(Error::Scorer)?;
        let logit = |p: f64| {
            let p = p.clamp(1e-9, 1.0 - 1e-9);
            (p / (1.0 - p)).ln()
        };
        let (first, rest) = all
            .split_first()
            .map_or((0.0, &[][..]), |(first, rest)| (*first, rest));
        moved.push(
            rest.iter()
                .map(|&score| logit(first) - logit(score))
                .collect::<Vec<_>>(),
        );
        let threshold = engine.labels().abnormal.threshold.get();
        let target = (Impression::Abnormal, threshold);
        let got = explanation::explain_at(text, whole(text), target, budget, 1, |texts| {
            scores(&mut scorer, texts)
        })?;
        reliable = got.phrases().next().is_some();
        let weight = |word: &Span| {
            got.phrases()
                .find(|phrase| phrase.span == *word)
                .map_or(0.0, |phrase| phrase.weight)
        };
        weighed.push(words.iter().map(weight).collect::<Vec<_>>());
    }
    let (Some(left_out), Some(shown)) = (
        correlation(&moved[0], &moved[1]),
        correlation(&weighed[0], &weighed[1]).or(Some(0.0)),
    ) else {
        return Ok(None);
    };
    Ok(Some(Alike {
        left_out,
        shown,
        reliable,
    }))
}

/// Pearson's correlation; `None` where one of the two is constant.
fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    let count = f64::from(u32::try_from(a.len()).ok()?);
    let mean = |of: &[f64]| of.iter().sum::<f64>() / count;
    let (middle_a, middle_b) = (mean(a), mean(b));
    let mut sums = [0.0; 3];
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (x - middle_a, y - middle_b);
        sums[0] += x * y;
        sums[1] += x * x;
        sums[2] += y * y;
    }
    let below = (sums[1] * sums[2]).sqrt();
    (below > 0.0).then(|| sums[0] / below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_correlation_has_a_sign_and_needs_a_spread() {
        let near = |got: Option<f64>, wanted: f64| got.is_some_and(|got| (got - wanted).abs() < 1e-12);
        assert!(near(correlation(&[1.0, 2.0, 4.0], &[2.0, 4.0, 8.0]), 1.0));
        assert!(near(correlation(&[1.0, 2.0], &[3.0, -1.0]), -1.0));
        assert_eq!(correlation(&[1.0, 2.0], &[3.0, 3.0]), None);
    }
}
