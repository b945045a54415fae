//! Dates as they are written, and the same dates some days earlier in the same writing.

use std::ops::Range;

use time::{Date, Duration, Month};

/// English month names; an abbreviation is its first three letters (or `Sept`).
pub(crate) const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// Ordinals from the first to the thirty-first, as they are spoken.
pub(crate) const ORDINALS: [&str; 31] = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
    "twentieth",
    "twenty-first",
    "twenty-second",
    "twenty-third",
    "twenty-fourth",
    "twenty-fifth",
    "twenty-sixth",
    "twenty-seventh",
    "twenty-eighth",
    "twenty-ninth",
    "thirtieth",
    "thirty-first",
];

/// Where the parts of a date stand, in bytes of the text that holds it. Absent parts are not written.
#[derive(Clone, Debug, Default)]
pub(crate) struct DateParts {
    pub weekday: Option<Range<usize>>,
    /// Day in digits or as an ordinal word.
    pub day: Option<Range<usize>>,
    /// `st`, `nd`, `rd` or `th` behind the day.
    pub suffix: Option<Range<usize>>,
    /// Last day of a range within the same month.
    pub last_day: Option<Range<usize>>,
    pub last_suffix: Option<Range<usize>>,
    /// Month in digits or as a word.
    pub month: Option<Range<usize>>,
    /// Two or four digits.
    pub year: Option<Range<usize>>,
    /// Day and month are both digits, so that the custom of the text decides which is which.
    pub ambiguous: bool,
    /// Month and day of a holiday that stands in place of both.
    pub holiday: Option<(u8, u8)>,
}

impl DateParts {
    /// Exchanges day and month of a date in digits.
    pub(crate) fn swap(&mut self) {
        std::mem::swap(&mut self.day, &mut self.month);
    }
}

/// Number of a month from its name or abbreviation, 1 to 12.
pub(crate) fn month_number(word: &str) -> Option<u8> {
    position(&MONTHS, word)
}

/// Number of a word in a list of names, by its first three letters, counted from 1.
fn position(names: &[&str], word: &str) -> Option<u8> {
    let head = word.get(..3)?;
    let at = names
        .iter()
        .position(|name| name[..3].eq_ignore_ascii_case(head))?;
    u8::try_from(at + 1).ok()
}

fn number(text: &str) -> Option<u8> {
    text.parse().ok().or_else(|| {
        let word = text.to_ascii_lowercase().replace(' ', "-");
        let at = ORDINALS.iter().position(|ordinal| *ordinal == word)?;
        u8::try_from(at + 1).ok()
    })
}

/// A year without a date is read into this one, which has 365 days.
const COMMON_YEAR: i32 = 2001;

/// The date that `parts` spell, its missing day taken as the 15th, its missing year as a common one. `None` where the
/// calendar has no such day.
fn read(text: &str, parts: &DateParts) -> Option<Date> {
    let part = |range: &Option<Range<usize>>| range.clone().and_then(|range| text.get(range));
    let (month, day) = if let Some(holiday) = parts.holiday {
        holiday
    } else {
        let day = part(&parts.day).map_or(Some(15), number)?;
        // Of `the 18th` nobody knows the month: it is read in one of 31 days.
        let month = part(&parts.month).map_or(Some(1), |month| {
            month.parse().ok().or_else(|| month_number(month))
        })?;
        (month, day)
    };
    let year = match part(&parts.year) {
        None => COMMON_YEAR,
        // POSIX strptime's pivot for two digits: 69 to 99 are of the twentieth century.
        Some(year) if year.len() == 2 => year
            .parse()
            .map(|y: i32| if y < 69 { 2000 + y } else { 1900 + y })
            .ok()?,
        Some(year) => year.parse().ok()?,
    };
    let month = Month::try_from(month).ok()?;
    // The 29th of February without its year is read as the 28th, so that the shift stays within a common year.
    let day = if parts.year.is_none() {
        day.min(month.length(COMMON_YEAR))
    } else {
        day
    };
    Date::from_calendar_date(year, month, day).ok()
}

/// Whether day and month could be a date, whatever the year.
pub(crate) fn is_day_of_month(day: &str, month: &str) -> bool {
    let (Some(day), Ok(month)) = (number(day), month.parse::<u8>()) else {
        return false;
    };
    let Ok(month) = Month::try_from(month) else {
        return false;
    };
    // 2000 has a 29th of February.
    (1..=month.length(2000)).contains(&day)
}

