//! Trials with planted canaries: identifiers that the hospital knows, in many writings, and identifiers that their
//! form gives away. A trial is one note about one new patient; it leaks when any of its canaries is not fully masked.

use serde::Serialize;

use super::draws::Draws;
use super::gold::{GoldKnown, GoldNote, GoldSpan};
use super::interval::upper_bound_without_leak;
use super::planted::{Lists, Planter, capital};
use super::score::{Findings, Score};
use crate::Scrubber;

/// The result of a run of trials.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Trials {
    /// Seed of every draw.
    pub seed: u64,
    /// Independent notes.
    pub trials: u64,
    /// Those of which a canary was left.
    pub leaks: u64,
    /// Canaries planted.
    pub canaries: u64,
    /// The largest leak probability of a trial that no leak in so many leaves possible, one-sided at 95 %; absent
    /// where there was a leak.
    pub bound: Option<f64>,
    /// Canaries and those left, by class.
    pub score: Score,
}

/// Runs `trials` trials from `seed`. `each` is called behind every trial with the note and what it was found to leak.
pub fn trials(
    scrubber: &Scrubber,
    seed: u64,
    trials: u64,
    mut each: impl FnMut(&GoldNote, &Findings),
) -> Trials {
    let mut planter = Planter::new(seed);
    let mut result = Trials {
        seed,
        trials,
        ..Trials::default()
    };
    for trial in 0..trials {
        let note = planter.canary();
        let patient = (u128::from(seed) << 64 | u128::from(trial)).to_be_bytes();
        let made = scrubber.scrub(&note.text, &note.known.known(patient));
        let findings = result.score.add(&note, &made.redactions);
        result.leaks += u64::from(!findings.misses.is_empty());
        result.canaries += note.spans.len() as u64;
        each(&note, &findings);
    }
    result.bound = (result.leaks == 0).then(|| upper_bound_without_leak(trials, 0.95));
    result
}

/// Ways to write a known name.
#[derive(Clone, Copy)]
enum Writing {
    Told,
    Inverted,
    Last,
    First,
    Initial,
    Titled,
    Shouted,
    Whispered,
    Hyphenated,
    Typo,
    Wrapped,
    Possessive,
}

const WRITINGS: [Writing; 12] = [
    Writing::Told,
    Writing::Inverted,
    Writing::Last,
    Writing::First,
    Writing::Initial,
    Writing::Titled,
    Writing::Shouted,
    Writing::Whispered,
    Writing::Hyphenated,
    Writing::Typo,
    Writing::Wrapped,
    Writing::Possessive,
];

/// Text before and behind a canary; none says what it is.
const FRAMES: [(&str, &str); 16] = [
    ("", " was seen today."),
    ("Seen today: ", "."),
    ("The pain of ", " is better."),
    ("Spoke with ", " about the results."),
    ("According to ", " the cough began in spring."),
    ("Plan for ", ": repeat imaging."),
    ("\n", "\n"),
    ("(", ")"),
    ("\t", "\t"),
    ("Exam of ", " shows clear lungs."),
    ("Results for ", " were normal, EF 55%."),
    ("Foley catheter in place; ", " tolerated it."),
    ("Lisinopril 10 mg for ", " was stopped."),
    ("re ", " - please call"),
    ("1. ", "\n2. Stable effusion."),
    ("Heart size is normal. ", " agrees with the plan."),
];

impl Planter {
    /// A note about a new patient with canaries of every kind, and the identifiers that its hospital would know.
    pub fn canary(&mut self) -> GoldNote {
        let (given, family, mut draws) = self.person();
        let mut known = GoldKnown::default();
        let mut body = Body::default();
        known.add_name(&format!("{given} {family}"));
        let mrn = format!("{:08}", 10_000_000 + draws.below(89_999_999));
        known.add_identifier(&mrn);
        let phone = format!(
            "{}{}{:04}",
            201 + draws.below(780),
            200 + draws.below(799),
            draws.below(9999)
        );
        known.add_phone(&phone);
        let (year, month, day) = (1930 + draws.below(90), 1 + draws.below(12), 1 + draws.below(28));
        known.add_birth_date(year, month, day);
        let home = Home::new(&self.lists, &mut draws);
        known.add_address(&home.street);
        known.add_address(&home.city);
        let count = 1 + draws.below(4);
        for _ in 0..count {
            body.clean(self, &mut draws);
            let (before, behind) = draws.one(&FRAMES);
            body.push(before);
            match draws.below(12) {
                0..=4 => body.name(&mut draws, &given, &family),
                10 | 11 => body.home(&mut draws, &home),
                5 => body.number(&mut draws, &mrn),
                6 => body.canary(&phone_form(&mut draws, &phone), "PHONE"),
                7 => body.canary(&date_form(&mut draws, year, month, day), "DATE"),
                _ => {
                    let (text, category) = format(&mut draws);
                    body.canary(&text, category);
                }
            }
            body.push(behind);
            if draws.chance(50) {
                body.push(" ");
            } else {
                body.push("\n");
            }
        }
        body.clean(self, &mut draws);
        GoldNote {
            id: "canary".to_owned(),
            text: body.text,
            spans: body.spans,
            complete: false,
            known,
        }
    }
}

