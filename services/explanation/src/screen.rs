//! Which phrases may matter: a first look at all of them.

use std::collections::HashSet;

use crate::design::{self, BLOCKS};
use crate::explain::{Asked, Budget, ExplainError, Note, log_odds};
use crate::neighbourhood::MOST_CANDIDATES;
use crate::random::SplitMix64;
use crate::surface;

/// Texts that the first look takes: four for each phrase, within these.
const TEXTS: std::ops::RangeInclusive<usize> = 128..=256;

/// Fewest candidates, so that a phrase on the edge of the choice is none that could be shown.
const FEWEST_CANDIDATES: usize = 20;

/// The phrases with the largest effects in a seed-drawn design over all of them, in reading order: as many, up to
/// [`MOST_CANDIDATES`], as stand before the widest gap. Of a note with few phrases, all.
pub(crate) fn candidates<E, S>(
    note: &Note<'_>,
    budget: Budget,
    random: &mut SplitMix64,
    asked: &mut Asked<S>,
) -> Result<Vec<usize>, ExplainError<E>>
where
    S: FnMut(&[String]) -> Result<Vec<f64>, E>,
{
    let units = note.units.len();
    if units <= MOST_CANDIDATES {
        return Ok((0..units).collect());
    }
    let most = (4 * units)
        .clamp(*TEXTS.start(), *TEXTS.end())
        .min(budget.samples as usize / 2);
    let mut masks = vec![vec![true; units]];
    let mut drawn = HashSet::from([masks[0].clone()]);
    'rounds: loop {
        for kept in design::shuffled_round(units, BLOCKS, random)
            .iter()
            .flat_map(design::sides)
        {
            if masks.len() >= most {
                break 'rounds;
            }
            if drawn.insert(kept.clone()) {
                masks.push(kept);
            }
        }
    }
    let texts: Vec<String> = masks[1..].iter().map(|kept| note.keeping(kept)).collect();
    let mut scores = vec![log_odds(note.score)];
    scores.extend(asked.scores(&texts)?.into_iter().map(log_odds));
    let effects = surface::weights(&masks, &scores, &vec![0.0; units], &[]).effects;
    let size = |at: usize| effects[at].abs();
    let mut order: Vec<usize> = (0..units).collect();
    order.sort_by(|&a, &b| size(b).total_cmp(&size(a)));
    let gap = |count: usize| size(order[count - 1]) - size(order[count]);
    let count = (FEWEST_CANDIDATES..=MOST_CANDIDATES)
        .reduce(|best, next| if gap(next) > gap(best) { next } else { best })
        .unwrap_or(MOST_CANDIDATES);
    order.truncate(count);
    order.sort_unstable();
    Ok(order)
}
