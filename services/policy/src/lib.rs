//! Who may do what: the only user of Cedar.
//!
//! What it promises:
//! - A yes is a value. A [`Permit`] is for one verb, one actor and one version of one thing; nothing but
//!   [`Policy::authorize`] makes one, and the transitions of `records` take nothing else.
//! - What is not allowed is denied, a guard beats a permit, and a policy that fails while it is evaluated denies
//!   (Cedar by itself would skip it, even a guard).
//! - Policies that do not fit the schema, have no `@id`, or could never apply stop the process at start, as does a verb
//!   that the schema does not know.
//! - Policies see ids and facts; no name, note or diagnosis reaches them.
//!
//! The policies themselves lie in `policies/`, with `cases.toml` as their specification and `matrix.txt` as the picture.
//!
//! ```
//! use policy::{Actor, Facts, Policy, ReadNote, Resource, ResourceKind, Role};
//! use uuid::Uuid;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let policy = Policy::built_in()?;
//! let (hospital, report) = (Uuid::from_u128(1), Uuid::from_u128(2));
//! let physician = Actor::user(Uuid::from_u128(3), hospital, vec![Role::Physician]);
//! let case = Resource { kind: ResourceKind::Report, id: report, tenant: hospital, version: 1 };
//!
//! let treats = Facts { care_relation: true, ..Facts::default() };
//! let permit = policy.authorize::<ReadNote>(&physician, &case, &treats)?;
//! assert_eq!(permit.policies(), ["physician-reads-note-in-treatment"]);
//! assert!(permit.covers(ResourceKind::Report, report, 1));
//!
//! let denied = policy.authorize::<ReadNote>(&physician, &case, &Facts::default());
//! assert!(denied.is_err_and(|denied| denied.policies == ["guard-no-reading-outside-treatment"]));
//! # Ok(())
//! # }
//! ```

mod access;
mod actor;
#[cfg(test)]
mod cases;
mod matrix;
mod numbers;
mod permit;
mod resource;
mod verb;

pub use access::{Policy, PolicyError};
pub use actor::{Actor, ActorKind, Role};
pub use numbers::{Numbers, NumbersError};
pub use permit::{Denied, Permit};
pub use resource::{Facts, Resource, ResourceKind};
pub use verb::{
    AssessCase, ClaimCase, ManageAccounts, ReadAudit, ReadModel, ReadNote, ReadQueue, ReadRelease,
    ReadReport, ReadTask, ReleaseReport, SignReport, SubmitReport, UnclaimCase, VERBS, Verb, VerifyAudit,
};
