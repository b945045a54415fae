//! Which words to show: those that, taken away together, move the suggestion most.
//!
//! One word after the other is taken away, each time the one whose loss costs the suggestion most log-odds *given those
//! already gone* (greedy forward selection, as for the removal curves of Samek et al. 2017, IEEE TNNLS 28(11), but with the
//! model asked anew at each step). Words that say the same thing twice are found so: without the first, the second matters.
//! The model answers every question about the note itself, so this needs no random draw.

use std::collections::{BTreeMap, HashSet};

use crate::explain::{Asked, ExplainError, Note, log_odds};
use crate::phrase;
use crate::settle::FEWEST;

/// Words that are taken away one by one from the whole note at most; of more, those of the phrases that matter most.
const WORDS: usize = 64;

/// Words tried at each later step: those with the largest losses in the first.
const LATER: usize = 32;

/// Log-odds that a further word must move, at least: below is the classifier's own rounding.
const LEAST: f64 = 1e-3;

/// Log-odds that a word must move when it is found, for it to be shown: a tenth more or less in the odds.
const EFFECT: f64 = 0.1;

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
    // What the loss of each costs the suggestion, the rest in place.
    let alone = costs(note, &[], &units, side, asked)?;
    let opposing = opposing(&units[..pool.len()], &alone);
    let mut ranked: Vec<(Unit, f64)> = units.into_iter().zip(alone).collect();
    ranked.sort_by(|a, b| worth(b).total_cmp(&worth(a)));
    let left = limits.texts.saturating_sub(asked.count() - before);
    let later = (left / limits.words.saturating_sub(1).max(1)).clamp(1, LATER);

    let mut path: Vec<(usize, f64)> = Vec::new();
    let mut lost = 0.0;
    loop {
        let gone: Vec<usize> = path.iter().map(|&(word, _)| word).collect();
        let turned = (score - side * lost >= limits.threshold) != (side > 0.0);
        if gone.len() >= limits.words || (gone.len() >= FEWEST && turned) {
            break;
        }
        let step = if gone.is_empty() {
            ranked.clone()
        } else {
            let rest = rest(&ranked, &gone, limits.words)
                .into_iter()
                .take(later)
                .collect::<Vec<_>>();
            let costs = costs(note, &gone, &rest, side, asked)?;
            rest.into_iter()
                .zip(costs.into_iter().map(|cost| cost - lost))
                .collect()
        };
        let best = step
            .into_iter()
            .reduce(|best, next| if worth(&next) > worth(&best) { next } else { best });
        let Some(best) = best.filter(|best| best.1 >= LEAST) else {
            break;
        };
        let each = worth(&best);
        lost += best.1;
        path.extend(best.0.into_iter().map(|word| (word, each)));
    }
    // What was only a step on the way to something is shown; what led nowhere is not.
    while path.last().is_some_and(|&(_, cost)| cost < EFFECT) {
        path.pop();
    }
    Ok(shares(&path, &opposing, &ranked, limits.words))
}

