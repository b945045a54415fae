//! Pseudonymous ids: whether any two are alike, and whether a list of all names finds one without the key.

use std::collections::HashSet;

use clinical::Scrubber;
use clinical::leak::{Draws, known_names};
use indicatif::{ProgressBar, ProgressStyle};
use records::{Clock as _, SystemClock};
use serde::Serialize;

use super::super::Failure;

/// What the campaign found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Campaign.
    pub campaign: &'static str,
    /// Patients, each with an id of its own.
    pub patients: u32,
    /// Pairs of patients with one pseudonymous id of 128 bits.
    pub collisions: u64,
    /// Names of the dictionary.
    pub names: u64,
    /// Guesses without the key: every name by every derivation that needs none, or a guessed one.
    pub guesses: u64,
    /// Ids that a guess found.
    pub recovered: u64,
    /// Seed.
    pub seed: u64,
    /// Day.
    pub date: String,
    /// Seconds it took.
    pub seconds: f64,
    /// Version of this program.
    pub version: &'static str,
}

/// Makes ids of `patients` patients under a key drawn from `seed`, and attacks those of all names.
///
/// # Errors
/// [`Failure`] when the progress bar's template is wrong, which is a mistake in this file.
pub fn pseudonyms(patients: u32, seed: u64) -> Result<Report, Failure> {
    let began = std::time::Instant::now();
    let mut draws = Draws::new(seed);
    let mut secret = [0; 32];
    for part in secret.chunks_mut(8) {
        part.copy_from_slice(&draws.bits().to_be_bytes());
    }
    let scrubber = Scrubber::with_secret(&secret);
    let bar = ProgressBar::new(u64::from(patients)).with_style(ProgressStyle::with_template(
        "pseudonyms {bar:40} {pos}/{len}  ETA {eta}",
    )?);
    let all = scrubber.pseudonyms([0; 16]);
    let mut ids: Vec<[u8; 16]> = Vec::with_capacity(usize::try_from(patients)?);
    for number in 0..patients {
        ids.push(*all.id("mrn", &number.to_string()).as_bytes());
        if number % 10_000 == 0 {
            bar.set_position(u64::from(number));
        }
    }
    bar.finish_and_clear();
    ids.sort_unstable();
    let collisions = ids.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64;

    let issued: HashSet<[u8; 16]> = known_names()
        .map(|name| *all.id("name", name).as_bytes())
        .collect();
    // What somebody without the key would try: plain digests, and the same construction under keys that people choose.
    let others: Vec<Scrubber> = [
        [0; 32],
        [1; 32],
        [0xff; 32],
        *seal::Digest::of(b"countersign").as_bytes(),
    ]
    .iter()
    .map(Scrubber::with_secret)
    .collect();
    let (mut names, mut guesses, mut recovered) = (0, 0, 0);
    for name in known_names() {
        names += 1;
        let mut tries: Vec<[u8; 16]> = others
            .iter()
            .map(|scrubber| *scrubber.pseudonyms([0; 16]).id("name", name).as_bytes())
            .collect();
        for text in [
            name.to_owned(),
            format!("name{name}"),
            format!("name:{name}"),
            name.to_uppercase(),
        ] {
            let digest = seal::Digest::of(text.as_bytes());
            let mut half = [0; 16];
            half.copy_from_slice(&digest.as_bytes()[..16]);
            tries.push(half);
        }
        guesses += tries.len() as u64;
        recovered += tries.iter().filter(|guess| issued.contains(*guess)).count() as u64;
    }
    Ok(Report {
        campaign: "pseudonyms",
        patients,
        collisions,
        names,
        guesses,
        recovered,
        seed,
        date: SystemClock.now().date().to_string(),
        seconds: began.elapsed().as_secs_f64(),
        version: env!("CARGO_PKG_VERSION"),
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_hundredth_of_the_campaign_holds() {
        let report = super::pseudonyms(100_000, 7).expect("the campaign runs");
        assert_eq!((report.collisions, report.recovered), (0, 0));
        assert!(
            report.names > 100_000 && report.guesses == report.names * 8,
            "{report:?}"
        );
    }
}
