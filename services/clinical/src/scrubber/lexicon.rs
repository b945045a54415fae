//! Word lists: what is no name, what is an eponym, what announces a name, what says what a place is.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// The lists that a word stands in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Classes(u32);

impl Classes {
    /// Starts sentences, headings or drug orders: no name on its own.
    pub(crate) const COMMON: Self = Self(1);
    /// A name that clinical language uses for a thing.
    pub(crate) const EPONYM: Self = Self(1 << 1);
    /// A noun that makes an eponym of what stands before it.
    pub(crate) const EPONYM_NOUN: Self = Self(1 << 2);
    /// A frequent given name.
    pub(crate) const GIVEN: Self = Self(1 << 3);
    /// A word that a name follows directly.
    pub(crate) const TITLE: Self = Self(1 << 4);
    /// A credential behind a name.
    pub(crate) const CREDENTIAL: Self = Self(1 << 5);
    /// Somebody who is known by what they are to the patient.
    pub(crate) const RELATION: Self = Self(1 << 6);
    /// A role or a verb that a name may follow.
    pub(crate) const LABEL: Self = Self(1 << 7);
    /// A small word inside family names.
    pub(crate) const PARTICLE: Self = Self(1 << 8);
    /// Says what a place is, not which.
    pub(crate) const PLACE: Self = Self(1 << 9);

    /// A given name that is also a word of the language.
    pub(crate) const GIVEN_WORD: Self = Self(1 << 10);
    /// A family name that is also a word of the language.
    pub(crate) const SURNAME_WORD: Self = Self(1 << 11);
    /// Far more often a word than a name.
    pub(crate) const ORDINARY: Self = Self(1 << 12);

    /// A word of English that dictionaries write in small letters; frequency 1 to 3 in two bits.
    pub(crate) const ENGLISH: Self = Self(0b11 << 13);
    /// A family name; frequency 1 to 3.
    pub(crate) const SURNAME: Self = Self(0b11 << 15);
    /// A given name; frequency 1 to 3.
    pub(crate) const FORENAME: Self = Self(0b11 << 17);
    /// A word of clinical language: a drug, an organ, a disease, a test.
    pub(crate) const CLINICAL: Self = Self(1 << 19);
    /// Part of the name of a city or a county; frequency 1 to 3.
    pub(crate) const CITY: Self = Self(0b11 << 20);
    /// Scores and grades are named for it.
    pub(crate) const SCORE: Self = Self(1 << 25);
    /// A given name that nearly only women have.
    pub(crate) const WOMAN: Self = Self(1 << 23);
    /// A given name that nearly only men have.
    pub(crate) const MAN: Self = Self(1 << 24);
    /// A country, a state, a people or a language.
    pub(crate) const WIDE: Self = Self(1 << 22);

    /// No list.
    pub(crate) const EMPTY: Self = Self(0);

    /// The bits of the lists that the tagger looks at.
    pub(crate) const fn bits(self) -> u32 {
        self.0 & !(Self::WOMAN.0 | Self::MAN.0 | Self::SCORE.0)
    }

    /// Without any of `lists`.
    pub(crate) const fn without(self, lists: Self) -> Self {
        Self(self.0 & !lists.0)
    }

    /// The frequency, 0 to 3, in one of the lists that have it.
    pub(crate) const fn frequency(self, list: Self) -> u32 {
        (self.0 & list.0) >> list.0.trailing_zeros()
    }

    /// The bits.of `list` for a frequency of 1 to 3.
    const fn at_frequency(list: Self, frequency: u32) -> Self {
        Self(frequency << list.0.trailing_zeros())
    }

    /// Either list.
    pub(crate) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the word stands in any of `lists`.
    pub(crate) const fn is(self, lists: Self) -> bool {
        self.0 & lists.0 != 0
    }
}

/// The word lists of this build. All words are folded.
pub(crate) struct Lexicon {
    words: HashMap<u64, Classes, BuildHasherDefault<Identity>>,
    names: Pools,
    places: Vec<&'static str>,
    /// Other forms of given names.
    nicknames: HashMap<&'static str, Vec<&'static str>>,
    /// Hashes of a name in a clinical term and of what stands behind it there: a noun or another name.
    terms: HashSet<u64, BuildHasherDefault<Identity>>,
}

/// Names for surrogates.
struct Pools {
    women: Vec<&'static str>,
    men: Vec<&'static str>,
    families: Vec<&'static str>,
    either: Vec<&'static str>,
}

