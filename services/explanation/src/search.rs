//! Which words to show: those that, taken away together, move the suggestion most, and alone hold it best.
//!
//! One word after the other is taken away, each time the one whose loss costs the suggestion most log-odds *given those
//! already gone* (greedy forward selection, as for the removal curves of Samek et al. 2017, IEEE TNNLS 28(11), but with the
//! model asked anew at each step), and with which those already gone, and nothing else, give it most: necessary and
//! sufficient, as comprehensiveness and sufficiency of `DeYoung` et al. 2020 (ERASER, section 4) measure it. Words that say the
//! same thing twice are found so: without the first, the second matters. In the end each is exchanged for another where all
//! are worth more with it (`exchange.rs`). The model answers every question about the note itself, so this needs no random
//! draw.

mod exchange;

use std::collections::{BTreeMap, HashSet};

use crate::explain::{Asked, ExplainError, Note, log_odds};
use crate::phrase;
use crate::settle::FEWEST;

/// Words that are taken away one by one from the whole note at most; of more, those of the phrases that matter most.
const WORDS: usize = 64;

/// Words tried at each later step: those that were worth most in the first. In the first as many are tried alone.
const LATER: usize = 32;

/// Log-odds that a further word must move, at least: below is the classifier's own rounding.
const LEAST: f64 = 1e-3;

/// Log-odds that a word must move when it is found, for it to be shown: a tenth more or less in the odds.
const EFFECT: f64 = 0.1;

/// What a log-odds that words hold alone is worth beside one that their loss costs. On 200 development reports 0, 0.4 and 1
/// gave a comprehensiveness of 0.494, 0.496 and 0.480, and a sufficiency of 0.053, 0.003 and −0.001.
const HOLDS: f64 = 0.5;

/// Fewest texts of a search that asks what words hold: with fewer, the words' losses take them all.
const LEAST_TEXTS: usize = 128;

/// What the search may cost and find.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Texts scored at most.
    pub texts: usize,
    /// Words found at most.
    pub words: usize,
    /// Log-odds at which the suggestion turns.
    pub threshold: f64,
}

/// Words that are taken away together: one, or all that are spelled alike.
type Unit = Vec<usize>;

/// Words found, by index into the note's words: first those that may be shown, then others that move something too and are
/// taken away with them, so that the weights are about more than a handful of texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub words: Vec<usize>,
    pub show: usize,
}

/// Searches the note.
pub(crate) fn search<E, S>(
    note: &Note<'_>,
    limits: Limits,
    asked: &mut Asked<S>,
) -> Result<Found, ExplainError<E>>
where
    S: FnMut(&[String]) -> Result<Vec<f64>, E>,
{
    let before = asked.count();
    let score = log_odds(note.score);
    let side = if score >= limits.threshold { 1.0 } else { -1.0 };
    let pool = screened(note, limits.texts / 3, asked)?;
    if pool.len() < 2 || limits.words == 0 {
        return Ok(Found::default());
    }
    let mut units: Vec<Unit> = pool.iter().map(|&word| vec![word]).collect();
    units.extend(
        alike(note, &pool)
            .into_iter()
            .filter(|unit| unit.len() <= limits.words),
    );
    let suggestion = Suggestion { note, side, score };
    // What the loss of each costs the suggestion, the rest in place.
    let alone = suggestion.costs(&[], &units, asked)?;
    let opposing = opposing(&units[..pool.len()], &alone);
    let mut ranked: Vec<Tried> = units.into_iter().zip(alone).map(Tried::new).collect();
    ranked.sort_by(|a, b| b.loss().total_cmp(&a.loss()));
    let holds = limits.texts >= LEAST_TEXTS;
    let few = if holds { LATER.min(ranked.len()) } else { 0 };
    suggestion.hold(&[], &mut ranked[..few], 0.0, asked)?;
    ranked[..few].sort_by(|a, b| b.worth().total_cmp(&a.worth()));
    let left = limits.texts.saturating_sub(asked.count() - before) / if holds { 2 } else { 1 };
    let later = (left / limits.words.saturating_sub(1).max(1)).clamp(1, LATER);

    let mut path: Vec<(usize, f64)> = Vec::new();
    let (mut lost, mut held) = (0.0, 0.0);
    let mut step = if holds {
        ranked[..few].to_vec()
    } else {
        ranked.clone()
    };
    loop {
        let best = step
            .into_iter()
            .filter(|tried| tried.cost >= LEAST)
            .reduce(|best, next| if next.worth() > best.worth() { next } else { best });
        let Some(best) = best else { break };
        let each = best.loss();
        lost += best.cost;
        held += best.held;
        path.extend(best.unit.into_iter().map(|word| (word, each)));
        let gone: Vec<usize> = path.iter().map(|&(word, _)| word).collect();
        let turned = (score - side * lost >= limits.threshold) != (side > 0.0);
        if gone.len() >= limits.words || (gone.len() >= FEWEST && turned) {
            break;
        }
        let rest: Vec<Unit> = rest(&ranked, &gone, limits.words)
            .into_iter()
            .take(later)
            .collect();
        let costs = suggestion.costs(&gone, &rest, asked)?;
        step = rest
            .into_iter()
            .zip(costs.into_iter().map(|cost| cost - lost))
            .map(Tried::new)
            .collect();
        if holds {
            suggestion.hold(&gone, &mut step, held, asked)?;
        }
    }
    // What was only a step on the way to something is shown; what led nowhere is not.
    while path.last().is_some_and(|&(_, cost)| cost < EFFECT) {
        path.pop();
    }
    if holds {
        suggestion.exchange(
            &mut path,
            &ranked,
            limits.texts.saturating_sub(asked.count() - before),
            asked,
        )?;
    }
    Ok(shares(&path, &opposing, &ranked, limits.words))
}