/// Where the patient lives, as the hospital has it.
struct Home {
    number: String,
    name: String,
    kind: &'static str,
    street: String,
    city: String,
}

/// Words of the names of cities that are no names.
const PARTS: [&str; 28] = [
    "avenue",
    "boulevard",
    "center",
    "central",
    "church",
    "circle",
    "county",
    "court",
    "drive",
    "grand",
    "great",
    "lower",
    "mount",
    "north",
    "place",
    "plaza",
    "point",
    "saint",
    "south",
    "square",
    "street",
    "terrace",
    "trail",
    "upper",
    "valley",
    "village",
    "highway",
    "parkway",
];

impl Home {
    fn new(lists: &Lists, draws: &mut Draws) -> Self {
        // Names of five letters and more, because one slip makes another word of a shorter one (`Rome`, `Home`); and not
        // those of which the list of cities has only a part (`Saint`).
        let mut long = || loop {
            let city = lists.cities.one(draws);
            if city.chars().count() > 4 && !PARTS.contains(&city) {
                return capital(city);
            }
        };
        let (name, city) = (long(), long());
        let kind = draws.one(&["Street", "Avenue", "Road", "Lane", "Drive"]);
        let number = (100 + draws.below(9_900)).to_string();
        Self {
            street: format!("{number} {name} {kind}"),
            number,
            name,
            kind,
            city,
        }
    }
}

/// A text in the making with the code points of its canaries.
#[derive(Default)]
struct Body {
    text: String,
    points: usize,
    spans: Vec<GoldSpan>,
}

impl Body {
    fn push(&mut self, text: &str) {
        self.points += text.chars().count();
        self.text.push_str(text);
    }

    fn clean(&mut self, planter: &mut Planter, draws: &mut Draws) {
        if draws.chance(60) {
            let text = planter.clean_sentence(draws.bits());
            self.push(&text);
        }
        self.push(draws.one(&[" ", "\n", " ", "\n\n"]));
    }

    fn canary(&mut self, text: &str, category: &str) {
        let start = self.points;
        self.push(text);
        self.spans.push(GoldSpan::planted(start, self.points, category));
    }

    /// The patient's name in one of its writings. What stays readable of it is a leak; titles are none.
    fn name(&mut self, draws: &mut Draws, given: &str, family: &str) {
        let letter: String = given.chars().take(1).collect();
        let text = match draws.one(&WRITINGS) {
            Writing::Told => format!("{given} {family}"),
            Writing::Inverted => format!("{family}, {given}"),
            Writing::Last | Writing::Possessive => family.to_owned(),
            Writing::First => given.to_owned(),
            Writing::Initial => format!("{letter}. {family}"),
            Writing::Titled => {
                self.push(draws.one(&["Mr. ", "Mrs ", "Ms. ", "Dr. ", "Miss "]));
                family.to_owned()
            }
            Writing::Shouted => format!("{given} {family}").to_uppercase(),
            Writing::Whispered => format!("{given} {family}").to_lowercase(),
            Writing::Hyphenated => format!("{given}-{family}"),
            Writing::Typo => format!("{} {}", given, typo(draws, family)),
            Writing::Wrapped => format!("{given}\n{family}"),
        };
        self.canary(&text, "NAME");
        if draws.chance(10) {
            self.push("'s");
        }
    }

    /// The patient's street, with a slip in one of three, or city. A city with a slip is sought too, but one slip makes
    /// `Reign` of `Reims`, and what is a word of the language stays: no trial promises that.
    fn home(&mut self, draws: &mut Draws, home: &Home) {
        let slip = draws.chance(33);
        let mut written = |word: &str| {
            if slip { typo(draws, word) } else { word.to_owned() }
        };
        let text = match self.spans.len() % 4 {
            0 => format!("{} {} {}", home.number, written(&home.name), home.kind),
            1 => format!("{} {} {}", written(&home.number), home.name, home.kind),
            2 => format!("{} {}", written(&home.name), home.kind),
            _ => home.city.clone(),
        };
        let text = match draws.below(6) {
            0 => text.to_uppercase(),
            1 => text.replacen(' ', "\n", 1),
            _ => text,
        };
        self.canary(&text, "GEO");
    }

    /// A number that the hospital knows, in groups or not.
    fn number(&mut self, draws: &mut Draws, number: &str) {
        let text = match draws.below(5) {
            0 => format!("{}-{}", &number[..3], &number[3..]),
            1 => format!("{} {} {}", &number[..2], &number[2..5], &number[5..]),
            2 => format!("#{number}"),
            3 => typo(draws, number),
            _ => number.to_owned(),
        };
        self.canary(&text, "MRN");
    }
}

