//! The model's card in sections.

use inference::ModelCard;

use crate::pages::CardSection;

/// The card's sections in the order that a reader needs them: what for, what not, how good, from what.
#[must_use]
pub fn sections(card: &ModelCard) -> Vec<CardSection> {
    let section = |title: &str, rows: Vec<(String, String)>| CardSection {
        title: title.to_owned(),
        rows,
    };
    let row = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let mut purpose = vec![
        row("What it does", &card.summary),
        row("Intended use", &card.intended_use),
    ];
    purpose.extend(card.limits.iter().map(|limit| row("Limit", limit)));
    purpose.push(row("Licence", &card.licence));
    let mut sections = vec![section("Purpose and limits", purpose)];
    if let Some(metrics) = &card.metrics {
        let number = |value: f64| format!("{value:.3}");
        sections.push(section(
            "Measured quality",
            vec![
                row("Notes", &format!("{} ({})", metrics.notes, metrics.data)),
                row("AUROC", &number(metrics.auroc)),
                row("AUPRC", &number(metrics.auprc)),
                row("Accuracy", &number(metrics.accuracy)),
                row("Sensitivity", &number(metrics.sensitivity)),
                row("Specificity", &number(metrics.specificity)),
                row("Expected calibration error", &number(metrics.ece)),
                row("Findings, macro F1", &number(metrics.macro_f1)),
            ],
        ));
        let findings = metrics
            .findings
            .iter()
            .map(|finding| {
                let text = format!(
                    "F1 {:.3}, AUROC {:.3}, {} positive notes",
                    finding.f1, finding.auroc, finding.positives
                );
                row(finding.label.as_str(), &text)
            })
            .collect();
        sections.push(section("Quality by finding", findings));
    }
    if let Some(attributes) = &card.source_attributes {
        let rows = attributes
            .rows()
            .iter()
            .map(|attribute| {
                let text = if attribute.text.is_empty() {
                    "Not available"
                } else {
                    attribute.text
                };
                row(&format!("{} {}", attribute.paragraph, attribute.title), text)
            })
            .collect();
        sections.push(section("Source attributes, 45 CFR 170.315(b)(11)(iv)(B)", rows));
    }
    let data = &card.training_data;
    sections.push(section(
        "Training",
        vec![
            row("Data", &format!("{} ({})", data.name, data.source)),
            row("Data's licence", &data.licence),
            row(
                "Notes",
                &format!(
                    "{}; {} distinct trained on, {} kept for calibration",
                    data.notes, data.distinct, data.held_out
                ),
            ),
            row("Data's digest", &data.sha256.to_string()),
            row("Architecture", &card.architecture),
            row(
                "Base model",
                &format!("{} ({}), {}", card.base.name, card.base.source, card.base.licence),
            ),
            row("Base model's digest", &card.base.sha256.to_string()),
            row("Seed", &card.seed.to_string()),
            row("Command", &card.command),
        ],
    ));
    sections
}
