//! Whole addresses, as several countries write them.
//!
//! A find is often only the part of an address that looks like a name (`Marchbanks` in `36, rue Marchbanks` with `82785 Oakhollow` below).
//! The number of the house, the word that says what kind of street it is, the postal code and the code of the region beside it go
//! with it: 45 CFR 164.514(b)(2)(i)(B) names all of them.

use regex_automata::meta::{BuildError, Regex};
use regex_automata::{Anchored, Input};

use super::codes::is_year;
use super::context::{has_unit, listed, word_after, word_before};
use super::hit::{Hit, Kind};
use super::lexicon::Classes;
use super::measured::SPANS;
use super::redaction::Finder;
use super::token::{Case, fold};
use super::words::{Gap, WordSet, Words, hashes};
use crate::PhiClass;

/// Kinds of streets that stand before the name, in words that mean nothing else in a note.
static BEFORE: WordSet = WordSet::new(|| {
    hashes(
        "alameda aleja alejas allee andador avenida bairro boulevard bulevar calle callejon calzada caminho \
    carrer carretera cerrada chemin circunvalacion contrada duong glorieta impasse incrocio khom kruispunt namesti ngo osiedle pasaje paseo \
    passeig pho phuong piazza piazzale placa plac praca praceta prolongacion quai retorno rodovia rotonda rua rue strada travessa ulica \
    ulice viale vicolo viela",
    )
});

/// The same in words that mean other things too: only beside a number.
static BEFORE_NUMBERED: WordSet = WordSet::new(|| {
    hashes(
        "al ave avenue av bd blvd borgo c camino cesta cite corso cours estrada eje favela hoofdstraat lago largo morro na nad \
    os pl place plaza pod pot privada quadra route so square stretto thanh tp trecho tinh ul vale via vila xa",
    )
});

/// Kinds of streets behind the name, as words of their own.
static BEHIND: WordSet = WordSet::new(|| {
    hashes(
        "cesta korut krt krut most namesti put setany sor steig straat strasse tee ter tie trg u ulica ulice ut utca utja vag vagen vei \
    veien vej weg",
    )
});

/// Ends of names of streets that are written as one word (Dutch, German, Scandinavian, Finnish).
const ENDINGS: [&str; 46] = [
    "straat", "laan", "weg", "plein", "gracht", "singel", "dreef", "baan", "steeg", "kade", "dijk", "hof",
    "strasse", "strase", "str", "gasse", "platz", "allee", "damm", "ufer", "ring", "steig", "gatan", "vagen",
    "grand", "stigen", "torget", "backen", "gata", "veien", "vei", "bakken", "hogda", "berget", "sletta",
    "vej", "gade", "straede", "alle", "katu", "kuja", "polku", "tie", "vagur", "gotu", "stien",
];

/// Kinds of streets in English beyond those of the rules of format (USPS Publication 28, appendix C1), singular.
static KINDS: WordSet = WordSet::new(|| {
    let singular = "alley annex arcade bayou beach bend bluff bottom branch bridge brook burg bypass camp canyon cape causeway center centre chase \
    circle cliff club common corner course court cove creek crescent crest crossing crossroad curve dale dam divide drive estate \
    expressway extension fall ferry field flat ford forest forge fork fort freeway garden gateway glen green grove harbor haven \
    height highway hill hollow inlet island isle junction key knoll lake land landing light loaf lock lodge loop mall manor meadow \
    mews mill mission motorway mount mountain neck orchard oval overpass parade park parkway pass passage path piazza pike pine place plain \
    plaza point port prairie quay radial ramp ranch rapid rest ridge rise river road route row run shoal shore skyway spring spur square \
    station stravenue stream street summit terrace throughway trace track trafficway trail tunnel turnpike underpass union \
    valley viaduct view village ville vista walk wall way well";
    let mut words = singular.to_owned();
    for word in singular.split_ascii_whitespace() {
        words.push(' ');
        words.push_str(word);
        words.push('s');
    }
    hashes(&words)
});