/// One slip of the keyboard in a word.
fn typo(draws: &mut Draws, word: &str) -> String {
    let mut chars: Vec<char> = word.chars().collect();
    // The first letter is typed with care.
    let at = 1 + draws.below(chars.len().saturating_sub(2).max(1));
    let digit = chars.iter().all(char::is_ascii_digit);
    let other = if digit {
        char::from(b"0123456789"[draws.below(10)])
    } else {
        char::from(b"abcdefghijklmnopqrstuvwxyz"[draws.below(26)])
    };
    match draws.below(4) {
        0 if at + 1 < chars.len() => chars.swap(at, at + 1),
        1 if chars.len() > 3 => {
            chars.remove(at.min(chars.len() - 1));
        }
        2 => chars.insert(at.min(chars.len()), other),
        _ => {
            if let Some(place) = chars.get_mut(at) {
                *place = other;
            }
        }
    }
    chars.into_iter().collect()
}

fn phone_form(draws: &mut Draws, phone: &str) -> String {
    let (area, exchange, line) = (&phone[..3], &phone[3..6], &phone[6..]);
    match draws.below(6) {
        0 => format!("({area}) {exchange}-{line}"),
        1 => format!("{area}.{exchange}.{line}"),
        2 => format!("+1{phone}"),
        3 => format!("{area} {exchange} {line}"),
        4 => phone.to_owned(),
        _ => format!("1-{area}-{exchange}-{line}"),
    }
}

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

fn date_form(draws: &mut Draws, year: usize, month: usize, day: usize) -> String {
    let name = MONTHS[month - 1];
    match draws.below(9) {
        0 => format!("{year}-{month:02}-{day:02}"),
        1 => format!("{month:02}/{day:02}/{year}"),
        2 => format!("{month}/{day}/{:02}", year % 100),
        3 => format!("{name} {day}, {year}"),
        4 => format!("{day} {} {year}", &name[..3]),
        5 => format!("{day:02}{}{year}", name[..3].to_uppercase()),
        6 => format!("{year}{month:02}{day:02}"),
        7 => format!("{day:02}.{month:02}.{year}"),
        _ => format!("{}-{day}-{year}", &name[..3]),
    }
}

/// An identifier that nobody told, whose form or label says what it is.
fn format(draws: &mut Draws) -> (String, &'static str) {
    let digits = |draws: &mut Draws, count: usize| -> String {
        (0..count)
            .map(|at| {
                char::from(
                    b"0123456789"[if at == 0 {
                        1 + draws.below(9)
                    } else {
                        draws.below(10)
                    }],
                )
            })
            .collect()
    };
    match draws.below(8) {
        0 => (
            format!(
                "{:03}-{:02}-{:04}",
                1 + draws.below(665),
                1 + draws.below(98),
                1 + draws.below(9998)
            ),
            "SSN",
        ),
        1 => (
            format!("u{}@clinic{}.example", digits(draws, 4), draws.below(99)),
            "EMAIL",
        ),
        2 => (format!("https://portal.example/p/{}", digits(draws, 6)), "URL"),
        3 => (
            format!(
                "10.{}.{}.{}",
                draws.below(256),
                draws.below(256),
                1 + draws.below(254)
            ),
            "IP",
        ),
        4 => (
            format!(
                "({}) {}-{}",
                201 + draws.below(700),
                200 + draws.below(700),
                digits(draws, 4)
            ),
            "PHONE",
        ),
        5 => {
            let (year, month, day) = (1990 + draws.below(36), 1 + draws.below(12), 1 + draws.below(28));
            (date_form(draws, year, month, day), "DATE")
        }
        6 => (digits(draws, 9), "OTHER_ID"),
        _ => (
            format!(
                "{}{}",
                char::from(b"ABCDEFGHJK"[draws.below(10)]),
                digits(draws, 8)
            ),
            "OTHER_ID",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hundredth of the full run, which `countersign prove leak` repeats and saves.
    #[test]
    fn no_canary_is_left_in_three_thousand_trials() {
        let scrubber = Scrubber::new(seal::MacKey::new(&[5; 32]));
        let mut left = Vec::new();
        let result = trials(&scrubber, 20_261_124, 3_000, |note, findings| {
            for miss in &findings.misses {
                let span = &note.spans[miss.span];
                let text: String = note
                    .text
                    .chars()
                    .skip(span.start)
                    .take(span.end - span.start)
                    .collect();
                left.push(format!("{} {text:?} in {:?}", span.category, note.text));
            }
        });
        assert!(
            left.is_empty(),
            "{} of {}:\n{}",
            result.leaks,
            result.trials,
            left.join("\n")
        );
        assert!(result.canaries > 6_000 && result.bound.is_some_and(|bound| bound < 0.001_1));
    }
}
