//! Word lists: what is no name, what is an eponym, what announces a name, what says what a place is.

use std::collections::HashMap;

/// The lists that a word stands in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Classes(u16);

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
    words: HashMap<&'static str, Classes>,
    names: Vec<&'static str>,
    places: Vec<&'static str>,
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

impl Lexicon {
    pub(crate) fn new() -> Self {
        let mut words: HashMap<&'static str, Classes> = HashMap::new();
        for (class, list) in LISTS {
            for word in words_of(list) {
                words.entry(word).or_default().0 |= class.0;
            }
        }
        Self {
            words,
            names: words_of(include_str!("../lexicon/surrogate_names.txt")).collect(),
            places: words_of(include_str!("../lexicon/surrogate_places.txt")).collect(),
        }
    }

    /// Names for surrogates.
    pub(crate) fn names(&self) -> &[&'static str] {
        &self.names
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
        self.words.get(folded).copied().unwrap_or_default()
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
        for (word, classes) in &lexicon.words {
            assert!(word.bytes().all(|b| b.is_ascii_lowercase()), "{word}");
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
        for name in lexicon.names().iter().chain(lexicon.places()) {
            let classes = lexicon.classes(&name.to_ascii_lowercase());
            assert!(!classes.is(Classes::COMMON.or(Classes::EPONYM_NOUN)), "{name}");
        }
        assert_eq!(lexicon.classes("ferncastle"), Classes::default());
    }
}
