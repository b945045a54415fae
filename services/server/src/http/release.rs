//! Signed results for the EHR. They are made from rows of `release`, which exist only with a signature.

use actix_web::{HttpResponse, web};
use policy::{Facts, ReadRelease};
use records::{Event, EventKind, Id, kind};
use serde_json::Value;
use store::{Door, ReleaseKey, Released};

use super::{
    FHIR_JSON,
    diagnostic_report::hide,
    problem::{FhirProblem, Problem},
    scene::Ehr,
    task::Focus,
};

type Emit = fn(&Released) -> Value;

fn view(released: &Released) -> interop::emit::ReleaseView<'_> {
    interop::emit::ReleaseView {
        report: &released.report,
        signer_name: &released.signer_name,
        patient: released.patient,
        superseded: released.superseded,
    }
}

fn risk_assessment(released: &Released) -> Value {
    interop::emit::risk_assessment(&view(released))
}

fn observation(released: &Released) -> Value {
    interop::emit::observation(&view(released))
}

/// `GET /fhir/RiskAssessment?focus=DiagnosticReport/ID`.
pub async fn search_risk_assessment(ehr: Ehr, focus: web::Query<Focus>) -> Result<HttpResponse, FhirProblem> {
    search(&ehr, &focus, risk_assessment).await
}

/// `GET /fhir/RiskAssessment/{release}`.
pub async fn read_risk_assessment(ehr: Ehr, id: web::Path<String>) -> Result<HttpResponse, FhirProblem> {
    read(&ehr, &id, risk_assessment).await
}

/// `GET /fhir/Observation?focus=DiagnosticReport/ID`.
pub async fn search_observation(ehr: Ehr, focus: web::Query<Focus>) -> Result<HttpResponse, FhirProblem> {
    search(&ehr, &focus, observation).await
}

/// `GET /fhir/Observation/{release}`.
pub async fn read_observation(ehr: Ehr, id: web::Path<String>) -> Result<HttpResponse, FhirProblem> {
    read(&ehr, &id, observation).await
}

async fn search(ehr: &Ehr, focus: &Focus, emit: Emit) -> Result<HttpResponse, FhirProblem> {
    let found = match focus.report()? {
        Some(report) => find(ehr, ReleaseKey::Report(report), emit).await,
        None => Err(Problem::NotFound),
    };
    let entries = match found {
        Ok(resource) => vec![resource],
        Err(Problem::NotFound) => Vec::new(),
        Err(problem) => return Err(problem.into()),
    };
    let bundle = interop::emit::searchset(&ehr.app.public_url, entries);
    Ok(HttpResponse::Ok()
        .content_type(FHIR_JSON)
        .body(bundle.to_string()))
}

async fn read(ehr: &Ehr, id: &str, emit: Emit) -> Result<HttpResponse, FhirProblem> {
    let id: Id<kind::Release> = id.parse().map_err(|_| Problem::NotFound)?;
    let resource = find(ehr, ReleaseKey::Id(id), emit).await?;
    Ok(HttpResponse::Ok()
        .content_type(FHIR_JSON)
        .body(resource.to_string()))
}

async fn find(ehr: &Ehr, key: ReleaseKey, emit: Emit) -> Result<Value, Problem> {
    let app = &ehr.app;
    let mut tx = app.begin(Door::Ehr).await?;
    let released = tx.released(app.tenant, key).await?.ok_or(Problem::NotFound)?;
    let case = released.report.case();
    // Released to this system and no other; a newer version does not take back that it was.
    let mine = released.report.recipient() == ehr.client.id;
    let facts = Facts {
        submitter: mine,
        signed: true,
        released: true,
        ..Facts::default()
    };
    let permit = app
        .authorize::<ReadRelease>(&ehr.actor(), &case.resource(), &facts)
        .await
        .map_err(hide)?;
    let event = Event::permitted(
        &permit,
        EventKind::ReleaseRead,
        case.subject(),
        &*app.clock,
        &*app.ids,
    );
    tx.note(&event).await?;
    tx.finish().await?;
    Ok(emit(&released))
}
