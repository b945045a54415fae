//! People and systems that have a name here.

use policy::Role;

use crate::{Id, kind};

/// A name to sign in with: 2 to 32 lower-case letters, digits, dots and hyphens, beginning with a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Username(String);

/// The text cannot be a user name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a user name has 2 to 32 lower-case letters, digits, dots or hyphens and begins with a letter; this has {chars} characters"
)]
pub struct NotAUsername {
    /// Length of what was given.
    pub chars: usize,
}

impl Username {
    /// Takes a user name in.
    ///
    /// # Errors
    /// [`NotAUsername`] when it breaks the rule above.
    pub fn parse(text: &str) -> Result<Self, NotAUsername> {
        let good = (2..=32).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-');
        if good {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAUsername {
                chars: text.chars().count(),
            })
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A person who signs in.
#[derive(Clone, Debug)]
pub struct Account {
    /// Id.
    pub id: Id<kind::Account>,
    /// Hospital.
    pub tenant: Id<kind::Tenant>,
    /// Name to sign in with.
    pub username: Username,
    /// Printed name, as on signatures.
    pub display_name: String,
    /// What he may be.
    pub roles: Vec<Role>,
    /// Made by `up` for trying out: `serve` refuses it.
    pub demo: bool,
}

impl Account {
    /// Who acts, for the policy and the log.
    #[must_use]
    pub fn actor(&self) -> policy::Actor {
        policy::Actor::user(self.id.uuid(), self.tenant.uuid(), self.roles.clone())
    }
}

/// A system that calls the API, such as the hospital's EHR.
#[derive(Clone, Debug)]
pub struct Client {
    /// Id.
    pub id: Id<kind::Client>,
    /// Hospital.
    pub tenant: Id<kind::Tenant>,
    /// What the hospital calls it.
    pub name: String,
    /// Made by `up` for trying out: `serve` refuses it.
    pub demo: bool,
}

impl Client {
    /// Who acts, for the policy and the log.
    #[must_use]
    pub fn actor(&self) -> policy::Actor {
        policy::Actor::client(self.id.uuid(), self.tenant.uuid())
    }
}

/// The workers of a hospital's installation, as who they act. They have no account; the nil id says so in the log.
#[must_use]
pub const fn worker(tenant: Id<kind::Tenant>) -> policy::Actor {
    policy::Actor::system(uuid::Uuid::nil(), tenant.uuid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_follow_the_rule() {
        for good in ["ab", "dr.lee", "a-1"] {
            assert!(Username::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "Ab", "1a", "a b", "ä1", &"a".repeat(33)] {
            assert!(Username::parse(bad).is_err(), "{bad}");
        }
    }
}
