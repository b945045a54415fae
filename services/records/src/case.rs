//! The life of a case: each state is consumed to make the next.

use clinical::{DeidentifiedNote, Finding, Impression, NoteDigest, Outcome, Probability};
use policy::{AssessCase, ClaimCase, Permit, ResourceKind, SignReport, SubmitReport, UnclaimCase, Verb};
use time::OffsetDateTime;

use crate::{
    Clock, Decision, Event, EventKind, Fact, Id, IdSource, Recorded, ReleasedReport, SignedReport, Subject,
    kind, signature::SignedResult,
};

/// What an assessment was made with: with the note, all that is needed to make it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pins {
    /// The model.
    pub model: clinical::ModelDigest,
    /// The instructions it ran on, as the kernels name them.
    pub kernel: &'static str,
    /// What it computed with, as `int8`.
    pub precision: &'static str,
    /// The method of the explanation, as its crate numbers them; entries from before there were numbers are of method 1.
    pub method: u32,
    /// Masked texts that an explanation may take.
    pub samples: u32,
}

/// Digest of what the classifier said, for the audit log: HMAC-SHA-256 of its JSON under the note's digest, which the log
/// does not have, so that a reader of the log cannot try out suggestions. `None` if it cannot be written as JSON.
#[must_use]
pub fn outcome_digest(outcome: &Outcome, note: NoteDigest) -> Option<seal::Digest> {
    let json = serde_json::to_vec(outcome).ok()?;
    Some(seal::MacKey::of(note.get().as_bytes()).digest(&[&json]))
}

/// Number of a version of a report, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u32);

impl Version {
    /// The first version.
    pub const FIRST: Self = Self(1);

    /// Version `number`; 0 is none.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        if number == 0 { None } else { Some(Self(number)) }
    }
    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
    /// The version after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// One version of one report of one hospital.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaseRef {
    /// Hospital.
    pub tenant: Id<kind::Tenant>,
    /// Report.
    pub report: Id<kind::Report>,
    /// Version.
    pub version: Version,
    /// The version's own row.
    pub row: Id<kind::ReportVersion>,
}

impl CaseRef {
    /// What the policy is asked about.
    #[must_use]
    pub fn resource(&self) -> policy::Resource {
        policy::Resource {
            kind: ResourceKind::Report,
            id: self.report.uuid(),
            tenant: self.tenant.uuid(),
            version: u64::from(self.version.get()),
        }
    }
    /// What events are about.
    #[must_use]
    pub const fn subject(&self) -> Subject {
        Subject::report(self.report, self.version)
    }
}

/// Why a move was refused. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TransitionError {
    /// The permit is for another thing, version or hospital.
    #[error("the permit is not for this case")]
    WrongPermit,
    /// The note is not the one that this case holds.
    #[error("the assessment was made for another note")]
    NoteMismatch,
    /// A claim must end after it begins.
    #[error("a claim needs an end in the future")]
    ClaimWithoutEnd,
    /// The lease is over.
    #[error("the claim has ended; claim the case again")]
    ClaimEnded,
    /// Another physician holds the case.
    #[error("another physician holds this case")]
    NotTheHolder,
    /// There is no suggestion to agree with.
    #[error("there is no suggestion to agree with; amend or reject")]
    NothingToAgreeWith,
    /// The statement could not be signed.
    #[error("the statement could not be signed")]
    SigningFailed,
}

/// Stored, and waiting for the gateway.
#[derive(Debug)]
pub struct ReceivedCase {
    pub(crate) case: CaseRef,
}

/// Through the gateway, and waiting for the classifier.
#[derive(Debug)]
pub struct DeidentifiedCase {
    pub(crate) case: CaseRef,
    pub(crate) note: NoteDigest,
}

/// In the queue.
#[derive(Debug)]
pub struct AssessedCase {
    pub(crate) case: CaseRef,
    pub(crate) note: NoteDigest,
    pub(crate) outcome: Outcome,
}

/// In the hands of one physician, until the lease ends.
#[derive(Debug)]
pub struct ClaimedCase {
    pub(crate) case: CaseRef,
    pub(crate) note: NoteDigest,
    pub(crate) outcome: Outcome,
    pub(crate) claim: Claim,
}

/// A lease for review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Id.
    pub id: Id<kind::Claim>,
    /// Who holds the case.
    pub holder: Id<kind::Account>,
    /// Since when.
    pub since: OffsetDateTime,
    /// Until when.
    pub until: OffsetDateTime,
}

