//! What the search cannot know one step after the other: which word would have been better, had the later ones been known
//! (the exchange step of sequential floating selection, Pudil et al. 1994, Pattern Recognition Letters 15(11)).

use crate::explain::{Asked, ExplainError, log_odds};
use crate::search::{EFFECT, HOLDS, LEAST, Suggestion, Tried};

/// Words that may take a found one's place: those that were worth most in the first step.
const OTHERS: usize = 16;

/// How often each found word may be exchanged.
const ROUNDS: usize = 2;

/// What the probability that words hold alone counts beside that which their loss costs, when words are exchanged: they were
/// found by what they cost, and what they hold is nearly all there is, so that little of it is easily lost for much cost.
const HOLDING: f64 = 6.0;

/// What log-odds count beside probabilities when words are exchanged: they decide where probabilities hardly differ.
const FINE: f64 = 0.01;

/// What is said of some words together.
#[derive(Clone, Debug)]
struct Together {
    words: Vec<usize>,
    /// Log-odds that the suggestion loses without them.
    cost: f64,
}

impl Suggestion<'_> {
    /// Log-odds of the suggestion in each text.
    fn odds<E, S>(&self, texts: &[String], asked: &mut Asked<S>) -> Result<Vec<f64>, ExplainError<E>>
    where
        S: FnMut(&[String]) -> Result<Vec<f64>, E>,
    {
        let scores = asked.scores(texts)?;
        Ok(scores.into_iter().map(|p| self.side * log_odds(p)).collect())
    }

    /// What a set is worth by the log-odds without it and of nothing but it. More than the whole note gives is no better.
    fn worth(&self, without: f64, only: f64) -> f64 {
        let whole = self.side * self.score;
        let only = only.min(whole);
        HOLDING * probability(only) - probability(without) + FINE * (whole - without + HOLDS * only)
    }

    /// The set that is worth most, if one is worth more than `worth` and costs `least`. What a set holds is asked only where it
    /// could still be the best if it held all.
    fn best<E, S>(
        &self,
        sets: Vec<Vec<usize>>,
        (mut worth, least): (f64, f64),
        asked: &mut Asked<S>,
    ) -> Result<Option<Together>, ExplainError<E>>
    where
        S: FnMut(&[String]) -> Result<Vec<f64>, E>,
    {
        let whole = self.side * self.score;
        let texts: Vec<String> = sets
            .iter()
            .map(|set| self.note.without(set.iter().copied()))
            .collect();
        let mut open: Vec<(f64, Vec<usize>)> = self.odds(&texts, asked)?.into_iter().zip(sets).collect();
        open.retain(|&(without, _)| whole - without >= least && self.worth(without, whole) > worth);
        let texts: Vec<String> = open
            .iter()
            .map(|(_, set)| self.note.only(set.iter().copied()))
            .collect();
        let mut best = None;
        for ((without, words), only) in open.into_iter().zip(self.odds(&texts, asked)?) {
            let own = self.worth(without, only);
            if own > worth {
                worth = own;
                best = Some(Together {
                    words,
                    cost: whole - without,
                });
            }
        }
        Ok(best)
    }

    /// Puts another word in a found one's place where all are worth more with it, as long as `texts` may be asked. The other
    /// must cost the suggestion something beside the rest, as whatever is shown, and must not strengthen it by its loss alone:
    /// such words are shown as opposing.
    pub(super) fn exchange<E, S>(
        &self,
        path: &mut [(usize, f64)],
        ranked: &[Tried],
        texts: usize,
        asked: &mut Asked<S>,
    ) -> Result<(), ExplainError<E>>
    where
        S: FnMut(&[String]) -> Result<Vec<f64>, E>,
    {
        let start = asked.count();
        let others: Vec<usize> = ranked
            .iter()
            .filter(|tried| tried.unit.len() == 1 && tried.cost >= 0.0)
            .map(|tried| tried.unit[0])
            .take(OTHERS)
            .collect();
        let mut found: Vec<usize> = path.iter().map(|&(word, _)| word).collect();
        for _ in 0..ROUNDS {
            let before = found.clone();
            for at in (0..found.len()).rev() {
                if asked.count() - start + 2 * others.len() + 3 > texts {
                    return Ok(());
                }
                let mut rest = found.clone();
                rest.remove(at);
                let without_it = self.costs(&rest, &[Vec::new()], asked)?[0];
                let exchanged = |&word: &usize| {
                    let mut set = found.clone();
                    set[at] = word;
                    set
                };
                let new = others.iter().filter(|word| !found.contains(word));
                let sets = new.map(exchanged).collect();
                let kept = [
                    self.note.without(found.iter().copied()),
                    self.note.only(found.iter().copied()),
                ];
                let kept = self.odds(&kept, asked)?;
                let worth = self.worth(kept[0], kept[1]) + LEAST;
                if let Some(best) = self.best(sets, (worth, without_it + EFFECT), asked)? {
                    path[at] = (best.words[at], best.cost - without_it);
                    found = best.words;
                }
            }
            if found == before {
                break;
            }
        }
        Ok(())
    }
}

/// The probability of log-odds.
pub(super) fn probability(odds: f64) -> f64 {
    1.0 / (1.0 + (-odds).exp())
}
