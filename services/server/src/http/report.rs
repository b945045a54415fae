//! The explanation of a signed case as a document. It is a listed door for PHI.

use actix_web::{HttpResponse, http::header, web};
use clinical::{Outcome, Span};
use records::AnyCase;
use store::Door;

use super::{
    case, page,
    problem::{PageProblem, Problem},
    scene::Portal,
};
use crate::{
    pages::{ReportPage, STYLE},
    print,
    view::{
        case::{banner, signed_view},
        report::{Reported, report_page},
        words,
    },
};

/// `GET /cases/{report}/report`: one file to keep or print. Before the signature there is none: nothing of the model leaves
/// the portal.
pub async fn show(portal: Portal, report: web::Path<String>) -> Result<HttpResponse, PageProblem> {
    let (_, page) = made(&portal, &report).await?;
    let mut response = page::render(&page)?;
    // The document has its style in itself, and nothing else may run or load.
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        seal::Digest::of(STYLE.as_bytes()).base64()
    );
    let policy = header::HeaderValue::from_str(&policy).map_err(|_| Problem::Internal("header"))?;
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}

/// `GET /cases/{report}/report.pdf`: the same as PDF, to be archived.
pub async fn pdf(portal: Portal, report: web::Path<String>) -> Result<HttpResponse, PageProblem> {
    let (short, page) = made(&portal, &report).await?;
    let at = portal.app.clock.now();
    let bytes = web::block(move || print::report(&page, at))
        .await
        .map_err(|_| Problem::Overloaded)?
        .map_err(|error| {
            tracing::error!(%error, "a report could not be printed");
            Problem::Internal("print")
        })?;
    // A name that says neither who nor what: it ends up in histories of downloads.
    let name = format!("inline; filename=\"case-{short}.pdf\"");
    Ok(HttpResponse::Ok()
        .content_type("application/pdf")
        .insert_header((header::CONTENT_DISPOSITION, name))
        .body(bytes))
}

/// The document, and the eight digits that name its case.
async fn made(portal: &Portal, report: &str) -> Result<(String, ReportPage), PageProblem> {
    let app = &portal.app;
    let mut tx = app.begin(Door::Portal).await?;
    let opened = case::open(portal, &mut tx, report).await?;
    let at = opened.case.case();
    let (result, signed_at, comment) = match &opened.case {
        AnyCase::Signed(signed) => (signed.result(), signed.signed_at(), signed.comment().expose()),
        AnyCase::Released(released) => (released.result(), released.signed_at(), ""),
        _ => {
            return Err(Problem::Stale(
                "The report of a case is made once a physician has signed it; until then the page of the case shows everything.",
            )
            .into());
        }
    };
    let note = tx.open_note(&opened.permit, &at, &*app.clock, &*app.ids).await?;
    let outcome = tx.said(&at).await?;
    let scrubbed = tx.deidentified_note(&at).await?;
    let signer = tx.signer_name(&at).await?;
    tx.finish().await?;
    let said = match &outcome {
        Some(Outcome::Assessed(assessment)) => Ok(&**assessment),
        Some(Outcome::NotAssessed(reason)) => Err(reason.as_str()),
        None => Err("the model has not read this report"),
    };
    let evidence: Vec<(Span, f64)> = match (&said, &scrubbed) {
        (Ok(assessment), Some((_, map))) => assessment
            .explanation
            .phrases()
            .map(|phrase| (map.to_original(phrase.span), phrase.weight))
            .collect(),
        _ => Vec::new(),
    };
    let page = report_page(Reported {
        title: "Explanation of a suggestion",
        subtitle: format!(
            "Case {}, version {} of the report; made {}",
            at.report,
            at.version.get(),
            words::moment(app.clock.now())
        ),
        warning: None,
        patient: Some(banner(&note)),
        signed: Some(signed_view(result, signed_at, comment, signer.as_deref())),
        text: note.text().expose(),
        evidence: &evidence,
        said,
        redactions: scrubbed.as_ref().map(|(_, map)| map.redactions().len()),
        card: said
            .is_ok_and(|assessment| assessment.model == app.model.digest())
            .then(|| app.model.card()),
        pins: vec![(
            "Computed again by",
            format!("countersign explain --replay {}", at.report),
        )],
    });
    Ok((at.report.short(), page))
}
