//! FHIR R4 (4.0.1) on its way out: one of the doors that patient data may leave by.
//!
//! Callers hold the permit and have written the access event; what a suggestion says can be written from a
//! [`records::ReleasedReport`] alone, which exists only after a signature.

mod bundle;
mod capability;
mod moment;
mod outcome;
mod resource;
mod result;
#[cfg(test)]
pub(crate) mod schema;
mod task;

pub use bundle::{ResponseEntry, searchset, transaction_response};
pub use capability::capability_statement;
pub use outcome::operation_outcome;
pub use resource::{NotAResource, with_server_id};
pub use result::{ReleaseView, observation, risk_assessment};
pub use task::{TaskView, task};
