//! A find that is part of an address, and what stands beside it and belongs to it.

use regex_automata::meta::Regex;
use regex_automata::{Anchored, Input};

use super::super::codes::is_year;
use super::super::context::{goes_on, has_unit, listed, word_before};
use super::super::lexicon::Classes;
use super::super::token::{Case, fold};
use super::super::words::{Gap, Words};
use super::street::{
    BEFORE, BEFORE_NUMBERED, BEHIND, CITY_STARTS, ENDINGS, KINDS, SMALL, UNITS, WHERE, has_ending, house,
    is_house,
};

/// A find in words, which grows on both sides.
pub(super) struct Part<'w, 't> {
    pub(super) words: &'w Words<'t>,
    pub(super) first: usize,
    pub(super) end: usize,
    pub(super) floor: usize,
    pub(super) limit: usize,
    /// Another part of the address stands before it.
    pub(super) follows: bool,
    /// It may be a person's name, as far as is known.
    pub(super) name: bool,
}

impl Part<'_, '_> {
    fn gap(&self, at: usize) -> Gap {
        self.words.list.get(at).map_or(Gap::Start, |word| word.gap)
    }

    fn case(&self, at: usize) -> Option<Case> {
        self.words.list.get(at).map(|word| word.case)
    }

    fn folded(&self, at: usize) -> String {
        fold(self.words.written(at))
    }

    fn is_digits(&self, at: usize) -> bool {
        self.case(at) == Some(Case::Digits)
    }

    fn is_capital(&self, at: usize) -> bool {
        matches!(self.case(at), Some(Case::Title | Case::Upper))
    }

    pub(super) fn is_numbered(&self) -> bool {
        (self.first..self.end).any(|at| self.is_digits(at))
    }

    /// Whether its own words say that it is a street.
    pub(super) fn is_street(&self) -> bool {
        (self.first..self.end).any(|at| {
            let word = &self.words.list[at];
            if !matches!(word.case, Case::Title | Case::Lower) {
                return false;
            }
            BEFORE.has(word)
                || at + 1 < self.end && BEFORE_NUMBERED.has(word)
                || at > self.first && (BEHIND.has(word) || KINDS.has(word))
                || word.case == Case::Title
                    && word.length > 5
                    && !word.classes.is(Classes::ENGLISH)
                    && has_ending(&self.folded(at))
        })
    }

    /// Whether its last word can only be a street's (`Thornquiststrasse`, `Anna-Thornquist-Allee`).
    fn is_compound_street(&self) -> bool {
        let last = self.end - 1;
        let word = &self.words.list[last];
        let folded = self.folded(last);
        word.case == Case::Title
            && ENDINGS.iter().any(|ending| {
                folded.ends_with(ending)
                    && (folded.len() >= ending.len() + 3 && !word.classes.is(Classes::ENGLISH)
                        || folded.len() == ending.len() && self.gap(last) == Gap::Hyphen)
            })
    }

    /// Whether the word at `at` is free, to the left or to the right.
    fn is_free(&self, at: usize) -> bool {
        self.words
            .tokens
            .get(at)
            .is_some_and(|token| token.start >= self.floor && token.end <= self.limit)
    }

