//! The texts near a note: it without one phrase, without two, and so on, as many as can be scored nearly all.

use crate::random::SplitMix64;

/// Combinations of a neighbourhood at most.
const POPULATION: usize = 300;

/// Phrases whose combinations of up to two are no more than [`POPULATION`].
pub(crate) const MOST_CANDIDATES: usize = 24;

/// Texts of a neighbourhood of `size` that are not scored but filled in: one where there are many. The seed draws which;
/// the more of them, the less two seeds agree (docs/explanations.md has the figures), so that there is no reason for more
/// but a budget.
pub(crate) const fn spare(size: usize) -> usize {
    if size < 64 { 0 } else { 1 }
}

/// `n` over `k`.
fn choose(n: usize, k: usize) -> usize {
    (0..k).fold(1, |product, at| product * (n - at) / (at + 1))
}

/// The neighbourhood of a note: every text without some of `candidates` phrases, at most so many at once that the texts are
/// no more than [`POPULATION`], and at most half of them: which phrases each text keeps, in random order.
///
/// A sample of a population as small as this is nearly all of it, so that two seeds that draw different parts say nearly
/// the same (the finite population correction, Cochran, Sampling Techniques, 1977, section 2.6).
pub(crate) fn neighbourhood(candidates: usize, random: &mut SplitMix64) -> Vec<Vec<bool>> {
    let most = candidates.div_ceil(2).min(candidates.saturating_sub(1));
    let (mut depth, mut size) = (0, 0);
    while depth < most {
        let more = choose(candidates, depth + 1);
        if depth > 0 && size + more > POPULATION {
            break;
        }
        (depth, size) = (depth + 1, size + more);
    }
    let mut texts = Vec::with_capacity(size);
    for count in 1..=depth {
        let mut away: Vec<usize> = (0..count).collect();
        loop {
            let mut kept = vec![true; candidates];
            for &at in &away {
                kept[at] = false;
            }
            texts.push(kept);
            // The next combination in order: the last index that can move does, and those behind it follow.
            let Some(moving) = (0..count).rev().find(|&at| away[at] < candidates - count + at) else {
                break;
            };
            away[moving] += 1;
            for at in moving + 1..count {
                away[at] = away[at - 1] + 1;
            }
        }
    }
    let away = |kept: &[bool]| kept.iter().filter(|kept| !**kept).count();
    for at in (1..texts.len()).rev() {
        texts.swap(at, random.below(at + 1));
    }
    // Those that may be left out come last: of the texts that differ most from the note, which the others foretell best.
    let mut last = texts.len();
    let first = last - spare(texts.len());
    for at in (0..texts.len()).rev() {
        if last > first && away(&texts[at]) == depth {
            last -= 1;
            texts.swap(at, last);
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbourhood_has_every_combination_once() {
        for (candidates, size, depth) in [
            (0, 0, 0),
            (1, 0, 0),
            (2, 2, 1),
            (3, 6, 2),
            (5, 25, 3),
            (8, 162, 4),
            (9, 255, 4),
            (10, 175, 3),
            (12, 298, 3),
            (13, 91, 2),
            (24, 300, 2),
        ] {
            let drawn = neighbourhood(candidates, &mut SplitMix64(1));
            let away = |kept: &Vec<bool>| kept.iter().filter(|kept| !**kept).count();
            assert_eq!(drawn.len(), size, "{candidates}");
            assert_eq!(drawn.iter().map(away).max().unwrap_or(0), depth, "{candidates}");
            assert_eq!(drawn.iter().collect::<std::collections::HashSet<_>>().len(), size);
        }
        let texts = |seed| neighbourhood(8, &mut SplitMix64(seed));
        assert_ne!(texts(1), texts(2));
    }
}