/// Void: a newer version came, or the hospital took the report back.
#[derive(Debug)]
pub struct VoidCase {
    pub(crate) case: CaseRef,
}

pub(crate) fn check<V: Verb>(
    permit: &Permit<V>,
    id: uuid::Uuid,
    version: u32,
) -> Result<(), TransitionError> {
    let resource = permit.resource();
    let good = resource.id == id
        && resource.version == u64::from(version)
        && resource.tenant == permit.actor().tenant
        && resource.kind == V::RESOURCE;
    if good {
        Ok(())
    } else {
        Err(TransitionError::WrongPermit)
    }
}

fn check_case<V: Verb>(permit: &Permit<V>, case: &CaseRef) -> Result<(), TransitionError> {
    check(permit, case.report.uuid(), case.version.get())
}

impl ReceivedCase {
    /// Records that the gateway made `note`, and is then pinned to it.
    ///
    /// # Errors
    /// [`TransitionError::WrongPermit`].
    pub fn deidentify(
        self,
        permit: &Permit<AssessCase>,
        note: &DeidentifiedNote,
        redactions: usize,
        clock: &dyn Clock,
        ids: &dyn IdSource,
    ) -> Result<Recorded<DeidentifiedCase>, TransitionError> {
        check_case(permit, &self.case)?;
        let event = Event::permitted(
            permit,
            EventKind::NoteDeidentified,
            self.case.subject(),
            clock,
            ids,
        )
        .with("scrubber", Fact::Number(u64::from(note.scrubber().0)))
        .with("redactions", Fact::Number(redactions as u64));
        Ok(Recorded {
            next: DeidentifiedCase {
                case: self.case,
                note: note.digest(),
            },
            event,
        })
    }
}

impl DeidentifiedCase {
    /// Puts the case in the queue with the classifier's outcome.
    ///
    /// # Errors
    /// [`TransitionError::NoteMismatch`] when the assessment was made for another note.
    pub fn assess(
        self,
        permit: &Permit<AssessCase>,
        outcome: Outcome,
        pins: &Pins,
        clock: &dyn Clock,
        ids: &dyn IdSource,
    ) -> Result<Recorded<AssessedCase>, TransitionError> {
        check_case(permit, &self.case)?;
        if let Outcome::Assessed(assessment) = &outcome
            && (assessment.note != self.note || assessment.model != pins.model)
        {
            return Err(TransitionError::NoteMismatch);
        }
        // Neither label nor score: the log is read by people who may not see a suggestion before it is signed.
        let mut event = Event::permitted(permit, EventKind::CaseAssessed, self.case.subject(), clock, ids)
            .with("model", Fact::digest(pins.model.get()))
            .with("kernel", Fact::word(pins.kernel))
            .with("precision", Fact::word(pins.precision))
            .with("method", Fact::Number(pins.method.into()))
            .with("samples", Fact::Number(pins.samples.into()));
        if let Outcome::Assessed(assessment) = &outcome {
            event = event.with("seed", Fact::bits(assessment.explanation.seed));
        }
        if let Some(digest) = outcome_digest(&outcome, self.note) {
            event = event.with("outcome", Fact::digest(&digest));
        }
        Ok(Recorded {
            next: AssessedCase {
                case: self.case,
                note: self.note,
                outcome,
            },
            event,
        })
    }
}

impl AssessedCase {
    /// Leases the case to the permit's actor until `until`.
    ///
    /// # Errors
    /// [`TransitionError::ClaimWithoutEnd`] when `until` is not in the future.
    pub fn claim(
        self,
        permit: &Permit<ClaimCase>,
        until: OffsetDateTime,
        clock: &dyn Clock,
        ids: &dyn IdSource,
    ) -> Result<Recorded<ClaimedCase>, TransitionError> {
        check_case(permit, &self.case)?;
        let since = clock.now();
        if until <= since {
            return Err(TransitionError::ClaimWithoutEnd);
        }
        let holder = Id::from_uuid(permit.actor().id);
        let claim = Claim {
            id: Id::generate(clock, ids),
            holder,
            since,
            until,
        };
        let event = Event::permitted(permit, EventKind::CaseClaimed, self.case.subject(), clock, ids)
            .with("claim", Fact::id(claim.id));
        let next = ClaimedCase {
            case: self.case,
            note: self.note,
            outcome: self.outcome,
            claim,
        };
        Ok(Recorded { next, event })
    }
}

