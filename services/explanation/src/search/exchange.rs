//! What the search cannot know one step after the other: which word would have been better, had the later ones been known
//! (the exchange step of sequential floating selection, Pudil et al. 1994, Pattern Recognition Letters 15(11)).

use crate::explain::{Asked, ExplainError, log_odds};
use crate::search::{EFFECT, HOLDS, LEAST, Suggestion, Tried};

/// Words that may take a found one's place: those that were worth most in the first step.
const OTHERS: usize = 16;

/// How often each found word may be exchanged.
const ROUNDS: usize = 2;

/// What log-odds count beside probabilities when words are exchanged: they decide where probabilities hardly differ.
const FINE: f64 = 0.01;

/// What is said of some words together.
#[derive(Clone, Debug)]
struct Together {
    words: Vec<usize>,
    /// Log-odds that the suggestion loses without them.
    cost: f64,
    /// Probability that it loses without them, and has with nothing but them.
    worth: f64,
}

impl Suggestion<'_> {
    /// Asks what each set is worth.
    fn together<E, S>(
        &self,
        sets: Vec<Vec<usize>>,
        asked: &mut Asked<S>,
    ) -> Result<Vec<Together>, ExplainError<E>>
    where
        S: FnMut(&[String]) -> Result<Vec<f64>, E>,
    {
        let without = sets.iter().map(|set| self.note.without(set.iter().copied()));
        let only = sets.iter().map(|set| self.note.only(set.iter().copied()));
        let texts: Vec<String> = without.chain(only).collect();
        let odds: Vec<f64> = asked
            .scores(&texts)?
            .into_iter()
            .map(|p| self.side * log_odds(p))
            .collect();
        let (without, only) = odds.split_at(sets.len());
        let whole = self.side * self.score;
        let together = |((words, &without), &only): ((Vec<usize>, &f64), &f64)| {
            let (cost, only) = (whole - without, only.min(whole));
            let fine = FINE * (cost + HOLDS * only);
            let worth = probability(only) - probability(without) + fine;
            Together { words, cost, worth }
        };
        Ok(sets.into_iter().zip(without).zip(only).map(together).collect())
    }

    /// Puts another word in a found one's place where all are worth more with it, as long as `texts` may be asked. The other
    /// must cost the suggestion something alone and beside the rest, as whatever is shown.
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
            .filter(|tried| tried.unit.len() == 1 && tried.cost >= EFFECT)
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
                let sets = std::iter::once(found.clone()).chain(new.map(exchanged)).collect();
                let mut tried = self.together(sets, asked)?.into_iter();
                let worth = tried.next().map_or(f64::INFINITY, |kept| kept.worth);
                let best = tried
                    .filter(|set| set.cost - without_it >= EFFECT && set.worth > worth + LEAST)
                    .reduce(|best, next| if next.worth > best.worth { next } else { best });
                if let Some(best) = best {
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
