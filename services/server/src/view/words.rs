//! Moments, ages and probabilities in words.

use clinical::Impression;
use time::{OffsetDateTime, macros::format_description};

use crate::pages::Tone;

/// `2026-11-24 15:04 UTC`.
#[must_use]
pub fn moment(at: OffsetDateTime) -> String {
    at.format(format_description!("[year]-[month]-[day] [hour]:[minute] UTC"))
        .unwrap_or_default()
}

/// `2026-11-24 15:04:05.123 UTC`.
#[must_use]
pub fn exact(at: OffsetDateTime) -> String {
    at.format(format_description!(
        "[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:3] UTC"
    ))
    .unwrap_or_default()
}

/// `15:34 UTC`.
#[must_use]
pub fn hour(at: OffsetDateTime) -> String {
    at.format(format_description!("[hour]:[minute] UTC"))
        .unwrap_or_default()
}

/// `just now`, `12 min`, `3 h`, `2 d`.
#[must_use]
pub fn age(now: OffsetDateTime, then: OffsetDateTime) -> String {
    let minutes = (now - then).whole_minutes();
    match minutes {
        ..1 => "just now".to_owned(),
        1..60 => format!("{minutes} min"),
        60..2880 => format!("{} h", minutes / 60),
        _ => format!("{} d", minutes / 1440),
    }
}

/// Colour of an impression.
#[must_use]
pub const fn tone(impression: Impression) -> Tone {
    match impression {
        Impression::Abnormal => Tone::Abnormal,
        Impression::Normal => Tone::Normal,
    }
}

/// A probability in percent, one decimal; never `100.0` or `0.0` unless it is.
#[must_use]
pub fn percent(probability: clinical::Probability) -> String {
    let percent = probability.get() * 100.0;
    let shown = if percent < 100.0 {
        percent.min(99.9)
    } else {
        percent
    };
    let shown = if percent > 0.0 { shown.max(0.1) } else { shown };
    format!("{shown:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probability_is_never_rounded_to_certainty() {
        let shown = |p| percent(clinical::Probability::new(p).expect("a probability"));
        assert_eq!(shown(0.99999), "99.9");
        assert_eq!(shown(1.0), "100.0");
        assert_eq!(shown(0.00001), "0.1");
        assert_eq!(shown(0.0), "0.0");
        assert_eq!(shown(0.5), "50.0");
    }

    #[test]
    fn ages_read_well() {
        let now = OffsetDateTime::UNIX_EPOCH + time::Duration::days(10);
        let ago = |minutes| age(now, now - time::Duration::minutes(minutes));
        assert_eq!(
            [ago(0), ago(5), ago(125), ago(5000)],
            ["just now", "5 min", "2 h", "3 d"]
        );
    }
}