impl ClaimedCase {
    /// Gives the case back to the queue.
    ///
    /// # Errors
    /// [`TransitionError::NotTheHolder`].
    pub fn unclaim(
        self,
        permit: &Permit<UnclaimCase>,
        clock: &dyn Clock,
        ids: &dyn IdSource,
    ) -> Result<Recorded<AssessedCase>, TransitionError> {
        check_case(permit, &self.case)?;
        if self.claim.holder.uuid() != permit.actor().id {
            return Err(TransitionError::NotTheHolder);
        }
        let event = Event::permitted(permit, EventKind::CaseUnclaimed, self.case.subject(), clock, ids)
            .with("claim", Fact::id(self.claim.id));
        Ok(Recorded {
            next: self.given_back(),
            event,
        })
    }

    /// Ends a lease that is over; `actor` is the worker that noticed.
    ///
    /// # Errors
    /// Gives the case back when the lease still runs.
    #[expect(
        clippy::result_large_err,
        reason = "a case that does not move is given back whole"
    )]
    pub fn expire(
        self,
        actor: &policy::Actor,
        clock: &dyn Clock,
        ids: &dyn IdSource,
    ) -> Result<Recorded<AssessedCase>, Self> {
        if clock.now() < self.claim.until {
            return Err(self);
        }
        let event = Event::observed(actor, EventKind::ClaimExpired, self.case.subject(), clock, ids)
            .with("claim", Fact::id(self.claim.id));
        Ok(Recorded {
            next: self.given_back(),
            event,
        })
    }

    fn given_back(self) -> AssessedCase {
        AssessedCase {
            case: self.case,
            note: self.note,
            outcome: self.outcome,
        }
    }

    /// Decides and signs.
    ///
    /// # Errors
    /// [`TransitionError`] when the permit is for another case, the actor does not hold it, the lease is over,
    /// or there is nothing to agree with.
    pub fn sign(
        self,
        permit: &Permit<SignReport>,
        decision: Decision,
        key: &seal::Signer,
        clock: &dyn Clock,
        ids: &dyn IdSource,
    ) -> Result<Recorded<SignedReport>, TransitionError> {
        check_case(permit, &self.case)?;
        let physician: Id<kind::Account> = Id::from_uuid(permit.actor().id);
        if self.claim.holder != physician {
            return Err(TransitionError::NotTheHolder);
        }
        let now = clock.now();
        if now >= self.claim.until {
            return Err(TransitionError::ClaimEnded);
        }
        let result = SignedResult::of(&self.outcome, &decision)?;
        let signed = SignedReport::sign(
            self.case,
            self.note,
            self.claim.id,
            physician,
            decision,
            result,
            key,
            now,
            Id::generate(clock, ids),
        )?;
        let event = Event::permitted(permit, EventKind::ReportSigned, self.case.subject(), clock, ids)
            .with("signature", Fact::id(signed.id()))
            .with("claim", Fact::id(self.claim.id))
            .with("statement", Fact::digest(&signed.commitment()));
        Ok(Recorded { next: signed, event })
    }

    /// The lease.
    #[must_use]
    pub const fn claim(&self) -> Claim {
        self.claim
    }
}

macro_rules! reads {
    ($($state:ident),*) => { $(impl $state {
        /// Which case.
        #[must_use]
        pub const fn case(&self) -> CaseRef {
            self.case
        }
    })* };
}
reads!(
    ReceivedCase,
    DeidentifiedCase,
    AssessedCase,
    ClaimedCase,
    VoidCase
);

macro_rules! reads_outcome {
    ($($state:ident),*) => { $(impl $state {
        /// What the classifier said.
        #[must_use]
        pub const fn outcome(&self) -> &Outcome {
            &self.outcome
        }
        /// The note that it is pinned to.
        #[must_use]
        pub const fn note(&self) -> NoteDigest {
            self.note
        }
    })* };
}
reads_outcome!(AssessedCase, ClaimedCase);

impl DeidentifiedCase {
    /// The note that it is pinned to.
    #[must_use]
    pub const fn note(&self) -> NoteDigest {
        self.note
    }
}

