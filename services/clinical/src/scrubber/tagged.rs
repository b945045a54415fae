//! Finds of the statistical tagger.

use super::codes::is_year;
use super::context::{has_unit, listed};
use super::hit::{Hit, Kind};
use super::lexicon::{Classes, Lexicon};
use super::redaction::Finder;
use super::tagger::{Tag, Tagged, Tagger, is_term};
use super::token::{Case, fold};
use super::words::{Gap, WordSet, Words, hashes};
use crate::PhiClass;

/// What `hits` say about every word.
pub(super) fn covered(words: &Words<'_>, hits: &[Hit]) -> Vec<Tag> {
    let mut covered = vec![Tag::Other; words.tokens.len()];
    for hit in hits {
        let from = words.tokens.partition_point(|token| token.end <= hit.range.start);
        for (token, tag) in words.tokens[from..].iter().zip(&mut covered[from..]) {
            if token.start >= hit.range.end {
                break;
            }
            *tag = match hit.class {
                PhiClass::Name => Tag::Name,
                PhiClass::Location => Tag::Place,
                _ => Tag::Format,
            };
        }
    }
    covered
}

/// Drops finds that only the look of a name speaks for, where every word of them makes a clinical term with what follows
/// (`Assessment: Quill-Acorn syndrome`). Titles and initials are no part of a term, so that `Dr. Quill` stays.
pub(super) fn without_terms(lexicon: &Lexicon, words: &Words<'_>, hits: &mut Vec<Hit>) {
    hits.retain(|hit| {
        if !matches!(hit.finder, Finder::NameContext | Finder::Gazetteer) {
            return true;
        }
        let from = words.tokens.partition_point(|token| token.end <= hit.range.start);
        let to = words.tokens.partition_point(|token| token.start < hit.range.end);
        let possessive = |at: usize| {
            words
                .list
                .get(at)
                .is_some_and(|word| word.length == 1 && word.gap == Gap::Quote)
        };
        !(from..to).all(|at| possessive(at) || is_term(lexicon, words, at))
    });
}

/// Adds the names and places that `tagger` sees beside those in `hits`.
pub(super) fn find(tagger: &Tagger, lexicon: &Lexicon, words: &Words<'_>, hits: &mut Vec<Hit>) {
    let covered = covered(words, hits);
    let decided = tagger.tag(lexicon, words, &covered);
    let mut tags: Vec<Tag> = decided.iter().map(|tagged| tagged.tag).collect();
    complete(words, &mut tags);
    let own = |at: usize| {
        let tag = tags.get(at).copied().unwrap_or_default();
        (covered.get(at) == Some(&Tag::Other)).then_some(tag)
    };
    let mut at = 0;
    while at < tags.len() {
        let tag = own(at).unwrap_or(Tag::Other);
        let (class, kind) = match tag {
            Tag::Name => (PhiClass::Name, Kind::Name),
            Tag::Place => (PhiClass::Location, Kind::Place),
            Tag::Other | Tag::Format => {
                at += 1;
                continue;
            }
        };
        if is_organism(words, at) || is_label(words, at) {
            at += 1;
            continue;
        }
        let first = at;
        while own(at + 1) == Some(tag) && joins(words, at + 1, tag) && !is_organism(words, at + 1) {
            at += 1;
        }
        let degree = |at: usize| {
            let word = &words.list[at];
            word.case == Case::Upper && word.classes.is(Classes::CREDENTIAL)
        };
        if first == at
            && (tag == Tag::Name && (is_plain(words, at) || degree(at)) || is_abbreviation(words, at))
        {
            at += 1;
            continue;
        }
        let mut hit = Hit::found(words.tokens[first].start..words.tokens[at].end, class, kind);
        hit.sure = sure(&decided[first..=at]);
        hits.push(hit);
        at += 1;
    }
}

/// Epithets of the organisms that clinicians name by an initial (List of Prokaryotic names with Standing in Nomenclature;
/// `diff` and `flu` are shorthand).
const EPITHETS: &str = "abscessus aeruginosa albicans auris aureus avium baumannii burgdorferi catarrhalis cloacae coli diff \
    difficile diphtheriae enterica enterocolitica epidermidis faecalis faecium flu fragilis fumigatus gattii glabrata \
    gonorrhoeae haemolyticus henselae histolytica immitis influenzae intracellulare jejuni jirovecii kansasii krusei lamblia \
    leprae lugdunensis maltophilia marcescens meningitidis mirabilis monocytogenes neoformans oxytoca parapsilosis \
    perfringens pertussis pneumonia pneumoniae pneumophila pyogenes pylori saprophyticus stercoralis tetani trachomatis \
    tropicalis tuberculosis typhi vaginalis viridans vivax vulgaris vulnificus falciparum malariae ovale";

