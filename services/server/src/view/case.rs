//! The case page: one of the listed doors for PHI. The evidence was found on the de-identified note and is shown on
//! the original through the map back.

use clinical::{Assessment, DeidentifiedNote, Label, Outcome, Span};
use records::{AnyCase, IdentifiedNote, RedactionMap, RejectReason, SignedResult, Verdict};
use time::OffsetDateTime;

use crate::{
    http::problem::Problem,
    pages::{CaseActions, CasePage, CaseState, Choice, Chrome, Draft, PatientBanner, SignedView},
    view::{
        evidence::{read_segments, segments, suggestion},
        words,
    },
};

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
    /// What that form had in it.
    pub draft: Option<Draft>,
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
            .map_or_else(Vec::new, |(note, _)| match assessment {
                Ok(said) => read_segments(note, &evidence, said),
                Err(_) => segments(note.text(), &[]),
            }),
        redactions: shown.scrubbed.map_or(0, |(_, map)| map.redactions().len()),
        suggestion: assessment.map(|assessment| suggestion(assessment, text, &original)),
        actions: actions(shown, state, assessment.ok()),
        signed: signed.map(|(result, at, comment)| signed_view(result, at, comment, shown.signer.as_deref())),
        alert: shown.alert.clone(),
        draft: shown.draft.clone(),
    })
}

/// Who the patient of a note is.
#[must_use]
pub fn banner(note: &IdentifiedNote) -> PatientBanner {
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
                chosen: match &shown.draft {
                    Some(draft) if draft.decision == "amend" => {
                        draft.findings.iter().any(|finding| finding == label.as_str())
                    }
                    _ => assessment.is_some_and(|assessment| {
                        assessment.findings.iter().any(|finding| finding.label == *label)
                    }),
                },
            })
            .collect(),
        reasons: RejectReason::ALL
            .iter()
            .map(|reason| (reason.as_str(), reason.title()))
            .collect(),
    }
}

/// What was signed, in words.
#[must_use]
pub fn signed_view(
    result: &SignedResult,
    at: OffsetDateTime,
    comment: &str,
    signer: Option<&str>,
) -> SignedView {
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
