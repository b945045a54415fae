//! Whose it is: identified notes, the life of a case, and its events.
//!
//! A case moves by consuming one value and returning the next inside a [`Recorded`], which opens only with the
//! [`Receipt`] for its event. Each move takes a [`policy::Permit`] for that case and that version.
//!
//! ```
//! use records::{Id, ManualClock, SystemIds, kind};
//! let clock = ManualClock::at_unix(1_800_000_000);
//! let report = Id::<kind::Report>::generate(&clock, &SystemIds);
//! assert_eq!(report.to_string().parse(), Ok(report));
//! ```

mod account;
pub mod at_rest;
mod case;
mod clock;
mod decision;
mod event;
mod id;
mod note;
mod patient;
mod phi;
mod recorded;
mod relation;
mod signature;
mod submission;

pub use account::{Account, Client, NotAUsername, Username, worker};
pub use case::{
    AnyCase, AssessedCase, CaseRef, CaseState, Claim, ClaimedCase, DeidentifiedCase, LiveVersion, Pins,
    ReceivedCase, SignedFinding, TransitionError, Version, VoidCase, outcome_digest,
};
pub use clock::{Clock, ManualClock, SystemClock};
pub use decision::{Amendment, Decision, RejectReason};
pub use event::{Event, EventKind, Fact, Subject, SubjectKind, Word};
pub use id::{Id, IdSource, NotAnId, SystemIds, kind};
pub use note::{IdentifiedNote, RedactionMap};
pub use patient::{Demographics, Patient};
pub use phi::PhiText;
pub use recorded::{Receipt, Recorded};
pub use relation::{CareRelation, Related, RelationBasis};
pub use signature::{ModelPart, ReleasedReport, SignedReport, SignedResult, Verdict};
pub use submission::{Practitioner, ReportStatus, ServiceCode, StoredSubmission, Submission};