/// Whether the word at `at` is the initial of an organism (`H. pylori`).
fn is_organism(words: &Words<'_>, at: usize) -> bool {
    let (Some(word), Some(next), Some(token)) = (
        words.list.get(at),
        words.list.get(at + 1),
        words.tokens.get(at + 1),
    ) else {
        return false;
    };
    word.length == 1
        && word.case != Case::Digits
        && matches!(next.gap, Gap::Stop | Gap::Blank | Gap::Nothing | Gap::Hyphen)
        && listed(EPITHETS, &fold(words.text.get(token.range()).unwrap_or("")))
}

/// Whether the word at `at` begins a sentence or a heading, as such words do (`Severe`, `High`), and is no name by any list: alone
/// it is not taken for one.
fn is_plain(words: &Words<'_>, at: usize) -> bool {
    let names = Classes::GIVEN
        .or(Classes::GIVEN_WORD)
        .or(Classes::SURNAME_WORD)
        .or(Classes::FORENAME);
    words.list.get(at).is_some_and(|word| {
        word.classes.is(Classes::COMMON)
            && !word.classes.is(names)
            && word.case == Case::Title
            && matches!(word.gap, Gap::Start | Gap::Stop | Gap::Line)
    })
}

/// Whether the word at `at` is one of two clinical abbreviations with a hyphen between them (`LIMA-LAD`).
fn is_abbreviation(words: &Words<'_>, at: usize) -> bool {
    let short = |at: usize| {
        words.list.get(at).is_some_and(|word| {
            word.case == Case::Upper && word.length < 5 && word.classes.is(Classes::CLINICAL)
        })
    };
    let joined = |at: usize| words.list.get(at).is_some_and(|word| word.gap == Gap::Hyphen);
    short(at) && (joined(at + 1) && short(at + 1) || joined(at) && at > 0 && short(at - 1))
}

/// Words that say which number follows.
const LABELS: &str = "accession account acct bed case claim code ext extension fax fin id job member mrn no num number order pager \
    policy ref room rm tel unit visit ward zip";

/// Whether the word at `at` says which number follows (`Acct 7734`, `Job: 55`): no name, whatever it looks like there. Within an
/// address it may be a part (`Oakville Ext 14`).
fn is_label(words: &Words<'_>, at: usize) -> bool {
    let (Some(token), Some(next)) = (words.tokens.get(at), words.tokens.get(at + 1)) else {
        return false;
    };
    let between = words.text.get(token.end..next.start).unwrap_or("x");
    between.chars().all(|c| matches!(c, ' ' | ':' | '#' | '.'))
        && !between.is_empty()
        && words.list[at + 1].case == Case::Digits
        && listed(LABELS, &fold(words.text.get(token.range()).unwrap_or("")))
}

