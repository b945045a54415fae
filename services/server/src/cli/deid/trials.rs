//! The risk of a leak, by trials with planted canaries.

use std::process::ExitCode;

use clap::Args;
use clinical::Scrubber;
use clinical::leak::{Planter, Score, trials};
use indicatif::{ProgressBar, ProgressStyle};
use records::{Clock as _, SystemClock};
use serde::Serialize;

use super::super::{Failure, say};
use super::HowArgs;

/// Measure the risk of a leak with planted canaries.
#[derive(Args)]
pub struct TrialsArgs {
    /// Independent trials: each is a new patient and a new note. 300,000 without a leak bound its probability below 0.001 %
    #[arg(long, default_value_t = 300_000)]
    trials: u64,
    /// Seed; without it the day's date, so that each night tries other notes
    #[arg(long)]
    seed: Option<u64>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    how: HowArgs,
}

/// What the trials found. Its sentences say exactly what was shown and nothing more.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Campaign.
    pub campaign: &'static str,
    /// Independent trials.
    pub trials: u64,
    /// Trials in which a canary was not fully masked.
    pub leaks: u64,
    /// Canaries planted.
    pub canaries: u64,
    /// Largest probability of a leak per trial that is still possible, one-sided at 95 %, where nothing leaked.
    pub leak_probability_below: Option<f64>,
    /// Canaries and how many were fully masked, by class.
    pub classes: std::collections::BTreeMap<String, (u64, u64)>,
    /// Names of persons whom the hospital did not tell, in planted notes: full-cover recall, and its interval at 95 %.
    pub third_person_names: (u64, u64, f64, f64),
    /// What is shown.
    pub shows: String,
    /// Seed.
    pub seed: u64,
    /// Day.
    pub date: String,
    /// Cores and architecture.
    pub machine: String,
    /// Seconds it took.
    pub seconds: f64,
    /// Version of this program.
    pub version: &'static str,
}

/// # Errors
/// [`Failure`] when the policy or a file cannot be read.
pub fn run(args: &TrialsArgs) -> Result<ExitCode, Failure> {
    let seed = args
        .seed
        .unwrap_or_else(|| u64::try_from(SystemClock.now().date().to_julian_day()).unwrap_or(0));
    let report = leak(&args.how.scrubber()?, args.trials, seed, true)?;
    if args.json {
        say(serde_json::to_string_pretty(&report)?);
    } else {
        say(&report.shows);
    }
    Ok(if report.leaks == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs `count` trials from `seed`, and as many planted notes as a tenth of that for the names of third persons.
///
/// # Errors
/// [`Failure`] when the progress bar's template is wrong, which is a mistake in this file.
pub fn leak(scrubber: &Scrubber, count: u64, seed: u64, show: bool) -> Result<Report, Failure> {
    let began = std::time::Instant::now();
    let bar = if show {
        ProgressBar::new(count)
    } else {
        ProgressBar::hidden()
    };
    bar.set_style(ProgressStyle::with_template(
        "planting canaries {bar:40} {pos}/{len}  ETA {eta}",
    )?);
    let found = trials(scrubber, seed, count, |_, _| bar.inc(1));
    bar.finish_and_clear();
    let mut planter = Planter::new(seed ^ 0x5EED);
    let mut persons = Score::default();
    for _ in 0..(count / 10).max(100) {
        let note = planter.note();
        let made = scrubber.scrub(&note.text, &clinical::Known::default());
        persons.add(&note, &made.redactions);
    }
    let names = persons
        .by_class
        .get("NAME")
        .copied()
        .unwrap_or_default()
        .full_cover();
    let (low, high) = names.interval();
    let shows = match found.bound {
        Some(bound) => format!(
            "No leak in {count} independent trials ({} canaries): with 95 % confidence a note of the kind that was planted \
             leaks a known identifier or one of the tried formats with a probability below {:.5} %.\n\
             Names of third persons, whom the hospital did not tell, are no part of that: in planted notes {} of {} were fully \
             masked ({:.2} % to {:.2} % at 95 %).",
            found.canaries,
            bound * 100.0,
            names.part,
            names.whole,
            low * 100.0,
            high * 100.0
        ),
        None => format!(
            "{} of {count} trials leaked. `countersign deid evaluate` and the seed {seed} show where.",
            found.leaks
        ),
    };
    Ok(Report {
        campaign: "leak",
        trials: count,
        leaks: found.leaks,
        canaries: found.canaries,
        leak_probability_below: found.bound,
        classes: found
            .score
            .by_class
            .iter()
            .map(|(class, recall)| (class.clone(), (recall.covered, recall.spans)))
            .collect(),
        third_person_names: (names.part, names.whole, low, high),
        shows,
        seed,
        date: SystemClock.now().date().to_string(),
        machine: format!(
            "{} cores, {}",
            std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            std::env::consts::ARCH
        ),
        seconds: began.elapsed().as_secs_f64(),
        version: env!("CARGO_PKG_VERSION"),
    })
}
