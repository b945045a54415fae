//! Which phrases are taken away when all of them are looked at for the first time: a seed-randomised two-level design.
//!
//! A *block* chooses some of the phrases as active; the others stay. Over the active ones it runs a Hadamard matrix
//! (Sylvester's construction; Plackett and Burman, "The Design of Optimum Multifactorial Experiments", Biometrika 1946)
//! with random columns and signs, and then the fold-over of every row, in which kept and removed are exchanged among
//! the active phrases (Box and Wilson 1951: main effects are then free of two-factor interactions). Each active phrase
//! is removed in half of the block's texts, each pair of them equally often together and apart. A *round* is a set of
//! blocks in which every phrase was active once. A quarter of the note goes on average, never nearly all of it.

use crate::random::SplitMix64;

/// Two texts that differ in every active phrase: for each phrase +1 if the first keeps and the second removes it, −1
/// the other way round, 0 if both keep it.
pub(crate) type Pair = Vec<i8>;

/// Blocks of a round: half of the phrases are active at a time.
pub(crate) const BLOCKS: usize = 2;

/// Draws one round over `units` phrases as pairs, block after block.
pub(crate) fn round(units: usize, blocks: usize, random: &mut SplitMix64) -> Vec<Pair> {
    let mut order: Vec<usize> = (0..units).collect();
    random.shuffle_front(&mut order, units);
    let size = units.div_ceil(blocks.max(1)).max(1);
    let mut pairs = Vec::new();
    for active in order.chunks(size) {
        // One column more than active phrases, for the constant one, which is not used.
        let rows = (active.len() + 1).next_power_of_two();
        let mut columns: Vec<usize> = (1..rows).collect();
        random.shuffle_front(&mut columns, active.len());
        let signs: Vec<bool> = active.iter().map(|_| random.next() >> 63 == 1).collect();
        for row in 0..rows {
            let mut pair = vec![0_i8; units];
            for ((&unit, &column), &sign) in active.iter().zip(&columns).zip(&signs) {
                // Sylvester's matrix: the sign is the parity of the common bits of row and column.
                let negative = (row & column).count_ones() % 2 == 1;
                pair[unit] = if negative == sign { 1 } else { -1 };
            }
            pairs.push(pair);
        }
    }
    pairs
}

/// A round with its pairs in random order, so that a part of it is balanced on average.
pub(crate) fn shuffled_round(units: usize, blocks: usize, random: &mut SplitMix64) -> Vec<Pair> {
    let mut pairs = round(units, blocks, random);
    for at in (1..pairs.len()).rev() {
        pairs.swap(at, random.below(at + 1));
    }
    pairs
}

/// Which phrases each of the two texts keeps.
pub(crate) fn sides(pair: &Pair) -> [Vec<bool>; 2] {
    [
        pair.iter().map(|&sign| sign >= 0).collect(),
        pair.iter().map(|&sign| sign <= 0).collect(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_balanced_and_orthogonal_and_half_of_the_note_stays() {
        for units in 2..40 {
            let pairs = round(units, BLOCKS, &mut SplitMix64(5));
            for a in 0..units {
                let active = pairs.iter().filter(|pair| pair[a] != 0).count();
                assert!(active.is_power_of_two());
                for b in 0..a {
                    let product: i32 = pairs.iter().map(|pair| i32::from(pair[a] * pair[b])).sum();
                    assert_eq!(product, 0, "{a} and {b} of {units}");
                }
            }
            for pair in &pairs {
                for side in sides(pair) {
                    assert!(side.iter().filter(|&&kept| kept).count() >= units / BLOCKS);
                }
            }
        }
    }

    #[test]
    fn each_seed_draws_its_own_design() {
        let draw = |seed| round(20, BLOCKS, &mut SplitMix64(seed));
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
