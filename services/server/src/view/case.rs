//! The case page: one of the listed doors for PHI. The evidence was found on the de-identified note and is shown on
//! the original through the map back.

use clinical::{Assessment, Basis, DeidentifiedNote, Explanation, Label, Outcome, Span};
use records::{AnyCase, IdentifiedNote, RedactionMap, RejectReason, SignedResult, Verdict};
use time::OffsetDateTime;

use crate::{
    http::problem::Problem,
    pages::{
        Bar, CaseActions, CasePage, CaseState, Choice, Chrome, FindingRow, PatientBanner, Segment,
        SignedView, Suggestion, Tone,
    },
    view::words,
};

/// Characters of a phrase in the chart.
const PHRASE: usize = 48;

/// What the page is made from.
pub struct Shown<'a> {
    /// The case.
    pub case: &'a AnyCase,
    /// Its note with its owner.
    pub note: &'a IdentifiedNote,
    /// Its note without, and the map back.
    pub scrubbed: Option<&'a (DeidentifiedNote, RedactionMap)>,
    /// When it came.
    pub received_at: OffsetDateTime,
    /// Who holds it, until when.
    pub holder: Option<(String, OffsetDateTime)>,
    /// Who signed it.
    pub signer: Option<String>,
    /// The reader holds it.
    pub mine: bool,
    /// The model's label set.
    pub labels: &'a [Label],
    /// What went wrong with the last form.
    pub alert: Option<String>,
}

/// The page.
///
/// # Errors
/// [`Problem::NotFound`] for a case that is void: the current version is the one to read.
pub fn case_page(chrome: Chrome, shown: &Shown<'_>) -> Result<CasePage, Problem> {
    let case = shown.case.case();
    let (outcome, signed) = match shown.case {
        AnyCase::Received(_) | AnyCase::Deidentified(_) => (None, None),
        AnyCase::Assessed(case) => (Some(case.outcome()), None),
        AnyCase::Claimed(case) => (Some(case.outcome()), None),
        AnyCase::Signed(report) => (
            None,
            Some((report.result(), report.signed_at(), report.comment().expose())),
        ),
        AnyCase::Released(report) => (None, Some((report.result(), report.signed_at(), ""))),
        AnyCase::Void(_) => return Err(Problem::NotFound),
    };
    let assessment = match outcome {
        Some(Outcome::Assessed(assessment)) => Ok(&**assessment),
        Some(Outcome::NotAssessed(reason)) => Err(reason.as_str()),
        None if signed.is_some() => Err("the decision below stands in its place"),
        None => Err("the model has not read this report yet"),
    };
    let state = match shown.case {
        _ if signed.is_some() => CaseState::Signed,
        AnyCase::Claimed(_) if shown.mine => CaseState::Mine,
        AnyCase::Claimed(_) => CaseState::Others,
        _ => CaseState::Waiting,
    };
    let evidence: Vec<(Span, f64)> = match assessment {
        Ok(assessment) => assessment
            .explanation
            .phrases()
            .map(|phrase| (phrase.span, phrase.weight))
            .collect(),
        Err(_) => Vec::new(),
    };
    let original: Vec<(Span, f64)> = match shown.scrubbed {
        Some((_, map)) => evidence
            .iter()
            .map(|(span, weight)| (map.to_original(*span), *weight))
            .collect(),
        None => Vec::new(),
    };
    let text = shown.note.text().expose();
    Ok(CasePage {
        chrome,
        href: format!("/cases/{}", case.report),
        short: case.report.short(),
        version: case.version.get(),
        received: words::moment(shown.received_at),
        state,
        patient: banner(shown.note),
        note: segments(text, &original),
        scrubbed: shown
            .scrubbed
            .map_or_else(Vec::new, |(note, _)| segments(note.text(), &evidence)),
        redactions: shown.scrubbed.map_or(0, |(_, map)| map.redactions().len()),
        suggestion: assessment.map(|assessment| suggestion(assessment, text, &original)),
        actions: actions(shown, state, assessment.ok()),
        signed: signed.map(|(result, at, comment)| signed_view(result, at, comment, shown.signer.as_deref())),
        alert: shown.alert.clone(),
    })
}