    pub(super) fn left(&mut self) {
        let Some(before) = self.first.checked_sub(1).filter(|&at| self.is_free(at)) else {
            return;
        };
        let gap = self.gap(self.first);
        let text = self.words.text;
        if self.is_digits(before) {
            let token = self.words.tokens[before];
            let street = self.is_street();
            let fraction = text[..token.start].ends_with('/') && !street;
            let decimal =
                text[..token.start].ends_with(['.', '<', '>', '-']) || fraction && gap != Gap::Slash;
            let short = self.words.written(before).len() < 6;
            let glued = matches!(gap, Gap::Slash | Gap::Nothing | Gap::Hyphen)
                && self.is_digits(self.first)
                && self.end > self.first + 1;
            let listed =
                street && matches!(gap, Gap::Blank | Gap::Comma | Gap::Line) && !self.is_digits(self.first);
            let unit = self.unit_before(before).filter(|_| street || !self.name);
            if short && !decimal && (glued || listed || unit.is_some()) {
                self.first = unit.unwrap_or(before);
            }
            return;
        }
        // `Flat 40Z`, where the letter is a word of its own.
        if self.words.list[before].length == 1
            && self.gap(before) == Gap::Nothing
            && matches!(gap, Gap::Line | Gap::Comma)
            && (self.is_street() || !self.name)
            && let Some(unit) = before.checked_sub(1).and_then(|number| self.unit_before(number))
        {
            self.first = unit;
            return;
        }
        if !matches!(gap, Gap::Blank | Gap::Stop) {
            return;
        }
        let word = &self.words.list[before];
        // `Port Marchbanks`, where only the second word was found.
        if gap == Gap::Blank
            && self.case(before) == Some(Case::Title)
            && CITY_STARTS.has(word)
            && self.case(self.first) == Some(Case::Title)
            && (!self.name || listed(WHERE, &word_before(text, self.words.tokens[before].start)))
        {
            self.first = before;
            return;
        }
        // `51 Marchbanks Piazza`, where only the kind was found.
        if gap == Gap::Blank
            && self.case(before) == Some(Case::Title)
            && !self.words.list[before].classes.is(Classes::COMMON)
            && self.gap(before) == Gap::Blank
            && before
                .checked_sub(1)
                .is_some_and(|number| self.is_free(number) && self.is_digits(number))
            && KINDS.has(&self.words.list[self.first])
        {
            self.first = before - 1;
            return;
        }
        let numbered = || {
            self.is_numbered()
                || before.checked_sub(1).is_some_and(|at| {
                    is_house(self.words, at) && matches!(self.gap(before), Gap::Blank | Gap::Comma)
                })
                || house(self.words, self.end - 1).is_some()
        };
        let small = |at: usize| self.case(at) == Some(Case::Lower) && SMALL.has(&self.words.list[at]);
        if gap == Gap::Blank && BEFORE.has(word) || BEFORE_NUMBERED.has(word) && numbered() {
            self.first = before;
            return;
        }
        // `rue de la Marchbanks`.
        if gap == Gap::Blank && small(before) {
            let mut at = before;
            while at > 0 && at + 3 > before && small(at) && self.is_free(at - 1) && self.gap(at) == Gap::Blank
            {
                at -= 1;
            }
            let word = &self.words.list[at];
            if BEFORE.has(word) || BEFORE_NUMBERED.has(word) && self.is_numbered() {
                self.first = at;
            }
        }
    }

    /// Where the flat starts whose number stands at `number`.
    fn unit_before(&self, number: usize) -> Option<usize> {
        let word = number.checked_sub(1).filter(|&at| self.is_free(at))?;
        (self.is_digits(number)
            && matches!(self.gap(number), Gap::Blank | Gap::Stop)
            && self.is_capital(word)
            && UNITS.has(&self.words.list[word]))
        .then_some(word)
    }

    pub(super) fn right(&mut self, postal: &Regex) {
        let next = self.end;
        if !self.is_free(next) {
            return;
        }
        let gap = self.gap(next);
        let last = next - 1;
        let numbered = self.is_numbered();
        // `8a/8`, `47-543`, `12B`.
        if matches!(gap, Gap::Nothing | Gap::Slash | Gap::Hyphen)
            && (self.is_digits(last) || self.words.list[last].length == 1 && last > self.first)
            && (self.is_digits(next) && self.words.list[next].length < 6
                || gap == Gap::Nothing && self.is_digits(last) && self.is_ending(next))
            && (self.follows || self.end > self.first + 1)
            && !has_unit(self.words.text, self.words.tokens[last].end)
        {
            self.end += 1;
            return;
        }
        // `Marchbanks utca 12`.
        if gap == Gap::Blank
            && self.case(next) == Some(Case::Lower)
            && BEHIND.has(&self.words.list[next])
            && house(self.words, next).is_some()
        {
            self.end += 1 + usize::from(self.is_free(next + 1));
            return;
        }
        let lettered = || {
            let letter = self.words.list.get(next + 1);
            letter.is_some_and(|letter| {
                letter.gap == Gap::Nothing && letter.length == 1 && letter.case == Case::Lower
            })
        };
        if !self.name
            && gap == Gap::Blank
            && !self.is_digits(last)
            && is_house(self.words, next)
            && lettered()
        {
            self.end += 1;
            return;
        }
        if (!self.name || self.is_compound_street())
            && matches!(gap, Gap::Blank | Gap::Comma)
            && !self.is_digits(last)
            && is_house(self.words, next)
            && self.is_street()
        {
            self.end += 1;
            return;
        }
        // `066 Marchbanks Radial`.
        if gap == Gap::Blank
            && self.case(next) == Some(Case::Title)
            && (self.is_digits(self.first)
                || self.is_after_number()
                || numbered && UNITS.has(&self.words.list[self.first]))
            && !self.is_digits(last)
            && self.end - self.first < 5
            && KINDS.has(&self.words.list[next])
            && matches!(
                self.gap(next + 1),
                Gap::Start | Gap::Line | Gap::Comma | Gap::Stop | Gap::Bracket
            )
        {
            self.end += 1;
            return;
        }
        if self.name && !self.follows || !(numbered || self.follows || self.is_street()) {
            return;
        }
        if let Some(end) = self.code(postal, next) {
            self.end = end;
        } else if let Some(end) = self.region(postal, next) {
            self.end = end;
        }
    }