/// A case as it was found at rest.
pub enum AnyCase {
    /// Waits for the gateway.
    Received(ReceivedCase),
    /// Waits for the classifier.
    Deidentified(DeidentifiedCase),
    /// In the queue.
    Assessed(AssessedCase),
    /// With a physician.
    Claimed(ClaimedCase),
    /// Signed.
    Signed(SignedReport),
    /// Signed, and with its recipient.
    Released(ReleasedReport),
    /// Void.
    Void(VoidCase),
}

impl AnyCase {
    /// Which case.
    #[must_use]
    pub const fn case(&self) -> CaseRef {
        match self {
            Self::Received(case) => case.case,
            Self::Deidentified(case) => case.case,
            Self::Assessed(case) => case.case,
            Self::Claimed(case) => case.case,
            Self::Signed(report) => report.case,
            Self::Released(report) => report.case,
            Self::Void(case) => case.case,
        }
    }

    /// The state's name, for pages and refusals.
    #[must_use]
    pub const fn state(&self) -> CaseState {
        match self {
            Self::Received(_) => CaseState::Received,
            Self::Deidentified(_) => CaseState::Deidentified,
            Self::Assessed(_) => CaseState::Assessed,
            Self::Claimed(_) => CaseState::Claimed,
            Self::Signed(_) => CaseState::Signed,
            Self::Released(_) => CaseState::Released,
            Self::Void(_) => CaseState::Void,
        }
    }
}

/// The current version of a report by its state alone, for a door that may not see the suggestion.
#[derive(Debug)]
pub struct LiveVersion {
    pub(crate) case: CaseRef,
    pub(crate) state: CaseState,
}

impl LiveVersion {
    /// Makes this version void because a newer one came: the suggestion and the claim end with it; what was signed
    /// stays in its row, and is told as superseded.
    ///
    /// # Errors
    /// [`TransitionError::WrongPermit`] when the permit is for another hospital.
    pub fn supersede(
        self,
        permit: &Permit<SubmitReport>,
        by: Version,
        clock: &dyn Clock,
        ids: &dyn IdSource,
    ) -> Result<Recorded<VoidCase>, TransitionError> {
        if permit.actor().tenant != self.case.tenant.uuid() {
            return Err(TransitionError::WrongPermit);
        }
        let event = Event::permitted(
            permit,
            EventKind::ReportSuperseded,
            self.case.subject(),
            clock,
            ids,
        )
        .with("by", Fact::Number(u64::from(by.get())))
        .with("state", Fact::word(self.state.as_str()));
        Ok(Recorded {
            next: VoidCase { case: self.case },
            event,
        })
    }

    /// Which case.
    #[must_use]
    pub const fn case(&self) -> CaseRef {
        self.case
    }
    /// Its state.
    #[must_use]
    pub const fn state(&self) -> CaseState {
        self.state
    }
}

/// The name of a state at rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaseState {
    /// Waits for the gateway.
    Received,
    /// Waits for the classifier.
    Deidentified,
    /// In the queue.
    Assessed,
    /// With a physician.
    Claimed,
    /// Signed.
    Signed,
    /// Signed, and with its recipient.
    Released,
    /// Void.
    Void,
}

impl CaseState {
    /// The code in rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Deidentified => "deidentified",
            Self::Assessed => "assessed",
            Self::Claimed => "claimed",
            Self::Signed => "signed",
            Self::Released => "released",
            Self::Void => "void",
        }
    }

    /// The state of that code.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        const ALL: [CaseState; 7] = [
            CaseState::Received,
            CaseState::Deidentified,
            CaseState::Assessed,
            CaseState::Claimed,
            CaseState::Signed,
            CaseState::Released,
            CaseState::Void,
        ];
        ALL.into_iter().find(|state| state.as_str() == code)
    }
}

/// A finding as it leaves: named by the physician or the model, with the model's probability where it gave one.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedFinding {
    /// Name in the label set.
    pub label: clinical::Label,
    /// The model's probability, when the model reported it.
    pub probability: Option<Probability>,
}

impl From<&Finding> for SignedFinding {
    fn from(finding: &Finding) -> Self {
        Self {
            label: finding.label.clone(),
            probability: Some(finding.probability),
        }
    }
}

/// The impression of an outcome, where there is one.
pub(crate) fn impression(outcome: &Outcome) -> Option<Impression> {
    match outcome {
        Outcome::Assessed(assessment) => Some(assessment.impression),
        Outcome::NotAssessed(_) => None,
    }
}