/// Small parts that belong to what stands around them: `van der` between two names, an initial beside one, `Jr` behind
/// one, `de la` within a place.
fn complete(words: &Words<'_>, tags: &mut [Tag]) {
    strangers(words, tags);
    let near = |at: usize| {
        words.list.get(at).is_some_and(|word| {
            matches!(
                word.gap,
                Gap::Blank | Gap::Stop | Gap::Hyphen | Gap::Nothing | Gap::Quote
            )
        })
    };
    for at in 0..tags.len() {
        let tag = tags[at];
        if !matches!(tag, Tag::Name | Tag::Place) {
            continue;
        }
        // A run of small words up to the next part of the same kind.
        let bridge = (1..4)
            .take_while(|&step| near(at + step))
            .find(|&step| tags.get(at + step) == Some(&tag));
        if let Some(steps) = bridge.filter(|&steps| steps > 1) {
            let small = (1..steps).all(|step| {
                words.list.get(at + step).is_some_and(|word| {
                    word.classes.is(Classes::PARTICLE)
                        || word.case == Case::Initial
                        || tag == Tag::Place
                            && word.length < 4
                            && word.case == Case::Lower
                            && word.classes.frequency(Classes::ENGLISH) < 3
                        || tag == Tag::Place
                            && steps == 2
                            && word.length == 2
                            && words.list[at].classes.is(Classes::PLACE)
                            && is_in(words, at + step)
                        || tag == Tag::Place && is_crossing(words, tags, at, at + step)
                })
            });
            if small {
                tags[at + 1..at + steps]
                    .iter_mut()
                    .filter(|part| **part == Tag::Other)
                    .for_each(|part| *part = tag);
            }
        }
        if tag == Tag::Place {
            inside(words, tags, at);
            let mut next = at + 1;
            while next < at + 4 && near(next) && tags.get(next) == Some(&Tag::Other) {
                match facility(words, next) {
                    Part::Kind => {
                        tags[at + 1..=next].fill(Tag::Place);
                        break;
                    }
                    Part::Between => next += 1,
                    Part::Neither => break,
                }
            }
        }
        if tag != Tag::Name {
            continue;
        }
        // `Katrina and Mill St 5` is a crossing.
        if is_crossing(words, tags, at, at + 1) {
            tags[at + 1] = Tag::Place;
        }
        // The other half of a name, where no list knows it as a word.
        for beside in [at.checked_sub(1), Some(at + 1)].into_iter().flatten() {
            if tags.get(beside) == Some(&Tag::Other) && is_other_half(words, at, beside) {
                tags[beside] = Tag::Name;
                // `Anna-Thora B.`.
                let mut first = beside;
                while beside < at && first > 0 && tags[first - 1] == Tag::Other && is_hyphenated(words, first)
                {
                    first -= 1;
                    tags[first] = Tag::Name;
                }
            }
        }
        // `Example, Jr.`, `Example II`, `Example DDS`, and the initial on either side.
        if near(at + 1)
            && tags.get(at + 1) == Some(&Tag::Other)
            && (is_suffix(words, at + 1) || is_initial(words, at + 1))
        {
            tags[at + 1] = Tag::Name;
        }
        let mut first = at;
        while first > 0
            && at < first + 3
            && tags[first - 1] == Tag::Other
            && matches!(words.list[first].gap, Gap::Blank | Gap::Line)
            && is_particle(words, first - 1)
        {
            first -= 1;
            tags[first] = Tag::Name;
        }
        if near(at)
            && at > 0
            && tags[at - 1] == Tag::Other
            && words.list[at].gap != Gap::Quote
            && is_initial(words, at - 1)
        {
            tags[at - 1] = Tag::Name;
        }
    }
}

/// Lists whose words mean something else than a name.
const LISTED: Classes = Classes::COMMON
    .or(Classes::ENGLISH)
    .or(Classes::CLINICAL)
    .or(Classes::TITLE)
    .or(Classes::CREDENTIAL)
    .or(Classes::LABEL)
    .or(Classes::EPONYM)
    .or(Classes::WIDE)
    .or(Classes::PLACE);

/// Words that a sentence goes on with behind a person's name.
static CONTINUES: WordSet = WordSet::new(|| {
    hashes(
        "agreed agrees and asked at called came denied denies for from had has in is of on presented presents reported reports said says states to was went who with",
    )
});

/// Two words side by side, written like a name, which no list of words knows: what is not provably something else is a name
/// (the inverted list of Philter, Norgeot et al. 2020).
fn strangers(words: &Words<'_>, tags: &mut [Tag]) {
    let lists = LISTED.or(Classes::EPONYM_NOUN);
    let strange = |at: usize| {
        words
            .list
            .get(at)
            .is_some_and(|word| word.case == Case::Title && word.length > 4 && !word.classes.is(lists))
    };
    for at in 1..tags.len() {
        let pair = words.list[at].gap == Gap::Blank && strange(at - 1) && strange(at);
        // A thing's name goes on with its noun (`Weibel Palade bodies`); a person's stops, or a sentence goes on.
        let stops = || {
            words.list.get(at + 1).is_none_or(|word| match word.gap {
                Gap::Blank => CONTINUES.has(word),
                Gap::Quote | Gap::Hyphen | Gap::Nothing => false,
                _ => true,
            })
        };
        if pair && tags[at - 1] == Tag::Other && tags[at] == Tag::Other && stops() {
            tags[at - 1] = Tag::Name;
            tags[at] = Tag::Name;
        }
    }
}

/// `Central Clinic in Oakville`.
fn is_in(words: &Words<'_>, at: usize) -> bool {
    let written = words
        .tokens
        .get(at)
        .and_then(|token| words.text.get(token.range()));
    matches!(written, Some("in" | "of"))
}

