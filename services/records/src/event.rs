//! What happened, in ids, verbs and digests: one entry of the audit log.

use std::collections::BTreeMap;

use policy::{Actor, Permit, Verb};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Clock, Id, IdSource, Version, kind};

macro_rules! event_kinds {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// What happened. The names are the audit log's vocabulary and never change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum EventKind { $($(#[$doc])* $name),* }

        impl EventKind {
            /// Every kind, for filters.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name in the log.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }

            /// The kind of that name.
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                match name { $(stringify!($name) => Some(Self::$name),)* _ => None }
            }
        }
    };
}

event_kinds! {
    /// A report came in and was stored.
    ReportReceived,
    /// The same report came again, with the same content.
    ReportRepeated,
    /// A newer version came; this one is void.
    ReportSuperseded,
    /// The hospital took the report back.
    ReportRetracted,
    /// A patient's data was stored or replaced.
    PatientRecorded,
    /// The gateway made the de-identified note.
    NoteDeidentified,
    /// The classifier's suggestion (or the word that there is none) was stored; the case is in the queue.
    CaseAssessed,
    /// A physician took the case.
    CaseClaimed,
    /// A physician gave the case back.
    CaseUnclaimed,
    /// A claim ended by itself.
    ClaimExpired,
    /// A physician decided and signed.
    ReportSigned,
    /// The signed report may go to its recipient.
    ReportReleased,
    /// Identified text was shown in the portal.
    NoteRead,
    /// The queue was shown.
    QueueRead,
    /// The state of a report was told to the EHR.
    TaskRead,
    /// The released result was read by the EHR.
    ReleaseRead,
    /// The EHR read back what it had sent.
    ReportRead,
    /// Somebody may see identified text from now on.
    CareRelationStarted,
    /// Somebody may no longer see identified text.
    CareRelationEnded,
    /// An account was made.
    AccountCreated,
    /// An account was changed: roles, password, state.
    AccountChanged,
    /// A calling system was registered.
    ClientCreated,
    /// A calling system got an access token.
    TokenIssued,
    /// Somebody signed in.
    LoginSucceeded,
    /// A sign-in failed.
    LoginFailed,
    /// A password did not match when a signature was asked for.
    ReauthenticationFailed,
    /// Somebody signed out, or was signed out.
    SessionEnded,
    /// The policy said no.
    AccessDenied,
    /// The audit log was listed.
    AuditRead,
    /// A failed piece of background work was given up.
    JobFailed,
    /// A suggestion's explanation was computed again and compared with the stored one.
    ExplanationReplayed,
}

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// `tenant`, `report`, `account`, …
    pub kind: SubjectKind,
    /// Its id.
    pub id: Uuid,
    /// Its version; 0 where it has none.
    pub version: u32,
}

/// The kind of thing an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubjectKind {
    /// The hospital as a whole.
    Tenant,
    /// A report.
    Report,
    /// A patient.
    Patient,
    /// A person who signs in.
    Account,
    /// A calling system.
    Client,
}

impl SubjectKind {
    /// The name in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Report => "report",
            Self::Patient => "patient",
            Self::Account => "account",
            Self::Client => "client",
        }
    }
}

impl Subject {
    /// A hospital.
    #[must_use]
    pub const fn tenant(id: Id<kind::Tenant>) -> Self {
        Self {
            kind: SubjectKind::Tenant,
            id: id.uuid(),
            version: 0,
        }
    }
    /// One version of a report.
    #[must_use]
    pub const fn report(id: Id<kind::Report>, version: Version) -> Self {
        Self {
            kind: SubjectKind::Report,
            id: id.uuid(),
            version: version.get(),
        }
    }
    /// A patient.
    #[must_use]
    pub const fn patient(id: Id<kind::Patient>) -> Self {
        Self {
            kind: SubjectKind::Patient,
            id: id.uuid(),
            version: 0,
        }
    }
    /// An account.
    #[must_use]
    pub const fn account(id: Id<kind::Account>) -> Self {
        Self {
            kind: SubjectKind::Account,
            id: id.uuid(),
            version: 0,
        }
    }
    /// A calling system.
    #[must_use]
    pub const fn client(id: Id<kind::Client>) -> Self {
        Self {
            kind: SubjectKind::Client,
            id: id.uuid(),
            version: 0,
        }
    }
}

