//! One case: read it, take it, give it back, decide and sign. This page is a listed door for PHI.

use std::pin::Pin;

use actix_web::{HttpResponse, web};
use clinical::{Impression, Label};
use policy::{ClaimCase, Facts, Permit, ReadNote, ReleaseReport, SignReport, UnclaimCase, Verb};
use records::{
    Amendment, AnyCase, Decision, Event, EventKind, Id, PhiText, RejectReason, Subject, Version, kind,
};
use serde::Deserialize;
use store::{Door, Tx};

use super::{
    page,
    problem::{PageProblem, Problem},
    scene::Portal,
    session,
};
use crate::pages::Draft;
use crate::view::case::{Shown, case_page};

/// A case with the permit that lets its note be read.
pub(super) struct Opened {
    pub(super) case: AnyCase,
    pub(super) permit: Permit<ReadNote>,
    facts: Facts,
}

/// Loads a case, locked, for somebody who may read it. A case that is not there and one that is none of the reader's
/// business look the same.
pub(super) async fn open(portal: &Portal, tx: &mut Tx, report: &str) -> Result<Opened, Problem> {
    let app = &portal.app;
    let report: Id<kind::Report> = report.parse().map_err(|_| Problem::NotFound)?;
    let case = tx.case(app.tenant, report).await?.ok_or(Problem::NotFound)?;
    let actor = portal.actor();
    let facts = tx.facts(&actor, &case.case(), &*app.clock).await?;
    let permit = app
        .authorize::<ReadNote>(&actor, &case.case().resource(), &facts)
        .await;
    match permit {
        Ok(permit) => Ok(Opened { case, permit, facts }),
        Err(Problem::Denied) if portal.account.roles.contains(&policy::Role::Physician) => {
            Err(Problem::NotFound)
        }
        Err(problem) => Err(problem),
    }
}

/// `GET /cases/{report}`.
pub async fn show(portal: Portal, report: web::Path<String>) -> Result<HttpResponse, PageProblem> {
    render(&portal, &report, None).await
}

/// The page; boxed, because what a case holds makes a large future of every handler that may end with it.
fn render<'a>(
    portal: &'a Portal,
    report: &'a str,
    alert: Option<(String, Option<Draft>)>,
) -> Pin<Box<dyn Future<Output = Result<HttpResponse, PageProblem>> + 'a>> {
    Box::pin(page_of(portal, report, alert))
}

async fn page_of(
    portal: &Portal,
    report: &str,
    alert: Option<(String, Option<Draft>)>,
) -> Result<HttpResponse, PageProblem> {
    let app = &portal.app;
    let mut tx = app.begin(Door::Portal).await?;
    let Opened { case, permit, facts } = open(portal, &mut tx, report).await?;
    let at = case.case();
    let note = tx.open_note(&permit, &at, &*app.clock, &*app.ids).await?;
    let scrubbed = tx.deidentified_note(&at).await?;
    let standing = tx
        .standing(app.tenant, at.report)
        .await?
        .ok_or(Problem::NotFound)?;
    let holder = tx.holder(&at).await?;
    let signer = tx.signer_name(&at).await?;
    tx.finish().await?;
    let status = if alert.is_some() { 409 } else { 200 };
    let (alert, draft) = alert.map_or((None, None), |(alert, draft)| (Some(alert), draft));
    let shown = Shown {
        case: &case,
        note: &note,
        scrubbed: scrubbed.as_ref(),
        received_at: standing.received_at,
        holder,
        signer,
        mine: facts.claim_holder,
        labels: app.model.labels(),
        alert,
        draft,
    };
    let page = case_page(
        page::chrome(portal, &format!("Case {}", at.report.short()), "/queue"),
        &shown,
    )?;
    let mut response = page::render(&page)?;
    *response.status_mut() =
        actix_web::http::StatusCode::from_u16(status).map_err(|_| Problem::Internal("status"))?;
    Ok(response)
}

/// What every form of a case sends.
#[derive(Deserialize)]
pub struct CaseForm {
    csrf: String,
    version: u32,
}

const MOVED_ON: &str =
    "A newer version of the report came in, or its state changed. Read it again; nothing was changed.";

/// Refuses a form that was made for another version.
fn same_version(case: &AnyCase, version: u32) -> Result<(), Problem> {
    if Version::new(version) == Some(case.case().version) {
        Ok(())
    } else {
        Err(Problem::Stale(MOVED_ON))
    }
}

async fn permit<V: Verb>(portal: &Portal, opened: &Opened, facts: &Facts) -> Result<Permit<V>, Problem> {
    portal
        .app
        .authorize::<V>(&portal.actor(), &opened.case.case().resource(), facts)
        .await
}

