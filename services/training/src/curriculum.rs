//! From easy to hard: the order of the first epochs.
//!
//! Notes that a simple model is sure of and right about, and short ones, come first (Bengio et al. 2009, "Curriculum
//! learning", ICML '09; competence by length and rarity as in Platanios et al. 2019, arXiv:1903.09848).

use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::baseline::Baseline;
use crate::corpus::Example;

/// Steps from easy to hard; within one the order is drawn.
const STEPS: usize = 8;

/// Place of each value when they are sorted, equal ones in their order.
fn ranks(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0; values.len()];
    for (rank, at) in order.into_iter().enumerate() {
        ranks[at] = rank;
    }
    ranks
}

/// How hard each example is: the sum of its ranks by the bag of words' doubt about its label and by its length. Each half is judged
/// by a bag of words that was fitted on the other, so that nothing is easy because it was learned by heart.
pub(crate) fn difficulty(examples: &[Example]) -> Vec<usize> {
    let tokens: Vec<Vec<u64>> = examples
        .iter()
        .map(|example| example.ids.iter().map(|&id| u64::from(id)).collect())
        .collect();
    let mut doubt = vec![0.0; examples.len()];
    for half in 0..2 {
        let part =
            |own: bool| -> Vec<usize> { (0..examples.len()).filter(|at| (at % 2 == half) == own).collect() };
        let others = part(false);
        let texts: Vec<Vec<u64>> = others.iter().map(|&at| tokens[at].clone()).collect();
        let targets = others.iter().map(|&at| examples[at].targets[0] > 0.5).collect();
        let fitted = Baseline::fit(&texts, &[targets]);
        for at in part(true) {
            doubt[at] = (fitted.predict(&tokens[at])[0] - f64::from(examples[at].targets[0])).abs();
        }
    }
    let lengths: Vec<f64> = examples
        .iter()
        .map(|example| crate::metrics::count(example.ids.len()))
        .collect();
    ranks(&doubt)
        .into_iter()
        .zip(ranks(&lengths))
        .map(|(a, b)| a + b)
        .collect()
}

/// The examples from easy to hard, drawn anew within each eighth.
pub(crate) fn order(difficulty: &[usize], random: &mut StdRng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..difficulty.len()).collect();
    order.sort_by_key(|&at| difficulty[at]);
    for step in order.chunks_mut(difficulty.len().div_ceil(STEPS).max(1)) {
        step.shuffle(random);
    }
    order
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn example(ids: &[u32], abnormal: bool) -> Example {
        Example {
            ids: ids.to_vec(),
            ends: Vec::new(),
            targets: vec![f32::from(u8::from(abnormal))],
            copies: 1.0,
        }
    }

    #[test]
    fn doubtful_and_long_notes_come_last() {
        // Word 5 is abnormal, word 6 normal; two notes are labelled the other way round, two are long.
        let mut examples: Vec<Example> = (0..40)
            .map(|at| {
                if at % 4 < 2 {
                    example(&[2, 5, 3], true)
                } else {
                    example(&[2, 6, 3], false)
                }
            })
            .collect();
        examples[10] = example(&[2, 5, 3], false);
        examples[21] = example(&[2, 5, 3], false);
        examples[15] = example(&[2, 6, 6, 6, 6, 6, 6, 6, 3], false);
        let hard = difficulty(&examples);
        let order = order(&hard, &mut StdRng::seed_from_u64(1));
        let place = |at: usize| {
            order
                .iter()
                .position(|&other| other == at)
                .expect("every note has a place")
        };
        assert!([10, 21].iter().all(|&at| place(at) >= 20), "{order:?}");
        assert!(place(15) >= 10);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..40).collect::<Vec<_>>());
        // Drawn anew with another seed, the same with the same.
        assert_ne!(order, super::order(&hard, &mut StdRng::seed_from_u64(2)));
        assert_eq!(order, super::order(&hard, &mut StdRng::seed_from_u64(1)));
        assert!(super::order(&[], &mut StdRng::seed_from_u64(1)).is_empty());
    }
}