/// What stands before the number of a flat.
static UNITS: WordSet = WordSet::new(|| {
    hashes(
        "apartamento apartment appartamento apt atic bldg building depto edif escalera flat floor interior level lot no piano piso \
    porta room studio suite ste unit",
    )
});

/// First words of the names of many towns.
static CITY_STARTS: WordSet = WordSet::new(|| {
    hashes("east el fort great lake las los mount new north port saint san santa south west")
});

/// Words before a town.
const WHERE: &str = "at city from in near of to";

/// Small words within the names of streets and cities.
static SMALL: WordSet = WordSet::new(|| {
    hashes(
        "a am an aan bei d da de del della den der des di do dos du e el i im in la las le les los na nad ob of op pod sob sur te u v",
    )
});

/// Most words that are added on one side of a find.
const REACH: usize = 16;

/// The rules for whole addresses.
pub(crate) struct Addresses {
    postal: Regex,
}

impl Addresses {
    pub(crate) fn new() -> Result<Self, Box<BuildError>> {
        // Universal Postal Union, "Postal addressing systems": digits with a country's letter, a hyphen or a blank between them;
        // the Netherlands; Canada; the United Kingdom; Ireland.
        let postal = "(?:(?:[A-Z]{1,2}-)?[0-9]{4,6}(?:-[0-9]{3,4})?|[0-9]{8}|[0-9]{2}-[0-9]{3}|[0-9]{3} [0-9]{2}|[0-9]{4} ?[A-Z]{2}|\
                      [A-Z][0-9][A-Z] ?[0-9][A-Z][0-9]|[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][A-Z]{2}|[A-Z][0-9][0-9W] ?[0-9A-Z]{4})(?-u:\\b)";
        Ok(Self {
            postal: Regex::new(postal).map_err(Box::new)?,
        })
    }

    /// Adds streets whose own words say that they are streets, with their number: `Thornquiststraat 12`, `36, rue de Marchbanks`.
    pub(crate) fn find(words: &Words<'_>, hits: &mut Vec<Hit>) {
        for at in 0..words.list.len() {
            let word = &words.list[at];
            let found = if word.case == Case::Title && is_compound(words, at) {
                house(words, at).map(|last| at..last + 1)
            } else if BEFORE.has(word) {
                led(words, at)
            } else {
                None
            };
            if let Some(found) = found {
                let range = words.tokens[found.start].start..words.tokens[found.end - 1].end;
                hits.push(Hit::found(range, PhiClass::Location, Kind::Place));
            }
        }
    }

    /// Makes the finds in `hits` (in order, without overlaps) that are parts of addresses longer; they stay so. What the tagger took for
    /// a person's name is one where a street's number and kind stand beside it.
    pub(crate) fn complete(&self, words: &Words<'_>, hits: &mut [Hit]) {
        // One past the last byte of the address that the finds so far are part of.
        let mut reached = None;
        for at in 0..hits.len() {
            let limit = hits.get(at + 1).map_or(words.text.len(), |next| next.range.start);
            let joined = hits
                .get(at + 1)
                .is_some_and(|next| next.class == PhiClass::Location);
            let floor = at.checked_sub(1).map_or(0, |before| hits[before].range.end);
            let Some(hit) = hits.get_mut(at) else { break };
            let name = hit.class == PhiClass::Name && hit.finder == Finder::Tagger;
            if hit.known || !(name || hit.class == PhiClass::Location) {
                continue;
            }
            let first = words.tokens.partition_point(|token| token.end <= hit.range.start);
            let end = words.tokens.partition_point(|token| token.start < hit.range.end);
            // A find within a word or a number is none of ours.
            let whole = words
                .tokens
                .get(first)
                .is_some_and(|token| token.start >= hit.range.start)
                && end > first
                && words.tokens[end - 1].end <= hit.range.end;
            if !whole {
                continue;
            }
            let follows = reached.is_some_and(|end: usize| {
                words.text.get(end..hit.range.start).is_some_and(|between| {
                    between.len() < 6 && between.chars().all(|c| c.is_whitespace() || c == ',')
                })
            });
            let mut part = Part {
                words,
                first,
                end,
                floor,
                limit,
                follows,
                name,
            };
            for _ in 0..REACH {
                let before = (part.first, part.end);
                part.left();
                part.right(&self.postal);
                if (part.first, part.end) == before {
                    break;
                }
                part.name = false;
            }
            if joined && (part.is_numbered() || part.is_street() || follows) {
                part.bridge();
            }
            if name && (part.first, part.end) == (first, end) {
                reached = follows.then_some(hit.range.end);
                continue;
            }
            if name {
                (hit.class, hit.kind) = (PhiClass::Location, Kind::Place);
            }
            if part.first < first {
                hit.range.start = words.tokens[part.first].start;
            }
            if part.end > end {
                hit.range.end = hit.range.end.max(words.tokens[part.end - 1].end);
            }
            reached = (part.is_numbered() || part.is_street() || follows).then_some(hit.range.end);
        }
    }
}

