//! What may be asked for: one type a verb, so that a permit for one is no permit for another.

use crate::ResourceKind;

mod sealed {
    /// Verbs are made here alone: each stands in the schema.
    pub trait Sealed {}
}

/// Something that may be allowed or denied. Implemented by the verbs of this crate and by nothing else.
pub trait Verb: sealed::Sealed {
    /// Its name in the schema, the policies and the log.
    const NAME: &'static str;
    /// What it is done to.
    const RESOURCE: ResourceKind;
}

macro_rules! verbs {
    ($($(#[$doc:meta])* $name:ident on $resource:ident,)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub enum $name {}
            impl sealed::Sealed for $name {}
            impl Verb for $name {
                const NAME: &'static str = stringify!($name);
                const RESOURCE: ResourceKind = ResourceKind::$resource;
            }
        )*

        /// All verbs by name, with what they are done to: the rows of the matrix.
        pub const VERBS: &[(&str, ResourceKind)] = &[$(($name::NAME, $name::RESOURCE)),*];
    };
}

verbs! {
    /// The EHR hands a report in.
    SubmitReport on Tenant,
    /// The EHR reads back what it handed in.
    ReadReport on Report,
    /// The EHR asks where its report stands.
    ReadTask on Report,
    /// The EHR reads a signed and released result.
    ReadRelease on Report,
    /// A worker scrubs and assesses a report.
    AssessCase on Report,
    /// A physician lists the cases that wait.
    ReadQueue on Tenant,
    /// A physician opens a case: the note and its assessment.
    ReadNote on Report,
    /// A physician takes a case on for a while.
    ClaimCase on Report,
    /// The holder gives a case back.
    UnclaimCase on Report,
    /// The holder decides and signs.
    SignReport on Report,
    /// A signed result goes to the EHR.
    ReleaseReport on Report,
    /// An auditor lists the log's entries.
    ReadAudit on AuditLog,
    /// An auditor or a worker recomputes the log.
    VerifyAudit on AuditLog,
    /// Anybody in the portal reads the model's card.
    ReadModel on Model,
    /// An administrator lists, makes and ends accounts.
    ManageAccounts on Account,
}
