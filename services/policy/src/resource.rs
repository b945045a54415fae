//! What is acted on, and what is known about it.

use uuid::Uuid;

/// What kind of thing a verb is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceKind {
    /// A hospital.
    Tenant,
    /// A report, and all that belongs to its version.
    Report,
    /// The accounts of a hospital, or one of them.
    Account,
    /// The model that assesses.
    Model,
    /// The log of a hospital.
    AuditLog,
}

impl ResourceKind {
    /// All, in the order of the schema.
    pub const ALL: [Self; 5] = [
        Self::Tenant,
        Self::Report,
        Self::Account,
        Self::Model,
        Self::AuditLog,
    ];

    /// Its name in the schema.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "Tenant",
            Self::Report => "Report",
            Self::Account => "Account",
            Self::Model => "Model",
            Self::AuditLog => "AuditLog",
        }
    }
}

/// One version of one thing. A permit for it is for nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource {
    /// What it is.
    pub kind: ResourceKind,
    /// Which; for what a hospital has one of, the hospital's id.
    pub id: Uuid,
    /// Whose.
    pub tenant: Uuid,
    /// Which version; 0 where there are none.
    pub version: u64,
}

macro_rules! facts {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// What the store established about actor and resource in the transaction that acts. All false where nobody looked,
        /// which denies.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Facts {
            $($(#[$doc])* pub $name: bool,)*
        }

        impl Facts {
            /// The facts' names, as policies say them.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];

            /// Names and values, in that order.
            pub(crate) fn pairs(&self) -> impl Iterator<Item = (&'static str, bool)> {
                [$((stringify!($name), self.$name)),*].into_iter()
            }

            /// Those facts that a bit is set for, the first name the lowest bit.
            pub(crate) fn from_bits(bits: u32) -> Self {
                let mut rest = bits;
                let mut next = || { let bit = rest & 1 == 1; rest >>= 1; bit };
                Self { $($name: next()),* }
            }
        }
    };
}

facts! {
    /// The person takes part in this patient's care, for now.
    care_relation,
    /// The person holds an unexpired claim on this case.
    claim_holder,
    /// The person entered the password again for this very act.
    reauthenticated,
    /// The person wrote the report.
    author,
    /// The system sent the report.
    submitter,
    /// This version is signed.
    signed,
    /// The person signed this version.
    signer,
    /// This version's result was released.
    released,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_and_names_agree() {
        for (bit, name) in Facts::NAMES.iter().enumerate() {
            let set: Vec<_> = Facts::from_bits(1 << bit).pairs().filter(|pair| pair.1).collect();
            assert_eq!(set, [(*name, true)]);
        }
        assert_eq!(Facts::from_bits(0), Facts::default());
    }
}
