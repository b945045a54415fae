//! No next state until the store has written it down.

use crate::{Event, Id, kind};

/// The next state, locked until its event is in the audit log.
///
/// ```compile_fail
/// fn peek<T>(recorded: records::Recorded<T>) -> T {
///     recorded.next
/// }
/// ```
/// ```
/// fn open<T>(recorded: records::Recorded<T>, receipt: &records::Receipt) -> Option<T> {
///     recorded.open(receipt).ok()
/// }
/// ```
#[must_use = "a transition that is not committed did not happen"]
pub struct Recorded<T> {
    pub(crate) next: T,
    pub(crate) event: Event,
}

/// Proof that an event's row was written, in the transaction that writes its effect.
/// Only `store` makes one ([`crate::at_rest::receipt`]).
#[derive(Debug)]
pub struct Receipt {
    pub(crate) event: Id<kind::Event>,
}

impl<T> Recorded<T> {
    /// The next state, for the receipt of its own event.
    ///
    /// # Errors
    /// Gives itself back when the receipt is for another event.
    #[expect(
        clippy::result_large_err,
        reason = "a state that stays locked is given back whole"
    )]
    pub fn open(self, receipt: &Receipt) -> Result<T, Self> {
        if receipt.event == self.event.id {
            Ok(self.next)
        } else {
            Err(self)
        }
    }

    /// The event that must be written first.
    #[must_use]
    pub const fn event(&self) -> &Event {
        &self.event
    }
}
