//! A physician's signature, and what may leave with it.

use clinical::{Impression, ModelDigest, NoteDigest, Outcome, Probability};
use policy::{Permit, ReleaseReport};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    CaseRef, Clock, Decision, Event, EventKind, Fact, Id, IdSource, PhiText, Recorded, RejectReason,
    SignedFinding, TransitionError, case, kind,
};

/// What leaves: made at the signature from the outcome and the decision, and nowhere else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedResult {
    /// What the physician did.
    pub verdict: Verdict,
    /// Normal or abnormal, as signed; `None` when the suggestion was refused.
    pub impression: Option<Impression>,
    /// Findings, as signed.
    pub findings: Vec<SignedFinding>,
    /// The model's part, where a physician agreed or amended; `None` when refused or when there was none.
    pub model: Option<ModelPart>,
}

/// The model's part of a signed result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelPart {
    /// Name and version.
    pub name: String,
    /// Digest of the packed model.
    pub digest: ModelDigest,
    /// Probability of abnormal.
    pub abnormal: Probability,
    /// What the model suggested.
    pub suggested: Impression,
}

/// What the physician did with the suggestion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Agreed.
    Agreed,
    /// Put something else in its place.
    Amended,
    /// Refused it.
    Rejected(RejectReason),
}

impl SignedResult {
    pub(crate) fn of(outcome: &Outcome, decision: &Decision) -> Result<Self, TransitionError> {
        let model = match outcome {
            Outcome::Assessed(assessment) => Some(ModelPart {
                name: assessment.model_name.clone(),
                digest: assessment.model,
                abnormal: assessment.abnormal,
                suggested: assessment.impression,
            }),
            Outcome::NotAssessed(_) => None,
        };
        match (decision, outcome) {
            (Decision::Agree, Outcome::Assessed(assessment)) => Ok(Self {
                verdict: Verdict::Agreed,
                impression: case::impression(outcome),
                findings: assessment.findings.iter().map(SignedFinding::from).collect(),
                model,
            }),
            (Decision::Agree, Outcome::NotAssessed(_)) => Err(TransitionError::NothingToAgreeWith),
            (Decision::Amend(amendment), outcome) => {
                let suggested = |label| match outcome {
                    Outcome::Assessed(assessment) => assessment
                        .findings
                        .iter()
                        .find(|finding| &finding.label == label)
                        .map(|finding| finding.probability),
                    Outcome::NotAssessed(_) => None,
                };
                Ok(Self {
                    verdict: Verdict::Amended,
                    impression: Some(amendment.impression),
                    findings: amendment
                        .findings
                        .iter()
                        .map(|label| SignedFinding {
                            label: label.clone(),
                            probability: suggested(label),
                        })
                        .collect(),
                    model,
                })
            }
            (Decision::Reject { reason, .. }, _) => Ok(Self {
                verdict: Verdict::Rejected(*reason),
                impression: None,
                findings: Vec::new(),
                model: None,
            }),
        }
    }
}

/// What was signed, as bytes: RFC 8785 style JSON with the keys in order.
#[derive(Serialize)]
struct Statement<'a> {
    assessed_note: NoteDigest,
    claim: String,
    comment: Option<seal::Digest>,
    meaning: &'static str,
    report: String,
    result: &'a SignedResult,
    signed_at: i128,
    signer: String,
    tenant: String,
    version: u32,
}