/// A detail of an event. There is no variant for text: what identifies a patient cannot be put in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Fact {
    /// A count, a version, a length.
    Number(u64),
    /// An id, a digest or a word of this program, as text.
    Word(Word),
}

/// An id, a digest, or a word that this program wrote: lower-case letters, digits and hyphens, at most 64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Word(String);

impl Fact {
    /// An id.
    #[must_use]
    pub fn id<K>(id: Id<K>) -> Self {
        Self::Word(Word(id.to_string()))
    }
    /// A digest; salt it when what it stands for could be guessed.
    #[must_use]
    pub fn digest(digest: &seal::Digest) -> Self {
        Self::Word(Word(digest.to_string()))
    }
    /// A number of all 64 bits, as 16 hexadecimal digits: JSON readers keep only 53 of a number.
    #[must_use]
    pub fn bits(bits: u64) -> Self {
        Self::Word(Word(format!("{bits:016x}")))
    }
    /// As JSON: a number or a text.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Number(number) => (*number).into(),
            Self::Word(Word(word)) => word.as_str().into(),
        }
    }
    /// A word of this program.
    #[must_use]
    pub fn word(word: &'static str) -> Self {
        Self::Word(Word(word.to_owned()))
    }
}

/// One entry of the audit log before it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub(crate) id: Id<kind::Event>,
    pub(crate) tenant: Id<kind::Tenant>,
    pub(crate) at: OffsetDateTime,
    pub(crate) actor: Actor,
    pub(crate) kind: EventKind,
    pub(crate) subject: Subject,
    pub(crate) policies: Vec<String>,
    pub(crate) facts: BTreeMap<&'static str, Fact>,
}

impl Event {
    /// An event that the policy allowed: actor, hospital and deciding policies come from the permit.
    #[must_use]
    pub fn permitted<V: Verb>(
        permit: &Permit<V>,
        kind: EventKind,
        subject: Subject,
        clock: &dyn Clock,
        ids: &dyn IdSource,
    ) -> Self {
        let mut event = Self::observed(permit.actor(), kind, subject, clock, ids);
        event.policies = permit.policies().to_vec();
        event
    }

    /// An event that no policy decides: a sign-in, a refusal, the end of a lease.
    #[must_use]
    pub fn observed(
        actor: &Actor,
        kind: EventKind,
        subject: Subject,
        clock: &dyn Clock,
        ids: &dyn IdSource,
    ) -> Self {
        Self {
            id: Id::generate(clock, ids),
            tenant: Id::from_uuid(actor.tenant),
            at: clock.now(),
            actor: actor.clone(),
            kind,
            subject,
            policies: Vec::new(),
            facts: BTreeMap::new(),
        }
    }

    /// Adds a detail.
    #[must_use]
    pub fn with(mut self, name: &'static str, fact: Fact) -> Self {
        self.facts.insert(name, fact);
        self
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> Id<kind::Event> {
        self.id
    }
    /// Whose log it belongs to.
    #[must_use]
    pub const fn tenant(&self) -> Id<kind::Tenant> {
        self.tenant
    }
    /// When.
    #[must_use]
    pub const fn at(&self) -> OffsetDateTime {
        self.at
    }
    /// Who.
    #[must_use]
    pub const fn actor(&self) -> &Actor {
        &self.actor
    }
    /// What.
    #[must_use]
    pub const fn kind(&self) -> EventKind {
        self.kind
    }
    /// On what.
    #[must_use]
    pub const fn subject(&self) -> Subject {
        self.subject
    }
    /// Which policies decided, by `@id`.
    #[must_use]
    pub fn policies(&self) -> &[String] {
        &self.policies
    }
    /// Its details.
    #[must_use]
    pub const fn facts(&self) -> &BTreeMap<&'static str, Fact> {
        &self.facts
    }
}
