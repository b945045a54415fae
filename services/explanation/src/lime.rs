//! The reference method, for comparison: `LimeTextExplainer` of marcotcr/lime 0.2.0.1 (Ribeiro, Singh and Guestrin,
//! arXiv:1602.04938). Given the same masks and scores it returns the same coefficients; the masks themselves come from
//! our own generator, because numpy's is not ours to repeat.

use std::collections::HashMap;

use clinical::Span;

use crate::ExplainError;
use crate::moments::{Linear, Moments};
use crate::random::SplitMix64;

/// Width of the exponential kernel on 100 × cosine distance (`LimeTextExplainer(kernel_width=25)`).
const KERNEL_WIDTH: f64 = 25.0;

/// Penalty of the final fit (`lime_base.py`: `Ridge(alpha=1, fit_intercept=True)`).
const ALPHA: f64 = 1.0;

/// Penalty of the fit that ranks features by weight (`lime_base.py`, `highest_weights`).
const RANKING_ALPHA: f64 = 0.01;

/// Most features for which `auto` selects forward (`lime_base.py`, `feature_selection`).
const FORWARD: usize = 6;

/// Masks scored at a time: memory does not grow with the number of samples.
const BLOCK: usize = 256;

/// What an explanation in the reference method may cost and show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimeOptions {
    /// Masks, with the one that keeps everything (the package's default is 5,000).
    pub samples: u32,
    /// Words shown at most (the package's default is 10).
    pub features: u32,
}

impl Default for LimeOptions {
    fn default() -> Self {
        Self {
            samples: 5000,
            features: 10,
        }
    }
}

/// A word with its coefficient, in probability.
#[derive(Clone, Debug, PartialEq)]
pub struct LimeFeature {
    /// Every occurrence of the word, in bytes of the text.
    pub occurrences: Vec<Span>,
    /// Coefficient of the local model.
    pub weight: f64,
}

/// An explanation in the reference method.
#[derive(Clone, Debug, PartialEq)]
pub struct Lime {
    /// The words, by falling absolute coefficient.
    pub features: Vec<LimeFeature>,
    /// Intercept of the local model.
    pub intercept: f64,
    /// Weighted R² on the samples the model was fitted to, as the package reports it.
    pub r2: f64,
    /// Score of the whole text.
    pub score: f64,
    /// Texts scored.
    pub calls: u32,
}

/// A text cut into distinct words as `IndexedString(bow=True, split_expression='\W+')` does.
#[derive(Clone, Debug)]
pub struct Words<'a> {
    /// Words and what stands between them, in order, with the number of the word.
    parts: Vec<(&'a str, Option<usize>)>,
    spans: Vec<Vec<Span>>,
}

impl<'a> Words<'a> {
    /// Cuts a text. A word is a longest run of letters, digits and underscores (Python's `\w`, but that combining marks
    /// belong to the word they stand in).
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let mut words = Self {
            parts: Vec::new(),
            spans: Vec::new(),
        };
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let mut rest = text;
        let mut at = 0_usize;
        while let Some(first) = rest.chars().next() {
            let inside = is_word(first);
            let len = rest.find(|c| is_word(c) != inside).unwrap_or(rest.len());
            let (part, after) = rest.split_at(len);
            let number = inside.then(|| {
                let next = numbers.len();
                *numbers.entry(part).or_insert(next)
            });
            if let Some(number) = number {
                if number == words.spans.len() {
                    words.spans.push(Vec::new());
                }
                let offset = |byte: usize| u32::try_from(byte).unwrap_or(u32::MAX);
                words.spans[number].push(Span {
                    start: offset(at),
                    end: offset(at + len),
                });
            }
            words.parts.push((part, number));
            at += len;
            rest = after;
        }
        words
    }

    /// Every occurrence of every word, in reading order, in bytes.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        let mut spans: Vec<Span> = self.spans.concat();
        spans.sort_by_key(|span| span.start);
        spans
    }

    /// Number of distinct words.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is no word.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The text without the words that `kept` does not keep, in all their occurrences.
    #[must_use]
    pub fn without(&self, kept: &[bool]) -> String {
        self.parts
            .iter()
            .filter(|(_, number)| number.is_none_or(|at| kept.get(at).copied().unwrap_or(true)))
            .map(|(part, _)| *part)
            .collect()
    }
}

/// Closeness of a mask to the whole text: `sqrt(exp(-d² / width²))` with `d` = 100 × (1 − cosine).
fn kernel(kept: &[bool]) -> f64 {
    let count = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    let on = kept.iter().filter(|&&kept| kept).count();
    // The cosine of a 0/1 vector with the vector of ones is sqrt(kept / words).
    let distance = 100.0 * (1.0 - (count(on) / count(kept.len().max(1))).sqrt());
    (-(distance / KERNEL_WIDTH).powi(2)).exp().sqrt()
}

/// Selects up to `features` words and fits them, as `explain_instance_with_data(feature_selection='auto')`: the words'
/// numbers by falling absolute coefficient, and the model in the same order.
fn select_and_fit(moments: &Moments, words: usize, features: usize) -> (Vec<usize>, Linear) {
    let centred = moments.centred();
    let mut chosen = if features <= FORWARD {
        centred.forward_selection(features)
    } else {
        let all: Vec<usize> = (0..words).collect();
        let ranked = centred.ridge(&all, RANKING_ALPHA).coefficients;
        let mut order = all;
        order.sort_by(|&a, &b| ranked[b].abs().total_cmp(&ranked[a].abs()));
        order.truncate(features);
        order
    };
    let mut fit = centred.ridge(&chosen, ALPHA);
    let mut order: Vec<usize> = (0..chosen.len()).collect();
    order.sort_by(|&a, &b| fit.coefficients[b].abs().total_cmp(&fit.coefficients[a].abs()));
    fit.coefficients = order.iter().map(|&at| fit.coefficients[at]).collect();
    chosen = order.iter().map(|&at| chosen[at]).collect();
    (chosen, fit)
}

