//! The explanation as a document: of a signed case for those allowed, and of a row of a collection.

use clinical::{Assessment, Span};
use inference::{Frequency, ModelCard};

use crate::{
    pages::{PatientBanner, ReportPage, STYLE, SignedView},
    view::evidence,
};

/// Notes of the evaluation set that a frequency is taken from, at least.
const LEAST: usize = 20;

/// What a document is made from.
pub struct Reported<'a> {
    /// Heading.
    pub title: &'a str,
    /// Which case or row, and when.
    pub subtitle: String,
    /// What the reader must know first.
    pub warning: Option<String>,
    /// Who the patient is; for those allowed.
    pub patient: Option<PatientBanner>,
    /// What was signed.
    pub signed: Option<SignedView>,
    /// The text to show.
    pub text: &'a str,
    /// Evidence in that text, as the explanation orders it.
    pub evidence: &'a [(Span, f64)],
    /// What the model said, or why it said nothing.
    pub said: Result<&'a Assessment, &'static str>,
    /// Passages that the gateway replaced before the model read the text; `None` where there was no gateway.
    pub redactions: Option<usize>,
    /// The card of the model that said it, where that model is at hand.
    pub card: Option<&'a ModelCard>,
    /// What else it was made with.
    pub pins: Vec<(&'static str, String)>,
}

/// The document.
#[must_use]
pub fn report_page(reported: Reported<'_>) -> ReportPage {
    let Reported { said, card, .. } = reported;
    let suggestion =
        said.map(|assessment| evidence::suggestion(assessment, reported.text, reported.evidence));
    let mut reading = Vec::new();
    if let Ok(suggestion) = &suggestion {
        reading.push(suggestion.reading.clone());
    }
    reading.extend(reported.redactions.map(|count| match count {
        0 => "The gateway found nothing to replace before the model read the text.".to_owned(),
        1 => "The gateway replaced 1 passage; the model did not read what stood there.".to_owned(),
        _ => format!("The gateway replaced {count} passages; the model did not read what stood there."),
    }));
    reading.push("No image was read, and nothing that is known of the patient beside this text.".to_owned());
    let mut pins = reported.pins;
    if let Ok(assessment) = said {
        pins.push(("SHA-256 of the model", assessment.model.to_string()));
        pins.push(("SHA-256 of the text as read", assessment.note.to_string()));
        pins.push((
            "Seed of the masks",
            format!("{:016x}", assessment.explanation.seed),
        ));
    }
    ReportPage {
        title: reported.title.to_owned(),
        subtitle: reported.subtitle,
        warning: reported.warning,
        style: STYLE,
        patient: reported.patient,
        signed: reported.signed,
        note: evidence::segments(reported.text, reported.evidence),
        frequency: said
            .ok()
            .and_then(|assessment| card?.metrics.as_ref()?.frequency(assessment.abnormal, LEAST))
            .map(frequency),
        suggestion,
        reading,
        model: match (said, card) {
            (Ok(assessment), _) => assessment.model_name.clone(),
            (Err(_), Some(card)) => card.title(),
            (Err(_), None) => "unknown".to_owned(),
        },
        intended_use: card.map_or_else(
            || "Its card is no longer here: another model is served now.".to_owned(),
            |card| card.intended_use.clone(),
        ),
        limits: card.map_or_else(Vec::new, |card| card.limits.clone()),
        pins,
    }
}

/// `Of 100 reports like this in the evaluation set, 83 were labelled abnormal (25 of 30 with …).`
fn frequency(found: Frequency) -> String {
    let Frequency { low, high, bin } = found;
    let of_hundred = (bin.abnormal * 100 + bin.notes / 2) / bin.notes.max(1);
    format!(
        "Of 100 reports like this in the evaluation set, {of_hundred} were labelled abnormal ({} of {} with a probability from {:.0} % to {:.0} %).",
        bin.abnormal,
        bin.notes,
        low * 100.0,
        high * 100.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probability_is_a_frequency_with_its_counts() {
        let found = Frequency {
            low: 0.75,
            high: 1.0,
            bin: inference::Bin {
                notes: 30,
                abnormal: 25,
            },
        };
        assert_eq!(
            frequency(found),
            "Of 100 reports like this in the evaluation set, 83 were labelled abnormal (25 of 30 with a probability from 75 % to 100 %)."
        );
    }
}
