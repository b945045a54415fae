//! A report as it came in, before it is a case.

use std::sync::Arc;

use policy::{Permit, SubmitReport};
use time::OffsetDateTime;

use crate::{
    CaseRef, Clock, Event, EventKind, Fact, Id, IdSource, Patient, PhiText, ReceivedCase, Recorded, Subject,
    TransitionError, Version, case::check, kind,
};

/// `DiagnosticReport.status` (FHIR R4, value set `diagnostic-report-status`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportStatus {
    /// The text stands, in whatever state of completion: it is assessed.
    Live(&'static str),
    /// `cancelled` or `entered-in-error`: the hospital took it back.
    Withdrawn(&'static str),
}

impl ReportStatus {
    /// The status of that code.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        const LIVE: [&str; 8] = [
            "registered",
            "partial",
            "preliminary",
            "final",
            "amended",
            "corrected",
            "appended",
            "unknown",
        ];
        const WITHDRAWN: [&str; 2] = ["cancelled", "entered-in-error"];
        let find = |codes: &[&'static str]| codes.iter().copied().find(|known| *known == code);
        find(&LIVE)
            .map(Self::Live)
            .or_else(|| find(&WITHDRAWN).map(Self::Withdrawn))
    }

    /// The code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live(code) | Self::Withdrawn(code) => code,
        }
    }
}

/// A report that was parsed at the door.
pub struct Submission {
    /// What makes it the same report when it comes again: system and value of its identifier.
    pub identity: PhiText,
    /// What makes it the same content: the resource without what changes in transport.
    pub content: PhiText,
    /// The request's body, byte for byte.
    pub submitted: Arc<PhiText>,
    /// The resource as it stood in the request, byte for byte.
    pub resource: PhiText,
    /// The text to assess.
    pub note: PhiText,
    /// What the report itself says about people: performers, accession numbers.
    pub mentioned: crate::Demographics,
    /// Status.
    pub status: ReportStatus,
    /// Code of the service that reads it, such as `RAD` (HL7 v2 table 0074), for the reading pool.
    pub service: ServiceCode,
    /// Identifiers of practitioners who take part in the patient's care: performers, interpreters, the encounter's participants.
    pub practitioners: Vec<Practitioner>,
}

/// A practitioner named by a report or its encounter.
pub struct Practitioner {
    /// System and value of the identifier.
    pub identifier: PhiText,
    /// Where the care relation comes from.
    pub basis: crate::RelationBasis,
}

/// Code of a diagnostic service section: 2 to 16 letters and digits, kept in upper case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceCode(String);

impl ServiceCode {
    /// The code of radiology (HL7 v2 table 0074), which a report without one gets.
    #[must_use]
    pub fn radiology() -> Self {
        Self("RAD".to_owned())
    }

    /// Takes a code in; `None` when it is not 2 to 16 ASCII letters and digits.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        let good = (2..=16).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric());
        good.then(|| Self(code.to_ascii_uppercase()))
    }

    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A submission with its place in the store: written by the commit that opens it.
pub struct StoredSubmission {
    pub(crate) case: CaseRef,
    pub(crate) submission: Submission,
    pub(crate) patient: Id<kind::Patient>,
    pub(crate) client: Id<kind::Client>,
    pub(crate) received_at: OffsetDateTime,
}

impl Submission {
    /// Takes the report in as `version` of `report`. What stood before is void, which its own event says.
    ///
    /// # Errors
    /// [`TransitionError::WrongPermit`] when the permit is not for this hospital.
    pub fn receive(
        self,
        permit: &Permit<SubmitReport>,
        report: Id<kind::Report>,
        version: Version,
        patient: &Patient,
        clock: &dyn Clock,
        ids: &dyn IdSource,
    ) -> Result<Recorded<StoredSubmission>, TransitionError> {
        let tenant = Id::from_uuid(permit.actor().tenant);
        check(permit, permit.actor().tenant, 0)?;
        let case = CaseRef {
            tenant,
            report,
            version,
            row: Id::generate(clock, ids),
        };
        let kind = match self.status {
            ReportStatus::Live(_) => EventKind::ReportReceived,
            ReportStatus::Withdrawn(_) => EventKind::ReportRetracted,
        };
        let event = Event::permitted(permit, kind, Subject::report(report, version), clock, ids)
            .with("status", Fact::word(self.status.as_str()))
            .with("characters", Fact::Number(self.note.chars() as u64));
        let client = Id::from_uuid(permit.actor().id);
        let received_at = clock.now();
        let next = StoredSubmission {
            case,
            submission: self,
            patient: patient.id,
            client,
            received_at,
        };
        Ok(Recorded { next, event })
    }
}

impl StoredSubmission {
    /// Where it is.
    #[must_use]
    pub const fn case(&self) -> CaseRef {
        self.case
    }
    /// What came in.
    #[must_use]
    pub const fn submission(&self) -> &Submission {
        &self.submission
    }
    /// Whose report it is.
    #[must_use]
    pub const fn patient(&self) -> Id<kind::Patient> {
        self.patient
    }
    /// Who sent it, and so who may have the answer.
    #[must_use]
    pub const fn client(&self) -> Id<kind::Client> {
        self.client
    }
    /// When.
    #[must_use]
    pub const fn received_at(&self) -> OffsetDateTime {
        self.received_at
    }
    /// The case to work on; `None` when the hospital took the report back.
    #[must_use]
    pub fn received(&self) -> Option<ReceivedCase> {
        matches!(self.submission.status, ReportStatus::Live(_)).then_some(ReceivedCase { case: self.case })
    }
}