/// Signed by a physician: the only thing that can be released.
pub struct SignedReport {
    pub(crate) case: CaseRef,
    pub(crate) id: Id<kind::Signature>,
    pub(crate) claim: Id<kind::Claim>,
    pub(crate) signer: Id<kind::Account>,
    pub(crate) signed_at: OffsetDateTime,
    pub(crate) comment: PhiText,
    pub(crate) result: SignedResult,
    pub(crate) statement: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

impl SignedReport {
    #[expect(
        clippy::too_many_arguments,
        reason = "each is one line of the statement; only ClaimedCase::sign calls it"
    )]
    pub(crate) fn sign(
        case: CaseRef,
        note: NoteDigest,
        claim: Id<kind::Claim>,
        signer: Id<kind::Account>,
        decision: Decision,
        result: SignedResult,
        key: &seal::Signer,
        signed_at: OffsetDateTime,
        id: Id<kind::Signature>,
    ) -> Result<Self, TransitionError> {
        let comment = match decision {
            Decision::Agree => PhiText::new(String::new()),
            Decision::Amend(amendment) => amendment.comment,
            Decision::Reject { comment, .. } => comment,
        };
        let statement = serde_json::to_vec(&Statement {
            assessed_note: note,
            claim: claim.to_string(),
            comment: (!comment.is_blank()).then(|| seal::Digest::of(comment.expose().as_bytes())),
            meaning: "I have read the report and its assessment, and this is my decision.",
            report: case.report.to_string(),
            result: &result,
            signed_at: signed_at.unix_timestamp_nanos() / 1000,
            signer: signer.to_string(),
            tenant: case.tenant.to_string(),
            version: case.version.get(),
        })
        .map_err(|_| TransitionError::SigningFailed)?;
        let signature = key.sign(&statement).as_bytes().to_vec();
        Ok(Self {
            case,
            id,
            claim,
            signer,
            signed_at,
            comment,
            result,
            statement,
            signature,
        })
    }

    /// Lets the report go to `recipient`.
    ///
    /// # Errors
    /// [`TransitionError::WrongPermit`].
    pub fn release(
        self,
        permit: &Permit<ReleaseReport>,
        recipient: Id<kind::Client>,
        clock: &dyn Clock,
        ids: &dyn IdSource,
    ) -> Result<Recorded<ReleasedReport>, TransitionError> {
        case::check(permit, self.case.report.uuid(), self.case.version.get())?;
        let id = Id::generate(clock, ids);
        let event = Event::permitted(permit, EventKind::ReportReleased, self.case.subject(), clock, ids)
            .with("release", Fact::id(id))
            .with("signature", Fact::id(self.id))
            .with("recipient", Fact::id(recipient));
        let next = ReleasedReport {
            case: self.case,
            id,
            signature: self.id,
            signer: self.signer,
            recipient,
            signed_at: self.signed_at,
            released_at: clock.now(),
            result: self.result,
        };
        Ok(Recorded { next, event })
    }

    /// Which case.
    #[must_use]
    pub const fn case(&self) -> CaseRef {
        self.case
    }
    /// Id of the signature.
    #[must_use]
    pub const fn id(&self) -> Id<kind::Signature> {
        self.id
    }
    /// The lease under which it was signed.
    #[must_use]
    pub const fn claim(&self) -> Id<kind::Claim> {
        self.claim
    }
    /// Who signed.
    #[must_use]
    pub const fn signer(&self) -> Id<kind::Account> {
        self.signer
    }
    /// When.
    #[must_use]
    pub const fn signed_at(&self) -> OffsetDateTime {
        self.signed_at
    }
    /// What the physician added in words; may be blank.
    #[must_use]
    pub const fn comment(&self) -> &PhiText {
        &self.comment
    }
    /// What may leave.
    #[must_use]
    pub const fn result(&self) -> &SignedResult {
        &self.result
    }
    /// The signed bytes.
    #[must_use]
    pub fn statement(&self) -> &[u8] {
        &self.statement
    }
    /// The Ed25519 signature over the statement.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }
    /// Digest of statement and signature. A signature is as good as a salt: nobody without the key can make it,
    /// so the digest cannot be guessed from the few results there are.
    #[must_use]
    pub fn commitment(&self) -> seal::Digest {
        seal::Digest::of_parts(&[&self.signature, &self.statement])
    }
}

/// Signed, and on its way to one recipient.
pub struct ReleasedReport {
    pub(crate) case: CaseRef,
    pub(crate) id: Id<kind::Release>,
    pub(crate) signature: Id<kind::Signature>,
    pub(crate) signer: Id<kind::Account>,
    pub(crate) recipient: Id<kind::Client>,
    pub(crate) signed_at: OffsetDateTime,
    pub(crate) released_at: OffsetDateTime,
    pub(crate) result: SignedResult,
}

impl ReleasedReport {
    /// Which case.
    #[must_use]
    pub const fn case(&self) -> CaseRef {
        self.case
    }
    /// Id of the release.
    #[must_use]
    pub const fn id(&self) -> Id<kind::Release> {
        self.id
    }
    /// The signature that lets it go.
    #[must_use]
    pub const fn signature(&self) -> Id<kind::Signature> {
        self.signature
    }
    /// Who signed.
    #[must_use]
    pub const fn signer(&self) -> Id<kind::Account> {
        self.signer
    }
    /// Who may read it.
    #[must_use]
    pub const fn recipient(&self) -> Id<kind::Client> {
        self.recipient
    }
    /// When it was signed.
    #[must_use]
    pub const fn signed_at(&self) -> OffsetDateTime {
        self.signed_at
    }
    /// When it was let go.
    #[must_use]
    pub const fn released_at(&self) -> OffsetDateTime {
        self.released_at
    }
    /// What leaves.
    #[must_use]
    pub const fn result(&self) -> &SignedResult {
        &self.result
    }
}
