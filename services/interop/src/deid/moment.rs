//! Dates as FHIR writes them: a year, a month, a day, perhaps a time of day.

use std::cmp::Ordering;

use time::{Date, Duration, Month};

/// A `date`, `dateTime` or `instant` (FHIR R4, section 2.24.0.1) taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment<'t> {
    pub year: i32,
    pub month: Option<u8>,
    pub day: Option<u8>,
    /// From the `T` on, with the time zone; nothing else than a whole time with a zone is read.
    pub time: &'t str,
}

impl<'t> Moment<'t> {
    /// Reads what `text` begins with. What stands behind a date and is no time with a zone is not in the result.
    pub(super) fn read(text: &'t str) -> Option<Self> {
        let number = |range: std::ops::Range<usize>| {
            let part = text.get(range)?;
            part.bytes()
                .all(|byte| byte.is_ascii_digit())
                .then(|| part.parse::<u16>().ok())
                .flatten()
        };
        let small = |at: usize, most: u16| {
            let number = number(at..at + 2).filter(|number| (1..=most).contains(number))?;
            let dash = text.as_bytes().get(at - 1) == Some(&b'-');
            dash.then(|| u8::try_from(number).ok()).flatten()
        };
        let year = i32::from(number(0..4).filter(|&year| year > 0)?);
        let month = small(5, 12);
        let day = month.and_then(|_| small(8, 31));
        let time = day
            .and_then(|_| text.get(10..))
            .filter(|time| is_time(time))
            .unwrap_or("");
        Some(Self {
            year,
            month,
            day,
            time,
        })
    }

    /// The day, its missing parts taken as the first.
    pub(super) fn first_day(&self) -> Option<Date> {
        let month = Month::try_from(self.month.unwrap_or(1)).ok()?;
        Date::from_calendar_date(self.year, month, self.day.unwrap_or(1)).ok()
    }

    /// Whether somebody born then is older than 89 at `today`: 45 CFR 164.514(b)(2)(i)(C). Only years, months and days
    /// count, so a day that the calendar lacks does too.
    pub(super) fn reveals_age(&self, today: Date) -> bool {
        let born = (self.month.unwrap_or(1), self.day.unwrap_or(1));
        let before = (u8::from(today.month()), today.day()) < born;
        today.year() - self.year - i32::from(before) > 89
    }

    /// Seconds since year 0 in UTC, if the moment has a time.
    fn seconds(&self) -> Option<i64> {
        let part = |at: usize| {
            self.time
                .get(at..at + 2)
                .and_then(|part| part.parse::<i64>().ok())
        };
        let zone = self.time.get(self.time.rfind(['Z', '+', '-'])?..)?;
        let offset = match zone.split_once(':') {
            None => 0,
            Some((hours, minutes)) => {
                let (hours, minutes) = (hours.parse::<i64>().ok()?, minutes.parse::<i64>().ok()?);
                hours * 60 + if zone.starts_with('-') { -minutes } else { minutes }
            }
        };
        let days = i64::from(self.first_day()?.to_julian_day());
        Some(days * 86_400 + part(1)? * 3_600 + part(4)? * 60 + part(7)? - offset * 60)
    }
}

/// `T`, hours, minutes, seconds, perhaps a fraction, and a zone.
fn is_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let clock = |at: usize, sign: &[u8]| {
        bytes.get(at).is_some_and(|byte| sign.contains(byte)) && digit(at + 1) && digit(at + 2)
    };
    if !(clock(0, b"T") && clock(3, b":") && clock(6, b":")) {
        return false;
    }
    let rest = text.get(9..).unwrap_or("");
    let rest = rest
        .strip_prefix('.')
        .map_or(rest, |rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    let zone = rest.as_bytes();
    rest == "Z"
        || (zone.len() == 6
            && matches!(zone[0], b'+' | b'-')
            && zone[3] == b':'
            && [1, 2, 4, 5].iter().all(|&at| zone[at].is_ascii_digit()))
}

/// The order of two moments; none where one of them is not exact enough to say (`FHIRPath`, section 6.2).
pub(super) fn compare(left: &Moment<'_>, right: &Moment<'_>) -> Option<Ordering> {
    if let (Some(left), Some(right)) = (left.seconds(), right.seconds()) {
        return Some(left.cmp(&right));
    }
    let year = left.year.cmp(&right.year);
    if year.is_ne() {
        return Some(year);
    }
    for (left, right) in [(left.month, right.month), (left.day, right.day)] {
        match (left, right) {
            (None, None) => return Some(Ordering::Equal),
            (Some(left), Some(right)) if left != right => return Some(left.cmp(&right)),
            (Some(_), Some(_)) => {}
            _ => return None,
        }
    }
    (left.time.is_empty() && right.time.is_empty()).then_some(Ordering::Equal)
}

/// `date` moved by `days`, which may be negative.
pub(super) fn moved(date: Date, days: i64) -> Option<Date> {
    date.checked_add(Duration::days(days))
}

/// A date as FHIR writes it.
pub(super) fn written(date: Date) -> String {
    format!(
        "{:04}-{:02}-{:02}",
        date.year(),
        u8::from(date.month()),
        date.day()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Moment<'_> {
        Moment::read(text).expect("a moment")
    }

    #[test]
    fn moments_are_taken_apart() {
        assert_eq!(read("2001").month, None);
        assert_eq!(read("2001-02").month, Some(2));
        assert_eq!(read("2001-02-03T04:05:06.7+01:00").time, "T04:05:06.7+01:00");
        assert_eq!(read("2001-02-03T04:05").time, "");
        assert_eq!(read("2001-13-03").month, None);
        for text in ["", "20", "abcd", "0000", "2é01", "-200"] {
            assert_eq!(Moment::read(text), None, "{text}");
        }
    }

    #[test]
    fn moments_are_compared_as_far_as_they_are_exact() {
        let order = |left, right| compare(&read(left), &read(right));
        assert_eq!(order("2001", "2002-01-01"), Some(Ordering::Less));
        assert_eq!(order("2001", "2001-05"), None);
        assert_eq!(order("2001", "2001"), Some(Ordering::Equal));
        assert_eq!(
            order("2001-01-01T00:00:00Z", "2001-01-01T01:00:00+01:00"),
            Some(Ordering::Equal)
        );
        assert_eq!(
            order("2001-01-01T00:30:00-01:00", "2001-01-01T01:00:00Z"),
            Some(Ordering::Greater)
        );
        assert_eq!(order("2001-01-01", "2001-01-01T01:00:00Z"), None);
    }

    #[test]
    fn ages_over_89_are_seen() {
        let today = Date::from_calendar_date(2026, Month::March, 14).expect("a date");
        assert!(!read("1936-03-15").reveals_age(today));
        assert!(read("1936-03-14").reveals_age(today));
        assert!(read("1936").reveals_age(today));
        assert!(!read("1937").reveals_age(today));
    }
}
