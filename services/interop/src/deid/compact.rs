//! What HL7 v2 and v3 write alike: dates without separators, and ZIP codes.

use clinical::Pseudonyms;
use time::{Date, Month};

use super::moment::{self, Moment};

/// A date of HL7 v2 or v3 (`YYYYMMDD…`), if it has a day.
pub(super) fn compact_date(text: &str) -> Option<Date> {
    let number = |from: usize, to: usize| {
        let part = text.get(from..to)?;
        part.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| part.parse::<u16>().ok())
            .flatten()
    };
    let month = Month::try_from(u8::try_from(number(4, 6)?).ok()?).ok()?;
    Date::from_calendar_date(i32::from(number(0, 4)?), month, u8::try_from(number(6, 8)?).ok()?).ok()
}

/// A date of HL7 v2 or v3 (`YYYY[MM[DD[HHMM[SS[.S]]]]][±ZZZZ]`) moved by the patient's days; of one without a day, and where
/// only years may stay (`dates` is none), the year; none if it is no date or reveals an age over 89.
pub(super) fn shifted(text: &str, dates: Option<&Pseudonyms<'_>>, today: Date) -> Option<String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(digits);
    let zone = rest
        .strip_prefix('.')
        .map_or(rest, |rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    let zone_fits = zone.is_empty()
        || zone
            .strip_prefix(['+', '-'])
            .is_some_and(|zone| zone.len() == 4 && zone.bytes().all(|byte| byte.is_ascii_digit()));
    if !zone_fits || !matches!(digits, 4 | 6 | 8 | 10 | 12 | 14) {
        return None;
    }
    let year = number.get(..4)?;
    if digits < 8 {
        return Moment::read(year)
            .filter(|moment| !moment.reveals_age(today))
            .map(|_| year.to_owned());
    }
    let date = compact_date(number)?;
    if Moment::read(&moment::written(date))?.reveals_age(today) {
        return None;
    }
    let Some(dates) = dates else {
        return Some(year.to_owned());
    };
    let moved = moment::written(dates.shift(date)?).replace('-', "");
    Some(moved + number.get(8..)? + rest)
}

/// The first three digits of a ZIP code, or noughts where 20,000 people or fewer live behind them (45 CFR
/// 164.514(b)(2)(i)(B)). What is no ZIP code goes.
pub(super) fn zip(text: &str, restricted: &[String]) -> String {
    let text = text.trim();
    let us =
        matches!(text.len(), 5 | 9 | 10) && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    match text.get(..3) {
        Some(area) if us && !restricted.iter().any(|zip| zip == area) => area.to_owned() + "00",
        Some(_) if us => "00000".to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deid::tests::{scrubber, today};

    #[test]
    fn dates_by_their_exactness() {
        let scrubber = scrubber();
        let dates = scrubber.pseudonyms([1; 16]);
        let of = |text: &str| shifted(text, Some(&dates), today());
        assert_eq!(of("2019").as_deref(), Some("2019"));
        assert_eq!(of("201905").as_deref(), Some("2019"));
        assert_eq!(of("1930"), None);
        assert_eq!(of("19300101"), None);
        assert_eq!(of("20190532"), None);
        assert_eq!(of("20190501 x"), None);
        let years = |text: &str| shifted(text, None, today());
        assert_eq!(years("20190501103000.12-0500").as_deref(), Some("2019"));
        assert_eq!(years("201905").as_deref(), Some("2019"));
        assert_eq!(years("19300101"), None);
        assert_eq!(years("20190532"), None);
        assert!(
            of("20190501103000.12-0500")
                .is_some_and(|date| date.ends_with("103000.12-0500") && !date.starts_with("20190501"))
        );
    }

    #[test]
    fn zip_codes_keep_an_area_of_many_people() {
        let restricted = ["036".to_owned()];
        for (code, wanted) in [
            ("62704", "62700"),
            ("62704-1234", "62700"),
            ("03601", "00000"),
            ("SW1A 1AA", ""),
            ("1234", ""),
        ] {
            assert_eq!(zip(code, &restricted), wanted);
        }
    }
}
