//! Words that say what a street, a flat or a town is, in the ways of several countries.

use std::ops::Range;

use super::super::codes::is_year;
use super::super::context::{goes_on, has_unit, listed, word_after};
use super::super::lexicon::Classes;
use super::super::measured::SPANS;
use super::super::token::{Case, fold};
use super::super::words::{Gap, WordSet, Words, hashes};

/// Kinds of streets that stand before the name, in words that mean nothing else in a note.
pub(super) static BEFORE: WordSet = WordSet::new(|| {
    hashes(
        "alameda aleja alejas allee andador avenida bairro boulevard bulevar calle callejon calzada caminho \
    carrer carretera cerrada chemin circunvalacion contrada duong glorieta impasse incrocio khom kruispunt namesti ngo osiedle pasaje paseo \
    passeig pho phuong piazza piazzale placa plac praca praceta prolongacion quai retorno rodovia rotonda rua rue strada travessa ulica \
    ulice viale vicolo viela",
    )
});

/// The same in words that mean other things too: only beside a number.
pub(super) static BEFORE_NUMBERED: WordSet = WordSet::new(|| {
    hashes(
        "al ave avenue av bd blvd borgo c camino cesta cite corso cours estrada eje favela hoofdstraat lago largo morro na nad \
    os pl place plaza pod pot privada quadra route so square stretto thanh tp trecho tinh ul vale via vila xa",
    )
});

/// Kinds of streets behind the name, as words of their own.
pub(super) static BEHIND: WordSet = WordSet::new(|| {
    hashes(
        "cesta korut krt krut most namesti put setany sor steig straat strasse tee ter tie trg u ulica ulice ut utca utja vag vagen vei \
    veien vej weg",
    )
});

/// Ends of names of streets that are written as one word (Dutch, German, Scandinavian, Finnish).
pub(super) const ENDINGS: [&str; 46] = [
    "straat", "laan", "weg", "plein", "gracht", "singel", "dreef", "baan", "steeg", "kade", "dijk", "hof",
    "strasse", "strase", "str", "gasse", "platz", "allee", "damm", "ufer", "ring", "steig", "gatan", "vagen",
    "grand", "stigen", "torget", "backen", "gata", "veien", "vei", "bakken", "hogda", "berget", "sletta",
    "vej", "gade", "straede", "alle", "katu", "kuja", "polku", "tie", "vagur", "gotu", "stien",
];

/// Kinds of streets in English beyond those of the rules of format (USPS Publication 28, appendix C1), singular.
pub(super) static KINDS: WordSet = WordSet::new(|| {
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
pub(super) static UNITS: WordSet = WordSet::new(|| {
    hashes(
        "apartamento apartment appartamento apt atic bldg building depto edif escalera flat floor interior level lot no piano piso \
    porta room studio suite ste unit",
    )
});

/// First words of the names of many towns.
pub(super) static CITY_STARTS: WordSet = WordSet::new(|| {
    hashes("east el fort great lake las los mount new north port saint san santa south west")
});

/// Words before a town.
pub(super) const WHERE: &str = "at city from in near of to";

/// Small words within the names of streets and cities.
pub(super) static SMALL: WordSet = WordSet::new(|| {
    hashes(
        "a am an aan bei d da de del della den der des di do dos du e el i im in la las le les los na nad ob of op pod sob sur te u v",
    )
});

/// Whether the word at `at` is the name of a street in one word.
pub(super) fn is_compound(words: &Words<'_>, at: usize) -> bool {
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
    let folded = fold(words.written(at));
    has_ending(&folded)
}

/// Whether a folded word ends like a street's name, with three letters or more before that.
pub(super) fn has_ending(folded: &str) -> bool {
    ENDINGS
        .iter()
        .any(|ending| folded.len() >= ending.len() + 3 && folded.ends_with(ending))
}

/// A street whose kind stands at `at`, with its number before or behind it.
pub(super) fn led(words: &Words<'_>, at: usize) -> Option<Range<usize>> {
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
pub(super) fn house(words: &Words<'_>, at: usize) -> Option<usize> {
    let next = at + 1;
    let word = words.list.get(next)?;
    (matches!(word.gap, Gap::Blank | Gap::Comma) && is_house(words, next)).then_some(next)
}

pub(super) fn is_house(words: &Words<'_>, at: usize) -> bool {
    let Some(token) = words.tokens.get(at) else {
        return false;
    };
    let written = words.written(at);
    token.case == Case::Digits
        && written.len() < 5
        && !is_year(written)
        && !has_unit(words.text, token.end)
        && !listed(SPANS, &word_after(words.text, token.end))
        && !words.text[..token.start].ends_with(['.', '/', '<', '>'])
        && !goes_on(words.text, token.end, &['.'])
}
