//! A transaction Bundle with a Patient and his reports: all of it is stored, or nothing.

use actix_web::HttpResponse;
use interop::fhir::{BundleEntry, Incoming, Issue, Refusal, RefusalClass};
use store::Door;

use super::{
    FHIR_JSON,
    diagnostic_report::{Intake, parse},
    problem::{FhirProblem, Problem},
    scene::{Body, Ehr},
};

/// `POST /fhir`.
pub async fn receive(ehr: Ehr, Body(body): Body) -> Result<HttpResponse, FhirProblem> {
    let Incoming::Bundle(bundle) = parse(&ehr, body).await? else {
        return Err(Problem::Refused(Refusal {
            class: RefusalClass::NotSupported,
            issues: vec![Issue::error(
                "not-supported",
                "POST /fhir takes a Bundle of type transaction; send a DiagnosticReport to /fhir/DiagnosticReport.",
            )],
        })
        .into());
    };
    let app = &ehr.app;
    let mut tx = app.begin(Door::Ehr).await?;
    let mut intake = Intake::new(&ehr).await?;
    let mut entries = Vec::new();
    for entry in bundle.entries {
        entries.push(match entry {
            BundleEntry::Patient(patient) => {
                let (id, created) = intake.patient(&mut tx, patient).await?;
                interop::emit::ResponseEntry {
                    location: Some(format!("Patient/{id}")),
                    status: if created { "201 Created" } else { "200 OK" },
                    etag: None,
                    last_modified: app.clock.now(),
                }
            }
            BundleEntry::Report(report) => {
                let stored = intake.report(&mut tx, *report).await?;
                interop::emit::ResponseEntry {
                    location: Some(stored.location()),
                    status: if stored.created { "201 Created" } else { "200 OK" },
                    etag: Some(stored.etag()),
                    last_modified: stored.received_at,
                }
            }
            BundleEntry::Other { .. } => interop::emit::ResponseEntry {
                // Kept in the verbatim body; no address of its own yet.
                location: None,
                status: "202 Accepted",
                etag: None,
                last_modified: app.clock.now(),
            },
        });
    }
    tx.finish().await?;
    intake.finished();
    Ok(HttpResponse::Ok()
        .content_type(FHIR_JSON)
        .body(interop::emit::transaction_response(&entries).to_string()))
}
