//! Where a report stands: nothing here depends on what was suggested.

use actix_web::{HttpResponse, web};
use policy::ReadTask;
use records::{Event, EventKind, Id, ReportStatus, kind};
use serde::Deserialize;
use store::{Door, ReleaseKey};

use super::{
    FHIR_JSON,
    diagnostic_report::hide,
    problem::{FhirProblem, Problem},
    scene::Ehr,
};

/// Search by focus.
#[derive(Deserialize)]
pub struct Focus {
    focus: Option<String>,
}

impl Focus {
    /// The report that is asked for.
    ///
    /// # Errors
    /// [`Problem::BadField`] when the parameter is missing or names something else.
    pub fn report(&self) -> Result<Option<Id<kind::Report>>, Problem> {
        const WRONG: &str = "Search with ?focus=DiagnosticReport/ID.";
        let focus = self.focus.as_deref().ok_or(Problem::BadField(WRONG))?;
        let id = focus
            .rsplit_once("DiagnosticReport/")
            .ok_or(Problem::BadField(WRONG))?
            .1;
        let id = id.split('/').next().unwrap_or(id);
        Ok(id.parse().ok())
    }
}

/// `GET /fhir/Task?focus=DiagnosticReport/ID`.
pub async fn search(ehr: Ehr, focus: web::Query<Focus>) -> Result<HttpResponse, FhirProblem> {
    let found = match focus.report()? {
        Some(report) => match task(&ehr, report).await {
            Ok(task) => vec![task],
            Err(Problem::NotFound) => Vec::new(),
            Err(problem) => return Err(problem.into()),
        },
        None => Vec::new(),
    };
    let bundle = interop::emit::searchset(&ehr.app.public_url, found);
    Ok(HttpResponse::Ok()
        .content_type(FHIR_JSON)
        .body(bundle.to_string()))
}

/// `GET /fhir/Task/{report}`.
pub async fn read(ehr: Ehr, report: web::Path<String>) -> Result<HttpResponse, FhirProblem> {
    let report = report.parse().map_err(|_| Problem::NotFound)?;
    Ok(HttpResponse::Ok()
        .content_type(FHIR_JSON)
        .body(task(&ehr, report).await?.to_string()))
}

async fn task(ehr: &Ehr, report: Id<kind::Report>) -> Result<serde_json::Value, Problem> {
    let app = &ehr.app;
    let mut tx = app.begin(Door::Ehr).await?;
    let standing = tx.standing(app.tenant, report).await?.ok_or(Problem::NotFound)?;
    let facts = tx.facts(&ehr.actor(), &standing.case, &*app.clock).await?;
    let permit = app
        .authorize::<ReadTask>(&ehr.actor(), &standing.case.resource(), &facts)
        .await
        .map_err(hide)?;
    let event = Event::permitted(
        &permit,
        EventKind::TaskRead,
        standing.case.subject(),
        &*app.clock,
        &*app.ids,
    );
    tx.note(&event).await?;
    let release = tx
        .released(app.tenant, ReleaseKey::Version(standing.case.row))
        .await?;
    tx.finish().await?;
    Ok(interop::emit::task(&interop::emit::TaskView {
        report: standing.case.report,
        version: standing.case.version,
        state: standing.state,
        patient: standing.patient,
        received_at: standing.received_at,
        changed_at: standing.changed_at,
        withdrawn: matches!(
            ReportStatus::parse(&standing.status),
            Some(ReportStatus::Withdrawn(_))
        ),
        release: release
            .filter(|released| !released.superseded)
            .map(|released| released.report.id()),
    }))
}
