//! Which door a transaction serves. The database knows it too, and closes what does not belong there.

/// A door of the product. `assessment` opens for [`Door::Portal`] and [`Door::Work`] alone before a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// The clinicians' portal.
    Portal,
    /// The EHR's API.
    Ehr,
    /// Audit review.
    Audit,
    /// Background work.
    Work,
    /// Administration at the command line.
    Admin,
}

impl Door {
    /// The value of the setting `countersign.door`, which the row policies read.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Portal => "portal",
            Self::Ehr => "ehr",
            Self::Audit => "audit",
            Self::Work => "work",
            Self::Admin => "admin",
        }
    }
}
