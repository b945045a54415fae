//! Who acts.

use uuid::Uuid;

/// What a person may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reads the notes of patients in his care, decides and signs.
    Physician,
    /// Reads and verifies the log.
    Auditor,
    /// Makes and ends accounts.
    Administrator,
}

impl Role {
    /// All, in the order they are listed in.
    pub const ALL: [Self; 3] = [Self::Physician, Self::Auditor, Self::Administrator];

    /// Its name in rows, forms, policies and the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Physician => "physician",
            Self::Auditor => "auditor",
            Self::Administrator => "administrator",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

/// What kind of actor it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActorKind {
    /// A person who signed in.
    User(Vec<Role>),
    /// A system of the hospital that calls the API.
    Client,
    /// A worker of ours.
    System,
}

/// Who acts: ids and roles, no name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Account, client or worker.
    pub id: Uuid,
    /// Its hospital.
    pub tenant: Uuid,
    /// What it is.
    pub kind: ActorKind,
}

impl Actor {
    /// A person who signed in.
    #[must_use]
    pub const fn user(id: Uuid, tenant: Uuid, roles: Vec<Role>) -> Self {
        Self {
            id,
            tenant,
            kind: ActorKind::User(roles),
        }
    }

    /// A system of the hospital that calls the API.
    #[must_use]
    pub const fn client(id: Uuid, tenant: Uuid) -> Self {
        Self {
            id,
            tenant,
            kind: ActorKind::Client,
        }
    }

    /// A worker of ours, on behalf of that hospital.
    #[must_use]
    pub const fn system(id: Uuid, tenant: Uuid) -> Self {
        Self {
            id,
            tenant,
            kind: ActorKind::System,
        }
    }

    /// A person's roles; machines have none.
    #[must_use]
    pub fn roles(&self) -> &[Role] {
        match &self.kind {
            ActorKind::User(roles) => roles,
            ActorKind::Client | ActorKind::System => &[],
        }
    }

    /// `user`, `client` or `system`, as in the log.
    #[must_use]
    pub const fn kind_name(&self) -> &'static str {
        match self.kind {
            ActorKind::User(_) => "user",
            ActorKind::Client => "client",
            ActorKind::System => "system",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_comes_back_from_its_name() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        assert_eq!(Role::parse("Physician"), None);
        assert_eq!(Role::parse(""), None);
    }
}