fn back(report: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header(("Location", format!("/cases/{report}")))
        .finish()
}

/// `POST /cases/{report}/claim`.
pub async fn claim(
    portal: Portal,
    report: web::Path<String>,
    form: web::Form<CaseForm>,
) -> Result<HttpResponse, PageProblem> {
    portal.check_form(&form.csrf)?;
    let app = &portal.app;
    let mut tx = app.begin(Door::Portal).await?;
    let opened = open(&portal, &mut tx, &report).await?;
    same_version(&opened.case, form.version)?;
    if opened.facts.claim_holder {
        return Ok(back(&report));
    }
    let permit = permit::<ClaimCase>(&portal, &opened, &opened.facts).await?;
    let AnyCase::Assessed(case) = opened.case else {
        drop(tx);
        return render(
            &portal,
            &report,
            Some(("Somebody else holds this case, or it is signed.".to_owned(), None)),
        )
        .await;
    };
    let until = app.clock.now() + app.numbers.claim_lease();
    let claimed = tx
        .commit(case.claim(&permit, until, &*app.clock, &*app.ids)?)
        .await?;
    let claim = claimed.claim();
    let relation = records::CareRelation::start(
        claimed.case(),
        records::Related::Account(claim.holder),
        records::RelationBasis::Claim,
        claim.until,
        &portal.actor(),
        &*app.clock,
        &*app.ids,
    );
    tx.commit(relation).await?;
    tx.finish().await?;
    app.metrics.transition("claimed");
    Ok(back(&report))
}

/// `POST /cases/{report}/unclaim`.
pub async fn unclaim(
    portal: Portal,
    report: web::Path<String>,
    form: web::Form<CaseForm>,
) -> Result<HttpResponse, PageProblem> {
    portal.check_form(&form.csrf)?;
    let app = &portal.app;
    let mut tx = app.begin(Door::Portal).await?;
    let opened = open(&portal, &mut tx, &report).await?;
    same_version(&opened.case, form.version)?;
    if matches!(opened.case, AnyCase::Assessed(_)) {
        return Ok(back(&report));
    }
    let permit = permit::<UnclaimCase>(&portal, &opened, &opened.facts).await?;
    let AnyCase::Claimed(case) = opened.case else {
        return Err(Problem::Stale(MOVED_ON).into());
    };
    tx.commit(case.unclaim(&permit, &*app.clock, &*app.ids)?).await?;
    tx.finish().await?;
    app.metrics.transition("unclaimed");
    Ok(back(&report))
}

/// The form of a decision, read as pairs, since `finding` comes once for each box that is ticked.
struct SignForm {
    version: u32,
    decision: Decision,
    password: String,
}

/// Characters of a comment at most.
const COMMENT: usize = 2000;

impl SignForm {
    fn parse(pairs: Vec<(String, String)>, labels: &[Label]) -> Result<Self, Problem> {
        let (mut version, mut decision) = (0, String::new());
        let (mut impression, mut reason, mut comment) = (String::new(), String::new(), String::new());
        let (mut password, mut findings) = (String::new(), Vec::new());
        for (name, value) in pairs {
            match name.as_str() {
                "version" => {
                    version = value
                        .parse()
                        .map_err(|_| Problem::BadField("The version is missing."))?;
                }
                "decision" => decision = value,
                "impression" => impression = value,
                "reason" => reason = value,
                "comment" => comment = value,
                "password" => password = value,
                "finding" => {
                    let label = labels.iter().find(|label| label.as_str() == value);
                    findings.push(
                        label
                            .ok_or(Problem::BadField("A finding is not one of the list."))?
                            .clone(),
                    );
                }
                _ => {}
            }
        }
        if comment.chars().count() > COMMENT {
            return Err(Problem::BadField("The comment is longer than 2,000 characters."));
        }
        let comment = PhiText::new(comment);
        let decision = match decision.as_str() {
            "agree" => Decision::Agree,
            "amend" => Decision::Amend(Amendment {
                impression: match impression.as_str() {
                    "normal" => Impression::Normal,
                    "abnormal" => Impression::Abnormal,
                    _ => return Err(Problem::BadField("Say whether the report is normal or abnormal.")),
                },
                findings,
                comment,
            }),
            "reject" => {
                let reason = RejectReason::parse(&reason)
                    .ok_or(Problem::BadField("Choose a reason for the rejection."))?;
                if reason == RejectReason::Other && comment.is_blank() {
                    return Err(Problem::BadField(
                        "Say in the comment why the suggestion is rejected.",
                    ));
                }
                Decision::Reject { reason, comment }
            }
            _ => return Err(Problem::BadField("Choose agree, amend or reject.")),
        };
        Ok(Self {
            version,
            decision,
            password,
        })
    }
}