/// Whether the word at `and` joins two streets (`Acorn and Mill St 5`): the second part has a number.
fn is_crossing(words: &Words<'_>, tags: &[Tag], before: usize, and: usize) -> bool {
    let (Some(token), Some(word)) = (words.tokens.get(and), words.list.get(and)) else {
        return false;
    };
    let joined = matches!(words.text.get(token.range()), Some("and" | "&"))
        && word.gap == Gap::Blank
        && before + 1 == and;
    joined
        && (and + 1..and + 6)
            .take_while(|&at| tags.get(at) == Some(&Tag::Place))
            .any(|at| words.list[at].case == Case::Digits)
}

/// Numbers beside the place at `at`, and states and codes between it and the next part of its address.
fn inside(words: &Words<'_>, tags: &mut [Tag], at: usize) {
    let word = |at: usize| words.list.get(at);
    let gap = |at: usize| word(at).map_or(Gap::Start, |word| word.gap);
    let is_number = |at: usize| word(at).is_some_and(|word| word.case == Case::Digits && word.length < 7);
    let other = |tags: &[Tag], at: usize| tags.get(at) == Some(&Tag::Other);
    // `363 52 Acorn Street`: the number before the number of a house is its own.
    if is_number(at)
        && at > 0
        && gap(at) == Gap::Blank
        && is_number(at - 1)
        && other(tags, at - 1)
        && gap(at + 1) == Gap::Blank
    {
        tags[at - 1] = Tag::Place;
    }
    // `Caxias do Sul, RS`, `Veszprém VE`: the code of a region at the end of an address with a number in it.
    let code = word(at + 1).is_some_and(|word| word.case == Case::Upper && word.length == 2);
    if code && matches!(gap(at + 1), Gap::Blank | Gap::Comma) && other(tags, at + 1) {
        let numbered = (at.saturating_sub(6)..at).any(|at| is_number(at) && tags[at] == Tag::Place);
        let ends = words
            .list
            .get(at + 2)
            .is_none_or(|word| matches!(word.gap, Gap::Line | Gap::Start | Gap::Stop | Gap::Comma));
        if numbered && ends {
            tags[at + 1] = Tag::Place;
        }
    }
    if !is_number(at) {
        // `48334 36 Rue de …`, `12 Acorn`.
        let mut before = at;
        while before > 0
            && gap(before) == Gap::Blank
            && is_number(before - 1)
            && other(tags, before - 1)
            && before + 2 > at
        {
            before -= 1;
            tags[before] = Tag::Place;
        }
        // `Acorngatan 15`.
        let behind = at + 1;
        if gap(behind) == Gap::Blank && is_number(behind) && other(tags, behind) {
            let token = &words.tokens[behind];
            let written = words.text.get(token.range()).unwrap_or("");
            let closed = words
                .text
                .get(token.end..)
                .unwrap_or("")
                .starts_with(['\n', ',', '.', ';', ')'])
                || token.end == words.text.len();
            if !is_year(written) && !has_unit(words.text, token.end) && (written.len() > 1 || closed) {
                tags[behind] = Tag::Place;
            }
        }
    }
    // `oakville, pa 59439`.
    let short = word(at + 1).is_some_and(|word| {
        (word.length == 2 && word.case != Case::Digits) || word.classes.is(Classes::WIDE)
    });
    let zip = word(at + 2).is_some_and(|word| word.case == Case::Digits && word.length == 5);
    if short
        && zip
        && matches!(gap(at + 1), Gap::Comma | Gap::Line)
        && gap(at + 2) == Gap::Blank
        && other(tags, at + 2)
    {
        tags[at + 2] = Tag::Place;
    }
    // `Oakville, ON\nCanada 27539`.
    for reach in 2..4 {
        let end = at + reach;
        if tags.get(end) != Some(&Tag::Place) {
            continue;
        }
        let between = at + 1..end;
        let fits = between
            .clone()
            .chain([end])
            .all(|at| matches!(gap(at), Gap::Blank | Gap::Comma | Gap::Line))
            && between.clone().all(|at| {
                word(at).is_some_and(|word| {
                    word.classes.is(Classes::WIDE)
                        || (word.case == Case::Upper && word.length < 4)
                        || is_number(at)
                })
            });
        if fits {
            tags[between]
                .iter_mut()
                .filter(|tag| **tag == Tag::Other)
                .for_each(|tag| *tag = Tag::Place);
        }
    }
}

