//! `countersign model evaluate`: numbers for a terminal, for programs and as a page.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use askama::Template as _;
use clap::Args;
use inference::{Engine, Interval, Metrics};
use serde::Serialize;
use training::{Comparison, Evaluation, LabelledNote};

use super::super::figures::{Bars, Curves, Figures, Table};
use super::reports::Labelled;
use super::{ModelCliError, ModelSource, bar, print, reports, write};

/// Confusions in a page at most; the JSON beside it has all.
const MOST_CONFUSIONS: usize = 100;
/// Resamples of the notes for the intervals of a card.
const RESAMPLES: u32 = 1000;

/// Arguments of `model evaluate`.
#[derive(Args)]
pub struct EvaluateArgs {
    #[command(flatten)]
    source: ModelSource,
    /// Labelled reports: CSV with the columns Problems, findings, impression, as `model train` reads them
    #[arg(long, value_name = "FILE")]
    csv: PathBuf,
    /// The reports that the model was trained on: a bag of words is trained on them and measured beside it
    #[arg(long, value_name = "FILE")]
    train: Option<PathBuf>,
    /// Column to group the reports by, such as sex or site; may be given more than once. By length they always are
    #[arg(long, value_name = "COLUMN")]
    by: Vec<String>,
    /// Resamples of the reports for the intervals
    #[arg(long, default_value_t = RESAMPLES, value_name = "N")]
    resamples: u32,
    /// Seed of the resamples
    #[arg(long, default_value_t = 2026, value_name = "N")]
    seed: u64,
    /// Page to write, with charts; the same as JSON beside it. Reports are named by their uid
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// A wrong decision by the report's uid.
#[derive(Serialize)]
struct NamedConfusion<'a> {
    uid: &'a str,
    label: &'a str,
    labelled: bool,
    probability: f64,
    threshold: f64,
}

/// Everything, for programs.
#[derive(Serialize)]
struct Everything<'a> {
    model: String,
    digest: String,
    metrics: &'a Metrics,
    roc: &'a [(f64, f64)],
    baseline_roc: &'a [(f64, f64)],
    reliability: &'a [(f64, f64, usize)],
    confusions: Vec<NamedConfusion<'a>>,
}

/// Measures and says so.
pub(super) fn run(args: &EvaluateArgs) -> Result<(), ModelCliError> {
    let engine = args.source.load()?;
    let labelled = reports::read_by(&args.csv, &args.by)?;
    let train = args.train.as_deref().map(reports::read).transpose()?;
    let comparison = Comparison {
        train: train.as_ref().map(|train| train.notes.as_slice()),
        groupings: groupings(&labelled),
        resamples: args.resamples,
        seed: args.seed,
    };
    let evaluation = compare(&engine, &labelled.notes, &args.csv, &comparison)?;
    if let Some(path) = &args.report {
        let everything = Everything {
            model: engine.card().title(),
            digest: engine.digest().to_string(),
            metrics: &evaluation.metrics,
            roc: &evaluation.roc,
            baseline_roc: &evaluation.baseline_roc,
            reliability: &evaluation.reliability,
            confusions: confusions(&evaluation, &labelled).collect(),
        };
        let json = serde_json::to_vec_pretty(&everything).map_err(io::Error::from)?;
        write(&path.with_extension("json"), &json)?;
        write(path, page(&engine, &evaluation, &labelled).render()?.as_bytes())?;
    }
    let mut out = io::stdout().lock();
    if args.json {
        let json = serde_json::to_string_pretty(&evaluation.metrics).map_err(io::Error::from)?;
        writeln!(out, "{json}")?;
    } else {
        print::metrics(&mut out, engine.card(), &evaluation.metrics)?;
    }
    Ok(())
}

/// The groups that were asked for, and those by length.
fn groupings(labelled: &Labelled) -> Vec<(String, Vec<String>)> {
    let length = |note: &LabelledNote| match note.note.text().split_whitespace().count() {
        0..30 => "under 30 words",
        30..60 => "30 to 59 words",
        _ => "60 words and more",
    };
    let by_length = labelled
        .notes
        .iter()
        .map(|note| length(note).to_owned())
        .collect();
    let mut all = vec![("length".to_owned(), by_length)];
    all.extend(labelled.groups.iter().cloned());
    all
}

fn compare(
    engine: &Engine,
    notes: &[LabelledNote],
    path: &Path,
    comparison: &Comparison<'_>,
) -> Result<Evaluation, ModelCliError> {
    let bar = bar(notes.len() as u64, "reports");
    bar.set_message("measuring");
    let data = path.file_name().unwrap_or_default().to_string_lossy();
    let evaluation = training::compare(engine, notes, &data, comparison, |done| {
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    Ok(evaluation)
}

/// The plain numbers.
#[cfg(test)]
pub(super) fn measure(
    engine: &Engine,
    notes: &[LabelledNote],
    path: &Path,
) -> Result<Metrics, ModelCliError> {
    compare(engine, notes, path, &Comparison::default()).map(|evaluation| evaluation.metrics)
}

/// The numbers for a card: with intervals, groups by length, and the bag of words.
pub(super) fn measure_against(
    engine: &Engine,
    labelled: &Labelled,
    path: &Path,
    train: &[LabelledNote],
) -> Result<Metrics, ModelCliError> {
    let comparison = Comparison {
        train: Some(train),
        groupings: groupings(labelled),
        resamples: RESAMPLES,
        seed: 2026,
    };
    compare(engine, &labelled.notes, path, &comparison).map(|evaluation| evaluation.metrics)
}

fn confusions<'a>(
    evaluation: &'a Evaluation,
    labelled: &'a Labelled,
) -> impl Iterator<Item = NamedConfusion<'a>> {
    evaluation.confusions.iter().filter_map(|one| {
        Some(NamedConfusion {
            uid: labelled.uids.get(one.note)?,
            label: &one.label,
            labelled: one.labelled,
            probability: one.probability,
            threshold: one.threshold,
        })
    })
}

