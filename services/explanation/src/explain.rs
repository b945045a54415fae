//! The whole of it: phrases, masks, scores, weights, verdict.

use std::collections::{HashMap, HashSet};

use clinical::{
    Basis, Counterfactual, Explanation, Impression, Interval, Phrase, Probability, Span, Unreliable,
};

use crate::design::{self, BLOCKS};
use crate::mask::{self, Mask};
use crate::phrase::{self, Unit};
use crate::random::SplitMix64;
use crate::settle::{self, Cut, INTERVAL};
use crate::surface::{self, Weights};

/// Least held-out R² at which phrases are shown. LIME names no floor; below 0.3 the linear model leaves more than two
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

/// Pairs of texts scored between two looks.
const LOOK: usize = 32;

/// Fewest masks before a look may stop the sampling.
const FIRST_STOP: usize = 128;

/// Most masks that are fitted, whatever the budget: the fit's memory is their square (8 MB).
const MOST: usize = 1024;

/// Draws in a row without a new text after which a short note counts as exhausted.
const STALE: u32 = 4;

/// Shown phrases that a counterfactual may take away.
const COUNTERFACTUAL: usize = 6;

/// How much an explanation may cost and show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Texts scored at most before the verdict (at most 1,024 are used); most notes settle with fewer. The
    /// counterfactual adds at most 11.
    pub samples: u32,
    /// Phrases shown at most.
    pub phrases: u32,
}

