//! `CapabilityStatement`: what the FHIR API can do.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::moment::instant;

/// The statement of the service at `base_url` (without `/fhir`) in this version of the software.
#[must_use]
pub fn capability_statement(base_url: &str, version: &str, date: OffsetDateTime) -> Value {
    let interactions = |codes: &[&str]| {
        codes
            .iter()
            .map(|code| json!({ "code": code }))
            .collect::<Vec<_>>()
    };
    let by_focus = json!([{
        "name": "focus",
        "type": "reference",
        "documentation": "The report: DiagnosticReport/ID",
    }]);
    let signed = "There is none before a physician has signed.";
    json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": instant(date),
        "kind": "instance",
        "software": { "name": "Countersign", "version": version },
        "implementation": {
            "description": "Countersign: suggestions for reports, signed by a physician",
            "url": format!("{}/fhir", base_url.trim_end_matches('/')),
        },
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [{
            "mode": "server",
            "security": {
                "service": [{ "coding": [{
                    "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
                    "code": "OAuth",
                    "display": "OAuth",
                }]}],
                "description": "Bearer token (RFC 6750) of a calling system.",
            },
            "resource": [
                {
                    "type": "DiagnosticReport",
                    "interaction": interactions(&["create", "read", "vread"]),
                    "versioning": "versioned",
                    "conditionalCreate": false,
                    "referencePolicy": ["literal", "logical", "local"],
                    "documentation": "The same identifier with other content or status is a new version of the same report. Text is read from presentedForm (text/plain), else text.div, and conclusion.",
                },
                {
                    "type": "Task",
                    "interaction": interactions(&["read", "search-type"]),
                    "versioning": "no-version",
                    "searchParam": by_focus,
                    "documentation": "Where a report stands; its output links to what was signed.",
                },
                {
                    "type": "RiskAssessment",
                    "interaction": interactions(&["read", "search-type"]),
                    "versioning": "no-version",
                    "searchParam": by_focus,
                    "documentation": signed,
                },
                {
                    "type": "Observation",
                    "interaction": interactions(&["read", "search-type"]),
                    "versioning": "no-version",
                    "searchParam": by_focus,
                    "documentation": signed,
                },
            ],
            "interaction": [{
                "code": "transaction",
                "documentation": "Patients and DiagnosticReports, by POST or PUT.",
            }],
        }],
    })
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::emit::schema;

    #[test]
    fn the_statement_is_one() {
        let statement =
            capability_statement("https://c.example", "0.1.0", datetime!(2027-01-02 03:04:05 UTC));
        assert_eq!(statement["implementation"]["url"], "https://c.example/fhir");
        assert_eq!(statement["fhirVersion"], "4.0.1");
        // The schema's list of versions ends before its own, 4.0.1.
        let mut listed = statement;
        listed["fhirVersion"] = json!("4.0.0");
        schema::assert_valid(&listed);
    }
}
