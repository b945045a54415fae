//! Time as an argument.

use std::sync::atomic::{AtomicI64, Ordering};

use time::{Duration, OffsetDateTime};

/// Tells the time. Handlers and workers get one; nobody asks the system on his own.
pub trait Clock: Send + Sync {
    /// The moment, in UTC and whole microseconds, which is what Postgres keeps.
    fn now(&self) -> OffsetDateTime;
}

/// The machine's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the system for the time"
    )]
    fn now(&self) -> OffsetDateTime {
        whole_micros(OffsetDateTime::now_utc())
    }
}

/// A clock that stands still until it is told to move, for tests.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `seconds` after 1970.
    #[must_use]
    pub fn at_unix(seconds: i64) -> Self {
        Self(AtomicI64::new(seconds * 1_000_000))
    }

    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.whole_microseconds()).unwrap_or(i64::MAX);
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> OffsetDateTime {
        let micros = i128::from(self.0.load(Ordering::SeqCst));
        OffsetDateTime::from_unix_timestamp_nanos(micros * 1000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

fn whole_micros(moment: OffsetDateTime) -> OffsetDateTime {
    let nanos = moment.nanosecond();
    moment.replace_nanosecond(nanos - nanos % 1000).unwrap_or(moment)
}

/// Seconds and nanoseconds after 1970; zero before it.
pub(crate) fn unix_parts(moment: OffsetDateTime) -> (u64, u32) {
    (
        u64::try_from(moment.unix_timestamp()).unwrap_or(0),
        moment.nanosecond(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_shows_whole_microseconds() {
        assert_eq!(SystemClock.now().nanosecond() % 1000, 0);
    }

    #[test]
    fn a_manual_clock_moves_when_told() {
        let clock = ManualClock::at_unix(10);
        clock.advance(Duration::seconds(5));
        assert_eq!(clock.now().unix_timestamp(), 15);
    }
}