/// Log-odds for each word of a unit.
fn worth((unit, cost): &(Unit, f64)) -> f64 {
    cost / f64::from(u32::try_from(unit.len().max(1)).unwrap_or(u32::MAX))
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
fn rest(ranked: &[(Unit, f64)], gone: &[usize], most: usize) -> Vec<Unit> {
    let mut seen = HashSet::new();
    ranked
        .iter()
        .map(|(unit, _)| {
            unit.iter()
                .copied()
                .filter(|word| !gone.contains(word))
                .collect::<Unit>()
        })
        .filter(|unit| !unit.is_empty() && unit.len() + gone.len() <= most && seen.insert(unit.clone()))
        .collect()
}

/// Log-odds that the suggestion loses without `gone` and each of `tried`, against the whole note.
fn costs<E, S>(
    note: &Note<'_>,
    gone: &[usize],
    tried: &[Unit],
    side: f64,
    asked: &mut Asked<S>,
) -> Result<Vec<f64>, ExplainError<E>>
where
    S: FnMut(&[String]) -> Result<Vec<f64>, E>,
{
    let texts: Vec<String> = tried
        .iter()
        .map(|unit| note.without(gone.iter().chain(unit).copied()))
        .collect();
    let scores = asked.scores(&texts)?;
    let score = log_odds(note.score);
    Ok(scores.into_iter().map(|p| side * (score - log_odds(p))).collect())
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
fn shares(path: &[(usize, f64)], opposing: &[(usize, f64)], alone: &[(Unit, f64)], most: usize) -> Found {
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
    for (unit, cost) in alone.iter().filter(|(unit, _)| unit.len() == 1) {
        if words.len() < most && !words.contains(&unit[0]) {
            words.push(unit[0]);
            show += usize::from(*cost >= EFFECT);
        }
    }
    Found { words, show }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::convert::Infallible;

    use super::*;
    use crate::word;

    /// What the search finds in `text`, and how often it asks.
    fn found(text: &str, texts: usize, odds: impl Fn(&str) -> f64) -> (Vec<String>, usize) {
        let probability = |text: &str| 1.0 / (1.0 + (-odds(text)).exp());
        let words = word::words(text);
        let note = Note {
            read: text,
            words: &words,
            score: probability(text),
        };
        let scorer = |texts: &[String]| -> Result<Vec<f64>, Infallible> {
            Ok(texts.iter().map(|t| probability(t)).collect())
        };
        let mut asked = Asked {
            scorer,
            known: HashMap::new(),
        };
        let limits = Limits {
            texts,
            words: 6,
            threshold: 0.0,
        };
        let found = search(&note, limits, &mut asked).expect("scores");
        let mut shown = found.words[..found.show].to_vec();
        shown.sort_unstable();
        let text = |at: &usize| text[words[*at].start as usize..words[*at].end as usize].to_owned();
        (shown.iter().map(text).collect(), asked.count())
    }

    fn has(text: &str, word: &str) -> f64 {
        f64::from(u8::from(text.contains(word)))
    }

    #[test]
    fn what_is_said_twice_is_found_together() {
        // Spelled alike: neither is missed alone, not even a little.
        let text = "Heart enlarged today. Something else there. Still enlarged. Lungs clear now.";
        let (words, asked) = found(text, 384, |t| 4.0 * has(t, "enlarged") - has(t, "clear") - 1.0);
        assert_eq!(words, ["enlarged", "enlarged", "clear"]);
        assert!(asked < 60, "{asked}");
        // In other words: each is missed a little while the other is there, and then very much.
        let text = "Heart enlarged today. Something else there. Known cardiomegaly. Lungs clear now.";
        let odds = |t: &str| {
            (1.0 + 50.0 * has(t, "enlarged") + 50.0 * has(t, "cardiomegaly")).ln()
                - 2.0
                - 0.2 * has(t, "clear")
        };
        assert_eq!(found(text, 384, odds).0, ["enlarged", "cardiomegaly", "clear"]);
    }

    #[test]
    fn the_model_is_asked_anew_at_each_step() {
        // Beside the first word the second moves less than each of six others; once the first is gone, more than all of them.
        let text = "Heart enlarged with cardiomegaly. Edema, effusion, nodule, mass, fracture, scar.";
        let others = ["Edema", "effusion", "nodule", "mass", "fracture", "scar"];
        let odds = |t: &str| {
            let heart = (1.0 + 60.0 * has(t, "enlarged") + 40.0 * has(t, "cardiomegaly")).ln();
            heart + others.iter().map(|word| 0.6 * has(t, word)).sum::<f64>() - 3.0
        };
        let (words, _) = found(text, 384, odds);
        assert!(
            words.starts_with(&["enlarged".to_owned(), "cardiomegaly".to_owned()]),
            "{words:?}"
        );
    }

    #[test]
    fn of_a_long_text_the_phrases_that_matter_are_searched() {
        let text = format!(
            "{} The heart is enlarged. {}",
            "Word after word here. ".repeat(300),
            "And more of it. ".repeat(300)
        );
        let (found, asked) = found(&text, 384, |t| 2.0 * has(t, "enlarged") - 1.0);
        assert_eq!(found, ["enlarged"]);
        assert!(asked <= 384, "{asked}");
    }

    #[test]
    fn both_sides_share_what_may_be_shown() {
        let path: Vec<(usize, f64)> = (0..6).map(|at| (at, 1.0)).collect();
        let against = [(10, 2.0), (11, 0.5)];
        let shown =
            |path: &[(usize, f64)], against: &[(usize, f64)], most| shares(path, against, &[], most).words;
        assert_eq!(shown(&path, &against, 6), [0, 1, 2, 3, 4, 10]);
        assert_eq!(shown(&path[..1], &against, 6), [0, 10, 11]);
        assert_eq!(shown(&[], &[], 6), Vec::<usize>::new());
        assert_eq!(shown(&path, &against, 2), [0, 1]);
        let alone = [(vec![7], 0.5), (vec![7, 8], 0.5), (vec![8], 0.0)];
        assert_eq!(shown(&path, &[(5, 3.0), (10, 2.0)], 6), [0, 1, 2, 3, 4, 10]);
        let found = shares(&path[..2], &against, &alone, 6);
        assert_eq!((found.words, found.show), (vec![0, 1, 10, 11, 7, 8], 5));
    }
}
