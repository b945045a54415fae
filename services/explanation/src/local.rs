//! The neighbourhood of the note: combinations of the candidates, what the classifier says of them, and the verdict.

use clinical::{Basis, Interval, Phrase, Span, Unreliable};

use crate::explain::{Asked, Budget, ExplainError, MIN_R2, MIN_SPREAD, MIN_WEIGHT, Note, log_odds};
use crate::neighbourhood::{neighbourhood, spare};
use crate::phrase::Unit;
use crate::random::SplitMix64;
use crate::settle::{self, Cut, INTERVAL};
use crate::surface::{self, Weights};

/// Texts after which a look may find the cut settled; the last is at the end.
const LOOKS: [usize; 2] = [96, 192];

/// Parts that the texts are cut into to measure the fit: each is predicted by the line fitted to the others.
const FOLDS: usize = 5;

/// Of fewer texts than this, each is a part of its own.
const WHOLE: usize = 64;

/// What is known of the neighbourhood so far; masks are over the candidates, all other phrases stay.
pub(crate) struct Local {
    candidates: Vec<usize>,
    masks: Vec<Vec<bool>>,
    log_odds: Vec<f64>,
    correlations: Vec<f64>,
    weights: Option<Weights>,
    cut: Option<Cut>,
}

impl Local {
    pub(crate) fn new(candidates: Vec<usize>, score: f64) -> Self {
        Self {
            masks: vec![vec![true; candidates.len()]],
            candidates,
            log_odds: vec![log_odds(score)],
            correlations: Vec::new(),
            weights: None,
            cut: None,
        }
    }

    /// Draws, scores and fits until the cut is settled, the population is drawn, or the budget ends.
    pub(crate) fn run<E, S>(
        &mut self,
        note: &Note<'_>,
        budget: Budget,
        random: &mut SplitMix64,
        asked: &mut Asked<S>,
    ) -> Result<(), ExplainError<E>>
    where
        S: FnMut(&[String]) -> Result<Vec<f64>, E>,
    {
        let population = neighbourhood(self.candidates.len(), random);
        let most = population.len() - spare(population.len());
        let most = most.min((budget.samples as usize).saturating_sub(asked.count()));
        let (mut from, ends) = (0, LOOKS.into_iter().chain([most]));
        for end in ends.filter(|&end| end <= most) {
            let look = &population[from..end];
            from = end;
            if look.is_empty() {
                break;
            }
            let texts: Vec<String> = look
                .iter()
                .map(|kept| note.keeping(&self.all(kept, note.units.len())))
                .collect();
            let scores = asked.scores(&texts)?;
            self.masks.extend_from_slice(look);
            self.log_odds.extend(scores.into_iter().map(log_odds));
            self.correlations = surface::correlations(&self.masks, &self.log_odds);
            let weights = surface::weights(
                &self.masks,
                &self.log_odds,
                &self.correlations,
                &population[end..],
            );
            self.cut = settle::cut(&weights, budget.phrases as usize, MIN_WEIGHT);
            self.weights = Some(weights);
            if self.cut.as_ref().is_some_and(|cut| cut.settled) {
                break;
            }
        }
        Ok(())
    }

    /// A mask over all phrases from one over the candidates.
    fn all(&self, kept: &[bool], units: usize) -> Vec<bool> {
        let mut all = vec![true; units];
        for (&at, &kept) in self.candidates.iter().zip(kept) {
            all[at] = kept;
        }
        all
    }

    /// The line's value with every candidate away.
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

    /// The phrases to show and the confidence in the choice, or the reason why none may be shown.
    pub(crate) fn verdict(&self, units: &[Unit], offset: u32, budget: Budget) -> (Basis, Option<f64>) {
        let unreliable = |reason| (Basis::Unreliable(reason), None);
        if units.len() < 2 {
            return unreliable(Unreliable::TooFewPhrases);
        }
        let Some(weights) = self.weights.as_ref().filter(|_| self.spread() >= MIN_SPREAD) else {
            return unreliable(Unreliable::Flat);
        };
        if self.held_out() < MIN_R2 {
            return unreliable(Unreliable::PoorFit);
        }
        let Some(cut) = self.cut.as_ref().filter(|cut| cut.holds() && budget.phrases > 0) else {
            return unreliable(Unreliable::Unsettled);
        };
        let mut shown = cut.shown.iter().map(|&at| {
            let unit = units[self.candidates[at]];
            Phrase {
                span: Span {
                    start: offset + unit.start,
                    end: offset + unit.end,
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
                Some(settle::normal(cut.score)),
            ),
            None => unreliable(Unreliable::Unsettled),
        }
    }
}