/// Whether the word at `at` is the name of a street in one word.
fn is_compound(words: &Words<'_>, at: usize) -> bool {
    let word = &words.list[at];
    let lists = Classes::ENGLISH
        .or(Classes::CLINICAL)
        .or(Classes::COMMON)
        .or(Classes::EPONYM);
    if word.length < 6
        || word.classes.is(lists)
        || words
            .list
            .get(at + 1)
            .is_none_or(|next| next.case != Case::Digits)
    {
        return false;
    }
    let folded = fold(written(words, at));
    has_ending(&folded)
}

/// Whether a folded word ends like a street's name, with three letters or more before that.
fn has_ending(folded: &str) -> bool {
    ENDINGS
        .iter()
        .any(|ending| folded.len() >= ending.len() + 3 && folded.ends_with(ending))
}

/// A street whose kind stands at `at`, with its number before or behind it.
fn led(words: &Words<'_>, at: usize) -> Option<std::ops::Range<usize>> {
    let mut end = at + 1;
    let mut named = false;
    while end < at + 6 {
        let Some(word) = words.list.get(end) else { break };
        if word.gap != Gap::Blank {
            break;
        }
        match word.case {
            Case::Title | Case::Upper => named = true,
            Case::Lower if SMALL.has(word) => {}
            _ => break,
        }
        end += 1;
    }
    if !named {
        return None;
    }
    while words.list[end - 1].case == Case::Lower {
        end -= 1;
    }
    let before = at
        .checked_sub(1)
        .filter(|&before| is_house(words, before) && matches!(words.list[at].gap, Gap::Blank | Gap::Comma));
    let behind = house(words, end - 1);
    match (before, behind) {
        (Some(first), _) => Some(first..end),
        (None, Some(last)) => Some(at..last + 1),
        (None, None) => None,
    }
}

/// The number of a house right behind the word at `at`, with a comma between at most.
fn house(words: &Words<'_>, at: usize) -> Option<usize> {
    let next = at + 1;
    let word = words.list.get(next)?;
    (matches!(word.gap, Gap::Blank | Gap::Comma) && is_house(words, next)).then_some(next)
}

fn is_house(words: &Words<'_>, at: usize) -> bool {
    let Some(token) = words.tokens.get(at) else {
        return false;
    };
    let written = written(words, at);
    token.case == Case::Digits
        && written.len() < 5
        && !is_year(written)
        && !has_unit(words.text, token.end)
        && !listed(SPANS, &word_after(words.text, token.end))
        && !words.text[..token.start].ends_with(['.', '/', '<', '>'])
        // A decimal is no house.
        && !words
            .text
            .get(token.end..)
            .is_some_and(|rest| rest.starts_with('.') && rest[1..].starts_with(|c: char| c.is_ascii_digit()))
}

fn written<'t>(words: &Words<'t>, at: usize) -> &'t str {
    words
        .tokens
        .get(at)
        .and_then(|token| words.text.get(token.range()))
        .unwrap_or("")
}