/// The text of `range` with its date moved `days` (1 to 364) into the past, in the same writing. `None` where the
/// parts spell no date of the calendar.
pub(crate) fn shifted(text: &str, range: &Range<usize>, parts: &DateParts, days: u16) -> Option<String> {
    if let (Some(weekday), None) = (&parts.weekday, &parts.month) {
        let new = write_weekday(
            text.get(weekday.clone())?,
            if days.is_multiple_of(7) { days + 1 } else { days },
        );
        return Some(
            [
                text.get(range.start..weekday.start)?,
                &new,
                text.get(weekday.end..range.end)?,
            ]
            .concat(),
        );
    }
    let original = read(text, parts)?;
    let mut date = original.checked_sub(Duration::days(i64::from(days)))?;
    if parts.holiday.is_some() {
        // Another day has no name: month and day in words, with the year where there was one.
        let month = in_case_of("Xx", MONTHS.get(usize::from(u8::from(date.month())) - 1)?);
        let year = parts
            .year
            .as_ref()
            .map_or_else(String::new, |_| format!(", {:04}", date.year()));
        return Some(format!("{month} {}{year}", date.day()));
    }
    if parts.day.is_none() {
        // A month alone hides the shift of a few days: go back until another month is written.
        while date.month() == original.month() {
            date = date.checked_sub(Duration::days(28))?;
        }
    }
    if parts.month.is_none() && date.day() == original.day() {
        date = date.previous_day()?;
    }
    let mut pieces: Vec<(Range<usize>, String)> = Vec::new();
    let mut put = |at: &Option<Range<usize>>, write: &dyn Fn(&str) -> String| {
        if let Some(old) = at.clone().and_then(|at| text.get(at)) {
            pieces.push((at.clone().unwrap_or_default(), write(old)));
        }
    };
    // In words a day has no leading zero unless one was written; in digits two places stay two places.
    let digits = parts
        .month
        .clone()
        .and_then(|at| text.get(at))
        .is_some_and(|month| month.parse::<u8>().is_ok());
    put(&parts.day, &|old| write_day(old, date.day(), digits));
    put(&parts.suffix, &|old| in_case_of(old, suffix(date.day())));
    put(&parts.month, &|old| write_month(old, date.month()));
    put(&parts.year, &|old| {
        let year = date.year();
        if old.len() == 2 {
            format!("{:02}", year.rem_euclid(100))
        } else {
            format!("{year:04}")
        }
    });
    put(&parts.weekday, &|old| write_weekday(old, days));
    if let (Some(last), Some(day)) = (&parts.last_day, &parts.day) {
        let length = text.get(last.clone()).and_then(number)?;
        let first = text.get(day.clone()).and_then(number)?;
        let end = date.checked_add(Duration::days(i64::from(length) - i64::from(first)))?;
        put(&parts.last_day, &|old| {
            let day = write_day(old, end.day(), digits);
            // Only a month in words can be repeated without changing what the digits mean.
            match parts.month.clone().and_then(|at| text.get(at)) {
                Some(month) if !digits && end.month() != date.month() => {
                    format!("{} {day}", write_month(month, end.month()))
                }
                _ => day,
            }
        });
        put(&parts.last_suffix, &|old| in_case_of(old, suffix(end.day())));
    }
    pieces.sort_by_key(|(at, _)| at.start);
    let mut out = String::with_capacity(range.len() + 8);
    let mut from = range.start;
    for (at, new) in pieces {
        out.push_str(text.get(from..at.start)?);
        out.push_str(&new);
        from = at.end;
    }
    out.push_str(text.get(from..range.end)?);
    Some(out)
}

fn write_day(old: &str, day: u8, wide: bool) -> String {
    if old.bytes().all(|b| b.is_ascii_digit()) {
        return padded(old, day, wide);
    }
    let word = ORDINALS.get(usize::from(day) - 1).copied().unwrap_or("first");
    in_case_of(old, word)
}

fn write_month(old: &str, month: Month) -> String {
    let number = u8::from(month);
    if old.bytes().all(|b| b.is_ascii_digit()) {
        return padded(old, number, true);
    }
    let name = MONTHS.get(usize::from(number) - 1).copied().unwrap_or("january");
    // `May` may be either; it is written in full where it was written at all.
    let short = old.len() < 5 && !old.eq_ignore_ascii_case("june") && !old.eq_ignore_ascii_case("july");
    in_case_of(old, if short { &name[..3] } else { name })
}

