//! Fills the slots of a layout and keeps the spans.

use super::super::draws::Draws;
use super::super::gold::GoldSpan;
use super::people::{Lists, capital};
use super::streets;

const TITLES: [&str; 8] = ["Mr.", "Mrs.", "Ms.", "Miss", "Mr", "Mrs", "Dr.", "Prof."];
const RELATIONS: [&str; 14] = [
    "wife",
    "husband",
    "daughter",
    "son",
    "mother",
    "father",
    "sister",
    "brother",
    "partner",
    "niece",
    "aunt",
    "friend",
    "spouse",
    "granddaughter",
];
const FACILITIES: [&str; 22] = [
    "Hospital",
    "Medical Center",
    "General Hospital",
    "Clinic",
    "Memorial Hospital",
    "Community Hospital",
    "Health Center",
    "Regional Medical Center",
    "Nursing Home",
    "Cancer Center",
    "Children's Hospital",
    "University Hospital",
    "Rehab",
    "Hospice",
    "Med Ctr",
    "Imaging",
    "Family Medicine",
    "Surgery Center",
    "Health",
    "Heart Institute",
    "Pharmacy",
    "Urgent Care",
];
const EMPLOYERS: [&str; 8] = [
    "Inc",
    "LLC",
    "Group",
    "and Sons",
    "Ltd.",
    "Logistics",
    "Foods",
    "Motors",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// How a whole note is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hand {
    Usual,
    Capitals,
    Small,
}

/// A note in the making.
pub(super) struct Writer<'l> {
    lists: &'l Lists,
    draws: Draws,
    hand: Hand,
    text: String,
    points: usize,
    spans: Vec<GoldSpan>,
}

impl<'l> Writer<'l> {
    pub(super) fn new(lists: &'l Lists, seed: u64) -> Self {
        let mut draws = Draws::new(seed);
        let hand = match draws.below(100) {
            0..=7 => Hand::Capitals,
            8..=15 => Hand::Small,
            _ => Hand::Usual,
        };
        Self {
            lists,
            draws,
            hand,
            text: String::new(),
            points: 0,
            spans: Vec::new(),
        }
    }

    pub(super) fn finish(self) -> (String, Vec<GoldSpan>) {
        (self.text, self.spans)
    }

    /// What stands between two layouts.
    pub(super) fn between(&mut self, part: bool) {
        let gap = if part || self.draws.chance(15) {
            "\n\n"
        } else if self.draws.chance(25) {
            "\n"
        } else {
            " "
        };
        self.push(gap);
    }

    fn push(&mut self, text: &str) {
        let written = match self.hand {
            Hand::Usual => text.to_owned(),
            Hand::Capitals => text.to_uppercase(),
            Hand::Small => text.to_lowercase(),
        };
        self.points += written.chars().count();
        self.text.push_str(&written);
    }

    fn span(&mut self, text: &str, category: &str) {
        let start = self.points;
        // A line may end inside any identifier of several words.
        if text.contains(' ') && self.draws.chance(4) {
            self.push(&text.replacen(' ', "\n", 1));
        } else {
            self.push(text);
        }
        self.spans.push(GoldSpan::planted(start, self.points, category));
    }

    /// Writes a layout with its slots filled.
    pub(super) fn layout(&mut self, layout: &str) {
        let mut rest = layout;
        while let Some((plain, slot)) = rest.split_once('{') {
            self.push(&plain.replace("\\n", "\n"));
            let Some((slot, tail)) = slot.split_once('}') else {
                return;
            };
            self.slot(slot);
            rest = tail;
        }
        self.push(&rest.replace("\\n", "\n"));
    }

