//! The texts near a note: it without some of the words found, in every combination.

use crate::random::SplitMix64;

/// Texts of a neighbourhood that are scored at most.
const TEXTS: usize = 96;

/// The texts of a neighbourhood: which of the words each keeps.
pub(crate) struct Neighbourhood {
    /// Those to score, in random order.
    pub drawn: Vec<Vec<bool>>,
    /// The others.
    pub rest: Vec<Vec<bool>>,
}

/// Texts that are left to the others to foretell.
const fn spare(size: usize) -> usize {
    if size < 31 { 0 } else { 1 }
}

/// Every text without some of `words`, the note itself apart: 2ⁿ − 1, of eight words at most 255. All but [`spare`] are drawn, at most [`TEXTS`] and `most`.
/// What is left is drawn from the texts nearest to the note, which the others foretell best: those that keep the first two
/// words, which move most.
pub(crate) fn neighbourhood(words: usize, most: usize, random: &mut SplitMix64) -> Neighbourhood {
    let size = (1_usize << words) - 1;
    let mut order: Vec<usize> = (0..size).collect();
    random.shuffle_front(&mut order, size);
    // They come last, as many as are left; the others keep their random order.
    let near = |kept: usize| kept & 3 == 3;
    let scored = (size - spare(size)).min(TEXTS).min(most);
    let last: Vec<usize> = order
        .iter()
        .copied()
        .filter(|&kept| near(kept))
        .take(size - scored)
        .collect();
    order.retain(|kept| !last.contains(kept));
    order.extend(last);
    let mut drawn: Vec<Vec<bool>> = order
        .into_iter()
        .map(|kept| (0..words).map(|at| kept >> at & 1 == 1).collect())
        .collect();
    let rest = drawn.split_off(scored);
    Neighbourhood { drawn, rest }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbourhood_has_every_combination_once_and_each_seed_draws_its_own() {
        for (words, drawn, rest) in [
            (0, 0, 0),
            (1, 1, 0),
            (2, 3, 0),
            (3, 7, 0),
            (6, 62, 1),
            (8, 96, 159),
        ] {
            let got = neighbourhood(words, usize::MAX, &mut SplitMix64(1));
            assert_eq!((got.drawn.len(), got.rest.len()), (drawn, rest), "{words}");
            let all: std::collections::HashSet<_> = got.drawn.iter().chain(&got.rest).collect();
            assert_eq!(all.len(), drawn + rest);
            assert!(all.iter().all(|kept| kept.contains(&false)));
        }
        let set = |seed| {
            let mut drawn = neighbourhood(6, 20, &mut SplitMix64(seed)).drawn;
            drawn.sort();
            drawn
        };
        assert_eq!(set(1).len(), 20);
        assert_ne!(set(1), set(2));
    }
}
