//! Near duplicates: `MinHash` signatures, and bands of them as buckets.
//!
//! The resemblance of two texts is the Jaccard similarity of their sets of shingles (Broder 1997, "On the resemblance and
//! containment of documents", Proc. SEQUENCES '97). The least value of a random hash agrees for two sets with exactly that
//! probability, so that the share of agreeing places estimates it (Broder et al. 1998, STOC '98). Cut into bands of rows, the
//! signatures of similar texts share a bucket with probability `1 − (1 − s^rows)^bands` (Leskovec, Rajaraman and Ullman,
//! Mining of Massive Datasets, section 3.4.2). What shares a bucket is then compared exactly.

use std::collections::{BTreeSet, HashMap};

/// Words in a shingle.
const SHINGLE: usize = 3;
/// Bands, and rows in each: texts of similarity 0.9 meet with probability 0.9999, of 0.8 with 0.95, of 0.5 with 0.06.
const BANDS: usize = 16;
const ROWS: usize = 8;
/// Texts in a bucket that are compared pair by pair; in a larger one, each is compared with its first text only, so that
/// a template that thousands share does not cost millions of comparisons.
const CROWD: usize = 64;

/// A text as the set of its shingles: three neighbouring words each, or all words of a shorter text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shingles(Vec<u64>);