    fn slot(&mut self, slot: &str) {
        match slot {
            "name" => {
                let name = self.name();
                self.span(&name, "NAME");
            }
            "name:inverted" => {
                let (first, last) = (self.first(), self.last());
                let middle = if self.draws.chance(40) {
                    format!(" {}.", self.letter())
                } else {
                    String::new()
                };
                let comma = if self.draws.chance(80) { ", " } else { "," };
                self.span(&format!("{last}{comma}{first}{middle}"), "NAME");
            }
            "first" => {
                let first = self.first();
                self.span(&first, "NAME");
            }
            "last" => {
                let last = self.last();
                self.span(&last, "NAME");
            }
            "initial" => {
                let letter = self.letter().to_string();
                self.span(&letter, "NAME");
            }
            "initials" => {
                let initials = format!("{}{}", self.letter(), self.letter());
                self.span(&initials, "NAME");
            }
            "doctor" => self.doctor(),
            "title" => {
                let title = self.draws.one(&TITLES);
                self.push(title);
            }
            "relation" => {
                let relation = self.draws.one(&RELATIONS);
                self.push(relation);
            }
            "city" => {
                let city = self.city();
                self.span(&city, "GEO");
            }
            "county" => {
                let county = capital(self.lists.cities.one(&mut self.draws));
                self.span(&county, "GEO");
            }
            "street" => {
                let street = streets::street(self.lists, &mut self.draws);
                self.span(&street, "GEO");
            }
            "streetname" => {
                let street = streets::street_name(self.lists, &mut self.draws);
                self.span(&street, "GEO");
            }
            "address" => {
                let address = streets::address(self.lists, &mut self.draws);
                self.span(&address, "GEO");
            }
            "facility" => {
                let facility = self.facility();
                self.span(&facility, "GEO");
            }
            "employer" => {
                let employer = format!("{} {}", self.last(), self.draws.one(&EMPLOYERS));
                self.span(&employer, "ORG");
            }
            "state" => {
                let state = streets::state(&mut self.draws);
                self.push(state);
            }
            "country" => {
                let country = streets::country(&mut self.draws);
                self.push(country);
            }
            _ => self.format_or_term(slot),
        }
    }

    /// Slots of formats, and those that identify nobody.
    fn format_or_term(&mut self, slot: &str) {
        let draws = &mut self.draws;
        let (text, category) = match slot {
            "zip" => (format!("{:05}", draws.below(99_999)), "GEO"),
            "date" => (date(draws), "DATE"),
            "phone" => (phone(draws), "PHONE"),
            "email" => (
                format!(
                    "{}{}@example.org",
                    self.lists.forenames.one(draws),
                    draws.below(100)
                ),
                "EMAIL",
            ),
            "mrn" => (format!("{:07}", draws.below(9_999_999)), "MRN"),
            "code" => (
                format!("{}{:07}", letter(draws), draws.below(9_999_999)),
                "OTHER_ID",
            ),
            "ssn" => (
                format!(
                    "{:03}-{:02}-{:04}",
                    1 + draws.below(665),
                    1 + draws.below(98),
                    1 + draws.below(9998)
                ),
                "SSN",
            ),
            "number" => {
                let number = (1 + draws.below(120)).to_string();
                return self.push(&number);
            }
            "drug" => {
                let drug = draws.one(&self.lists.drugs);
                let drug = if draws.chance(70) {
                    capital(drug)
                } else {
                    drug.to_owned()
                };
                return self.push(&drug);
            }
            "eponym" | "Eponym" => {
                let eponym = eponym(self.lists, draws);
                return self.push(&eponym);
            }
            "bare" => {
                let name = capital(draws.one(&self.lists.bare));
                return self.push(&name);
            }
            "grade" => {
                let grade = draws.one(&[
                    "I", "II", "III", "IV", "A", "B", "C", "1", "2", "3", "4", "IIa", "3B", "Ib",
                ]);
                return self.push(grade);
            }
            "TRIAL" => {
                // The names of trials are words in capitals, whole or cut.
                let word = self.lists.english.one(draws).to_uppercase();
                let name = match draws.below(4) {
                    0 => format!("{word}-{}", 1 + draws.below(900)),
                    1 => format!("{word}-{}", letter(draws)),
                    2 => word.chars().step_by(2).collect(),
                    _ => word,
                };
                return self.push(&name);
            }
            "time" => {
                let time = format!("{:02}{:02}", draws.below(24), draws.below(60));
                return self.push(&time);
            }
            "english" => {
                let word = self.lists.english.one(draws);
                return self.push(word);
            }
            "English" => {
                let word = capital(self.lists.english.one(draws));
                return self.push(&word);
            }
            "ENGLISH" => {
                let word = self.lists.english.one(draws).to_uppercase();
                return self.push(&word);
            }
            "ABBREV" => {
                let word = draws.one(&self.lists.shorthand).to_uppercase();
                return self.push(&word);
            }
            _ => {
                let mut term = draws.one(&self.lists.terms).to_string();
                if draws.chance(40) {
                    term = format!("{term} {}", draws.one(&self.lists.terms));
                }
                let term = match slot {
                    "Term" => capital(&term),
                    "TERM" => term.to_uppercase(),
                    _ => term,
                };
                return self.push(&term);
            }
        };
        self.span(&text, category);
    }

    fn first(&mut self) -> String {
        capital(self.lists.forenames.one(&mut self.draws))
    }

    fn letter(&mut self) -> char {
        letter(&mut self.draws)
    }

