//! Notes with planted identifiers: layouts that this project wrote, filled with names, places and numbers that it
//! draws. Gold spans by construction, for training the tagger, for trials of the gateway, and for scores of long notes,
//! which are reported as synthetic.

mod fill;
mod people;
mod streets;

use super::draws::Draws;
use super::gold::{GoldKnown, GoldNote, GoldSpan};
use fill::Writer;
pub use people::known_names;
pub(super) use people::{Lists, capital};

const HEADERS: &str = include_str!("layouts/headers.txt");
const FOOTERS: &str = include_str!("layouts/footers.txt");
const SENTENCES: &str = include_str!("layouts/sentences.txt");
const CLEAN: &str = include_str!("layouts/clean.txt");

/// Makes notes.
pub struct Planter {
    pub(super) lists: Lists,
    headers: Vec<&'static str>,
    footers: Vec<&'static str>,
    sentences: Vec<&'static str>,
    clean: Vec<&'static str>,
    draws: Draws,
    made: u64,
}

impl Planter {
    /// A planter whose notes follow from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let lines = |text: &'static str| text.lines().filter(|line| !line.starts_with('#')).collect();
        Self {
            lists: Lists::new(),
            headers: lines(HEADERS),
            footers: lines(FOOTERS),
            sentences: lines(SENTENCES),
            clean: lines(CLEAN),
            draws: Draws::new(seed),
            made: 0,
        }
    }

    /// Given and family name of somebody new, and a sequence of their own.
    pub(super) fn person(&mut self) -> (String, String, Draws) {
        let mut draws = Draws::new(self.draws.bits());
        let given = capital(self.lists.forenames.one(&mut draws));
        let family = capital(self.lists.surnames.one(&mut draws));
        (given, family, draws)
    }

    /// A sentence without identifiers.
    pub(super) fn clean_sentence(&self, seed: u64) -> String {
        let mut draws = Draws::new(seed);
        let mut writer = Writer::new(&self.lists, draws.bits());
        writer.layout(draws.one(&self.clean));
        writer.finish().0
    }

    /// A note of one to some ten sentences, with identifiers in it or, one in five, without any.
    pub fn note(&mut self) -> GoldNote {
        let draws = &mut self.draws;
        let long = draws.chance(30);
        let count = 1 + draws.below(if long { 10 } else { 3 });
        let clean = draws.chance(20);
        let mut layouts: Vec<&str> = Vec::new();
        if !clean && (long || draws.chance(15)) {
            layouts.push(draws.one(&self.headers));
        }
        let head = layouts.len();
        for _ in 0..count {
            let list = if clean || draws.chance(45) {
                &self.clean
            } else {
                &self.sentences
            };
            layouts.push(draws.one(list));
        }
        let body = layouts.len();
        if !clean && (long || draws.chance(15)) {
            layouts.push(draws.one(&self.footers));
        }
        let mut writer = Writer::new(&self.lists, draws.bits());
        for (at, layout) in layouts.iter().enumerate() {
            if at > 0 {
                writer.between(at == head || at == body);
            }
            writer.layout(layout);
        }
        let (text, spans) = writer.finish();
        self.made += 1;
        GoldNote {
            id: format!("planted/{}", self.made),
            text,
            spans,
            complete: true,
            known: GoldKnown::default(),
        }
    }
}

impl GoldSpan {
    pub(super) fn planted(start: usize, end: usize, category: &str) -> Self {
        Self {
            start,
            end,
            category: category.to_owned(),
            hipaa: category != "ORG",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_follow_from_their_seed_and_hold_what_their_spans_say() {
        let (mut one, mut again) = (Planter::new(7), Planter::new(7));
        let mut categories = std::collections::BTreeSet::new();
        for _ in 0..500 {
            let note = one.note();
            assert!(note.text == again.note().text);
            assert!(!note.text.contains(['{', '}']), "a slot is left: {}", note.text);
            let length = note.text.chars().count();
            for span in &note.spans {
                assert!(span.start < span.end && span.end <= length);
                categories.insert(span.category.clone());
            }
        }
        assert!(categories.len() >= 9, "{categories:?}");
    }
}
