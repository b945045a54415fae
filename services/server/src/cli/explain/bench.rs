//! How good the explanations are, measured on a model and reports.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use clinical::{Explanation, Impression, Phrase, Span};
use explanation::{Budget, LimeOptions, Words};
use inference::{Engine, EngineOptions, ScoreError};

use super::{ExplainCliError, covered, load, reports, scores, shuffled, whole};
use crate::cli::{Failure, say};

/// Arguments of `explain bench`.
#[derive(Args)]
pub(super) struct BenchArgs {
    /// Reports: CSV with the columns uid, findings, impression
    #[arg(long, value_name = "FILE")]
    csv: PathBuf,
    /// Folder of a packed model; without it the one that came with this program
    #[arg(long, env = "COUNTERSIGN_MODEL", value_name = "FOLDER")]
    model: Option<PathBuf>,
    /// Reports measured, spread evenly over the file
    #[arg(long, default_value_t = 40)]
    notes: usize,
    /// Seeds that each report is explained with
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// Masked texts at most
    #[arg(long, default_value_t = Budget::default().samples)]
    samples: u32,
    /// Samples of the reference method that erasure is compared with; 0 leaves the comparison out
    #[arg(long, default_value_t = 0)]
    lime: u32,
    /// Compare with the explanations of a model whose weights are shuffled
    #[arg(long)]
    shuffled: bool,
}

pub(super) type Error = explanation::ExplainError<ScoreError>;

/// Means over the reports.
#[derive(Default)]
struct Totals {
    notes: f64,
    same: f64,
    unreliable: f64,
    runs: f64,
    signs: f64,
    kept_signs: f64,
    /// Intervals, those that hold the mean of all seeds, and squares of what was stated and of what happened.
    intervals: f64,
    covered: f64,
    strayed: f64,
    stated: f64,
    calls: f64,
    seconds: f64,
    r2: f64,
    recalled: f64,
    planted: f64,
    erasures: f64,
    /// Comprehensiveness and sufficiency of ours, then of the reference method.
    erased: [f64; 4],
    lime_seconds: f64,
    /// Reports compared with the shuffled model: how many, their correlations, and how many it explains.
    shuffles: f64,
    alike: [f64; 2],
    still: f64,
}

/// Seed of the shuffled weights.
const SHUFFLE: u64 = 2026;

/// Runs `explain bench`.
pub(super) fn run(args: &BenchArgs) -> Result<(), Failure> {
    let reports: Vec<_> = reports::read(&args.csv)?
        .into_iter()
        .filter(|report| explanation::words(&report.text).len() > 1)
        .collect();
    let step = (reports.len() / args.notes.max(1)).max(1);
    let engine = load(args.model.as_deref())?;
    let folder = args.model.clone().unwrap_or_else(crate::model::bundled);
    let shuffled = args
        .shuffled
        .then(|| Engine::load_shuffled(&folder, EngineOptions::default(), SHUFFLE))
        .transpose()
        .map_err(|error| ExplainCliError::Load(folder, error))?;
    let mut totals = Totals::default();
    for (at, report) in reports.iter().step_by(step).take(args.notes).enumerate() {
        let trouble = |source: Error| ExplainCliError::Explain {
            row: at + 1,
            source: Box::new(source.into()),
        };
        one(&engine, &report.text, args, &mut totals).map_err(trouble)?;
        if let Some(shuffled) = &shuffled {
            let budget = Budget {
                samples: args.samples,
                ..Budget::default()
            };
            let found = shuffled::alike([&engine, shuffled], &report.text, budget).map_err(trouble)?;
            if let Some(alike) = found {
                totals.shuffles += 1.0;
                totals.alike[0] += alike.left_out;
                totals.alike[1] += alike.shown;
                totals.still += f64::from(u8::from(alike.reliable));
            }
        }
        tracing::info!(
            report = at + 1,
            same = totals.same,
            calls = totals.calls / totals.runs,
            erasures = totals.erasures,
            comprehensiveness = ?[totals.erased[0], totals.erased[2]].map(|sum| sum / totals.erasures),
            sufficiency = ?[totals.erased[1], totals.erased[3]].map(|sum| sum / totals.erasures),
            "explained"
        );
    }
    print(args, &totals);
    Ok(())
}

