//! `RiskAssessment` and `Observation`: what a physician signed.

use clinical::Impression;
use records::{Id, ReleasedReport, SignedResult, Verdict, Version, kind};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::moment::instant;

/// What leaves, with what its reader wants to know beside it.
#[derive(Clone, Copy)]
pub struct ReleaseView<'a> {
    /// The signed report on its way.
    pub report: &'a ReleasedReport,
    /// The signer's printed name.
    pub signer_name: &'a str,
    /// Whose report it is.
    pub patient: Id<kind::Patient>,
    /// A newer version of the report came after the signature.
    pub superseded: bool,
}

/// The `RiskAssessment` of a release: the model's probability, as a physician let it go.
#[must_use]
pub fn risk_assessment(view: &ReleaseView<'_>) -> Value {
    Facts::of(view).risk_assessment()
}

/// The `Observation` of a release: normal or abnormal and the findings, as signed.
#[must_use]
pub fn observation(view: &ReleaseView<'_>) -> Value {
    Facts::of(view).observation()
}

/// What both resources are written from.
struct Facts<'a> {
    release: Id<kind::Release>,
    report: Id<kind::Report>,
    version: Version,
    patient: Id<kind::Patient>,
    signer_name: &'a str,
    signed_at: OffsetDateTime,
    released_at: OffsetDateTime,
    result: &'a SignedResult,
    superseded: bool,
}

impl<'a> Facts<'a> {
    fn of(view: &ReleaseView<'a>) -> Self {
        let case = view.report.case();
        Self {
            release: view.report.id(),
            report: case.report,
            version: case.version,
            patient: view.patient,
            signer_name: view.signer_name,
            signed_at: view.report.signed_at(),
            released_at: view.report.released_at(),
            result: view.report.result(),
            superseded: view.superseded,
        }
    }