fn text(value: f64) -> String {
    format!("{value:.3}")
}

fn maybe(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), text)
}

fn range(interval: &Interval) -> String {
    format!("{:.3} to {:.3}", interval.low, interval.high)
}

fn table(title: &str, note: &str, heads: &[&str], rows: Vec<Vec<String>>) -> Table {
    Table {
        title: title.to_owned(),
        note: note.to_owned(),
        heads: heads.iter().map(|&head| head.to_owned()).collect(),
        rows,
    }
}

fn page(engine: &Engine, evaluation: &Evaluation, labelled: &Labelled) -> Figures {
    let metrics = &evaluation.metrics;
    let mut roc = vec![("model".to_owned(), evaluation.roc.clone())];
    if !evaluation.baseline_roc.is_empty() {
        roc.push(("bag of words".to_owned(), evaluation.baseline_roc.clone()));
    }
    let reliability = evaluation
        .reliability
        .iter()
        .map(|&(mean, frequency, _)| (mean, frequency))
        .collect();
    Figures {
        title: format!("{} on {}", engine.card().title(), metrics.data),
        lead: vec![
            format!(
                "{} labelled reports. Intervals hold 95 of 100 resamples of the reports. Reports are named by their uid.",
                metrics.notes
            ),
            format!("Model {}", engine.digest()),
        ],
        curves: vec![
            Curves::new(
                "ROC of abnormal",
                ("1 − specificity", (0.0, 1.0)),
                ("sensitivity", (0.0, 1.0)),
                roc,
            ),
            Curves::new(
                "Calibration of abnormal",
                ("probability", (0.0, 1.0)),
                ("frequency", (0.0, 1.0)),
                vec![
                    ("model".to_owned(), reliability),
                    ("perfect".to_owned(), vec![(0.0, 0.0), (1.0, 1.0)]),
                ],
            ),
        ],
        bars: vec![Bars::new(
            "F1 by finding",
            metrics
                .findings
                .iter()
                .map(|finding| (finding.label.as_str().to_owned(), finding.f1)),
        )],
        tables: tables(evaluation, labelled),
    }
}

fn tables(evaluation: &Evaluation, labelled: &Labelled) -> Vec<Table> {
    let metrics = &evaluation.metrics;
    let numbers = print::numbers(metrics)
        .into_iter()
        .map(|(name, key, value)| {
            let interval = metrics.intervals.get(key).map_or_else(|| "–".to_owned(), range);
            vec![name.to_owned(), text(value), interval]
        })
        .collect();
    let mut all = vec![table("Abnormal", "", &["Measure", "Value", "Interval"], numbers)];
    if let Some(baseline) = &metrics.baseline {
        let row = |name: &str, own: f64, other: f64, gain: &Interval| {
            vec![name.to_owned(), text(own), text(other), range(gain)]
        };
        all.push(table(
            "Against a bag of words",
            &format!(
                "{}, trained on the same reports. The gain is measured on the same resamples.",
                baseline.name
            ),
            &["Measure", "Model", "Bag of words", "Gain"],
            vec![
                row("AUROC", metrics.auroc, baseline.auroc, &baseline.auroc_gain),
                row(
                    "accuracy",
                    metrics.accuracy,
                    baseline.accuracy,
                    &baseline.accuracy_gain,
                ),
                row(
                    "findings' macro F1",
                    metrics.macro_f1,
                    baseline.macro_f1,
                    &baseline.macro_f1_gain,
                ),
            ],
        ));
    }
    all.extend(parts(metrics));
    let wrong = confusions(evaluation, labelled).take(MOST_CONFUSIONS).map(|one| {
        vec![
            one.uid.to_owned(),
            one.label.to_owned(),
            if one.labelled { "missed" } else { "false alarm" }.to_owned(),
            text(one.probability),
            text(one.threshold),
        ]
    });
    all.push(table(
        "Decisions that are not those of the labels",
        &format!(
            "The most certain first, {MOST_CONFUSIONS} at most of {}.",
            evaluation.confusions.len()
        ),
        &["Report", "Question", "What", "Probability", "Operating point"],
        wrong.collect(),
    ));
    all
}

/// By group and by finding.
fn parts(metrics: &Metrics) -> [Table; 2] {
    let groups = metrics.subgroups.iter().map(|group| {
        vec![
            format!("{}: {}", group.by, group.group),
            group.notes.to_string(),
            group.positives.to_string(),
            maybe(group.auroc),
            maybe(group.sensitivity),
            maybe(group.specificity),
            text(group.ece),
        ]
    });
    let groups = table(
        "By group",
        "",
        &[
            "Group",
            "Reports",
            "Abnormal",
            "AUROC",
            "Sensitivity",
            "Specificity",
            "ECE",
        ],
        groups.collect(),
    );
    let findings = metrics.findings.iter().map(|finding| {
        vec![
            finding.label.as_str().to_owned(),
            finding.positives.to_string(),
            text(finding.auroc),
            maybe(finding.auprc),
            maybe(finding.sensitivity),
            maybe(finding.specificity),
            maybe(finding.ece),
            text(finding.f1),
        ]
    });
    let findings = table(
        "By finding",
        "Findings with three or more positive reports, each at its operating point.",
        &[
            "Finding",
            "Positive",
            "AUROC",
            "AUPRC",
            "Sensitivity",
            "Specificity",
            "ECE",
            "F1",
        ],
        findings.collect(),
    );
    [groups, findings]
}
