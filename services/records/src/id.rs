//! Typed ids: an account's id cannot stand where a report's is wanted.

use std::{fmt, marker::PhantomData, str::FromStr};

use uuid::Uuid;

use crate::{Clock, clock::unix_parts};

/// A UUID that says what it names. Version 7 (RFC 9562, section 5.7): later ids sort later.
pub struct Id<K> {
    uuid: Uuid,
    kind: PhantomData<fn() -> K>,
}

/// The text is no UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id is a UUID such as 0190c5f6-6d3a-7c1e-8a2b-000000000000")]
pub struct NotAnId;

impl<K> Id<K> {
    /// A new id for the moment that `clock` shows, from random bits of `ids`.
    pub fn generate(clock: &dyn Clock, ids: &dyn IdSource) -> Self {
        let (seconds, nanos) = unix_parts(clock.now());
        let millis = seconds * 1000 + u64::from(nanos) / 1_000_000;
        Self::from_uuid(uuid::Builder::from_unix_timestamp_millis(millis, &ids.random()).into_uuid())
    }

    /// Names a UUID that is known to be of this kind.
    #[must_use]
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self {
            uuid,
            kind: PhantomData,
        }
    }

    /// The UUID, for the database, the policy and links.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.uuid
    }

    /// The sixteen bytes, for associated data.
    #[must_use]
    pub fn bytes(self) -> [u8; 16] {
        self.uuid.into_bytes()
    }

    /// The last eight digits, for people: version 7 keeps its random part there.
    #[must_use]
    pub fn short(self) -> String {
        let text = self.uuid.simple().to_string();
        text[24..].to_owned()
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.uuid.cmp(&other.uuid)
    }
}
impl<K> std::hash::Hash for Id<K> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.uuid.hash(state);
    }
}
impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uuid.fmt(f)
    }
}
impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uuid.fmt(f)
    }
}
impl<K> FromStr for Id<K> {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        Uuid::try_parse(text).map(Self::from_uuid).map_err(|_| NotAnId)
    }
}
impl<K> From<Uuid> for Id<K> {
    fn from(uuid: Uuid) -> Self {
        Self::from_uuid(uuid)
    }
}

/// Where the random bits of ids come from: the system in production, a seed in tests.
pub trait IdSource: Send + Sync {
    /// Ten random bytes.
    fn random(&self) -> [u8; 10];
}

/// Ids from the operating system's generator.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemIds;

impl IdSource for SystemIds {
    fn random(&self) -> [u8; 10] {
        // Expect safety: ring's SystemRandom fails only where the kernel has no entropy source at all,
        // and then nothing here (keys, nonces, tokens) could go on.
        seal::random().expect("the operating system gives no random bytes")
    }
}

/// What an [`Id`] may name.
pub mod kind {
    macro_rules! kinds {
        ($($(#[$doc:meta])* $name:ident),* $(,)?) => { $($(#[$doc])* #[derive(Debug)] pub enum $name {})* };
    }
    kinds! {
        /// A hospital: every row belongs to one.
        Tenant,
        /// A person who signs in.
        Account,
        /// A system that calls the API.
        Client,
        /// A person whose report it is.
        Patient,
        /// A report under all its versions; the case of the review queue.
        Report,
        /// One version of a report.
        ReportVersion,
        /// A suggestion, or the word that there is none.
        Assessment,
        /// A lease for review.
        Claim,
        /// A physician's signature.
        Signature,
        /// A signed report on its way to one recipient.
        Release,
        /// A group that reads for one service.
        ReadingPool,
        /// A reason why somebody may see identified text.
        CareRelation,
        /// One entry of the audit log.
        Event,
        /// A unit of background work.
        Job,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ManualClock;

    #[test]
    fn later_ids_sort_later_and_round_trip() {
        let clock = ManualClock::at_unix(1_800_000_000);
        let first = Id::<kind::Report>::generate(&clock, &SystemIds);
        clock.advance(time::Duration::milliseconds(2));
        let second = Id::<kind::Report>::generate(&clock, &SystemIds);
        assert!(first < second);
        assert_eq!(first.to_string().parse(), Ok(first));
        assert_eq!("x".parse::<Id<kind::Report>>(), Err(NotAnId));
    }
}
