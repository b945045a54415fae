//! Why somebody may see identified text, and for how long.

use policy::Actor;
use time::OffsetDateTime;

use crate::{CaseRef, Clock, Event, EventKind, Fact, Id, IdSource, Recorded, Subject, kind};

/// What a care relation arises from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelationBasis {
    /// Takes part in the encounter.
    Encounter,
    /// Performer or interpreter of the order.
    Performer,
    /// Member of the reading pool of that service.
    ReadingPool,
    /// Holds the case.
    Claim,
}

impl RelationBasis {
    /// The code in rows and the audit log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Encounter => "encounter",
            Self::Performer => "performer",
            Self::ReadingPool => "reading-pool",
            Self::Claim => "claim",
        }
    }
}

/// Who has the relation: one person, or whoever is in a pool while it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Related {
    /// One person.
    Account(Id<kind::Account>),
    /// The members of a reading pool.
    Pool(Id<kind::ReadingPool>),
}

/// A care relation with a start and an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CareRelation {
    pub(crate) id: Id<kind::CareRelation>,
    pub(crate) case: CaseRef,
    pub(crate) related: Related,
    pub(crate) basis: RelationBasis,
    pub(crate) starts: OffsetDateTime,
    pub(crate) ends: OffsetDateTime,
}

impl CareRelation {
    /// Starts a relation to the report of `case` that lasts until `ends`; `actor` is who caused it.
    pub fn start(
        case: CaseRef,
        related: Related,
        basis: RelationBasis,
        ends: OffsetDateTime,
        actor: &Actor,
        clock: &dyn Clock,
        ids: &dyn IdSource,
    ) -> Recorded<Self> {
        let id = Id::generate(clock, ids);
        let starts = clock.now();
        let subject = Subject::report(case.report, case.version);
        let event = Event::observed(actor, EventKind::CareRelationStarted, subject, clock, ids)
            .with("relation", Fact::id(id))
            .with("basis", Fact::word(basis.as_str()));
        let event = match related {
            Related::Account(account) => event.with("account", Fact::id(account)),
            Related::Pool(pool) => event.with("pool", Fact::id(pool)),
        };
        Recorded {
            next: Self {
                id,
                case,
                related,
                basis,
                starts,
                ends,
            },
            event,
        }
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> Id<kind::CareRelation> {
        self.id
    }
    /// Which report.
    #[must_use]
    pub const fn case(&self) -> CaseRef {
        self.case
    }
    /// Who.
    #[must_use]
    pub const fn related(&self) -> Related {
        self.related
    }
    /// Why.
    #[must_use]
    pub const fn basis(&self) -> RelationBasis {
        self.basis
    }
    /// From when.
    #[must_use]
    pub const fn starts(&self) -> OffsetDateTime {
        self.starts
    }
    /// Until when.
    #[must_use]
    pub const fn ends(&self) -> OffsetDateTime {
        self.ends
    }
}
