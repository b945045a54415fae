//! Seeded randomness that is the same on every machine.

/// `SplitMix64` (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014; constants of
/// Vigna's `splitmix64.c`): small, and seeded by any number.
pub struct SplitMix64(pub(crate) u64);

impl SplitMix64 {
    /// A sequence that the seed says.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Puts `values` in another order, each order as likely as any other.
    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        for at in (1..values.len()).rev() {
            values.swap(at, self.below(at + 1));
        }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound` (at least 1), by Lemire's multiplication (arXiv:1805.10941); for bounds as small as ours
    /// the bias without his rejection step is below 2^-40.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let product = u128::from(self.next()) * (bound as u128);
        // The product's upper half is below `bound`, which is a usize.
        usize::try_from(product >> 64).unwrap_or(0)
    }

    /// The first `count` places of `order` become a draw without replacement (Fisher and Yates).
    pub(crate) fn shuffle_front(&mut self, order: &mut [usize], count: usize) {
        for at in 0..count.min(order.len()) {
            let other = at + self.below(order.len() - at);
            order.swap(at, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shuffle_keeps_every_value_and_each_order_is_drawn() {
        let mut seen = std::collections::BTreeSet::new();
        let mut random = SplitMix64::new(7);
        for _ in 0..200 {
            let mut values = [1, 2, 3];
            random.shuffle(&mut values);
            seen.insert(values);
            values.sort_unstable();
            assert_eq!(values, [1, 2, 3]);
        }
        assert_eq!(seen.len(), 6);
    }

    #[test]
    fn splitmix_gives_the_reference_sequence() {
        // First outputs of Vigna's splitmix64.c for the seed 1234567.
        let mut random = SplitMix64(1_234_567);
        let first = [random.next(), random.next(), random.next()];
        assert_eq!(
            first,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn a_draw_has_no_place_twice() {
        let mut order: Vec<usize> = (0..9).collect();
        SplitMix64(3).shuffle_front(&mut order, 4);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..9).collect::<Vec<_>>());
        assert_ne!(order, sorted);
    }
}