const LISTS: [(Classes, &str); 13] = [
    (Classes::COMMON, include_str!("../lexicon/common.txt")),
    (Classes::EPONYM, include_str!("../lexicon/eponyms.txt")),
    (Classes::EPONYM_NOUN, include_str!("../lexicon/eponym_nouns.txt")),
    (Classes::GIVEN, include_str!("../lexicon/given_names.txt")),
    (Classes::TITLE, include_str!("../lexicon/titles.txt")),
    (Classes::CREDENTIAL, include_str!("../lexicon/credentials.txt")),
    (Classes::RELATION, include_str!("../lexicon/relations.txt")),
    (Classes::LABEL, include_str!("../lexicon/labels.txt")),
    (Classes::PARTICLE, include_str!("../lexicon/particles.txt")),
    (Classes::GIVEN_WORD, include_str!("../lexicon/given_words.txt")),
    (
        Classes::SURNAME_WORD,
        include_str!("../lexicon/surname_words.txt"),
    ),
    (Classes::ORDINARY, include_str!("../lexicon/ordinary.txt")),
    (Classes::PLACE, include_str!("../lexicon/places.txt")),
];

/// Lists with frequencies: a line `@3` starts the frequent words, `@2` those in between, `@1` the rare ones.
const GRADED: [(Classes, &str); 4] = [
    (Classes::ENGLISH, include_str!("../lexicon/english.txt")),
    (Classes::SURNAME, include_str!("../lexicon/surnames.txt")),
    (Classes::FORENAME, include_str!("../lexicon/forenames.txt")),
    (Classes::CITY, include_str!("../lexicon/cities.txt")),
];

/// Large lists without frequencies.
const PLAIN: [(Classes, &str); 8] = [
    (Classes::SCORE, include_str!("../lexicon/scores.txt")),
    (Classes::WOMAN, include_str!("../lexicon/women.txt")),
    (Classes::MAN, include_str!("../lexicon/men.txt")),
    (Classes::CLINICAL, include_str!("../lexicon/radiology.txt")),
    (Classes::CLINICAL, include_str!("../lexicon/shorthand.txt")),
    (Classes::CLINICAL, include_str!("../lexicon/drugs.txt")),
    (Classes::CLINICAL, include_str!("../lexicon/clinical.txt")),
    (Classes::WIDE, include_str!("../lexicon/wide.txt")),
];

/// Words are found by a hash of 64 bits: among half a million of them two alike are a chance of one in 10^8.
pub(crate) fn hash_of(folded: &[u8]) -> u64 {
    const K: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut hash = folded.len() as u64;
    for chunk in folded.chunks(8) {
        let part = chunk.iter().fold(0_u64, |all, &b| (all << 8) | u64::from(b));
        hash = (hash.rotate_left(29) ^ part).wrapping_mul(K);
        hash ^= hash >> 32;
    }
    hash.wrapping_mul(0xD6E8_FEB8_6659_FD93) ^ (hash >> 29)
}

