use proptest::prelude::*;
use time::macros::datetime;

use super::*;
use crate::pages::{Bar, FindingRow, STYLE, Segment, Suggestion, Whisker};

fn piece(text: &str, tone: Tone, number: usize) -> Segment {
    Segment {
        text: text.to_owned(),
        tone,
        number,
        weight: String::new(),
        unread: false,
    }
}

fn bar(number: usize, tone: Tone, width: f64, phrase: &str) -> Bar {
    Bar {
        number,
        before: "a large ".to_owned(),
        phrase: phrase.to_owned(),
        after: " on the left".to_owned(),
        width,
        tone,
        weight: "+0.41".to_owned(),
        whisker: Some(Whisker {
            low: width - 5.0,
            high: width + 5.0,
        }),
        interval: "+0.30 to +0.52".to_owned(),
    }
}

fn page(text: &str) -> ReportPage {
    ReportPage {
        title: "Explanation of a suggestion".to_owned(),
        subtitle: "Case 00000001".to_owned(),
        warning: Some("A warning.".to_owned()),
        style: STYLE,
        patient: Some(PatientBanner {
            name: "Wetherby, Constance".to_owned(),
            birth_date: "1948-03-09".to_owned(),
            gender: "female".to_owned(),
            identifiers: vec!["MRN 55".to_owned()],
        }),
        signed: Some(SignedView {
            verdict: "amended",
            impression: "abnormal".to_owned(),
            findings: vec!["Cardiomegaly".to_owned()],
            reason: None,
            comment: text.to_owned(),
            by: "Dr. Ada Quill".to_owned(),
            at: "2026-11-28 07:00 UTC".to_owned(),
        }),
        note: vec![
            piece("FINDINGS: ", Tone::Neutral, 0),
            piece("effusion", Tone::Abnormal, 1),
            piece(text, Tone::Neutral, 0),
            piece("unchanged", Tone::Normal, 2),
        ],
        suggestion: Ok(Suggestion {
            impression: "abnormal",
            tone: Tone::Abnormal,
            percent: "97.1".to_owned(),
            threshold: "42.5".to_owned(),
            findings: vec![FindingRow {
                label: "Pleural Effusion".to_owned(),
                percent: "96.3".to_owned(),
            }],
            evidence: Ok(vec![
                bar(1, Tone::Abnormal, 95.0, "effusion"),
                bar(2, Tone::Normal, 24.0, "unchanged"),
                bar(3, Tone::Normal, f64::NAN, text),
            ]),
            fit: "0.87".to_owned(),
            counterfactual: Some("Without evidence 1 the suggestion turns.".to_owned()),
            calls: 151,
            reading: "The model read the whole report.".to_owned(),
            model: "a model".to_owned(),
        }),
        frequency: Some("Of 100 reports like this, 83 were labelled abnormal.".to_owned()),
        reading: vec!["The model read the whole report.".to_owned()],
        model: "a model 1.0.0".to_owned(),
        intended_use: "For trials.".to_owned(),
        limits: vec!["Knows no image.".to_owned()],
        pins: vec![("SHA-256 of the model", "f45bbea9927c".repeat(6))],
    }
}

/// All text of the sheets in the order of drawing, without blanks.
fn text(sheet: &Sheet) -> String {
    sheet.text().chars().filter(|c| !c.is_whitespace()).collect()
}

#[test]
fn the_document_says_what_the_page_says() -> Result<(), PrintError> {
    let page = page(" is seen again. ");
    let sheet = laid_out(&page)?;
    let text = text(&sheet);
    for said in [
        "Wetherby, Constance   born 1948-03-09   female   MRN 55",
        "amended: abnormal; Cardiomegaly",
        "Dr. Ada Quill, 2026-11-28 07:00 UTC",
        "Probability of abnormal 97.1 %, operating point 42.5 %. Of 100 reports like this, 83 were labelled abnormal.",
        "Pleural Effusion 96.3 %",
        "FINDINGS: effusion\u{a0}1+ is seen again. unchanged\u{a0}2\u{2212}",
        "1+ a large effusion on the left for abnormal, +0.41 (99 % interval +0.30 to +0.52)",
        "2\u{2212} a large unchanged on the left against",
        "Without evidence 1 the suggestion turns. Influence on this model’s output, not proof.",
        "a model 1.0.0. For trials. Knows no image.",
        "SHA-256 of the model f45bbea9927c",
        "1 of 1",
    ] {
        let said: String = said.chars().filter(|c| !c.is_whitespace()).collect();
        assert!(text.contains(&said), "{said} in {text}");
    }
    assert!(!text.contains('\u{fffd}'));
    Ok(())
}

#[test]
fn every_sheet_says_whose_it_is() -> Result<(), PrintError> {
    let sheet = laid_out(&page(&" the heart is large.".repeat(400)))?;
    assert!(sheet.pages() > 3);
    let name = sheet.text().matches("Wetherby, Constance").count();
    assert_eq!(name, sheet.pages() + 1);
    Ok(())
}

#[test]
fn the_same_page_is_the_same_file() -> Result<(), PrintError> {
    let at = datetime!(2026-11-28 07:00 UTC);
    let made = report(&page(" is seen."), at)?;
    assert!(made.starts_with(b"%PDF-1.7"));
    assert_eq!(made, report(&page(" is seen."), at)?);
    Ok(())
}

#[test]
fn what_cannot_be_printed_is_counted() -> Result<(), PrintError> {
    let sheet = laid_out(&page(" \u{1f9ea} "))?;
    // In the comment, the text and the chart.
    assert!(
        sheet
            .text()
            .contains("3 characters of this document have no sign")
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_text_keeps_the_rules_of_the_format(said in any::<String>(), mixed in "[a\u{5d0}-\u{5ea}\u{600}-\u{6ff}\u{300}-\u{30f}\u{202a}-\u{202e} \n()0-9\u{e000}]{0,80}") {
        for text in [said, mixed] {
            prop_assert!(report(&page(&text), datetime!(2026-11-28 07:00 UTC)).is_ok(), "{text:?}");
        }
    }
}
