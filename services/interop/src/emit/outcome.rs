//! `OperationOutcome`.

use serde_json::{Value, json};

use crate::fhir::Issue;

/// An `OperationOutcome` with these issues; without any it says that all went well, since FHIR wants one.
#[must_use]
pub fn operation_outcome(issues: &[Issue]) -> Value {
    let fine = [Issue::information("All went well.")];
    let issues = if issues.is_empty() { &fine } else { issues };
    let issues: Vec<Value> = issues
        .iter()
        .map(|issue| {
            let mut out = json!({
                "severity": issue.severity.as_str(),
                "code": issue.code.as_str(),
                "diagnostics": issue.diagnostics,
            });
            if !issue.expression.is_empty() {
                out["expression"] = json!(issue.expression);
            }
            out
        })
        .collect();
    json!({ "resourceType": "OperationOutcome", "issue": issues })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::schema;

    #[test]
    fn issues_are_written_with_their_places() {
        let outcome = operation_outcome(&[
            Issue::error("required", "The report has no status.").at("DiagnosticReport.status"),
            Issue::error("throttled", "Too many requests."),
        ]);
        assert_eq!(
            outcome,
            json!({"resourceType": "OperationOutcome", "issue": [
                {"severity": "error", "code": "required", "diagnostics": "The report has no status.", "expression": ["DiagnosticReport.status"]},
                {"severity": "error", "code": "throttled", "diagnostics": "Too many requests."},
            ]})
        );
        schema::assert_valid(&outcome);
        schema::assert_valid(&operation_outcome(&[]));
    }
}