    /// Whether the number of a house stands right before it, or a flat on the line before.
    fn is_after_number(&self) -> bool {
        let Some(before) = self.first.checked_sub(1) else {
            return false;
        };
        let letter = self.words.list[before].length == 1 && self.gap(before) == Gap::Nothing;
        let number = if letter { before.saturating_sub(1) } else { before };
        match self.gap(self.first) {
            Gap::Blank => self.is_digits(before) && self.words.list[before].length < 6,
            Gap::Line => number
                .checked_sub(1)
                .is_some_and(|unit| self.is_digits(number) && UNITS.has(&self.words.list[unit])),
            _ => false,
        }
    }

    /// Takes the small words between it and the next find, which is a place (`Oakhollow an der Quill`).
    pub(super) fn bridge(&mut self) {
        let mut end = self.end;
        while end < self.end + 3
            && self.is_free(end)
            && matches!(self.gap(end), Gap::Blank | Gap::Hyphen)
            && self.case(end) == Some(Case::Lower)
            && SMALL.has(&self.words.list[end])
        {
            end += 1;
        }
        let next = self
            .words
            .tokens
            .get(end)
            .is_some_and(|token| token.start == self.limit);
        if next && matches!(self.gap(end), Gap::Blank | Gap::Hyphen) {
            self.end = end;
        }
    }

    /// Whether letters glued to a number end it: `8a`, `1386MH`, `T48AKEF`.
    fn is_ending(&self, at: usize) -> bool {
        let word = &self.words.list[at];
        word.length == 1 || word.case == Case::Upper && word.length < 5
    }

    /// Past the last word of the postal code at `next` and of the city that it is in.
    fn code(&self, postal: &Regex, next: usize) -> Option<usize> {
        if !matches!(self.gap(next), Gap::Blank | Gap::Comma | Gap::Line) {
            return None;
        }
        let text = self.words.text;
        let token = self.words.tokens.get(next)?;
        let input = Input::new(text)
            .range(token.start..text.len().min(token.start + 16))
            .anchored(Anchored::Yes);
        let found = postal.find(input)?;
        if has_unit(text, found.end()) || goes_on(text, found.end(), &['/', '-', '.', ':']) {
            return None;
        }
        // The rest of it is the next find (`H-` before `8181 Oakhollow`).
        if found.end() > self.limit {
            let end = self.words.tokens.partition_point(|token| token.end <= self.limit);
            return (end > next).then_some(end);
        }
        let mut end = self
            .words
            .tokens
            .partition_point(|token| token.start < found.end());
        let city = self.city(end);
        let four = found.len() == 4;
        if four && city.is_none() && (is_year(&text[found.range()]) || !self.ends(end)) {
            return None;
        }
        if let Some(city) = city {
            end = city;
        }
        Some(end)
    }

    /// Past the last word of the name of a city at `first`, behind a postal code.
    fn city(&self, first: usize) -> Option<usize> {
        let mut end = first;
        let mut named = None;
        while end < first + 6 && self.is_free(end) {
            let opening = end == first && matches!(self.gap(end), Gap::Line | Gap::Comma);
            if !(opening || matches!(self.gap(end), Gap::Blank | Gap::Hyphen)) {
                break;
            }
            let word = &self.words.list[end];
            match word.case {
                Case::Title | Case::Upper
                    if !word
                        .classes
                        .is(Classes::COMMON.or(Classes::LABEL).or(Classes::TITLE))
                        || self.gap(end) == Gap::Blank && end == first && self.gap(end + 1) == Gap::Line =>
                {
                    named = Some(end + 1);
                }
                Case::Lower if named.is_some() && SMALL.has(&self.words.list[end]) => {}
                _ => break,
            }
            end += 1;
        }
        named
    }

    /// Past the code of a region at `next` (`, TAS, 2484`, `(MN)`, `/ RN`).
    fn region(&self, postal: &Regex, next: usize) -> Option<usize> {
        let word = self.words.list.get(next)?;
        if word.case != Case::Upper || word.length > 3 {
            return None;
        }
        let text = self.words.text;
        let token = &self.words.tokens[next];
        let between = text.get(self.words.tokens[next - 1].end..token.start)?;
        let coded = matches!(between, ", " | "," | " " | "\n") && self.code(postal, next + 1).is_some();
        let closed = word.length == 2
            && self.is_numbered()
            && (between == " (" && text[token.end..].starts_with(')')
                || matches!(between, " / " | " - ") && self.ends(next + 1));
        (coded || closed).then_some(next + 1)
    }

    /// Whether nothing goes on in the same line or sentence at `at`.
    fn ends(&self, at: usize) -> bool {
        matches!(
            self.gap(at),
            Gap::Start | Gap::Line | Gap::Stop | Gap::Comma | Gap::Bracket | Gap::Colon
        )
    }
}
