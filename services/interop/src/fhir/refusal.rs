//! What a body is refused for: ours in every word, so that it can be answered, logged and kept.

/// Which answer a refusal is. A refusal with issues of several classes has the greatest of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefusalClass {
    /// Well-formed, but the content does not follow the rules: 422.
    Unprocessable,
    /// Well-formed and perhaps right, but nothing that is taken here: 422.
    NotSupported,
    /// More than is taken: 413.
    TooLarge,
    /// It cannot be read: 400.
    Malformed,
}

/// A refused body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the FHIR body was refused for {} reason(s)", issues.len())]
pub struct Refusal {
    /// Which answer it is.
    pub class: RefusalClass,
    /// What is wrong and where; at least one.
    pub issues: Vec<Issue>,
}

/// One issue of an `OperationOutcome`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// How bad it is.
    pub severity: Severity,
    /// What kind it is.
    pub code: IssueCode,
    /// A sentence for people: rules, lengths and positions, never a word of the input.
    pub diagnostics: String,
    /// Where, as `FHIRPath`: resource and element names of the standard, and indices.
    pub expression: Vec<String>,
}

impl Issue {
    /// An error of the kind `code` (a code of the value set `issue-type`).
    #[must_use]
    pub fn error(code: impl Into<IssueCode>, diagnostics: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code: code.into(),
            diagnostics: diagnostics.into(),
            expression: Vec::new(),
        }
    }

    /// A note that changes nothing.
    #[must_use]
    pub fn information(diagnostics: impl Into<String>) -> Self {
        Self {
            severity: Severity::Information,
            code: IssueCode::Informational,
            diagnostics: diagnostics.into(),
            expression: Vec::new(),
        }
    }

    /// The same issue with a place.
    #[must_use]
    pub fn at(mut self, expression: impl Into<String>) -> Self {
        self.expression.push(expression.into());
        self
    }
}

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant),* }

        impl $name {
            /// The code on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }

            /// The value of that code.
            #[must_use]
            pub fn parse(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

codes! {
    /// FHIR R4 value set `issue-severity`.
    Severity {
        /// Nothing could be done at all.
        Fatal = "fatal",
        /// The request was refused.
        Error = "error",
        /// The request went through, but look.
        Warning = "warning",
        /// To know.
        Information = "information",
    }
}

codes! {
    /// FHIR R4 value set `issue-type`, whole.
    IssueCode {
        /// Content invalid.
        Invalid = "invalid",
        /// The content cannot be parsed.
        Structure = "structure",
        /// A required element is missing.
        Required = "required",
        /// An element's value is invalid.
        Value = "value",
        /// A rule of the standard is broken.
        Invariant = "invariant",
        /// A security problem.
        Security = "security",
        /// The caller must identify himself.
        Login = "login",
        /// The caller is unknown.
        Unknown = "unknown",
        /// The session is over.
        Expired = "expired",
        /// The caller may not do this.
        Forbidden = "forbidden",
        /// Something was withheld.
        Suppressed = "suppressed",
        /// Processing failed.
        Processing = "processing",
        /// Not supported here.
        NotSupported = "not-supported",
        /// It is there already.
        Duplicate = "duplicate",
        /// More than one matches.
        MultipleMatches = "multiple-matches",
        /// Not found.
        NotFound = "not-found",
        /// It was deleted.
        Deleted = "deleted",
        /// Too long.
        TooLong = "too-long",
        /// A code that is not in its value set.
        CodeInvalid = "code-invalid",
        /// An extension that cannot be taken.
        Extension = "extension",
        /// Too costly.
        TooCostly = "too-costly",
        /// A business rule refused it.
        BusinessRule = "business-rule",
        /// It conflicts with a later version.
        Conflict = "conflict",
        /// Try again later.
        Transient = "transient",
        /// A lock could not be had.
        LockError = "lock-error",
        /// The store is away.
        NoStore = "no-store",
        /// An internal error.
        Exception = "exception",
        /// It took too long.
        Timeout = "timeout",
        /// Not everything could be had.
        Incomplete = "incomplete",
        /// Too many requests.
        Throttled = "throttled",
        /// To know.
        Informational = "informational",
    }
}

impl From<&'static str> for IssueCode {
    /// The value of a code that our own source spells; one that FHIR does not know becomes `processing`.
    fn from(code: &'static str) -> Self {
        Self::parse(code).unwrap_or(Self::Processing)
    }
}

/// One issue on its way into a refusal.
pub(super) struct Fault {
    class: RefusalClass,
    issue: Issue,
}

/// Everything that is wrong with one part of a body.
pub(super) type Faults = Vec<Fault>;

impl Fault {
    pub(super) fn new(
        class: RefusalClass,
        code: IssueCode,
        diagnostics: impl Into<String>,
        at: impl Into<String>,
    ) -> Self {
        Self {
            class,
            issue: Issue::error(code, diagnostics).at(at),
        }
    }

    pub(super) fn required(diagnostics: impl Into<String>, at: impl Into<String>) -> Self {
        Self::new(RefusalClass::Unprocessable, IssueCode::Required, diagnostics, at)
    }

    pub(super) fn value(diagnostics: impl Into<String>, at: impl Into<String>) -> Self {
        Self::new(RefusalClass::Unprocessable, IssueCode::Value, diagnostics, at)
    }

    pub(super) fn code(diagnostics: impl Into<String>, at: impl Into<String>) -> Self {
        Self::new(
            RefusalClass::Unprocessable,
            IssueCode::CodeInvalid,
            diagnostics,
            at,
        )
    }

    pub(super) fn unsupported(diagnostics: impl Into<String>, at: impl Into<String>) -> Self {
        Self::new(
            RefusalClass::NotSupported,
            IssueCode::NotSupported,
            diagnostics,
            at,
        )
    }

    /// A body that cannot be read, where no element can be named.
    pub(super) fn unreadable(diagnostics: impl Into<String>) -> Self {
        Self {
            class: RefusalClass::Malformed,
            issue: Issue::error(IssueCode::Structure, diagnostics),
        }
    }
}

/// Issues that one refusal tells: nobody reads the ten thousandth, and an answer is no amplifier.
const MAX_ISSUES: usize = 100;

impl From<Faults> for Refusal {
    fn from(faults: Faults) -> Self {
        let class = faults
            .iter()
            .map(|fault| fault.class)
            .max()
            .unwrap_or(RefusalClass::Unprocessable);
        let untold = faults.len().saturating_sub(MAX_ISSUES);
        let mut issues: Vec<Issue> = faults
            .into_iter()
            .take(MAX_ISSUES)
            .map(|fault| fault.issue)
            .collect();
        if untold > 0 {
            issues.push(Issue::information(format!("{untold} more issues are not told.")));
        }
        Self { class, issues }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        vec![fault].into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_round_trip_and_unknown_ones_become_processing() {
        for code in [
            "structure",
            "not-supported",
            "too-long",
            "code-invalid",
            "throttled",
            "login",
        ] {
            assert_eq!(IssueCode::from(code).as_str(), code);
        }
        assert_eq!(IssueCode::from("no such code"), IssueCode::Processing);
        assert_eq!(Severity::parse("warning"), Some(Severity::Warning));
    }

    #[test]
    fn the_greatest_class_decides() {
        let faults = vec![
            Fault::required("a", "A"),
            Fault::unreadable("b"),
            Fault::unsupported("c", "C"),
        ];
        let refusal = Refusal::from(faults);
        assert_eq!(refusal.class, RefusalClass::Malformed);
        assert_eq!(refusal.issues.len(), 3);
        assert_eq!(refusal.to_string(), "the FHIR body was refused for 3 reason(s)");
    }

    #[test]
    fn a_refusal_is_no_longer_than_it_helps() {
        let faults: Faults = (0..250)
            .map(|index| Fault::required("a", format!("A[{index}]")))
            .collect();
        let refusal = Refusal::from(faults);
        assert_eq!(refusal.issues.len(), 101);
        assert_eq!(refusal.issues[100].diagnostics, "150 more issues are not told.");
    }
}
