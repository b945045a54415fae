//! Holidays, which say month and day (45 CFR 164.514(b)(2)(i)(C): all elements of dates but the year).

use std::ops::Range;

use super::context::{listed, word_after};

/// Names of holidays as patterns, each with its month and day; of those that move, with the middle of the days that they fall
/// on. Feasts of several days (Ramadan, Lent) say no date, and matter to whoever adjusts a dose.
const HOLIDAYS: [(&str, u8, u8); 24] = [
    ("christmas eve", 12, 24),
    ("christmas(?: (?:day|morning))?", 12, 25),
    ("boxing day", 12, 26),
    ("new year['’]?s eve", 12, 31),
    ("new year['’]?s(?: day)?", 1, 1),
    ("(?:martin luther king(?:,? jr\\.?)?|mlk) day", 1, 18),
    ("(?:saint |st\\.? )?valentine['’]?s day", 2, 14),
    ("presidents['’]? day", 2, 18),
    ("ash wednesday", 2, 25),
    ("(?:saint |st\\.? )patrick['’]?s day", 3, 17),
    ("good friday", 4, 8),
    ("easter(?: sunday| monday)?", 4, 10),
    ("cinco de mayo", 5, 5),
    ("mother['’]?s day", 5, 11),
    ("memorial day", 5, 28),
    ("juneteenth", 6, 19),
    ("father['’]?s day", 6, 18),
    ("independence day", 7, 4),
    ("labou?r day", 9, 4),
    ("columbus day", 10, 11),
    ("halloween", 10, 31),
    ("veterans['’]? day", 11, 11),
    ("thanksgiving(?: day)?", 11, 25),
    ("kwanzaa", 12, 29),
];

/// What stands behind the name of a holiday in other terms (haemophilia B is Christmas disease).
const OTHERWISE: &str =
    "antigen cactus card cards disease factor island lights sunday seal seals syndrome tree trees";

/// A pattern for each holiday, with the year behind it, if any; its month; its day.
pub(super) fn patterns(year: &str) -> impl Iterator<Item = (String, u8, u8)> {
    HOLIDAYS.iter().map(move |(name, month, day)| {
        (
            format!("{name}(?:(?:,? (?:of |in )?|[ -])(?P<y>{year}))?"),
            *month,
            *day,
        )
    })
}

/// Whether a match names a holiday, and not a disease, a thing, or a day of labor.
pub(super) fn is_meant(text: &str, range: &Range<usize>) -> bool {
    let birth = text[range.clone()]
        .get(.."Labor d".len())
        .is_some_and(|head| head.to_ascii_lowercase().starts_with("labor") && head.ends_with('d'));
    !birth && !listed(OTHERWISE, &word_after(text, range.end))
}