fn one(engine: &Engine, text: &str, args: &BenchArgs, totals: &mut Totals) -> Result<(), Error> {
    let threshold = engine.labels().abnormal.threshold.get();
    let budget = Budget {
        samples: args.samples,
        ..Budget::default()
    };
    let target = (Impression::Abnormal, threshold);
    let mut known: HashMap<String, f64> = HashMap::new();
    let mut sets: HashMap<BTreeSet<u32>, u64> = HashMap::new();
    let mut weights: HashMap<u32, Vec<Phrase>> = HashMap::new();
    let mut first = None;
    for seed in 1..=args.seeds {
        let started = Instant::now();
        // The same text is scored once over all seeds: the model is a function.
        let got = explanation::explain_at(text, whole(text), target, budget, seed, |texts| {
            cached(engine, &mut known, texts)
        })?;
        if seed == 1 {
            totals.seconds += started.elapsed().as_secs_f64();
        }
        totals.runs += 1.0;
        totals.calls += f64::from(got.calls);
        totals.r2 += got.r2;
        totals.unreliable += f64::from(u8::from(got.phrases().next().is_none()));
        *sets
            .entry(got.phrases().map(|phrase| phrase.span.start).collect())
            .or_default() += 1;
        for phrase in got.phrases() {
            weights.entry(phrase.span.start).or_default().push(*phrase);
        }
        first.get_or_insert(got);
    }
    totals.notes += 1.0;
    totals.same += f64::from(u8::from(sets.len() == 1));
    let mut sizes: Vec<_> = sets.iter().map(|(set, runs)| (*runs, set.len())).collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    tracing::debug!(?sizes, calls = ?first.as_ref().map(|got| got.calls), "seeds and phrases of each set shown");
    for phrases in weights.values() {
        spread(phrases, totals);
    }
    planted(text, budget, totals)?;
    if let (Some(first), true) = (first, args.lime > 0) {
        erasure(engine, text, &first, args.lime, totals)?;
    }
    Ok(())
}

/// How the weights of one phrase differ between seeds: in sign, and against the interval that each states.
fn spread(phrases: &[Phrase], totals: &mut Totals) {
    let count = f64::from(u32::try_from(phrases.len()).unwrap_or(u32::MAX));
    let up = phrases
        .iter()
        .map(|phrase| f64::from(u8::from(phrase.weight > 0.0)))
        .sum::<f64>();
    totals.signs += count;
    totals.kept_signs += up.max(count - up);
    let mean = phrases.iter().map(|phrase| phrase.weight).sum::<f64>() / count;
    for phrase in phrases.iter().filter(|_| count > 1.0) {
        if let Some(interval) = phrase.interval {
            totals.intervals += 1.0;
            totals.covered += f64::from(u8::from(interval.low <= mean && mean <= interval.high));
            // A sample's own mean is nearer to it than the true one is.
            totals.strayed += (phrase.weight - mean).powi(2) * count / (count - 1.0);
            totals.stated += ((interval.high - interval.low) / (2.0 * explanation::INTERVAL)).powi(2);
        }
    }
}

fn cached(
    engine: &Engine,
    known: &mut HashMap<String, f64>,
    texts: &[String],
) -> Result<Vec<f64>, ScoreError> {
    let new: Vec<String> = texts
        .iter()
        .filter(|text| !known.contains_key(*text))
        .cloned()
        .collect();
    let scored = scores(&mut engine.scorer(), &new)?;
    known.extend(new.into_iter().zip(scored));
    Ok(texts.iter().filter_map(|text| known.get(text).copied()).collect())
}

/// Plants weights on words that occur once, each in a phrase of its own, and counts how many of the truly strongest are shown.
fn planted(text: &str, budget: Budget, totals: &mut Totals) -> Result<(), Error> {
    const WEIGHTS: [f64; 5] = [2.5, -2.0, 1.6, -1.3, 1.0];
    let phrases = explanation::phrases(text);
    let words = explanation::words(text);
    let mut planted: Vec<(&str, f64)> = Vec::new();
    // Every second phrase, so that truth and nothing alternate.
    for &span in phrases.iter().step_by(2) {
        let word = words
            .iter()
            .filter(|word| span.start <= word.start && word.end <= span.end)
            .map(|&word| covered(text, word))
            .find(|word| word.len() > 3 && text.matches(*word).count() == 1);
        if let (Some(word), Some(&weight)) = (word, WEIGHTS.get(planted.len())) {
            planted.push((word, weight));
        }
    }
    if planted.len() < explanation::FEWEST {
        return Ok(());
    }
    let lexicon = |texts: &[String]| -> Result<Vec<f64>, ScoreError> {
        Ok(texts
            .iter()
            .map(|text| {
                let there = planted.iter().filter(|(word, _)| text.contains(word));
                1.0 / (1.0 + (0.3 - there.map(|(_, weight)| weight).sum::<f64>()).exp())
            })
            .collect())
    };
    let got = explanation::explain(text, whole(text), Impression::Abnormal, budget, 1, lexicon)?;
    let shown: Vec<&str> = got.phrases().map(|phrase| covered(text, phrase.span)).collect();
    // Where nothing is shown, the fewest that might have been are missed.
    let wanted = planted.iter().take(shown.len().max(explanation::FEWEST));
    for (word, _) in wanted {
        totals.planted += 1.0;
        totals.recalled += f64::from(u8::from(shown.contains(word)));
    }
    Ok(())
}

