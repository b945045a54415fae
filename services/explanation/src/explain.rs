//! The whole of it: words, the search among them, their neighbourhood, weights, verdict.

use std::collections::{HashMap, HashSet};

use clinical::{Counterfactual, Explanation, Impression, Probability, Span};

use crate::local::Local;
use crate::random::SplitMix64;
use crate::search::{Limits, search};
use crate::word::{self, Word};

/// Least held-out R² at which phrases are shown. LIME names no floor; below 0.3 the linear model leaves more than two
/// thirds of the movement of the score near this note unexplained, and its weights would be a story.
pub const MIN_R2: f64 = 0.3;

/// Least standard deviation of the log-odds over the masks at which there is anything to explain. It is in log-odds, not in
/// probability: of a score near certainty the phrases that hold it there are worth showing, though none alone moves it.
pub const MIN_SPREAD: f64 = 0.1;

/// Least absolute weight that is shown, in log-odds: a twentieth more or less in the odds.
pub const MIN_WEIGHT: f64 = 0.05;

/// Probabilities nearer to 0 or 1 than this count as this near: the log-odds of a certain score are infinite.
const CERTAIN: f64 = 1e-6;

/// Log-odds of a probability. Near certainty probabilities saturate: each of two findings alone keeps the score at 0.99,
/// and no linear model follows. On log-odds the same note is close to additive.
pub(crate) fn log_odds(probability: f64) -> f64 {
    let p = probability.clamp(CERTAIN, 1.0 - CERTAIN);
    (p / (1.0 - p)).ln()
}

/// Words shown at most, whatever the budget allows: each doubles the neighbourhood.
const SHOWN: usize = 8;

/// How much an explanation may cost and show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Texts scored at most before the verdict: three quarters of them for the search, the rest for the weights. Few reports
    /// take more than 250. The counterfactual adds at most 11.
    pub samples: u32,
    /// Words shown at most.
    pub phrases: u32,
}

impl Default for Budget {
    /// At most 512 texts, 6 words shown.
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
/// `scorer` is given texts (the window itself first, then, in several calls, the window with words taken away or with
/// nothing but some of them, never with all of them taken away) and returns for each, in order, the probability in [0, 1] of *abnormal*. Weights are in
/// its log-odds whatever the target says: above zero a word speaks for abnormal, below zero for normal. Spans are byte
/// ranges in `text`. `target` is what was suggested and the probability at which the suggestion turns, which the
/// search and the counterfactual look for. No text is scored twice.
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
    let words = word::words(read);
    let mut asked = Asked {
        scorer,
        known: HashMap::new(),
    };
    // The first text is the window as it stands, so that the score is the one the classifier gave.
    let score = asked.scores(std::slice::from_ref(&read.to_owned()))?[0];
    let probability = Probability::new(score).map_err(|_| ExplainError::NotAProbability { index: 0 })?;
    let note = Note {
        read,
        words: &words,
        score,
    };
    let samples = budget.samples as usize;
    let limits = Limits {
        texts: samples / 4 * 3,
        // One always stays: a classifier need not answer for a text without words.
        words: (budget.phrases as usize)
            .min(SHOWN)
            .min(words.len().saturating_sub(1)),
        threshold: log_odds(target.1),
    };
    let found = search(&note, limits, &mut asked)?;
    let left = (samples + 1).saturating_sub(asked.count());
    let local = Local::new(&note, found, left, &mut SplitMix64(seed), &mut asked)?;
    let (basis, stability) = local.verdict(&note, window.start);
    let mut explanation = Explanation {
        target: target.0,
        basis,
        base: local.base(),
        r2: local.held_out(),
        score: probability,
        calls: 0,
        seed,
        window,
        stability,
        counterfactual: None,
    };
    explanation.counterfactual = counterfactual(&note, &explanation, target.1, &mut asked)?;
    explanation.calls = u32::try_from(asked.known.len()).unwrap_or(u32::MAX);
    Ok(explanation)
}

/// A text that is explained: its words, and its probability as it stands.
pub(crate) struct Note<'a> {
    pub read: &'a str,
    pub words: &'a [Word],
    pub score: f64,
}

impl Note<'_> {
    /// The text with no words but these.
    pub(crate) fn only(&self, kept: impl IntoIterator<Item = usize>) -> String {
        let kept: Vec<Word> = kept.into_iter().map(|at| self.words[at]).collect();
        word::without(
            self.read,
            word::all(self.read).filter(|word| !kept.contains(word)),
        )
    }

    /// The text without these words.
    pub(crate) fn without(&self, away: impl IntoIterator<Item = usize>) -> String {
        word::without(self.read, away.into_iter().map(|at| self.words[at]))
    }
}

/// The scorer, and what it has said.
pub(crate) struct Asked<S> {
    pub scorer: S,
    pub known: HashMap<String, f64>,
}

impl<S> Asked<S> {
    /// Texts scored so far.
    pub(crate) fn count(&self) -> usize {
        self.known.len()
    }

    /// Scores of `texts`; only those that are new are asked for.
    pub(crate) fn scores<E>(&mut self, texts: &[String]) -> Result<Vec<f64>, ExplainError<E>>
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

/// The smallest set found of shown words without which the score lies on the other side of `threshold`: those that
/// speak for the suggestion, the strongest first, until it turns; then each that is not needed is put back.
fn counterfactual<E, S>(
    note: &Note<'_>,
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
        let gone = |word: &Word| away.iter().any(|span| span.start == offset + word.start);
        let words = note.words.iter().copied();
        Some(word::without(note.read, words.filter(gone)))
            .filter(|text| text.chars().any(char::is_alphanumeric))
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
