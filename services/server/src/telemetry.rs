//! Log lines. Nothing that identifies a patient reaches them: spans skip all arguments, and fields are ids and counts.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::{LogArgs, LogFormat};

/// Starts logging to standard error. A second call changes nothing.
///
/// # Errors
/// When the filter does not parse.
pub fn start(args: &LogArgs) -> Result<(), BadFilter> {
    // The libraries' own lines are for their developers; what they mean for ours is logged by ours.
    let filter = EnvFilter::try_new(format!("{},sqlx=error,actix_server=warn,rustls=warn", args.log))
        .map_err(|_| BadFilter)?;
    let registry = tracing_subscriber::registry().with(filter);
    let started = match args.log_format {
        LogFormat::Text => registry
            .with(
                fmt::layer()
                    .with_writer(std::io::stderr)
                    .with_target(false)
                    .with_ansi(std::io::stderr().is_terminal()),
            )
            .try_init(),
        LogFormat::Json => registry
            .with(
                fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_writer(std::io::stderr),
            )
            .try_init(),
    };
    // A panic's message may quote what it was about, such as the text of a note: the log gets the place alone.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(
            place,
            "a thread panicked; its message is kept back, since it may quote a note"
        );
    }));
    // Only a subscriber that is there already can fail here: a test's, or a first call's.
    drop(started);
    Ok(())
}

/// The filter is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("COUNTERSIGN_LOG does not parse: write a level such as info, or parts such as info,server=debug")]
pub struct BadFilter;