/// Explains the probability that `scorer` gives to a text, in the reference method.
///
/// # Errors
/// [`ExplainError`] when the scorer fails or returns no probabilities.
pub fn lime<E>(
    text: &str,
    options: LimeOptions,
    seed: u64,
    mut scorer: impl FnMut(&[String]) -> Result<Vec<f64>, E>,
) -> Result<Lime, ExplainError<E>> {
    let words = Words::of(text);
    let mut random = SplitMix64(seed);
    let mut order: Vec<usize> = (0..words.len()).collect();
    let mut moments = Moments::new(words.len());
    let mut score = 0.0;
    let mut drawn = 0_usize;
    // A text without a word cannot be perturbed: it is scored once.
    let samples = if words.is_empty() {
        1
    } else {
        options.samples.max(1)
    } as usize;
    while drawn < samples {
        let block: Vec<Vec<bool>> = (drawn..samples.min(drawn + BLOCK))
            .map(|sample| {
                let mut kept = vec![true; words.len()];
                if sample > 0 {
                    // `randint(1, words + 1)` words go, chosen without replacement; all may go.
                    let away = 1 + random.below(words.len());
                    random.shuffle_front(&mut order, away);
                    for &at in &order[..away] {
                        kept[at] = false;
                    }
                }
                kept
            })
            .collect();
        let texts: Vec<String> = block.iter().map(|kept| words.without(kept)).collect();
        let answers = crate::explain::checked(&texts, &mut scorer, drawn)?;
        if drawn == 0 {
            score = answers.first().copied().unwrap_or_default();
        }
        for (kept, &score) in block.iter().zip(&answers) {
            moments.add(kept, score, kernel(kept));
        }
        drawn += block.len();
    }
    let (chosen, fit) = select_and_fit(&moments, words.len(), options.features as usize);
    Ok(Lime {
        features: chosen
            .iter()
            .zip(&fit.coefficients)
            .map(|(&word, &weight)| LimeFeature {
                occurrences: words.spans[word].clone(),
                weight,
            })
            .collect(),
        intercept: fit.intercept,
        r2: fit.r2,
        score,
        calls: moments.samples(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: f64, wanted: f64) {
        assert!((got - wanted).abs() < 1e-6, "{got} is not {wanted}");
    }

    #[derive(serde::Deserialize)]
    struct Case {
        text: String,
        features: usize,
        /// Words removed, by number, one list a sample.
        removed: Vec<Vec<usize>>,
        /// The texts that the package scored, the first three.
        texts: Vec<String>,
        scores: Vec<f64>,
        intercept: f64,
        r2: f64,
        chosen: Vec<(usize, f64)>,
    }

    #[test]
    fn the_same_masks_and_scores_give_the_coefficients_of_the_package() {
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../reference/lime.json")).expect("the vectors are JSON");
        assert!(cases.len() >= 6);
        for case in cases {
            let words = Words::of(&case.text);
            let mut moments = Moments::new(words.len());
            for (at, (removed, &score)) in case.removed.iter().zip(&case.scores).enumerate() {
                let mut kept = vec![true; words.len()];
                for &word in removed {
                    kept[word] = false;
                }
                if let Some(text) = case.texts.get(at) {
                    assert_eq!(&words.without(&kept), text);
                }
                moments.add(&kept, score, kernel(&kept));
            }
            let (chosen, fit) = select_and_fit(&moments, words.len(), case.features);
            let wanted: Vec<usize> = case.chosen.iter().map(|(word, _)| *word).collect();
            assert_eq!(chosen, wanted);
            for (got, (_, wanted)) in fit.coefficients.iter().zip(&case.chosen) {
                close(*got, *wanted);
            }
            close(fit.intercept, case.intercept);
            close(fit.r2, case.r2);
        }
    }

    #[test]
    fn words_are_cut_and_removed_as_the_package_does() {
        let words = Words::of("No effusion; no T_1 effusion. 😀");
        assert_eq!(words.len(), 4);
        assert_eq!(words.without(&[true, false, true, true]), "No ; no T_1 . 😀");
        assert!(Words::of(" .. ").is_empty());
    }

    #[test]
    fn a_lexicon_comes_back_and_texts_without_words_are_scored_once() {
        let scorer = |texts: &[String]| -> Result<Vec<f64>, std::convert::Infallible> {
            Ok(texts
                .iter()
                .map(|text| if text.contains("edema") { 0.9 } else { 0.2 })
                .collect())
        };
        let text = "Mild edema. No change in edema since May.";
        let got = lime(
            text,
            LimeOptions {
                samples: 600,
                features: 3,
            },
            1,
            scorer,
        )
        .expect("scores");
        assert_eq!(got.features[0].occurrences.len(), 2);
        assert!((got.features[0].weight - 0.7).abs() < 0.05);
        assert_eq!(got.calls, 600);
        let got = lime("", LimeOptions::default(), 1, scorer).expect("scores");
        assert_eq!((got.calls, got.features.len()), (1, 0));
    }
}