    fn status(&self) -> &'static str {
        match (self.superseded, self.result.verdict) {
            (true, _) => "entered-in-error",
            (false, Verdict::Rejected(_)) => "cancelled",
            (false, Verdict::Agreed | Verdict::Amended) => "final",
        }
    }

    fn version_reference(&self) -> Value {
        json!({ "reference": format!("DiagnosticReport/{}/_history/{}", self.report, self.version.get()) })
    }

    /// A sentence for whoever reads the resource without us.
    fn note(&self) -> String {
        let verdict = match self.result.verdict {
            Verdict::Agreed => "The physician agreed with the suggestion.".to_owned(),
            Verdict::Amended => {
                "The physician put another result in its place or where there was none.".to_owned()
            }
            Verdict::Rejected(reason) => {
                format!("The physician refused it: {}.", lower_first(reason.title()))
            }
        };
        let newer = if self.superseded {
            " A newer version of the report has come since; this is no longer valid."
        } else {
            ""
        };
        format!(
            "Suggestion of a model, reviewed and signed by {} at {}. {verdict}{newer}",
            self.signer_name,
            instant(self.signed_at)
        )
    }

    fn risk_assessment(&self) -> Value {
        let mut out = json!({
            "resourceType": "RiskAssessment",
            "id": self.release.to_string(),
            "status": self.status(),
            "code": { "text": "Probability that the report describes something abnormal" },
            "subject": { "reference": format!("Patient/{}", self.patient) },
            "occurrenceDateTime": instant(self.signed_at),
            "performer": { "display": self.signer_name },
            "basis": [self.version_reference()],
            "note": [{ "time": instant(self.signed_at), "text": self.note() }],
        });
        if let Some(model) = &self.result.model {
            out["method"] = json!({ "text": format!("{} (sha256:{})", model.name, model.digest) });
            // Four decimals are more than a calibrated probability is good for.
            let probability = (model.abnormal.get() * 1e4).round() / 1e4;
            out["prediction"] = json!([{
                "outcome": { "text": Impression::Abnormal.as_str() },
                "probabilityDecimal": probability,
            }]);
        }
        out
    }

    fn observation(&self) -> Value {
        let mut out = json!({
            "resourceType": "Observation",
            "id": self.release.to_string(),
            "status": self.status(),
            "category": [{ "coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                "code": "imaging",
                "display": "Imaging",
            }]}],
            "code": { "text": "Impression of the report, signed by a physician" },
            "subject": { "reference": format!("Patient/{}", self.patient) },
            "focus": [self.version_reference()],
            "effectiveDateTime": instant(self.signed_at),
            "issued": instant(self.released_at),
            "performer": [{ "display": self.signer_name }],
            "note": [{ "time": instant(self.signed_at), "text": self.note() }],
        });
        match self.result.impression {
            Some(impression) => {
                let (code, display) = match impression {
                    Impression::Normal => ("N", "Normal"),
                    Impression::Abnormal => ("A", "Abnormal"),
                };
                out["valueCodeableConcept"] = json!({ "text": impression.as_str() });
                out["interpretation"] = json!([{ "coding": [{
                    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation",
                    "code": code,
                    "display": display,
                }]}]);
            }
            None => {
                out["dataAbsentReason"] = json!({
                    "coding": [{
                        "system": "http://terminology.hl7.org/CodeSystem/data-absent-reason",
                        "code": "not-performed",
                        "display": "Not Performed",
                    }],
                    "text": "The physician refused the suggestion and put nothing in its place.",
                });
            }
        }
        if !self.result.findings.is_empty() {
            let component = |finding: &records::SignedFinding| json!({ "code": { "text": finding.label.as_str() }, "valueBoolean": true });
            out["component"] = self.result.findings.iter().map(component).collect();
        }
        out
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use clinical::{Label, ModelDigest, Probability};
    use records::{ModelPart, RejectReason, SignedFinding};
    use time::macros::datetime;

    use super::*;
    use crate::emit::schema;

    fn result(
        verdict: Verdict,
        impression: Option<Impression>,
        findings: &[&str],
        abnormal: Option<f64>,
    ) -> SignedResult {
        let digest: ModelDigest = serde_json::from_value(json!("ab".repeat(32))).expect("a digest");
        SignedResult {
            verdict,
            impression,
            findings: findings
                .iter()
                .map(|label| SignedFinding {
                    label: Label::new(*label),
                    probability: None,
                })
                .collect(),
            model: abnormal.map(|abnormal| ModelPart {
                name: "reader 1".to_owned(),
                digest,
                abnormal: Probability::new(abnormal).expect("a probability"),
                suggested: Impression::Abnormal,
            }),
        }
    }

    fn written(result: &SignedResult, superseded: bool) -> (Value, Value) {
        let facts = Facts {
            release: Id::from_uuid(uuid::Uuid::from_u128(3)),
            report: Id::from_uuid(uuid::Uuid::from_u128(1)),
            version: Version::FIRST,
            patient: Id::from_uuid(uuid::Uuid::from_u128(2)),
            signer_name: "Dr. Robin Reader",
            signed_at: datetime!(2027-01-02 03:04:05 UTC),
            released_at: datetime!(2027-01-02 03:04:06 UTC),
            result,
            superseded,
        };
        let both = (facts.risk_assessment(), facts.observation());
        schema::assert_valid(&both.0);
        schema::assert_valid(&both.1);
        both
    }

    #[test]
    fn an_agreed_result_is_final() {
        let result = result(
            Verdict::Agreed,
            Some(Impression::Abnormal),
            &["Cardiomegaly", "Effusion"],
            Some(0.973_149),
        );
        let (risk, observation) = written(&result, false);
        assert_eq!(risk["status"], "final");
        assert_eq!(risk["id"], "00000000-0000-0000-0000-000000000003");
        assert_eq!(risk["prediction"][0]["probabilityDecimal"].to_string(), "0.9731");
        assert_eq!(
            risk["method"]["text"],
            format!("reader 1 (sha256:{})", "ab".repeat(32))
        );
        assert_eq!(
            risk["basis"][0]["reference"],
            "DiagnosticReport/00000000-0000-0000-0000-000000000001/_history/1"
        );
        assert_eq!(
            risk["note"][0]["text"],
            "Suggestion of a model, reviewed and signed by Dr. Robin Reader at 2027-01-02T03:04:05.000Z. The physician agreed with the suggestion."
        );
        assert_eq!(observation["status"], "final");
        assert_eq!(observation["valueCodeableConcept"]["text"], "abnormal");
        assert_eq!(observation["interpretation"][0]["coding"][0]["code"], "A");
        assert_eq!(observation["component"][1]["code"]["text"], "Effusion");
        assert_eq!(observation["component"][1]["valueBoolean"], true);
    }

    #[test]
    fn a_result_without_a_model_predicts_nothing() {
        let (risk, observation) = written(
            &result(Verdict::Amended, Some(Impression::Normal), &[], None),
            false,
        );
        assert_eq!(risk["status"], "final");
        assert!(risk.get("prediction").is_none() && risk.get("method").is_none());
        assert_eq!(observation["interpretation"][0]["coding"][0]["code"], "N");
        assert!(observation.get("component").is_none());
    }

    #[test]
    fn a_refused_suggestion_does_not_leave() {
        let verdict = Verdict::Rejected(RejectReason::OutOfScope);
        let (risk, observation) = written(&result(verdict, None, &[], None), false);
        assert_eq!(risk["status"], "cancelled");
        assert!(risk.get("prediction").is_none());
        assert_eq!(observation["status"], "cancelled");
        assert!(
            observation.get("valueCodeableConcept").is_none() && observation.get("interpretation").is_none()
        );
        assert_eq!(
            observation["dataAbsentReason"]["coding"][0]["code"],
            "not-performed"
        );
        let note = risk["note"][0]["text"].as_str().expect("a note");
        assert!(
            note.ends_with("The physician refused it: the model was not made for this kind of report."),
            "{note}"
        );
    }

    #[test]
    fn a_superseded_result_is_in_error() {
        for verdict in [Verdict::Agreed, Verdict::Rejected(RejectReason::Other)] {
            let impression = (verdict == Verdict::Agreed).then_some(Impression::Normal);
            let (risk, observation) = written(&result(verdict, impression, &[], None), true);
            assert_eq!(risk["status"], "entered-in-error");
            assert_eq!(observation["status"], "entered-in-error");
        }
    }
}