/// A unit, and what it does beside those found before.
#[derive(Clone, Debug)]
struct Tried {
    unit: Unit,
    /// Log-odds that the suggestion loses without it.
    cost: f64,
    /// Log-odds that those found before, and nothing else, gain with it.
    held: f64,
}

impl Tried {
    fn new((unit, cost): (Unit, f64)) -> Self {
        let held = 0.0;
        Self { unit, cost, held }
    }

    /// For each of its words.
    fn each(&self, sum: f64) -> f64 {
        sum / f64::from(u32::try_from(self.unit.len().max(1)).unwrap_or(u32::MAX))
    }

    fn loss(&self) -> f64 {
        self.each(self.cost)
    }

    fn worth(&self) -> f64 {
        self.each(self.cost + HOLDS * self.held)
    }
}

/// What is asked about: which side of the threshold the note is on.
struct Suggestion<'a> {
    note: &'a Note<'a>,
    /// 1 for abnormal, −1 for normal.
    side: f64,
    /// Log-odds of the whole note.
    score: f64,
}

impl Suggestion<'_> {
    /// Log-odds that the suggestion loses without `gone` and each of `tried`, against the whole note.
    fn costs<E, S>(
        &self,
        gone: &[usize],
        tried: &[Unit],
        asked: &mut Asked<S>,
    ) -> Result<Vec<f64>, ExplainError<E>>
    where
        S: FnMut(&[String]) -> Result<Vec<f64>, E>,
    {
        let texts: Vec<String> = tried
            .iter()
            .map(|unit| self.note.without(gone.iter().chain(unit).copied()))
            .collect();
        let scores = asked.scores(&texts)?;
        Ok(scores
            .into_iter()
            .map(|p| self.side * (self.score - log_odds(p)))
            .collect())
    }

    /// Fills in what `gone` with each of `tried`, and nothing else, gives the suggestion beyond `before`. More than the
    /// whole note gives it is no better: what holds it holds it.
    fn hold<E, S>(
        &self,
        gone: &[usize],
        tried: &mut [Tried],
        before: f64,
        asked: &mut Asked<S>,
    ) -> Result<(), ExplainError<E>>
    where
        S: FnMut(&[String]) -> Result<Vec<f64>, E>,
    {
        let texts: Vec<String> = tried
            .iter()
            .map(|tried| self.note.only(gone.iter().chain(&tried.unit).copied()))
            .collect();
        for (tried, p) in tried.iter_mut().zip(asked.scores(&texts)?) {
            tried.held = (self.side * log_odds(p)).min(self.side * self.score) - before;
        }
        Ok(())
    }
}

/// Words spelled alike, where there are several: without one of them the other still says it.
fn alike(note: &Note<'_>, pool: &[usize]) -> Vec<Unit> {
    let mut spelled: BTreeMap<String, Unit> = BTreeMap::new();
    for &at in pool {
        let word = note.words[at];
        let text = note
            .read
            .get(word.start as usize..word.end as usize)
            .unwrap_or_default();
        spelled.entry(text.to_lowercase()).or_default().push(at);
    }
    spelled.into_values().filter(|unit| unit.len() > 1).collect()
}

