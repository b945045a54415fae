//! The lists that names, places and clinical terms are drawn from: those of the scrubber's own lexicon, so that a
//! name that no list has is made up beside them.

use super::super::draws::Draws;

/// Words by frequency: rare, in between, frequent.
pub(in crate::leak) struct Graded([Vec<&'static str>; 3]);

impl Graded {
    fn new(list: &'static str) -> Self {
        let mut grades = [Vec::new(), Vec::new(), Vec::new()];
        let mut at = 0;
        for word in words(list) {
            match word.strip_prefix('@') {
                Some(grade) => {
                    at = grade
                        .parse::<usize>()
                        .map_or(0, |grade| grade.saturating_sub(1).min(2));
                }
                None => grades[at].push(word),
            }
        }
        Self(grades)
    }

    /// Whether a word is frequent or in between.
    fn is_frequent(&self, word: &str) -> bool {
        self.0[1..].iter().any(|words| words.contains(&word))
    }

    /// A word: half of the time a frequent one, one in seven rare.
    pub(in crate::leak) fn one(&self, draws: &mut Draws) -> &'static str {
        let grade = [2, 2, 2, 2, 1, 1, 0][draws.below(7)];
        draws.one(self.0[grade].as_slice())
    }
}

pub(in crate::leak) struct Lists {
    pub surnames: Graded,
    pub forenames: Graded,
    pub cities: Graded,
    pub drugs: Vec<&'static str>,
    pub terms: Vec<&'static str>,
    pub english: Graded,
    pub shorthand: Vec<&'static str>,
    /// Names in terms, and the nouns behind each.
    pub eponyms: Vec<(&'static str, Vec<&'static str>)>,
    /// Eponyms that are no frequent names of persons.
    pub bare: Vec<&'static str>,
}

impl Lists {
    pub(super) fn new() -> Self {
        let eponyms = include_str!("../../lexicon/eponym_phrases.txt")
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, nouns)| (name, nouns.split(' ').collect()))
            .collect();
        let surnames = Graded::new(include_str!("../../lexicon/surnames.txt"));
        let forenames = Graded::new(include_str!("../../lexicon/forenames.txt"));
        let bare = words(include_str!("../../lexicon/eponyms.txt"))
            .filter(|word| !surnames.is_frequent(word) && !forenames.is_frequent(word))
            .collect();
        Self {
            surnames,
            forenames,
            bare,
            cities: Graded::new(include_str!("../../lexicon/cities.txt")),
            drugs: words(include_str!("../../lexicon/drugs.txt")).collect(),
            english: Graded::new(include_str!("../../lexicon/english.txt")),
            shorthand: words(include_str!("../../lexicon/shorthand.txt")).collect(),
            terms: words(include_str!("../../lexicon/clinical.txt")).collect(),
            eponyms,
        }
    }
}

fn words(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(str::split_whitespace)
}

/// With a capital.
pub(in crate::leak) fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

/// All family and given names of the lists, folded: the dictionary of whoever attacks pseudonyms.
pub fn known_names() -> impl Iterator<Item = &'static str> {
    words(include_str!("../../lexicon/surnames.txt"))
        .chain(words(include_str!("../../lexicon/forenames.txt")))
        .filter(|word| !word.starts_with('@'))
}