fn banner(note: &IdentifiedNote) -> PatientBanner {
    let who = &note.patient().demographics;
    // Names are there in full and in parts; the fullest is the one to show.
    let fullest = |texts: &[records::PhiText]| {
        texts
            .iter()
            .max_by_key(|text| text.chars())
            .map(|text| text.expose().to_owned())
    };
    PatientBanner {
        name: fullest(&who.names).unwrap_or_else(|| "Name not given".to_owned()),
        birth_date: who
            .birth_date
            .as_ref()
            .map_or_else(|| "not given".to_owned(), |date| date.expose().to_owned()),
        gender: who
            .gender
            .as_ref()
            .map_or_else(|| "not given".to_owned(), |gender| gender.expose().to_owned()),
        identifiers: who
            .identifiers
            .iter()
            .take(4)
            .map(|text| text.expose().to_owned())
            .collect(),
    }
}

fn tone(weight: f64) -> Tone {
    if weight >= 0.0 {
        Tone::Abnormal
    } else {
        Tone::Normal
    }
}

fn signed_number(weight: f64) -> String {
    format!("{weight:+.2}").replace('-', "\u{2212}")
}

/// Cuts `text` where evidence begins and ends. Evidence that overlaps an earlier piece is left to its number in the chart.
fn segments(text: &str, evidence: &[(Span, f64)]) -> Vec<Segment> {
    let mut numbered: Vec<(usize, usize, usize, f64)> = evidence
        .iter()
        .enumerate()
        .map(|(index, (span, weight))| (span.start as usize, span.end as usize, index + 1, *weight))
        .filter(|(start, end, ..)| start < end && text.get(*start..*end).is_some())
        .collect();
    numbered.sort_by_key(|(start, ..)| *start);
    let plain = |from: usize, to: usize| Segment {
        text: text[from..to].to_owned(),
        tone: Tone::Neutral,
        number: 0,
        weight: String::new(),
    };
    let (mut pieces, mut at) = (Vec::new(), 0);
    for (start, end, number, weight) in numbered {
        if start < at {
            continue;
        }
        if start > at {
            pieces.push(plain(at, start));
        }
        pieces.push(Segment {
            text: text[start..end].to_owned(),
            tone: tone(weight),
            number,
            weight: signed_number(weight),
        });
        at = end;
    }
    if at < text.len() {
        pieces.push(plain(at, text.len()));
    }
    pieces
}

fn suggestion(assessment: &Assessment, text: &str, original: &[(Span, f64)]) -> Suggestion {
    let explanation = &assessment.explanation;
    let Explanation { basis, r2, calls, .. } = explanation;
    let largest = original
        .iter()
        .map(|(_, weight)| weight.abs())
        .fold(f64::MIN_POSITIVE, f64::max);
    let evidence = match basis {
        Basis::Verified { .. } => Ok(original
            .iter()
            .zip(explanation.phrases())
            .enumerate()
            .map(|(index, ((span, weight), phrase))| Bar {
                interval: phrase.interval.map_or_else(String::new, |interval| {
                    format!(
                        "{} to {}",
                        signed_number(interval.low),
                        signed_number(interval.high)
                    )
                }),
                number: index + 1,
                phrase: shortened(
                    text.get(span.start as usize..span.end as usize)
                        .unwrap_or_default(),
                ),
                width: 100.0 * weight.abs() / largest,
                tone: tone(*weight),
                weight: signed_number(*weight),
            })
            .collect()),
        Basis::Unreliable(reason) => Err(reason.as_str()),
    };
    let reading = assessment.reading;
    Suggestion {
        impression: assessment.impression.as_str(),
        tone: words::tone(assessment.impression),
        percent: words::percent(assessment.abnormal),
        threshold: words::percent(assessment.threshold),
        findings: assessment
            .findings
            .iter()
            .map(|finding| FindingRow {
                label: finding.label.as_str().to_owned(),
                percent: words::percent(finding.probability),
            })
            .collect(),
        evidence,
        fit: format!("{r2:.2}"),
        counterfactual: counterfactual(explanation),
        calls: *calls,
        reading: if reading.windows == 1 {
            format!(
                "The model read the whole report ({} word pieces).",
                reading.tokens
            )
        } else {
            format!(
                "The report is longer than the model's window: it was read in {} overlapping windows ({} word pieces, {} shared by neighbours), and the evidence is from the window that decided.",
                reading.windows, reading.tokens, reading.overlap
            )
        },
        model: assessment.model_name.clone(),
    }
}

