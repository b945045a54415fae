//! The whole of it: phrases, masks, scores, local model, verdict.

use std::collections::HashMap;

use clinical::{Basis, Explanation, Impression, Phrase, Probability, Span, Unreliable};

use crate::mask;
use crate::phrase::{self, Unit};
use crate::ridge::{self, Fit};

/// Least weighted R² at which phrases are shown. LIME names no floor; below 0.3 the linear model leaves more than two
/// thirds of the movement of the score near this note unexplained, and its weights would be a story.
pub const MIN_R2: f64 = 0.3;

/// Least range of the scores over all masks, in probability, at which there is anything to explain.
pub const MIN_RANGE: f64 = 0.01;

/// Least absolute weight that is shown, in log-odds: a smaller one would print as zero.
pub const MIN_WEIGHT: f64 = 0.01;

/// Probabilities nearer to 0 or 1 than this count as this near: the log-odds of a certain score are infinite.
const CERTAIN: f64 = 1e-6;

/// Log-odds of a probability. Near certainty probabilities saturate: each of two findings alone keeps the score at 0.99,
/// and no linear model follows. On log-odds the same note is close to additive.
fn log_odds(probability: f64) -> f64 {
    let p = probability.clamp(CERTAIN, 1.0 - CERTAIN);
    (p / (1.0 - p)).ln()
}

/// How much an explanation may cost and show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Masks drawn, with the one that keeps everything; the scorer sees each distinct text once.
    pub samples: u32,
    /// Phrases shown at most.
    pub phrases: u32,
}

impl Default for Budget {
    /// 128 masks, 6 phrases shown.
    fn default() -> Self {
        Self {
            samples: 128,
            phrases: 6,
        }
    }
}

/// Why there is no explanation at all, not even an unreliable one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError<E> {
    /// The window does not lie in the text, or cuts a character.
    #[error("the window {start}..{end} is no part of a text of {len} bytes")]
    Window {
        /// First byte of the window.
        start: u32,
        /// One past its last byte.
        end: u32,
        /// Length of the text in bytes.
        len: usize,
    },
    /// The scorer itself failed.
    #[error("the scorer failed")]
    Scorer(#[source] E),
    /// The scorer gave another number of scores than texts.
    #[error("the scorer gave {got} scores for {wanted} texts")]
    Count {
        /// Texts given to the scorer.
        wanted: usize,
        /// Scores returned.
        got: usize,
    },
    /// A score was NaN, infinite or outside [0, 1].
    #[error("score {index} is no probability")]
    NotAProbability {
        /// Index of the first such score in the scorer's answer.
        index: usize,
    },
}

