//! Sentences in another order: a report says the same, and the model must not learn where it is said.

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

/// `ids` with the stretches of word pieces between the first and the last (the special tokens) that end at each of `ends`
/// in another order; unchanged where there is one stretch. `ends` rise and lie within.
pub(crate) fn sentences(ids: &[u32], ends: &[usize], random: &mut StdRng) -> Vec<u32> {
    let (mut stretches, mut from) = (Vec::new(), 1);
    let last = ids.len().saturating_sub(1);
    for &end in ends.iter().chain([&last]) {
        if let Some(stretch) = ids.get(from..end.min(last))
            && !stretch.is_empty()
        {
            stretches.push(stretch);
            from = end;
        }
    }
    if stretches.len() < 2 {
        return ids.to_vec();
    }
    stretches.shuffle(random);
    let (first, last) = (ids.first().into_iter(), ids.last().into_iter());
    first
        .chain(stretches.into_iter().flatten())
        .chain(last)
        .copied()
        .collect()
}

/// Whether something with this probability happens.
pub(crate) fn happens(probability: f64, random: &mut StdRng) -> bool {
    probability > 0.0 && random.random_range(0.0..1.0) < probability
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn sentences_change_places_and_stay_whole() {
        let ids = [101, 1, 2, 9, 3, 9, 4, 5, 9, 6, 102];
        let mut random = StdRng::seed_from_u64(1);
        let (mut seen, pieces) = (std::collections::BTreeSet::new(), [4, 6, 9]);
        for _ in 0..200 {
            let other = sentences(&ids, &pieces, &mut random);
            assert_eq!((other[0], other[10], other.len()), (101, 102, 11));
            assert!(other.windows(3).any(|three| three == [1, 2, 9]));
            assert!(other.windows(3).any(|three| three == [4, 5, 9]));
            seen.insert(other);
        }
        // Four stretches: 24 orders.
        assert_eq!(seen.len(), 24);
        for ends in [&[][..], &[10], &[11, 40]] {
            assert_eq!(sentences(&ids, ends, &mut random), ids);
        }
        assert_eq!(sentences(&[101, 102], &[1], &mut random), [101, 102]);
        assert_eq!(sentences(&[], &[], &mut random), [0_u32; 0]);
    }

    #[test]
    fn what_is_impossible_or_certain_draws_so() {
        let mut random = StdRng::seed_from_u64(1);
        assert!(!happens(0.0, &mut random) && happens(1.0, &mut random));
    }
}