/// A find in words, which grows on both sides.
struct Part<'w, 't> {
    words: &'w Words<'t>,
    first: usize,
    end: usize,
    floor: usize,
    limit: usize,
    /// Another part of the address stands before it.
    follows: bool,
    /// It may be a person's name, as far as is known.
    name: bool,
}

impl Part<'_, '_> {
    fn gap(&self, at: usize) -> Gap {
        self.words.list.get(at).map_or(Gap::Start, |word| word.gap)
    }

    fn case(&self, at: usize) -> Option<Case> {
        self.words.list.get(at).map(|word| word.case)
    }

    fn folded(&self, at: usize) -> String {
        fold(written(self.words, at))
    }

    fn is_digits(&self, at: usize) -> bool {
        self.case(at) == Some(Case::Digits)
    }

    fn is_capital(&self, at: usize) -> bool {
        matches!(self.case(at), Some(Case::Title | Case::Upper))
    }

    fn is_numbered(&self) -> bool {
        (self.first..self.end).any(|at| self.is_digits(at))
    }

    /// Whether its own words say that it is a street.
    fn is_street(&self) -> bool {
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

    fn left(&mut self) {
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
            let short = written(self.words, before).len() < 6;
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

    fn right(&mut self, postal: &Regex) {
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
    fn bridge(&mut self) {
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
        if has_unit(text, found.end()) || is_date_or_decimal(text, found.end()) {
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

/// Whether what goes on at `at` makes the digits before it part of a date, a telephone number or a decimal.
fn is_date_or_decimal(text: &str, at: usize) -> bool {
    let mut rest = text.get(at..).unwrap_or("").chars();
    matches!(rest.next(), Some('/' | '-' | '.' | ':')) && rest.next().is_some_and(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::super::tests::scrub;

    /// What is found in `text`, one find behind the other where nothing but blanks and commas stands between.
    fn taken(text: &str) -> String {
        let mut mask = vec![false; text.len()];
        for redaction in scrub(text).redactions {
            mask[redaction.original.start as usize..redaction.original.end as usize].fill(true);
        }
        text.char_indices()
            .map(|(at, c)| if mask[at] && c.is_alphanumeric() { '_' } else { c })
            .collect()
    }

    #[test]
    fn addresses_of_other_countries_go_whole() {
        for text in [
            "55, boulevard Thornquist\n82785 Oakhollow",
            "Brankovicstraat 12\n1386MH\nOakhollow",
            "Thornquistgasse 3/6, 02826 Oakhollow",
            "ul. Brankovicza 05/15\n82-947 Oakhollow",
            "rue de Marchbanks 372",
            "Brankovic utca 109.\nH-8181 Oakhollow",
            "4/51 Marchbanks Piazza\nNorth Oakhollow, TAS, 2607",
            "22 Marchbanks Street H95 6F7K Oakhollow Ville",
            "Contrada Brankovic, 984\n41038, Oakhollow (MN)",
            "66 Marchbanks Radial",
            "33105 Marchbanks Throughway\nOakhollow, NU B8B5J5",
            "Marchbanksbacken 8C, 6359 Oakhollow",
            "Flat 40Z\nMarchbanks Tunnel",
        ] {
            let found = taken(&format!("The resident's home is {text}. He was seen."));
            let all: String = text
                .chars()
                .map(|c| if c.is_alphanumeric() { '_' } else { c })
                .collect();
            assert!(found.contains(&all), "{text}: {found}");
        }
    }

    #[test]
    fn what_stands_beside_an_address_stays() {
        for text in [
            "Scoring 4 of 10, monitoring 3 days.",
            "Avenue of spread for 3 days.",
            "The route 3 times daily, via NG tube 12 Fr.",
            "2 Fr Foley Point 3.",
        ] {
            assert_eq!(taken(text), text);
        }
        let text =
            taken("Lives at 12 Marchbanks Street in Oakhollow. WBC 12000, CD4 2019 cells. Chest is clear.");
        assert!(
            text.ends_with("WBC 12000, CD4 2019 cells. Chest is clear."),
            "{text}"
        );
    }
}
