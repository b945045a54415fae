//! The numbers of `release.toml`.

use serde::Deserialize;
use time::Duration;

/// Why the numbers were not taken. The process stops.
#[derive(Debug, thiserror::Error)]
pub enum NumbersError {
    /// Not TOML, an unknown or missing key, or a number out of range.
    #[error("release.toml is wrong")]
    Toml(#[from] toml::de::Error),
    /// A session would end before it could be idle.
    #[error("release.toml lets a session be idle for longer than it may last")]
    IdleOutlastsSession,
}

macro_rules! units {
    ($($(#[$doc:meta])* $name:ident: $seconds:expr, $least:literal ..= $most:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
            #[serde(try_from = "i64")]
            struct $name(i64);

            impl $name {
                const fn duration(self) -> Duration {
                    Duration::seconds(self.0 * $seconds)
                }
            }

            impl TryFrom<i64> for $name {
                type Error = String;

                fn try_from(number: i64) -> Result<Self, String> {
                    if ($least..=$most).contains(&number) {
                        Ok(Self(number))
                    } else {
                        Err(format!(concat!("{} is not within ", $least, " and ", $most), number))
                    }
                }
            }
        )*
    };
}

units! {
    /// Minutes, for what ends within a working day.
    Minutes: 60, 1..=480;
    /// Hours, for what ends within a day (NIST SP 800-63B: no session is longer).
    Hours: 3600, 1..=24;
    /// Days, for what ends within a year.
    Days: 86_400, 1..=366;
    /// Years, each of 366 days, so that nothing is kept for less than the law's years.
    Years: 366 * 86_400, 1..=100;
}

/// Periods that people decided on: how long care relations, claims, sessions and records last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numbers {
    care_relation: CareRelation,
    claim: Claim,
    session: Session,
    retention: Retention,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct CareRelation {
    days: Days,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claim {
    minutes: Minutes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Session {
    idle_minutes: Minutes,
    absolute_hours: Hours,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Retention {
    report_years: Years,
    audit_years: Years,
}

impl Numbers {
    /// The numbers that were compiled in, from the repository's `policies/release.toml`.
    ///
    /// # Errors
    /// [`NumbersError`], which the tests rule out.
    pub fn built_in() -> Result<Self, NumbersError> {
        Self::parse(include_str!("../../../policies/release.toml"))
    }

    /// Reads `release.toml`.
    ///
    /// # Errors
    /// [`NumbersError`].
    pub fn parse(text: &str) -> Result<Self, NumbersError> {
        let numbers: Self = toml::from_str(text)?;
        if numbers.session_idle() > numbers.session_absolute() {
            return Err(NumbersError::IdleOutlastsSession);
        }
        Ok(numbers)
    }

    /// How long a care relation lasts.
    #[must_use]
    pub const fn care_relation(&self) -> Duration {
        self.care_relation.days.duration()
    }

    /// How long a claim lasts.
    #[must_use]
    pub const fn claim_lease(&self) -> Duration {
        self.claim.minutes.duration()
    }

    /// How long a session lasts without a request.
    #[must_use]
    pub const fn session_idle(&self) -> Duration {
        self.session.idle_minutes.duration()
    }

    /// How long a session lasts at most.
    #[must_use]
    pub const fn session_absolute(&self) -> Duration {
        self.session.absolute_hours.duration()
    }

    /// How long reports are kept at least.
    #[must_use]
    pub const fn report_retention(&self) -> Duration {
        self.retention.report_years.duration()
    }

    /// How long entries of the log are kept at least.
    #[must_use]
    pub const fn audit_retention(&self) -> Duration {
        self.retention.audit_years.duration()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = include_str!("../../../policies/release.toml");

    #[test]
    fn the_compiled_in_numbers() -> Result<(), NumbersError> {
        let numbers = Numbers::built_in()?;
        assert_eq!(numbers.care_relation(), Duration::days(30));
        assert_eq!(numbers.claim_lease(), Duration::minutes(30));
        assert_eq!(numbers.session_idle(), Duration::minutes(15));
        assert_eq!(numbers.session_absolute(), Duration::hours(12));
        assert_eq!(numbers.report_retention(), Duration::days(5 * 366));
        assert_eq!(numbers.audit_retention(), Duration::days(6 * 366));
        Ok(())
    }

    #[test]
    fn mistakes_stop_the_process() {
        let mistakes = [
            ("days = 30", "days = 0"),
            ("days = 30", "days = 367"),
            ("days = 30", "days = -1"),
            ("days = 30", "days = 30.5"),
            ("days = 30", "days = \"30\""),
            ("days = 30", "day = 30"),
            ("days = 30", "days = 30\nextra = 1"),
            ("[claim]", "[claims]"),
            ("audit_years = 6", ""),
            ("audit_years = 6", "audit_years = 6\n[other]\nx = 1"),
        ];
        for (good, bad) in mistakes {
            let text = GOOD.replacen(good, bad, 1);
            assert_ne!(text, GOOD, "{good} is in the file");
            assert!(
                matches!(Numbers::parse(&text), Err(NumbersError::Toml(_))),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_session_may_not_be_idle_for_longer_than_it_lasts() {
        let text = GOOD
            .replace("idle_minutes = 15", "idle_minutes = 61")
            .replace("_hours = 12", "_hours = 1");
        assert!(matches!(
            Numbers::parse(&text),
            Err(NumbersError::IdleOutlastsSession)
        ));
    }
}