impl Default for Budget {
    /// At most 512 texts, 6 phrases shown.
    fn default() -> Self {
        Self {
            samples: 512,
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

/// [`explain_at`] with a suggestion that turns at one half.
///
/// # Errors
/// Those of [`explain_at`].
pub fn explain<E>(
    text: &str,
    window: Span,
    target: Impression,
    budget: Budget,
    seed: u64,
    scorer: impl FnMut(&[String]) -> Result<Vec<f64>, E>,
) -> Result<Explanation, ExplainError<E>> {
    explain_at(text, window, (target, 0.5), budget, seed, scorer)
}

/// Explains `scorer` near the part of `text` inside `window`.
///
/// `scorer` is given texts (the window itself first, then, in several calls, the window with phrases taken away, never
/// with all of them taken away) and returns for each, in order, the probability in [0, 1] of *abnormal*. Weights are in
/// its log-odds whatever the target says: above zero a phrase speaks for abnormal, below zero for normal. Spans are byte
/// ranges in `text`. `target` is what was suggested and the probability at which the suggestion turns, for the
/// counterfactual. No text is scored twice.
///
/// A text that cannot be explained is no error: the reason is in [`Explanation::basis`], and the score is there all
/// the same.
///
/// # Errors
/// [`ExplainError`] when the window is no part of the text, and when the scorer fails or returns no probabilities.
pub fn explain_at<E>(
    text: &str,
    window: Span,
    target: (Impression, f64),
    budget: Budget,
    seed: u64,
    scorer: impl FnMut(&[String]) -> Result<Vec<f64>, E>,
) -> Result<Explanation, ExplainError<E>> {
    let read = text
        .get(window.start as usize..window.end as usize)
        .ok_or(ExplainError::Window {
            start: window.start,
            end: window.end,
            len: text.len(),
        })?;
    let units = phrase::units(read);
    let mut asked = Asked {
        scorer,
        known: HashMap::new(),
    };
    // The first text is the window as it stands, so that the score is the one the classifier gave.
    let score = asked.scores(std::slice::from_ref(&read.to_owned()))?[0];
    let probability = Probability::new(score).map_err(|_| ExplainError::NotAProbability { index: 0 })?;
    let mut sampled = Sampled::new(units.len(), score);
    if units.len() > 1 {
        sampled.run(read, &units, budget, seed, &mut asked)?;
    }
    let (basis, stability) = sampled.verdict(&units, window.start, budget);
    let mut explanation = Explanation {
        target: target.0,
        basis,
        base: sampled
            .weights
            .as_ref()
            .map_or_else(|| log_odds(score), |weights| weights.base),
        r2: sampled.held_out(),
        score: probability,
        calls: 0,
        seed,
        window,
        stability,
        counterfactual: None,
    };
    explanation.counterfactual = counterfactual(read, &units, &explanation, target.1, &mut asked)?;
    explanation.calls = u32::try_from(asked.known.len()).unwrap_or(u32::MAX);
    Ok(explanation)
}

/// The scorer, and what it has said.
struct Asked<S> {
    scorer: S,
    known: HashMap<String, f64>,
}

impl<S> Asked<S> {
    /// Scores of `texts`; only those that are new are asked for.
    fn scores<E>(&mut self, texts: &[String]) -> Result<Vec<f64>, ExplainError<E>>
    where
        S: FnMut(&[String]) -> Result<Vec<f64>, E>,
    {
        let mut seen = HashSet::new();
        let new: Vec<String> = texts
            .iter()
            .filter(|text| !self.known.contains_key(*text) && seen.insert(text.as_str()))
            .cloned()
            .collect();
        if !new.is_empty() {
            let scores = checked(&new, &mut self.scorer, self.known.len())?;
            self.known.extend(new.into_iter().zip(scores));
        }
        Ok(texts
            .iter()
            .filter_map(|text| self.known.get(text).copied())
            .collect())
    }
}

/// What the sampling has found so far.
struct Sampled {
    masks: Vec<Vec<bool>>,
    log_odds: Vec<f64>,
    low: f64,
    high: f64,
    weights: Option<Weights>,
    cut: Option<Cut>,
    /// Squared errors of the line on masks it was not fitted to, and squares around the mean of those it was fitted to.
    missed: f64,
    around: f64,
}

impl Sampled {
    fn new(units: usize, score: f64) -> Self {
        Self {
            masks: vec![vec![true; units]],
            log_odds: vec![log_odds(score)],
            low: score,
            high: score,
            weights: None,
            cut: None,
            missed: 0.0,
            around: 0.0,
        }
    }

    /// Draws, scores and fits until the cut is settled, the note is exhausted, or the budget ends.
    fn run<E, S>(
        &mut self,
        read: &str,
        units: &[Unit],
        budget: Budget,
        seed: u64,
        asked: &mut Asked<S>,
    ) -> Result<(), ExplainError<E>>
    where
        S: FnMut(&[String]) -> Result<Vec<f64>, E>,
    {
        let most = (budget.samples as usize).min(MOST);
        let mut random = SplitMix64(seed);
        let mut drawn = HashSet::from([self.masks[0].clone()]);
        let mut waiting: Vec<design::Pair> = Vec::new();
        let mut correlations = Vec::new();
        let (mut stale, mut fitted) = (0, 0);
        while self.masks.len() < most && stale < STALE {
            let mut new = Vec::new();
            for _ in 0..LOOK {
                if waiting.is_empty() {
                    waiting = design::shuffled_round(units.len(), BLOCKS, &mut random);
                }
                for kept in waiting.pop().iter().flat_map(design::sides) {
                    if self.masks.len() + new.len() < most && drawn.insert(kept.clone()) {
                        new.push(kept);
                    }
                }
            }
            if new.is_empty() {
                stale += 1;
                continue;
            }
            stale = 0;
            let texts: Vec<String> = new
                .iter()
                .map(|kept| mask::apply(read, units, &Mask::of(kept)))
                .collect();
            let scores = asked.scores(&texts)?;
            self.add(new, &scores);
            // The correlations are chosen again when the masks have doubled; in between they hardly move.
            if self.masks.len() >= 2 * fitted {
                fitted = self.masks.len();
                correlations = surface::correlations(&self.masks, &self.log_odds);
            }
            let weights = surface::weights(&self.masks, &self.log_odds, &correlations);
            self.cut = settle::cut(&weights, budget.phrases as usize, MIN_WEIGHT);
            self.weights = Some(weights);
            if self.masks.len() >= FIRST_STOP.min(most) && self.cut.as_ref().is_some_and(|cut| cut.settled) {
                break;
            }
        }
        Ok(())
    }

    /// Adds scored masks; the line fitted so far is tried on them first.
    fn add(&mut self, masks: Vec<Vec<bool>>, scores: &[f64]) {
        let count = f64::from(u32::try_from(self.masks.len()).unwrap_or(u32::MAX));
        let mean = self.log_odds.iter().sum::<f64>() / count;
        for (kept, &score) in masks.into_iter().zip(scores) {
            let y = log_odds(score);
            if let Some(weights) = &self.weights {
                self.missed += (y - weights.line(&kept)).powi(2);
                self.around += (y - mean).powi(2);
            }
            self.low = self.low.min(score);
            self.high = self.high.max(score);
            self.log_odds.push(y);
            self.masks.push(kept);
        }
    }

    /// R² of the line on masks it was not fitted to: each batch is predicted from those before it. A note with fewer
    /// masks than a batch has none to hold out, and is measured on its own.
    fn held_out(&self) -> f64 {
        let (mut missed, mut around) = (self.missed, self.around);
        if let (true, Some(weights)) = (around <= 0.0, &self.weights) {
            let count = f64::from(u32::try_from(self.masks.len()).unwrap_or(u32::MAX));
            let mean = self.log_odds.iter().sum::<f64>() / count;
            for (kept, y) in self.masks.iter().zip(&self.log_odds) {
                missed += (y - weights.line(kept)).powi(2);
                around += (y - mean).powi(2);
            }
        }
        if around > 1e-12 {
            1.0 - missed / around
        } else {
            0.0
        }
    }

    /// The phrases to show and the confidence in the choice, or the reason why none may be shown.
    fn verdict(&self, units: &[Unit], offset: u32, budget: Budget) -> (Basis, Option<f64>) {
        let unreliable = |reason| (Basis::Unreliable(reason), None);
        if units.len() < 2 {
            return unreliable(Unreliable::TooFewPhrases);
        }
        let Some(weights) = self
            .weights
            .as_ref()
            .filter(|_| self.high - self.low >= MIN_RANGE)
        else {
            return unreliable(Unreliable::Flat);
        };
        if self.held_out() < MIN_R2 {
            return unreliable(Unreliable::PoorFit);
        }
        let Some(cut) = self.cut.as_ref().filter(|cut| cut.holds() && budget.phrases > 0) else {
            return unreliable(Unreliable::Unsettled);
        };
        let mut shown = cut.shown.iter().map(|&at| Phrase {
            span: Span {
                start: offset + units[at].start,
                end: offset + units[at].end,
            },
            weight: weights.effects[at],
            interval: Some(Interval {
                low: weights.effects[at] - INTERVAL * weights.deviations[at],
                high: weights.effects[at] + INTERVAL * weights.deviations[at],
            }),
        });
        match shown.next() {
            Some(first) => (
                Basis::Verified {
                    first,
                    rest: shown.collect(),
                },
                Some(settle::normal(cut.score)),
            ),
            None => unreliable(Unreliable::Unsettled),
        }
    }
}

/// The smallest set found of shown phrases without which the score lies on the other side of `threshold`: those that
/// speak for the suggestion, the strongest first, until it turns; then each that is not needed is put back.
fn counterfactual<E, S>(
    read: &str,
    units: &[Unit],
    explanation: &Explanation,
    threshold: f64,
    asked: &mut Asked<S>,
) -> Result<Option<Counterfactual>, ExplainError<E>>
where
    S: FnMut(&[String]) -> Result<Vec<f64>, E>,
{
    let abnormal = explanation.score.get() >= threshold;
    let offset = explanation.window.start;
    let without = |away: &[Span]| {
        let gone = |unit: &Unit| away.iter().any(|span| span.start == offset + unit.start);
        let kept: Vec<bool> = units.iter().map(|unit| !gone(unit)).collect();
        kept.contains(&true)
            .then(|| mask::apply(read, units, &Mask::of(&kept)))
    };
    let mut turned = |away: &[Span]| -> Result<Option<f64>, ExplainError<E>> {
        let Some(text) = without(away) else {
            return Ok(None);
        };
        let scores = asked.scores(std::slice::from_ref(&text))?;
        Ok(scores
            .first()
            .copied()
            .filter(|score| (*score >= threshold) != abnormal))
    };
    let supporting: Vec<Span> = explanation
        .phrases()
        .filter(|phrase| (phrase.weight > 0.0) == abnormal)
        .take(COUNTERFACTUAL)
        .map(|phrase| phrase.span)
        .collect();
    for count in 1..=supporting.len() {
        let mut away = supporting[..count].to_vec();
        let Some(mut score) = turned(&away)? else { continue };
        // The last one added was needed; the others may not be any more, the weakest first.
        for at in (0..count - 1).rev() {
            let mut fewer = away.clone();
            fewer.remove(at);
            if let Some(better) = turned(&fewer)? {
                (away, score) = (fewer, better);
            }
        }
        away.sort_by_key(|span| span.start);
        return Ok(Probability::new(score)
            .ok()
            .map(|score| Counterfactual { removed: away, score }));
    }
    Ok(None)
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

#[cfg(test)]
mod tests;
