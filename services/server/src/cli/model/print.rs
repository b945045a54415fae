//! Cards and metrics for a terminal.

use std::io;

use inference::{Engine, Metrics, ModelCard};

/// Metrics as a table.
pub(super) fn metrics(out: &mut impl io::Write, card: &ModelCard, measured: &Metrics) -> io::Result<()> {
    writeln!(
        out,
        "{} on {} reports of {}",
        card.title(),
        measured.notes,
        measured.data
    )?;
    for (name, value) in [
        ("AUROC", measured.auroc),
        ("AUPRC", measured.auprc),
        ("accuracy", measured.accuracy),
        ("sensitivity", measured.sensitivity),
        ("specificity", measured.specificity),
        ("calibration error", measured.ece),
        ("findings' macro F1", measured.macro_f1),
    ] {
        writeln!(out, "  {name:<18} {value:.4}")?;
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