/// Explains `scorer` near the part of `text` inside `window`.
///
/// `scorer` is given texts (the window itself first, then the window with phrases taken away, never with all of them
/// taken away) and returns for each, in order, the probability in [0, 1] of *abnormal*. Weights are in its log-odds
/// whatever `target` says: above zero a phrase speaks for abnormal, below zero for normal. Spans are byte
/// ranges in `text`. Two masks that leave the same text are scored once and counted twice in the fit.
///
/// A text that cannot be explained is no error: the reason is in [`Explanation::basis`], and the score is there all
/// the same.
///
/// # Errors
/// [`ExplainError`] when the window is no part of the text, and when the scorer fails or returns no probabilities.
pub fn explain<E>(
    text: &str,
    window: Span,
    target: Impression,
    budget: Budget,
    seed: u64,
    mut scorer: impl FnMut(&[String]) -> Result<Vec<f64>, E>,
) -> Result<Explanation, ExplainError<E>> {
    let read = text
        .get(window.start as usize..window.end as usize)
        .ok_or(ExplainError::Window {
            start: window.start,
            end: window.end,
            len: text.len(),
        })?;
    let units = phrase::units(read);
    let masks = if units.len() < 2 {
        Vec::new()
    } else {
        mask::draw(units.len(), budget.samples, seed)
    };

    // The first text is the window as it stands, so that the score is the one the classifier gave.
    let mut texts = vec![read.to_owned()];
    let mut index_of = HashMap::from([(read.to_owned(), 0_usize)]);
    let mut index = Vec::with_capacity(masks.len());
    for mask in &masks {
        let left = if mask.is_whole() {
            read.to_owned()
        } else {
            mask::apply(read, &units, mask)
        };
        let at = *index_of.entry(left).or_insert_with_key(|left| {
            texts.push(left.clone());
            texts.len() - 1
        });
        index.push(at);
    }
    let answer = scorer(&texts).map_err(ExplainError::Scorer)?;
    if answer.len() != texts.len() {
        return Err(ExplainError::Count {
            wanted: texts.len(),
            got: answer.len(),
        });
    }
    let probabilities = answer
        .iter()
        .enumerate()
        .map(|(index, &score)| Probability::new(score).map_err(|_| ExplainError::NotAProbability { index }))
        .collect::<Result<Vec<_>, _>>()?;
    let score = probabilities
        .first()
        .copied()
        .ok_or(ExplainError::Count { wanted: 1, got: 0 })?;

    let probability_by_mask: Vec<f64> = index.iter().map(|&at| answer[at]).collect();
    let responses: Vec<f64> = probability_by_mask.iter().copied().map(log_odds).collect();
    let fit = ridge::fit(&masks, &responses);
    let basis = verdict(&units, window.start, budget, &probability_by_mask, &fit);
    Ok(Explanation {
        target,
        basis,
        base: if masks.is_empty() {
            log_odds(score.get())
        } else {
            fit.intercept
        },
        r2: fit.r2,
        score,
        calls: u32::try_from(texts.len()).unwrap_or(u32::MAX),
        seed,
        window,
    })
}

/// Asks the scorer, and checks that it answers with one probability a text. `before` texts were scored already, so
/// that the index in an error counts from the first text of all.
pub(crate) fn checked<E>(
    texts: &[String],
    scorer: &mut impl FnMut(&[String]) -> Result<Vec<f64>, E>,
    before: usize,
) -> Result<Vec<f64>, ExplainError<E>> {
    let answer = scorer(texts).map_err(ExplainError::Scorer)?;
    if answer.len() != texts.len() {
        return Err(ExplainError::Count {
            wanted: texts.len(),
            got: answer.len(),
        });
    }
    match answer.iter().position(|&score| Probability::new(score).is_err()) {
        Some(at) => Err(ExplainError::NotAProbability { index: before + at }),
        None => Ok(answer),
    }
}