/// What a word behind the name of a place adds to it.
enum Part {
    /// What the place is: the name ends with it.
    Kind,
    /// Something before that (`downtown`).
    Between,
    Neither,
}

fn facility(words: &Words<'_>, at: usize) -> Part {
    let written = words
        .tokens
        .get(at)
        .and_then(|token| words.text.get(token.range()))
        .unwrap_or("");
    match written.to_ascii_lowercase().as_str() {
        "clinic" | "hospital" | "hosp" | "er" | "va" | "campus" | "ctr" => Part::Kind,
        "downtown" | "uptown" | "children's" | "childrens" | "regional" | "med" | "medical" | "s" => {
            Part::Between
        }
        _ => Part::Neither,
    }
}

/// A generation or a degree behind a name.
fn is_suffix(words: &Words<'_>, at: usize) -> bool {
    let written = words
        .tokens
        .get(at)
        .and_then(|token| words.text.get(token.range()))
        .unwrap_or("");
    matches!(
        written,
        "II" | "III" | "IV" | "Jr" | "Sr" | "JR" | "SR" | "DDS" | "Esq"
    ) && words.list[at].gap == Gap::Blank
}

/// Whether the word at `at` is the second half of a double name (`Anna-Thora`).
fn is_hyphenated(words: &Words<'_>, at: usize) -> bool {
    let title = |at: usize| {
        words
            .list
            .get(at)
            .is_some_and(|word| word.case == Case::Title && !word.classes.is(Classes::CLINICAL))
    };
    words.list[at].gap == Gap::Hyphen && title(at) && at > 0 && title(at - 1)
}

/// Whether the word at `beside` goes with the name next to it at `at`: one blank between, written alike, and no word of any
/// dictionary; before an initial (`Line M.`) words of English too, but none of a clinic.
fn is_other_half(words: &Words<'_>, at: usize, beside: usize) -> bool {
    let (Some(name), Some(word)) = (words.list.get(at), words.list.get(beside)) else {
        return false;
    };
    let gap = words.list.get(at.max(beside)).map(|word| word.gap);
    if name.case == Case::Initial && beside < at {
        return gap == Some(Gap::Blank)
            && is_initial(words, at)
            && word.case == Case::Title
            && word.length > 2
            && matches!(word.gap, Gap::Blank | Gap::Comma | Gap::Hyphen)
            && !word.classes.is(LISTED.without(Classes::ENGLISH));
    }
    gap == Some(Gap::Blank)
        && name.case == Case::Title
        && word.case == Case::Title
        && word.length > 2
        && !word.classes.is(LISTED)
}

/// A small word that only family names start with (`de Example`).
fn is_particle(words: &Words<'_>, at: usize) -> bool {
    words.list.get(at).is_some_and(|word| {
        word.classes.is(Classes::PARTICLE) && word.classes.frequency(Classes::ENGLISH) < 3
    })
}

/// A capital that stands for a name: a point behind it, or nothing that makes it a unit or a grade.
fn is_initial(words: &Words<'_>, at: usize) -> bool {
    let Some(token) = words.tokens.get(at) else {
        return false;
    };
    let letter = token.case == Case::Initial || token.case == Case::Lower && token.end == token.start + 1;
    letter
        && words
            .text
            .get(token.end..)
            .is_some_and(|rest| rest.starts_with('.'))
}

/// The least probability of the words that the tagger itself decided on, in percent.
fn sure(decided: &[Tagged]) -> u8 {
    let least = decided
        .iter()
        .filter(|tagged| tagged.tag != Tag::Other)
        .fold(1.0_f32, |least, tagged| least.min(tagged.sure));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 100"
    )]
    let percent = (least * 100.0).round().clamp(0.0, 100.0) as u8;
    percent
}

/// Whether the word at `at` goes on with the name or place before it.
fn joins(words: &Words<'_>, at: usize, tag: Tag) -> bool {
    let gap = words.list.get(at).map_or(Gap::Start, |word| word.gap);
    match gap {
        Gap::Blank | Gap::Hyphen | Gap::Nothing => true,
        Gap::Stop | Gap::Line | Gap::Quote => tag == Tag::Place || gap == Gap::Stop,
        Gap::Comma | Gap::Slash => tag == Tag::Place,
        _ => false,
    }
}