/// `POST /cases/{report}/sign`.
pub async fn sign(
    portal: Portal,
    report: web::Path<String>,
    form: web::Form<Vec<(String, String)>>,
) -> Result<HttpResponse, PageProblem> {
    let app = &portal.app;
    let pairs = form.into_inner();
    // Nothing of a form that another page sent comes back in this one.
    let csrf = pairs.iter().find(|(name, _)| name == "csrf");
    portal.check_form(csrf.map_or("", |(_, token)| token))?;
    let draft = draft(&pairs);
    let form = match SignForm::parse(pairs, app.model.labels()) {
        Ok(form) => form,
        Err(Problem::BadField(what)) => {
            return render(&portal, &report, Some((what.to_owned(), Some(draft)))).await;
        }
        Err(problem) => return Err(problem.into()),
    };
    // The password is checked before the case is locked: hashing takes a while, and nobody should wait for it.
    if !reauthenticated(&portal, form.password).await? {
        let alert = "The password is wrong, or the account is locked for a while. Nothing was signed.";
        return render(&portal, &report, Some((alert.to_owned(), Some(draft)))).await;
    }
    let mut tx = app.begin(Door::Portal).await?;
    let opened = open(&portal, &mut tx, &report).await?;
    if same_version(&opened.case, form.version).is_err() {
        drop(tx);
        return render(&portal, &report, Some((MOVED_ON.to_owned(), None))).await;
    }
    let facts = Facts {
        reauthenticated: true,
        ..opened.facts.clone()
    };
    if matches!(opened.case, AnyCase::Claimed(_)) && !facts.claim_holder {
        drop(tx);
        let alert =
            "The claim has ended, or somebody else holds the case. Claim it again; nothing was signed.";
        return render(&portal, &report, Some((alert.to_owned(), Some(draft)))).await;
    }
    if !matches!(opened.case, AnyCase::Claimed(_)) {
        drop(tx);
        return render(&portal, &report, Some((MOVED_ON.to_owned(), None))).await;
    }
    let permit_to_sign = permit::<SignReport>(&portal, &opened, &facts).await?;
    let AnyCase::Claimed(case) = opened.case else {
        return Err(Problem::Stale(MOVED_ON).into());
    };
    let signed = case.sign(
        &permit_to_sign,
        form.decision,
        &app.signer,
        &*app.clock,
        &*app.ids,
    )?;
    let signed = tx.commit(signed).await?;
    // The signature is what the recipient waits for: both are one transaction, so that nobody sees one without the other.
    let actor = portal.actor();
    let facts = Facts {
        signed: true,
        ..tx.facts(&actor, &signed.case(), &*app.clock).await?
    };
    let permit = app
        .authorize::<ReleaseReport>(&actor, &signed.case().resource(), &facts)
        .await?;
    let recipient = tx
        .standing(app.tenant, signed.case().report)
        .await?
        .ok_or(Problem::NotFound)?
        .client;
    tx.commit(signed.release(&permit, recipient, &*app.clock, &*app.ids)?)
        .await?;
    tx.finish().await?;
    app.metrics.transition("signed");
    Ok(back(&report))
}

/// What a form has in it, but for the password.
fn draft(pairs: &[(String, String)]) -> Draft {
    let mut draft = Draft::default();
    for (name, value) in pairs {
        match name.as_str() {
            "decision" => draft.decision.clone_from(value),
            "impression" => draft.impression.clone_from(value),
            "finding" => draft.findings.push(value.clone()),
            "reason" => draft.reason.clone_from(value),
            "comment" => draft.comment.clone_from(value),
            _ => {}
        }
    }
    draft
}

async fn reauthenticated(portal: &Portal, password: String) -> Result<bool, Problem> {
    let (app, account) = (&portal.app, &portal.account);
    let mut tx = app.begin(Door::Portal).await?;
    let known = tx
        .credentials(app.tenant, &account.username)
        .await?
        .ok_or(Problem::Unauthenticated)?;
    let locked = known.locked_until.is_some_and(|until| until > app.clock.now());
    let right = session::matches(app, known.password, password).await? && !locked;
    if right {
        tx.password_matched(account.id).await?;
    } else {
        let subject = Subject::account(account.id);
        let event = Event::observed(
            &portal.actor(),
            EventKind::ReauthenticationFailed,
            subject,
            &*app.clock,
            &*app.ids,
        );
        tx.password_failed(account.id, &event).await?;
    }
    tx.finish().await?;
    Ok(right)
}
