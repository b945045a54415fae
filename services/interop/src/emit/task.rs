//! `Task`: where a report stands, which says nothing of what was suggested.

use records::{CaseState, Id, Version, kind};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::moment::instant;

/// What a Task is written from. Nothing here depends on the suggestion.
#[derive(Clone, Debug)]
pub struct TaskView {
    /// Report; also the Task's id.
    pub report: Id<kind::Report>,
    /// Its current version.
    pub version: Version,
    /// Where it stands.
    pub state: CaseState,
    /// Whose it is.
    pub patient: Id<kind::Patient>,
    /// When the version came.
    pub received_at: OffsetDateTime,
    /// When the state changed last.
    pub changed_at: OffsetDateTime,
    /// The hospital took the report back.
    pub withdrawn: bool,
    /// The release that the asker may read, once there is one.
    pub release: Option<Id<kind::Release>>,
}

/// The Task of a report.
#[must_use]
pub fn task(view: &TaskView) -> Value {
    let (status, business) = match (view.state, view.withdrawn) {
        (CaseState::Received, _) => ("received", "awaiting de-identification"),
        (CaseState::Deidentified, _) => ("received", "awaiting assessment"),
        (CaseState::Assessed, _) => ("in-progress", "awaiting review"),
        (CaseState::Claimed, _) => ("in-progress", "in review"),
        (CaseState::Signed | CaseState::Released, _) => ("completed", "signed"),
        (CaseState::Void, true) => ("entered-in-error", "withdrawn by the hospital"),
        (CaseState::Void, false) => ("cancelled", "replaced by a newer version"),
    };
    let report = format!("DiagnosticReport/{}", view.report);
    let mut task = json!({
        "resourceType": "Task",
        "id": view.report.to_string(),
        "status": status,
        "businessStatus": { "text": business },
        "intent": "order",
        "code": { "coding": [{
            "system": "http://hl7.org/fhir/CodeSystem/task-code",
            "code": "fulfill",
            "display": "Fulfill the focal request",
        }]},
        "description": "Review of a report by a physician, with the suggestion of a model",
        "focus": { "reference": report },
        "for": { "reference": format!("Patient/{}", view.patient) },
        "authoredOn": instant(view.received_at),
        "lastModified": instant(view.changed_at),
        "input": [{
            "type": { "text": "Version of the report" },
            "valueReference": { "reference": format!("{report}/_history/{}", view.version.get()) },
        }],
    });
    if let Some(release) = view.release {
        let output = |kind: &str| json!({ "type": { "text": kind }, "valueReference": { "reference": format!("{kind}/{release}") } });
        task["output"] = json!([output("RiskAssessment"), output("Observation")]);
    }
    task
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::emit::schema;

    fn view(state: CaseState, withdrawn: bool, release: Option<Id<kind::Release>>) -> TaskView {
        TaskView {
            report: Id::from_uuid(uuid::Uuid::from_u128(1)),
            version: Version::FIRST.next(),
            state,
            patient: Id::from_uuid(uuid::Uuid::from_u128(2)),
            received_at: datetime!(2027-01-02 03:04:05 UTC),
            changed_at: datetime!(2027-01-02 03:04:06.5 UTC),
            withdrawn,
            release,
        }
    }

    #[test]
    fn every_state_has_a_status() {
        let cases = [
            (
                CaseState::Received,
                false,
                "received",
                "awaiting de-identification",
            ),
            (CaseState::Deidentified, false, "received", "awaiting assessment"),
            (CaseState::Assessed, false, "in-progress", "awaiting review"),
            (CaseState::Claimed, false, "in-progress", "in review"),
            (CaseState::Signed, false, "completed", "signed"),
            (CaseState::Released, false, "completed", "signed"),
            (CaseState::Void, false, "cancelled", "replaced by a newer version"),
            (
                CaseState::Void,
                true,
                "entered-in-error",
                "withdrawn by the hospital",
            ),
        ];
        for (state, withdrawn, status, business) in cases {
            let task = task(&view(state, withdrawn, None));
            assert_eq!(task["status"], status);
            assert_eq!(task["businessStatus"]["text"], business);
            assert!(task.get("output").is_none());
            schema::assert_valid(&task);
        }
    }

    #[test]
    fn the_output_links_to_the_release() {
        let release = Id::from_uuid(uuid::Uuid::from_u128(3));
        let task = task(&view(CaseState::Released, false, Some(release)));
        assert_eq!(task["id"], "00000000-0000-0000-0000-000000000001");
        assert_eq!(
            task["focus"]["reference"],
            "DiagnosticReport/00000000-0000-0000-0000-000000000001"
        );
        assert_eq!(
            task["for"]["reference"],
            "Patient/00000000-0000-0000-0000-000000000002"
        );
        assert_eq!(task["lastModified"], "2027-01-02T03:04:06.500Z");
        assert_eq!(task["output"][0]["type"]["text"], "RiskAssessment");
        assert_eq!(
            task["output"][1]["valueReference"]["reference"],
            "Observation/00000000-0000-0000-0000-000000000003"
        );
        schema::assert_valid(&task);
    }
}