/// What is left of the units without `gone`, each once, as far as there is room for it.
fn rest(ranked: &[Tried], gone: &[usize], most: usize) -> Vec<Unit> {
    let mut seen = HashSet::new();
    ranked
        .iter()
        .map(|tried| {
            tried
                .unit
                .iter()
                .copied()
                .filter(|word| !gone.contains(word))
                .collect::<Unit>()
        })
        .filter(|unit| !unit.is_empty() && unit.len() + gone.len() <= most && seen.insert(unit.clone()))
        .collect()
}

/// The words to try: all, or where they are more than [`WORDS`] or `most`, those of the phrases whose loss moves the score most.
fn screened<E, S>(note: &Note<'_>, most: usize, asked: &mut Asked<S>) -> Result<Vec<usize>, ExplainError<E>>
where
    S: FnMut(&[String]) -> Result<Vec<f64>, E>,
{
    let most = most.min(WORDS);
    let words = note.words.len();
    if words <= most {
        return Ok((0..words).collect());
    }
    let units = phrase::units(note.read);
    let width = units.len().div_ceil(most.max(1)).max(1);
    let groups: Vec<Vec<usize>> = units
        .chunks(width)
        .map(|group| {
            let (start, end) = (group[0].start, group[group.len() - 1].end);
            (0..words)
                .filter(|&at| start <= note.words[at].start && note.words[at].end <= end)
                .collect()
        })
        .filter(|group: &Vec<usize>| !group.is_empty() && group.len() < words)
        .collect();
    let texts: Vec<String> = groups
        .iter()
        .map(|group| note.without(group.iter().copied()))
        .collect();
    let score = log_odds(note.score);
    let moved = asked
        .scores(&texts)?
        .into_iter()
        .map(|p| (score - log_odds(p)).abs());
    let mut order: Vec<(f64, Vec<usize>)> = moved.zip(groups).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut chosen: Vec<usize> = order
        .into_iter()
        .flat_map(|(_, group)| group)
        .take(most)
        .collect();
    chosen.sort_unstable();
    Ok(chosen)
}

/// The words whose loss strengthens the suggestion by what may be shown at least, the strongest first.
fn opposing(words: &[Unit], alone: &[f64]) -> Vec<(usize, f64)> {
    let mut against: Vec<(usize, f64)> = words
        .iter()
        .zip(alone)
        .filter(|(_, cost)| -**cost >= EFFECT)
        .map(|(word, cost)| (word[0], -cost))
        .collect();
    against.sort_by(|a, b| b.1.total_cmp(&a.1));
    against
}

/// How many of each to show, at most `most` together: of those for the suggestion [`FEWEST`] at least where there are as many,
/// then whatever moves more; what room is left goes to those that move most alone.
fn shares(path: &[(usize, f64)], opposing: &[(usize, f64)], alone: &[Tried], most: usize) -> Found {
    // A word may strengthen the suggestion alone and cost it much once others are gone.
    let on_path = |word: usize| path.iter().any(|&(other, _)| other == word);
    let opposing: Vec<(usize, f64)> = opposing
        .iter()
        .copied()
        .filter(|&(word, _)| !on_path(word))
        .collect();
    let sum = |words: &[(usize, f64)]| words.iter().map(|(_, moved)| moved).sum::<f64>();
    let against = |count: usize| &opposing[..opposing.len().min(most - count)];
    let total = |count: usize| sum(&path[..count]) + sum(against(count));
    let longest = path.len().min(most);
    let count = (longest.min(FEWEST)..=longest)
        .reduce(|best, next| if total(next) > total(best) { next } else { best })
        .unwrap_or(0);
    let mut words: Vec<usize> = path[..count]
        .iter()
        .chain(against(count))
        .map(|&(word, _)| word)
        .collect();
    let mut show = words.len();
    for one in alone.iter().filter(|tried| tried.unit.len() == 1) {
        if words.len() < most && !words.contains(&one.unit[0]) {
            words.push(one.unit[0]);
            show += usize::from(one.cost >= EFFECT);
        }
    }
    Found { words, show }
}

#[cfg(test)]
mod tests;
