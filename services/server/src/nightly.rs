//! What is measured every night: the risk that the gateway leaks, by trials with planted canaries.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use clinical::Scrubber;
use clinical::leak::{trials, upper_bound_without_leak};
use time::{OffsetDateTime, Time};
use tokio::sync::watch;

use crate::http::App;

/// When the night's work starts, UTC.
const AT: Time = match Time::from_hms(2, 30, 0) {
    Ok(time) => time,
    Err(_) => Time::MIDNIGHT,
};

/// Trials between two looks at whether to stop.
const CHUNK: u64 = 5000;

/// Runs `count` trials with the service's own scrubber every night until `stop` says so; none where `count` is 0.
pub async fn measure(
    app: web::Data<App>,
    scrubber: Arc<Scrubber>,
    count: u64,
    mut stop: watch::Receiver<bool>,
) {
    while count > 0 && !*stop.borrow() {
        tokio::select! {
            _ = stop.changed() => return,
            () = tokio::time::sleep(until(app.clock.now())) => {}
        }
        let day = u64::try_from(app.clock.now().date().to_julian_day()).unwrap_or(0);
        let (mut done, mut leaks) = (0, 0);
        while done < count && !*stop.borrow() {
            let size = CHUNK.min(count - done);
            // Each chunk of each night has notes of its own.
            let seed = (day << 32) | done;
            let scrubber = Arc::clone(&scrubber);
            let Ok(found) = web::block(move || trials(&scrubber, seed, size, |_, _| {})).await else {
                break;
            };
            done += size;
            leaks += found.leaks;
        }
        app.metrics.leak_trials(done, leaks);
        if leaks == 0 {
            let percent = upper_bound_without_leak(done, 0.95) * 100.0;
            tracing::info!(
                trials = done,
                "no planted canary leaked: a note of the kind that was planted leaks with a probability below {percent:.5} % \
                 (95 % confidence); names of third persons are no part of this"
            );
        } else {
            tracing::error!(
                trials = done,
                leaks,
                "planted canaries leaked: run `countersign deid trials` and report the seed that it names"
            );
        }
    }
}

/// How long it is until the next night's work.
fn until(now: OffsetDateTime) -> Duration {
    let today = now.replace_time(AT);
    let next = if today > now {
        today
    } else {
        today + time::Duration::days(1)
    };
    Duration::try_from(next - now).unwrap_or(Duration::from_hours(24))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_night_is_within_a_day() {
        let noon = OffsetDateTime::UNIX_EPOCH + time::Duration::hours(12);
        assert_eq!(until(noon), Duration::from_mins(14 * 60 + 30));
        let soon = OffsetDateTime::UNIX_EPOCH + time::Duration::hours(2);
        assert_eq!(until(soon), Duration::from_mins(30));
        assert_eq!(
            until(soon + time::Duration::minutes(30)),
            Duration::from_hours(24)
        );
    }
}