/// The counterfactual by the numbers of the evidence.
fn counterfactual(explanation: &Explanation) -> Option<String> {
    let turned = explanation.counterfactual.as_ref()?;
    let numbers: Vec<String> = explanation
        .phrases()
        .enumerate()
        .filter(|(_, phrase)| turned.removed.contains(&phrase.span))
        .map(|(index, _)| (index + 1).to_string())
        .collect();
    Some(format!(
        "Without evidence {} the model gives {} for abnormal, and the suggestion turns.",
        numbers.join(", "),
        words::percent(turned.score)
    ))
}

fn shortened(phrase: &str) -> String {
    let phrase = phrase.split_whitespace().collect::<Vec<_>>().join(" ");
    if phrase.chars().count() <= PHRASE {
        return phrase;
    }
    let mut short: String = phrase.chars().take(PHRASE - 1).collect();
    short.push('…');
    short
}

fn actions(shown: &Shown<'_>, state: CaseState, assessment: Option<&Assessment>) -> CaseActions {
    let holds = state == CaseState::Mine;
    CaseActions {
        claim: matches!(shown.case, AnyCase::Assessed(_)),
        unclaim: holds,
        sign: holds,
        until: shown.holder.as_ref().map(|(_, until)| words::hour(*until)),
        holder: shown
            .holder
            .as_ref()
            .filter(|_| state == CaseState::Others)
            .map(|(name, _)| name.clone()),
        findings: shown
            .labels
            .iter()
            .map(|label| Choice {
                label: label.as_str().to_owned(),
                chosen: assessment.is_some_and(|assessment| {
                    assessment.findings.iter().any(|finding| finding.label == *label)
                }),
            })
            .collect(),
        reasons: RejectReason::ALL
            .iter()
            .map(|reason| (reason.as_str(), reason.title()))
            .collect(),
    }
}

fn signed_view(result: &SignedResult, at: OffsetDateTime, comment: &str, signer: Option<&str>) -> SignedView {
    let (verdict, reason) = match result.verdict {
        Verdict::Agreed => ("agreed", None),
        Verdict::Amended => ("amended", None),
        Verdict::Rejected(reason) => ("rejected", Some(reason.title())),
    };
    SignedView {
        verdict,
        impression: result
            .impression
            .map_or("—", clinical::Impression::as_str)
            .to_owned(),
        findings: result
            .findings
            .iter()
            .map(|finding| finding.label.as_str().to_owned())
            .collect(),
        reason,
        comment: comment.to_owned(),
        by: signer.unwrap_or_default().to_owned(),
        at: words::moment(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_cut_without_losing_a_byte() {
        let text = "Große Herz, kleine Lunge.";
        let span = |start, end| Span { start, end };
        let evidence = [
            (span(0, 6), 0.4),
            (span(13, 25), -0.2),
            (span(14, 18), 0.1),
            (span(3, 4), 0.1),
        ];
        let pieces = segments(text, &evidence);
        let joined: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
        assert_eq!(joined, text);
        let numbers: Vec<usize> = pieces.iter().map(|piece| piece.number).collect();
        assert_eq!(numbers, [1, 0, 2, 0]);
        assert_eq!(pieces[2].weight, "\u{2212}0.20");
    }

    #[test]
    fn a_long_phrase_is_shortened_for_the_chart() {
        assert_eq!(shortened("a  b\nc"), "a b c");
        assert_eq!(shortened(&"x".repeat(60)).chars().count(), PHRASE);
    }
}
