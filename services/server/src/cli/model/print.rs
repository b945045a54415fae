//! Cards and metrics for a terminal.

use std::io;

use inference::{Engine, Metrics, ModelCard};

/// The numbers on abnormal, and the mean of the findings: name, key in the intervals, value.
pub(super) fn numbers(measured: &Metrics) -> Vec<(&'static str, &'static str, f64)> {
    let mut numbers = vec![
        ("AUROC", "auroc", measured.auroc),
        ("AUPRC", "auprc", measured.auprc),
        ("accuracy", "accuracy", measured.accuracy),
        ("sensitivity", "sensitivity", measured.sensitivity),
        ("specificity", "specificity", measured.specificity),
        ("calibration error", "ece", measured.ece),
    ];
    numbers.extend(measured.brier.map(|brier| ("Brier score", "brier", brier)));
    numbers.push(("findings' macro F1", "macro_f1", measured.macro_f1));
    numbers
}

/// Metrics as a table.
pub(super) fn metrics(out: &mut impl io::Write, card: &ModelCard, measured: &Metrics) -> io::Result<()> {
    writeln!(
        out,
        "{} on {} reports of {}",
        card.title(),
        measured.notes,
        measured.data
    )?;
    for (name, key, value) in numbers(measured) {
        let interval = measured.intervals.get(key).map_or_else(String::new, |interval| {
            format!("   {:.4} to {:.4}", interval.low, interval.high)
        });
        writeln!(out, "  {name:<18} {value:.4}{interval}")?;
    }
    if let Some(part) = measured.abstained {
        writeln!(
            out,
            "  {:<18} {:.2} % of the reports: unlike those it was trained on",
            "would abstain from",
            100.0 * part
        )?;
    }
    if let Some(baseline) = &measured.baseline {
        writeln!(
            out,
            "  {:<18} AUROC {:.4}, accuracy {:.4}, macro F1 {:.4}\n  {:<18} AUROC {:+.4} to {:+.4}, accuracy {:+.4} to {:+.4}, macro F1 {:+.4} to {:+.4}",
            "bag of words",
            baseline.auroc,
            baseline.accuracy,
            baseline.macro_f1,
            "gain over it",
            baseline.auroc_gain.low,
            baseline.auroc_gain.high,
            baseline.accuracy_gain.low,
            baseline.accuracy_gain.high,
            baseline.macro_f1_gain.low,
            baseline.macro_f1_gain.high
        )?;
    }
    for group in &measured.subgroups {
        let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"));
        writeln!(
            out,
            "  {:<42} {:>5} AUROC {}, sensitivity {}, specificity {}",
            format!("{}: {}", group.by, group.group),
            group.notes,
            number(group.auroc),
            number(group.sensitivity),
            number(group.specificity)
        )?;
    }
    writeln!(
        out,
        "  {:<42} {:>5} {:>7} {:>7}",
        "finding", "notes", "AUROC", "F1"
    )?;
    for finding in &measured.findings {
        writeln!(
            out,
            "  {:<42} {:>5} {:>7.4} {:>7.4}",
            finding.label.as_str(),
            finding.positives,
            finding.auroc,
            finding.f1
        )?;
    }
    Ok(())
}

/// A card for a terminal.
pub(super) fn card(
    out: &mut impl io::Write,
    engine: &Engine,
    signer: Option<&seal::VerifyingKey>,
) -> io::Result<()> {
    let card = engine.card();
    writeln!(out, "{}", card.title())?;
    writeln!(out, "{}", card.summary)?;
    let labels: Vec<&str> = engine
        .labels()
        .findings
        .iter()
        .map(|finding| finding.label.as_str())
        .collect();
    for (name, value) in [
        ("digest", engine.digest().to_string()),
        (
            "signed by",
            signer.map_or_else(
                || "nobody who is trusted here".to_owned(),
                |key| format!("{} ({:08x})", key.name(), u32::from_be_bytes(key.id())),
            ),
        ),
        ("use", card.intended_use.clone()),
        ("limits", card.limits.join("\n                ")),
        ("licence", card.licence.clone()),
        (
            "evaluation only",
            if card.evaluation_only { "yes" } else { "no" }.to_owned(),
        ),
        ("architecture", card.architecture.clone()),
        ("findings", labels.join("; ")),
        (
            "base",
            format!("{} ({}), {}", card.base.name, card.base.licence, card.base.sha256),
        ),
        (
            "trained on",
            format!("{} ({})", card.training_data.name, card.training_data.licence),
        ),
        ("command", card.command.clone()),
    ] {
        writeln!(out, "{name:<15} {value}")?;
    }
    match &card.metrics {
        Some(measured) => metrics(out, card, measured),
        None => writeln!(out, "not measured"),
    }
}