/// The phrases to show, or the reason why none may be shown.
fn verdict(units: &[Unit], offset: u32, budget: Budget, scores: &[f64], fit: &Fit) -> Basis {
    if units.len() < 2 {
        return Basis::Unreliable(Unreliable::TooFewPhrases);
    }
    let low = scores.iter().copied().fold(f64::INFINITY, f64::min);
    let high = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if scores.is_empty() || high - low < MIN_RANGE {
        return Basis::Unreliable(Unreliable::Flat);
    }
    if fit.r2 < MIN_R2 {
        return Basis::Unreliable(Unreliable::PoorFit);
    }
    let mut shown: Vec<Phrase> = units
        .iter()
        .zip(&fit.weights)
        .filter(|(_, weight)| weight.abs() >= MIN_WEIGHT)
        .map(|(unit, &weight)| Phrase {
            span: Span {
                start: offset + unit.start,
                end: offset + unit.end,
            },
            weight,
        })
        .collect();
    // A stable sort: equal weights stay in reading order.
    shown.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
    shown.truncate(budget.phrases as usize);
    let mut shown = shown.into_iter();
    match shown.next() {
        Some(first) => Basis::Verified {
            first,
            rest: shown.collect(),
        },
        None => Basis::Unreliable(Unreliable::Flat),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    const NOTE: &str = "FINDINGS: The heart is enlarged. Small left pleural effusion, mild pulmonary edema. \
                        Lungs are clear. No pneumothorax. Bones are intact.";

    fn all(text: &str) -> Span {
        Span {
            start: 0,
            end: u32::try_from(text.len()).expect("short text"),
        }
    }

    /// A scorer that is additive on log-odds: a base and known weights for words.
    #[expect(clippy::unnecessary_wraps, reason = "the signature of a scorer")]
    fn lexicon(texts: &[String]) -> Result<Vec<f64>, Infallible> {
        let words = [
            ("enlarged", 1.5),
            ("effusion", 2.5),
            ("edema", 1.0),
            ("clear", -2.0),
            ("intact", -0.5),
        ];
        Ok(texts
            .iter()
            .map(|text| {
                let known = words.iter().filter(|(word, _)| text.contains(word));
                1.0 / (1.0 + (-(0.4 + known.map(|(_, w)| w).sum::<f64>())).exp())
            })
            .collect())
    }

    fn run(text: &str, seed: u64) -> Explanation {
        explain(
            text,
            all(text),
            Impression::Abnormal,
            Budget::default(),
            seed,
            lexicon,
        )
        .expect("the lexicon scores")
    }

    fn shown(text: &str, explanation: &Explanation) -> Vec<(String, f64)> {
        explanation
            .phrases()
            .map(|p| {
                (
                    text[p.span.start as usize..p.span.end as usize].to_owned(),
                    p.weight,
                )
            })
            .collect()
    }

    #[test]
    fn known_weights_come_back_in_order_and_sign() {
        let explanation = run(NOTE, 1);
        let shown = shown(NOTE, &explanation);
        let texts: Vec<&str> = shown.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(
            texts[..5],
            [
                "Small left pleural effusion",
                "Lungs are clear",
                "The heart is enlarged",
                "mild pulmonary edema",
                "Bones are intact"
            ]
        );
        let signs: Vec<bool> = shown.iter().map(|(_, weight)| *weight > 0.0).collect();
        assert_eq!(signs[..5], [true, false, true, true, false]);
        // Ridge with a penalty of 1 shrinks; the truth is 2.5 and −2.
        assert!((shown[0].1 - 2.5).abs() < 0.5, "{}", shown[0].1);
        assert!((shown[1].1 + 2.0).abs() < 0.5, "{}", shown[1].1);
        assert!(explanation.r2 > 0.95);
        assert!((explanation.base - 0.4).abs() < 1.0);
        assert!((explanation.score.get() - 1.0 / (1.0 + (-2.9_f64).exp())).abs() < 1e-9);
        assert!(explanation.calls <= 128);
    }

    #[test]
    fn same_seed_same_answer_and_another_seed_other_masks() {
        assert_eq!(run(NOTE, 5), run(NOTE, 5));
        assert_ne!(run(NOTE, 5).base.to_bits(), run(NOTE, 6).base.to_bits());
    }

    #[test]
    fn a_window_is_explained_in_offsets_of_the_whole_text() {
        let prefix = "History: cough — 3 weeks. ";
        let text = format!("{prefix}{NOTE}");
        let window = Span {
            start: u32::try_from(prefix.len()).expect("short"),
            end: u32::try_from(text.len()).expect("short"),
        };
        let explanation = explain(
            &text,
            window,
            Impression::Normal,
            Budget {
                samples: 64,
                phrases: 2,
            },
            3,
            |texts| {
                assert!(
                    texts
                        .iter()
                        .all(|text| !text.contains("cough") && !text.trim().is_empty())
                );
                lexicon(texts)
            },
        )
        .expect("the lexicon scores");
        let shown = shown(&text, &explanation);
        assert_eq!(shown.len(), 2);
        assert_eq!(shown[0].0, "Small left pleural effusion");
        assert_eq!(explanation.target, Impression::Normal);
        assert_eq!(explanation.window, window);
    }

    #[test]
    fn reasons_are_given_where_nothing_may_be_shown() {
        assert_eq!(run("", 1).basis, Basis::Unreliable(Unreliable::TooFewPhrases));
        assert_eq!(
            run("effusion", 1).basis,
            Basis::Unreliable(Unreliable::TooFewPhrases)
        );
        assert_eq!(
            run("Nothing here. Nor there.", 1).basis,
            Basis::Unreliable(Unreliable::Flat)
        );
        // Parity of the kept phrases: no linear model follows it.
        let parity = |texts: &[String]| -> Result<Vec<f64>, Infallible> {
            Ok(texts
                .iter()
                .map(|t| f64::from(u8::from(t.matches('a').count() % 2 == 0)))
                .collect())
        };
        let text = "a. a. a. a. a. a. a. a. a. a. a. a.";
        let odd = explain(
            text,
            all(text),
            Impression::Abnormal,
            Budget::default(),
            1,
            parity,
        )
        .expect("scores");
        assert_eq!(odd.basis, Basis::Unreliable(Unreliable::PoorFit));
    }

    #[test]
    fn scorers_that_misbehave_are_errors() {
        type Answer = Result<Vec<f64>, &'static str>;
        let ask = |answer: &dyn Fn(&[String]) -> Answer| {
            explain(
                NOTE,
                all(NOTE),
                Impression::Abnormal,
                Budget::default(),
                1,
                answer,
            )
            .map(|e| e.calls)
        };
        assert_eq!(ask(&|_| Err("down")), Err(ExplainError::Scorer("down")));
        assert!(matches!(
            ask(&|texts| Ok(vec![0.5; texts.len() - 1])),
            Err(ExplainError::Count { .. })
        ));
        assert_eq!(
            ask(&|_| Ok(Vec::new())).map_err(|e| matches!(e, ExplainError::Count { got: 0, .. })),
            Err(true)
        );
        for bad in [f64::NAN, f64::INFINITY, -0.1, 1.1] {
            let answer = move |texts: &[String]| -> Answer {
                let mut scores = vec![0.5; texts.len()];
                scores[3] = bad;
                Ok(scores)
            };
            assert_eq!(ask(&answer), Err(ExplainError::NotAProbability { index: 3 }));
        }
    }

    #[test]
    fn a_window_outside_the_text_or_inside_a_character_is_an_error() {
        for (start, end) in [(0, 99), (3, 2), (1, 3)] {
            let got = explain(
                "é é",
                Span { start, end },
                Impression::Normal,
                Budget::default(),
                1,
                lexicon,
            );
            assert!(
                matches!(got, Err(ExplainError::Window { len: 5, .. })),
                "{start}..{end}"
            );
        }
    }

    #[test]
    fn a_budget_of_nothing_asks_once_and_shows_nothing() {
        let budget = Budget {
            samples: 0,
            phrases: 0,
        };
        let got = explain(NOTE, all(NOTE), Impression::Normal, budget, 1, lexicon).expect("scores");
        assert_eq!((got.calls, got.basis), (1, Basis::Unreliable(Unreliable::Flat)));
    }

    #[test]
    fn emoji_and_right_to_left_texts_are_explained() {
        let text = "القلب متضخم، الرئتان سليمتان. 😀👍🏽. לב תקין, ריאות נקיות. 心臓は正常。肺は正常。";
        let scorer = |texts: &[String]| -> Result<Vec<f64>, Infallible> {
            Ok(texts
                .iter()
                .map(|t| if t.contains("متضخم") { 0.9 } else { 0.3 })
                .collect())
        };
        let got = explain(
            text,
            all(text),
            Impression::Abnormal,
            Budget::default(),
            1,
            scorer,
        )
        .expect("scores");
        assert_eq!(shown(text, &got)[0].0, "القلب متضخم");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_text_is_explained_without_panic(text in "\\PC{0,120}", seed: u64) {
            let scorer = |texts: &[String]| -> Result<Vec<f64>, Infallible> {
                Ok(texts.iter().map(|t| f64::from(u32::try_from(t.len() % 97).unwrap_or(0)) / 97.0).collect())
            };
            let budget = Budget { samples: 32, phrases: 6 };
            let got = explain(&text, all(&text), Impression::Abnormal, budget, seed, scorer).expect("scores");
            for phrase in got.phrases() {
                prop_assert!(text.get(phrase.span.start as usize..phrase.span.end as usize).is_some());
                prop_assert!(phrase.weight.is_finite());
            }
            prop_assert!(got.base.is_finite() && got.r2.is_finite());
        }
    }
}