/// FNV-1a, 64 bits (RFC 9923), over the words with a mark between.
fn hash(words: &[&str]) -> u64 {
    let mut sum = 0xcbf2_9ce4_8422_2325_u64;
    for word in words {
        for byte in word.bytes().chain([0xff]) {
            sum = (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    sum
}

/// The finaliser of splitmix64 (Steele, Lea and Flood 2014, OOPSLA '14): a permutation of 64-bit numbers that mixes well.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl Shingles {
    pub(super) fn of(words: &[&str]) -> Self {
        Self::from(if words.len() < SHINGLE {
            vec![hash(words)]
        } else {
            words.windows(SHINGLE).map(hash).collect()
        })
    }

    /// The same of word pieces by their numbers.
    pub(crate) fn of_pieces(ids: &[u32]) -> Self {
        let hash = |ids: &[u32]| ids.iter().fold(0, |sum, &id| mix(sum ^ u64::from(id)));
        Self::from(if ids.len() < SHINGLE {
            vec![hash(ids)]
        } else {
            ids.windows(SHINGLE).map(hash).collect()
        })
    }

    fn from(mut set: Vec<u64>) -> Self {
        set.sort_unstable();
        set.dedup();
        Self(set)
    }

    /// Shared shingles over all shingles.
    pub(super) fn similarity(&self, other: &Self) -> f64 {
        let (mut a, mut b, mut shared) = (0, 0, 0_u32);
        while let (Some(x), Some(y)) = (self.0.get(a), other.0.get(b)) {
            shared += u32::from(x == y);
            a += usize::from(x <= y);
            b += usize::from(y <= x);
        }
        let all = crate::metrics::count(self.0.len() + other.0.len()) - f64::from(shared);
        if all > 0.0 { f64::from(shared) / all } else { 1.0 }
    }

    /// For each of the signature's places, the least value of one permutation over the set.
    fn signature(&self) -> Vec<u64> {
        (0..BANDS * ROWS)
            .map(|place| {
                let key = mix(place as u64 + 1);
                self.0
                    .iter()
                    .map(|&shingle| mix(shingle ^ key))
                    .min()
                    .unwrap_or(0)
            })
            .collect()
    }
}

/// Two texts that resemble one another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pair {
    pub(crate) first: usize,
    pub(crate) second: usize,
    pub(crate) similarity: f64,
}

/// All pairs of texts with at least this similarity, as far as the bands bring them together.
pub(crate) fn pairs(texts: &[Shingles], least: f64) -> Vec<Pair> {
    let mut buckets: HashMap<(usize, u64), Vec<usize>> = HashMap::new();
    for (at, text) in texts.iter().enumerate() {
        for (band, rows) in text.signature().chunks_exact(ROWS).enumerate() {
            let key = rows.iter().fold(0, |key, &row| mix(key ^ row));
            buckets.entry((band, key)).or_default().push(at);
        }
    }
    let mut met = BTreeSet::new();
    for bucket in buckets.values() {
        if bucket.len() > CROWD {
            met.extend(bucket[1..].iter().map(|&other| (bucket[0], other)));
            continue;
        }
        for (place, &first) in bucket.iter().enumerate() {
            met.extend(bucket[place + 1..].iter().map(|&second| (first, second)));
        }
    }
    met.into_iter()
        .map(|(first, second)| Pair {
            first,
            second,
            similarity: texts[first].similarity(&texts[second]),
        })
        .filter(|pair| pair.similarity >= least)
        .collect()
}

/// Sets that grow together (union-find with path halving).
#[derive(Debug, Clone)]
pub(crate) struct Groups(Vec<usize>);

impl Groups {
    /// Each on its own.
    pub(crate) fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    /// The group of one: the least of its members.
    pub(crate) fn find(&mut self, mut at: usize) -> usize {
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }

    /// Joins the groups of two.
    pub(crate) fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.find(a), self.find(b));
        self.0[a.max(b)] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shingles(text: &str) -> Shingles {
        Shingles::of(&text.split(' ').collect::<Vec<_>>())
    }

    #[test]
    fn similarity_is_that_of_jaccard() {
        let (a, b) = (shingles("a b c d e"), shingles("a b c d f"));
        // abc bcd cde, abc bcd cdf: two of four.
        assert!((a.similarity(&b) - 0.5).abs() < 1e-12);
        assert!((a.similarity(&a) - 1.0).abs() < 1e-12);
        assert!(shingles("x y").similarity(&shingles("x z")).abs() < 1e-12);
        // A mark between the words: "ab c" is not "a bc".
        assert!(shingles("ab c").similarity(&shingles("a bc")).abs() < 1e-12);
    }

    #[test]
    fn agreeing_places_estimate_the_similarity() {
        let words: Vec<String> = (0..240).map(|at| format!("w{at}")).collect();
        let text = |range: std::ops::Range<usize>| {
            Shingles::of(&words[range].iter().map(String::as_str).collect::<Vec<_>>())
        };
        let (a, b) = (text(0..200), text(40..240));
        let exact = a.similarity(&b);
        let (x, y) = (a.signature(), b.signature());
        let agree = x.iter().zip(&y).filter(|(x, y)| x == y).count();
        let estimate = crate::metrics::count(agree) / crate::metrics::count(x.len());
        // Three standard errors of 128 draws at 0.66.
        assert!((estimate - exact).abs() < 0.13, "{estimate} {exact}");
    }

    #[test]
    fn near_copies_are_found_and_others_are_not() {
        // Three hundred texts of forty words; every tenth has a copy with one word changed.
        let mut texts = Vec::new();
        for number in 0..300_u64 {
            let words: Vec<String> = (0..40)
                .map(|at| format!("w{}", mix(number * 1000 + at) % 500))
                .collect();
            texts.push(words.clone());
            if number % 10 == 0 {
                let mut copy = words;
                copy[39] = "changed".to_owned();
                texts.push(copy);
            }
        }
        let sets: Vec<Shingles> = texts
            .iter()
            .map(|words| Shingles::of(&words.iter().map(String::as_str).collect::<Vec<_>>()))
            .collect();
        let found = pairs(&sets, 0.9);
        assert_eq!(found.len(), 30, "{found:?}");
        assert!(found.iter().all(|pair| pair.second == pair.first + 1));
    }

    #[test]
    fn a_crowd_costs_no_square() {
        let sets = vec![shingles("the lungs are clear"); 3000];
        let found = pairs(&sets, 0.9);
        assert_eq!(found.len(), 2999);
        let mut groups = Groups::new(3000);
        for pair in &found {
            groups.join(pair.first, pair.second);
        }
        assert_eq!(groups.find(2999), 0);
    }
}