/// ERASER (`DeYoung` et al., ACL 2020, section 4): how far the probability of what was suggested falls without the
/// words shown (comprehensiveness, more is better), and with nothing but them (sufficiency, less is better); the same
/// number of words for both methods.
fn erasure(
    engine: &Engine,
    text: &str,
    ours: &Explanation,
    samples: u32,
    totals: &mut Totals,
) -> Result<(), Error> {
    let abnormal = ours.score.get() >= engine.labels().abnormal.threshold.get();
    let side = if abnormal { 1.0 } else { -1.0 };
    let words = Words::of(text).spans();
    let inside = |span: Span, word: Span| span.start <= word.start && word.end <= span.end;
    let supporting: Vec<Span> = ours
        .phrases()
        .filter(|phrase| phrase.weight * side > 0.0)
        .map(|phrase| phrase.span)
        .collect();
    let phrases: Vec<Span> = words
        .iter()
        .copied()
        .filter(|&word| supporting.iter().any(|&span| inside(span, word)))
        .collect();
    if phrases.is_empty() {
        return Ok(());
    }
    let started = Instant::now();
    let options = LimeOptions {
        samples,
        features: u32::try_from(words.len()).unwrap_or(u32::MAX),
    };
    let mut scorer = engine.scorer();
    let lime = explanation::lime(text, options, 1, |texts| scores(&mut scorer, texts))?;
    totals.lime_seconds += started.elapsed().as_secs_f64();
    let mut features: Vec<_> = lime.features.iter().collect();
    features.sort_by(|a, b| (side * b.weight).total_cmp(&(side * a.weight)));
    let reference: Vec<Span> = features
        .iter()
        .flat_map(|word| word.occurrences.iter().copied())
        .take(phrases.len())
        .collect();
    let mut texts = Vec::new();
    for chosen in [&phrases, &reference] {
        for keep in [false, true] {
            texts.push(erased(text, &words, chosen, keep));
        }
    }
    let answers = scores(&mut scorer, &texts).map_err(Error::Scorer)?;
    let suggested = |p: f64| if abnormal { p } else { 1.0 - p };
    for (total, &score) in totals.erased.iter_mut().zip(&answers) {
        *total += suggested(ours.score.get()) - suggested(score);
    }
    totals.erasures += 1.0;
    Ok(())
}

/// The text without the words in `chosen`, or, if they are kept, without all the others.
pub(super) fn erased(text: &str, words: &[Span], chosen: &[Span], keep: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0_u32;
    for &word in words {
        if chosen.contains(&word) != keep {
            out.push_str(text.get(at as usize..word.start as usize).unwrap_or_default());
            at = word.end;
        }
    }
    out.push_str(text.get(at as usize..).unwrap_or_default());
    out
}

fn print(args: &BenchArgs, totals: &Totals) {
    let mean = |sum: f64, count: f64| if count > 0.0 { sum / count } else { f64::NAN };
    say(format_args!(
        "{} reports, {} seeds each, at most {} texts",
        totals.notes, args.seeds, args.samples
    ));
    for (name, value) in [
        (
            "reports with the same shown set in every seed",
            mean(totals.same, totals.notes),
        ),
        (
            "signs that agree with the majority",
            mean(totals.kept_signs, totals.signs),
        ),
        (
            "99 % intervals that hold the mean of all seeds",
            mean(totals.covered, totals.intervals),
        ),
        (
            "spread between seeds, as part of the stated one",
            mean(totals.strayed, totals.stated).sqrt(),
        ),
        (
            "runs without a reliable explanation",
            mean(totals.unreliable, totals.runs),
        ),
        ("texts scored a run", mean(totals.calls, totals.runs)),
        ("seconds a report", mean(totals.seconds, totals.notes)),
        ("held-out R\u{b2}", mean(totals.r2, totals.runs)),
        ("planted words recalled", mean(totals.recalled, totals.planted)),
    ] {
        say(format_args!("  {name:<48} {value:>9.3}"));
    }
    if totals.shuffles > 0.0 {
        say(format_args!(
            "the same model with shuffled weights, {} reports",
            totals.shuffles
        ));
        for (name, value) in [
            ("correlation of what words move alone", totals.alike[0]),
            ("correlation of the weights shown", totals.alike[1]),
            ("reports that it still explains", totals.still),
        ] {
            say(format_args!("  {name:<48} {:>9.3}", mean(value, totals.shuffles)));
        }
    }
    if totals.erasures > 0.0 {
        say(format_args!(
            "erasure on {} reports, lime with {} samples",
            totals.erasures, args.lime
        ));
        for (name, value) in [
            ("comprehensiveness, verified", totals.erased[0]),
            ("comprehensiveness, lime", totals.erased[2]),
            ("sufficiency, verified", totals.erased[1]),
            ("sufficiency, lime", totals.erased[3]),
            ("seconds a report, lime", totals.lime_seconds),
        ] {
            say(format_args!("  {name:<48} {:>9.3}", mean(value, totals.erasures)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_erased_or_kept() {
        let text = "No effusion, clear.";
        let words = Words::of(text).spans();
        assert_eq!(erased(text, &words, &words[1..2], false), "No , clear.");
        assert_eq!(erased(text, &words, &words[1..2], true), " effusion, .");
    }

    #[test]
    fn planted_phrases_are_found() {
        let text = "Heart enlarged today. Nothing. Effusion present. More. Granuloma seen. Old. Fracture of rib. Ok.";
        let mut totals = Totals::default();
        planted(text, Budget::default(), &mut totals).expect("the lexicon scores");
        assert!(totals.planted >= 3.0 && (totals.recalled - totals.planted).abs() < 1e-9);
    }
}