/// One hash of two in order.
const fn pair(first: u64, second: u64) -> u64 {
    (first.rotate_left(23) ^ second).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// The keys are hashes already.
#[derive(Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash_of(bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl Lexicon {
    pub(crate) fn new() -> Self {
        let mut words: HashMap<u64, Classes, _> =
            HashMap::with_capacity_and_hasher(1 << 18, BuildHasherDefault::<Identity>::default());
        let mut add = |word: &str, class: Classes| {
            let lists = words.entry(hash_of(word.as_bytes())).or_default();
            lists.0 |= class.0;
        };
        for (class, list) in LISTS.into_iter().chain(PLAIN) {
            for word in words_of(list) {
                add(word, class);
            }
        }
        for (class, list) in GRADED {
            let mut graded = class;
            for word in words_of(list) {
                match word.strip_prefix('@') {
                    Some(grade) => graded = Classes::at_frequency(class, grade.parse().unwrap_or(1)),
                    None => add(word, graded),
                }
            }
        }
        let mut terms = HashSet::default();
        for line in include_str!("../lexicon/eponym_phrases.txt").lines() {
            let Some((names, nouns)) = line.split_once(": ") else {
                continue;
            };
            let names: Vec<u64> = names.split(' ').map(|name| hash_of(name.as_bytes())).collect();
            for (at, &name) in names.iter().enumerate() {
                terms.extend(names.iter().skip(at + 1).map(|&next| pair(name, next)));
                for noun in nouns.split(' ') {
                    terms.insert(pair(name, hash_of(noun.as_bytes())));
                    terms.insert(pair(name, hash_of(format!("{noun}s").as_bytes())));
                }
            }
        }
        let mut nicknames: HashMap<&'static str, Vec<&'static str>> = HashMap::new();
        for line in include_str!("../lexicon/nicknames.txt").lines() {
            let Some((name, others)) = line.split_once(": ") else {
                continue;
            };
            for other in others.split(' ') {
                nicknames.entry(name).or_default().push(other);
                nicknames.entry(other).or_default().push(name);
            }
        }
        Self {
            words,
            nicknames,
            terms,
            names: Pools {
                women: words_of(include_str!("../lexicon/surrogate_women.txt")).collect(),
                men: words_of(include_str!("../lexicon/surrogate_men.txt")).collect(),
                families: words_of(include_str!("../lexicon/surrogate_families.txt")).collect(),
                either: words_of(include_str!("../lexicon/surrogate_names.txt")).collect(),
            },
            places: words_of(include_str!("../lexicon/surrogate_places.txt")).collect(),
        }
    }

    /// Names that may stand for the folded `name`: given names of the same gender for a given name, family names for a
    /// family name, and names that serve as either where it is on no list or on both.
    pub(crate) fn names_like(&self, name: &str) -> &[&'static str] {
        let classes = self.classes(name);
        let (given, family) = (
            classes.frequency(Classes::FORENAME),
            classes.frequency(Classes::SURNAME),
        );
        if given >= family && classes.is(Classes::WOMAN) {
            &self.names.women
        } else if given >= family && classes.is(Classes::MAN) {
            &self.names.men
        } else if family > 0 && family >= given {
            &self.names.families
        } else {
            &self.names.either
        }
    }

    /// All names for surrogates.
    #[cfg(test)]
    pub(crate) fn names(&self) -> impl Iterator<Item = &&'static str> {
        let Pools {
            women,
            men,
            families,
            either,
        } = &self.names;
        women.iter().chain(men).chain(families).chain(either)
    }

    /// Names of places for surrogates.
    pub(crate) fn places(&self) -> &[&'static str] {
        &self.places
    }

    /// The lists that a folded word stands in; a placeholder counts as common.
    pub(crate) fn classes(&self, folded: &str) -> Classes {
        if is_placeholder(folded) {
            return Classes::COMMON;
        }
        self.hashed(hash_of(folded.as_bytes()))
    }

    /// Other forms of a folded given name.
    pub(crate) fn nicknames(&self, name: &str) -> &[&'static str] {
        self.nicknames.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether a name with the hash `name` makes a clinical term with the word with the hash `next`.
    pub(crate) fn is_term(&self, name: u64, next: u64) -> bool {
        self.terms.contains(&pair(name, next))
    }

    /// The lists that the word with this [`hash_of`] stands in.
    pub(crate) fn hashed(&self, hash: u64) -> Classes {
        self.words.get(&hash).copied().unwrap_or_default()
    }
}

/// The words of a list, without its comments.
fn words_of(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(str::split_whitespace)
}

/// A run of X, as earlier de-identification left it.
pub(crate) fn is_placeholder(folded: &str) -> bool {
    folded.len() > 1 && folded.bytes().all(|b| b == b'x')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_folded_words() {
        let lexicon = Lexicon::new();
        let lists = LISTS.into_iter().chain(PLAIN).chain(GRADED);
        for word in lists
            .flat_map(|(_, list)| words_of(list))
            .filter(|word| !word.starts_with('@'))
        {
            assert!(word.bytes().all(|b| b.is_ascii_lowercase()), "{word}");
            let classes = lexicon.classes(word);
            assert!(
                !(classes.is(Classes::GIVEN) && classes.is(Classes::COMMON)),
                "{word}"
            );
        }
        for (word, class) in [
            ("findings", Classes::COMMON),
            ("xxxx", Classes::COMMON),
            ("foley", Classes::EPONYM),
            ("catheter", Classes::EPONYM_NOUN),
            ("margaret", Classes::GIVEN),
            ("dr", Classes::TITLE),
            ("rn", Classes::CREDENTIAL),
            ("wife", Classes::RELATION),
            ("dictated", Classes::LABEL),
            ("van", Classes::PARTICLE),
            ("street", Classes::PLACE),
        ] {
            assert!(lexicon.classes(word).is(class), "{word}");
        }
        for name in lexicon.names().chain(lexicon.places()) {
            let classes = lexicon.classes(&name.to_ascii_lowercase());
            assert!(!classes.is(Classes::COMMON.or(Classes::EPONYM_NOUN)), "{name}");
        }
        assert_eq!(lexicon.classes("ferncastle"), Classes::default());
    }
}