    fn last(&mut self) -> String {
        // One in fifteen is on no list.
        let word = self.lists.surnames.one(&mut self.draws);
        let name = if self.draws.chance(7) {
            let other = self.lists.surnames.one(&mut self.draws);
            let cut = |word: &str, from_start: bool| -> String {
                let half = word.chars().count() / 2 + 1;
                if from_start {
                    word.chars().take(half).collect()
                } else {
                    word.chars().skip(word.chars().count() - half).collect()
                }
            };
            cut(word, true) + &cut(other, false)
        } else {
            word.to_owned()
        };
        let name = capital(&name);
        match self.draws.below(40) {
            0 => format!("{name}-{}", capital(self.lists.surnames.one(&mut self.draws))),
            1 => format!("O'{name}"),
            2 => format!("van der {name}"),
            3 => format!("Mc{name}"),
            4 => format!("de {name}"),
            _ => name,
        }
    }

    fn name(&mut self) -> String {
        let (first, last) = (self.first(), self.last());
        match self.draws.below(12) {
            0 => format!("{first} {}. {last}", self.letter()),
            1 => format!("{first} {} {last}", self.first()),
            2 => format!("{}. {last}", self.letter()),
            3 => format!("{first} {last}-{}", self.last()),
            4 => format!("{first} {} {last}", self.letter()),
            5 => format!("{first} {}.", self.letter()),
            6 => format!("{} {}", last, self.first()),
            _ => format!("{first} {last}"),
        }
    }

    fn doctor(&mut self) {
        let title = ["Dr. ", "Dr ", "Drs. ", "Doctor ", ""][self.draws.below(5)];
        let name = if title.is_empty() || self.draws.chance(40) {
            self.name()
        } else {
            self.last()
        };
        self.push(title);
        self.span(&name, "NAME");
        if title.is_empty() {
            let degree = [", MD", ", M.D.", " MD", ", DO", ", PA-C"][self.draws.below(5)];
            self.push(degree);
        }
    }

    fn city(&mut self) -> String {
        let city = capital(self.lists.cities.one(&mut self.draws));
        match self.draws.below(10) {
            0 => format!("{city} {}", capital(self.lists.cities.one(&mut self.draws))),
            1 => format!("St. {city}"),
            2 => format!(
                "{city} {}",
                ["City", "Springs", "Falls", "Heights", "Beach"][self.draws.below(5)]
            ),
            _ => city,
        }
    }

    fn facility(&mut self) -> String {
        let kind = self.draws.one(&FACILITIES);
        match self.draws.below(6) {
            0 => format!("St. {} {kind}", self.first()),
            1 => format!("{} {kind}", self.last()),
            2 => format!(
                "{} {kind} of {}",
                capital(self.lists.surnames.one(&mut self.draws)),
                self.city()
            ),
            3 => format!("{}'s", capital(self.lists.surnames.one(&mut self.draws))),
            _ => format!("{} {kind}", self.city()),
        }
    }
}

fn letter(draws: &mut Draws) -> char {
    char::from(b"ABCDEFGHJKLMNPRSTVW"[draws.below(19)])
}

fn date(draws: &mut Draws) -> String {
    let (year, month, day) = (1930 + draws.below(96), 1 + draws.below(12), 1 + draws.below(28));
    match draws.below(7) {
        0 => format!("{year}-{month:02}-{day:02}"),
        1 => format!("{month:02}/{day:02}/{year}"),
        2 => format!("{} {day}, {year}", MONTHS[month - 1]),
        3 => format!("{day} {} {year}", &MONTHS[month - 1][..3]),
        4 => format!("{month}/{day}/{:02}", year % 100),
        5 => format!("{day:02}-{}-{year}", &MONTHS[month - 1][..3]),
        _ => format!("{day:02}.{month:02}.{year}"),
    }
}

fn phone(draws: &mut Draws) -> String {
    let (area, exchange, line) = (201 + draws.below(780), 200 + draws.below(799), draws.below(9999));
    match draws.below(5) {
        0 => format!("({area}) {exchange}-{line:04}"),
        1 => format!("{area}-{exchange}-{line:04}"),
        2 => format!("{area}.{exchange}.{line:04}"),
        3 => format!("+1 {area} {exchange} {line:04}"),
        _ => format!("{area} {exchange} {line:04}"),
    }
}

/// `Quill's disease`, `Quill syndrome`, `Quill-Acorn disease`.
fn eponym(lists: &Lists, draws: &mut Draws) -> String {
    let (name, nouns) = &lists.eponyms[draws.below(lists.eponyms.len())];
    let joined = if draws.chance(50) { "-" } else { " " };
    let name: Vec<String> = name.split(' ').map(capital).collect();
    let name = name.join(joined);
    let noun = draws.one(nouns);
    match draws.below(3) {
        0 => format!("{name}'s {noun}"),
        1 => format!("{name} {}", capital(noun)),
        _ => format!("{name} {noun}"),
    }
}
