//! The only user of sqlx: a write is a row and its audit entry, in one transaction.
//!
//! [`Store::begin`] opens a [`Tx`] at one [`Door`]; [`Tx::commit`] writes a transition's event and row and opens its
//! next state; [`Tx::finish`] makes all of it last. What identifies a patient is sealed before it reaches a statement.
//!
//! ```no_run
//! # async fn demo(store: store::Store, recorded: records::Recorded<records::ClaimedCase>) -> Result<(), store::StoreError> {
//! let mut tx = store.begin(store::Door::Portal).await?;
//! let claimed = tx.commit(recorded).await?;
//! tx.finish().await?;
//! # drop(claimed);
//! # Ok(())
//! # }
//! ```

mod account;
mod audit_entry;
mod audit_log;
mod case;
mod client;
mod door;
mod error;
mod job;
mod patient;
mod queue;
mod relation;
mod release;
mod report;
mod session;
mod transaction;

pub use account::{Credentials, NewAccount};
pub use audit_entry::{AuditEntry, AuditFilter};
pub use audit_log::{Fault, Verification};
pub use case::Scrubbed;
pub use door::Door;
pub use error::{Result, StoreError};
pub use job::{Job, JobKind, MAX_ATTEMPTS};
pub use patient::PatientMatch;
pub use queue::{QueueCounts, QueueLine};
pub use release::{ReleaseKey, Released};
pub use report::{Found, Standing};
pub use session::SessionLimits;
pub use transaction::{Keys, PoolLimits, Row, Store, Tx, migrate_url};
