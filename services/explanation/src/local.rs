//! The neighbourhood of the note: combinations of the words found, what the classifier says of them, and the verdict.

use clinical::{Basis, Interval, Phrase, Span, Unreliable};

use crate::explain::{Asked, ExplainError, MIN_R2, MIN_SPREAD, Note, log_odds};
use crate::neighbourhood::neighbourhood;
use crate::random::SplitMix64;
use crate::search::Found;
use crate::settle::{self, INTERVAL};
use crate::surface::{self, Weights};

/// Parts that the texts are cut into to measure the fit: each is predicted by the line fitted to the others.
const FOLDS: usize = 5;

/// Of fewer texts than this, each is a part of its own.
const WHOLE: usize = 64;

/// What is known of the neighbourhood; masks are over the words found, all others stay.
pub(crate) struct Local {
    found: Found,
    masks: Vec<Vec<bool>>,
    log_odds: Vec<f64>,
    correlations: Vec<f64>,
    weights: Option<Weights>,
}

impl Local {
    /// Draws the neighbourhood of the words found, scores at most `most` of its texts, and fits the line.
    pub(crate) fn new<E, S>(
        note: &Note<'_>,
        found: Found,
        most: usize,
        random: &mut SplitMix64,
        asked: &mut Asked<S>,
    ) -> Result<Self, ExplainError<E>>
    where
        S: FnMut(&[String]) -> Result<Vec<f64>, E>,
    {
        let near = neighbourhood(found.words.len(), most, random);
        let texts: Vec<String> = near
            .drawn
            .iter()
            .map(|kept| {
                let away = found.words.iter().zip(kept).filter(|(_, kept)| !**kept);
                note.without(away.map(|(&word, _)| word))
            })
            .collect();
        let scores = asked.scores(&texts)?;
        let mut local = Self {
            masks: vec![vec![true; found.words.len()]],
            log_odds: vec![log_odds(note.score)],
            found,
            correlations: Vec::new(),
            weights: None,
        };
        if !texts.is_empty() {
            local.masks.extend(near.drawn);
            local.log_odds.extend(scores.into_iter().map(log_odds));
            local.correlations = surface::correlations(&local.masks, &local.log_odds);
            let weights = surface::weights(&local.masks, &local.log_odds, &local.correlations, &near.rest);
            local.weights = Some(weights);
        }
        Ok(local)
    }

    /// The line's value with every word found away.
    pub(crate) fn base(&self) -> f64 {
        self.weights
            .as_ref()
            .map_or(self.log_odds[0], |weights| weights.base)
    }

    /// R² of the line on texts that it was not fitted to, by cross-validation in [`FOLDS`] parts. Every text counts in
    /// full: a line that only some texts follow is no fit.
    pub(crate) fn held_out(&self) -> f64 {
        let count = self.masks.len();
        if self.weights.is_none() || count < 2 {
            return 0.0;
        }
        let folds = if count < WHOLE { count } else { FOLDS };
        // By what is taken away, not by the order of the draw: the same text is in the same part for every seed.
        let fold = |at: usize| {
            if folds == count {
                return at;
            }
            let away = self.masks[at].iter().enumerate().filter(|(_, kept)| !**kept);
            away.fold(0, |part, (unit, _)| (7 * part + unit + 1) % folds)
        };
        let mut missed = vec![0.0; count];
        for part in 0..folds {
            let others = (0..count).filter(|&at| fold(at) != part);
            let (masks, said): (Vec<Vec<bool>>, Vec<f64>) = others
                .map(|at| (self.masks[at].clone(), self.log_odds[at]))
                .unzip();
            let line = surface::weights(&masks, &said, &self.correlations, &[]);
            for at in (0..count).filter(|&at| fold(at) == part) {
                missed[at] = self.log_odds[at] - line.line(&self.masks[at]);
            }
        }
        let mean = self.log_odds.iter().sum::<f64>() / f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        let around: f64 = self.log_odds.iter().map(|y| (y - mean).powi(2)).sum();
        if around > 1e-12 {
            1.0 - missed.iter().map(|miss| miss.powi(2)).sum::<f64>() / around
        } else {
            0.0
        }
    }

    /// Standard deviation of the log-odds over the texts.
    fn spread(&self) -> f64 {
        let count = f64::from(u32::try_from(self.log_odds.len()).unwrap_or(u32::MAX));
        let mean = self.log_odds.iter().sum::<f64>() / count;
        (self.log_odds.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / count).sqrt()
    }

    /// The words to show and the confidence in the choice, or the reason why none may be shown.
    pub(crate) fn verdict(&self, note: &Note<'_>, offset: u32) -> (Basis, Option<f64>) {
        let unreliable = |reason| (Basis::Unreliable(reason), None);
        if note.words.len() < 2 {
            return unreliable(Unreliable::TooFewPhrases);
        }
        let Some(weights) = self.weights.as_ref().filter(|_| self.spread() >= MIN_SPREAD) else {
            return unreliable(Unreliable::Flat);
        };
        if self.held_out() < MIN_R2 {
            return unreliable(Unreliable::PoorFit);
        }
        let Some((shown, confidence)) = settle::verified(weights, self.found.show) else {
            return unreliable(Unreliable::Unsettled);
        };
        let mut shown = shown.into_iter().map(|at| {
            let word = note.words[self.found.words[at]];
            Phrase {
                span: Span {
                    start: offset + word.start,
                    end: offset + word.end,
                },
                weight: weights.effects[at],
                interval: Some(Interval {
                    low: weights.effects[at] - INTERVAL * weights.deviations[at],
                    high: weights.effects[at] + INTERVAL * weights.deviations[at],
                }),
            }
        });
        match shown.next() {
            Some(first) => (
                Basis::Verified {
                    first,
                    rest: shown.collect(),
                },
                Some(confidence),
            ),
            None => unreliable(Unreliable::Unsettled),
        }
    }
}