fn write_weekday(old: &str, days: u16) -> String {
    let Some(number) = position(&WEEKDAYS, old) else {
        return old.to_owned();
    };
    let at = (usize::from(number - 1) + 7 - usize::from(days % 7)) % 7;
    let name = WEEKDAYS[at];
    in_case_of(old, if old.len() < 6 { &name[..3] } else { name })
}

/// Two digits where a leading zero was, and where `wide` also for any two digits.
fn padded(old: &str, number: u8, wide: bool) -> String {
    if old.starts_with('0') || (wide && old.len() > 1) {
        format!("{number:02}")
    } else {
        number.to_string()
    }
}

fn suffix(day: u8) -> &'static str {
    match day {
        1 | 21 | 31 => "st",
        2 | 22 => "nd",
        3 | 23 => "rd",
        _ => "th",
    }
}

/// `word` (small letters) in the capitals of `old`.
pub(crate) fn in_case_of(old: &str, word: &str) -> String {
    let mut letters = old.chars().filter(|c| c.is_alphabetic());
    let (first, second) = (letters.next(), letters.next());
    match (
        first.is_some_and(char::is_uppercase),
        second.is_some_and(char::is_uppercase),
    ) {
        (true, true) => word.to_uppercase(),
        (true, false) => {
            let mut chars = word.chars();
            chars
                .next()
                .map(|c| c.to_uppercase().chain(chars).collect())
                .unwrap_or_default()
        }
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, part: &str) -> Option<Range<usize>> {
        text.find(part).map(|start| start..start + part.len())
    }

    fn shift(text: &str, day: &str, suffix: &str, month: &str, year: &str, days: u16) -> Option<String> {
        let some = |part: &str| if part.is_empty() { None } else { at(text, part) };
        let parts = DateParts {
            day: some(day),
            suffix: some(suffix),
            month: some(month),
            year: some(year),
            ..DateParts::default()
        };
        shifted(text, &(0..text.len()), &parts, days)
    }

    #[test]
    fn dates_move_and_keep_their_writing() {
        assert_eq!(
            shift("2026-03-14", "14", "", "03", "2026", 20).as_deref(),
            Some("2026-02-22")
        );
        assert_eq!(
            shift("March 14th, 2026", "14", "th", "March", "2026", 13).as_deref(),
            Some("March 1st, 2026")
        );
        assert_eq!(
            shift("1 JAN 26", "1", "", "JAN", "26", 1).as_deref(),
            Some("31 DEC 25")
        );
        assert_eq!(shift("3/5", "5", "", "3", "", 10).as_deref(), Some("2/23"));
        assert_eq!(
            shift("the third of July", "third", "", "July", "", 2).as_deref(),
            Some("the first of July")
        );
        assert_eq!(
            shift("March 2026", "", "", "March", "2026", 3).as_deref(),
            Some("February 2026")
        );
        assert_eq!(shift("02/30/2026", "30", "", "02", "2026", 3), None);
    }

    #[test]
    fn weekdays_and_ranges_move_along() {
        let text = "Monday, March 2-4";
        let parts = DateParts {
            weekday: at(text, "Monday"),
            day: at(text, "2"),
            last_day: at(text, "4"),
            month: at(text, "March"),
            ..DateParts::default()
        };
        assert_eq!(
            shifted(text, &(0..text.len()), &parts, 3).as_deref(),
            Some("Friday, February 27-March 1")
        );
    }

    #[test]
    fn a_holiday_becomes_a_day_in_words() {
        let text = "Christmas Eve 2019";
        let parts = DateParts {
            holiday: Some((12, 24)),
            year: at(text, "2019"),
            ..DateParts::default()
        };
        let moved = |parts: &DateParts| shifted(text, &(0..text.len()), parts, 24);
        assert_eq!(moved(&parts).as_deref(), Some("November 30, 2019"));
        let bare = DateParts { year: None, ..parts };
        assert_eq!(moved(&bare).as_deref(), Some("November 30"));
    }

    #[test]
    fn a_month_alone_always_changes() {
        for days in 1..=364 {
            let moved = shift("May 2026", "", "", "May", "2026", days).expect("a date");
            assert!(!moved.starts_with("May"), "{days}: {moved}");
        }
    }
}
