//! Why a request was refused or failed: a code outside, the chain in the log.

use std::fmt;

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use interop::fhir::{Issue, Refusal, RefusalClass};
use records::TransitionError;
use store::StoreError;

/// One refusal or failure. Text is ours, never the caller's.
#[derive(Debug)]
pub enum Problem {
    /// Nobody is signed in, or the token is unknown or over.
    Unauthenticated,
    /// The policy says no.
    Denied,
    /// There is no such thing here, or it is none of the caller's business that there is.
    NotFound,
    /// A form came without its token, or with an old one.
    BadForm,
    /// A field of a form does not parse; the sentence names it.
    BadField(&'static str),
    /// The case is not in the state that the request was made for.
    Stale(&'static str),
    /// A body that the FHIR door refuses.
    Refused(Refusal),
    /// The transition itself refused.
    Transition(TransitionError),
    /// Too much at once.
    Overloaded,
    /// The body is larger than the door.
    TooLarge,
    /// The store failed.
    Store(StoreError),
    /// Something that must not happen; the word says where.
    Internal(&'static str),
}

/// What is said of a problem outside.
pub struct Said {
    /// HTTP status.
    pub status: StatusCode,
    /// Stable code, also FHIR's issue type.
    pub code: &'static str,
    /// What happened.
    pub title: &'static str,
    /// What to do.
    pub detail: String,
}

impl Problem {
    /// Status, code and words: one exhaustive match.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "one exhaustive match that reads as a table")]
    pub fn said(&self) -> Said {
        let (status, code, title, detail) = match self {
            Self::Unauthenticated => (
                StatusCode::UNAUTHORIZED,
                "login",
                "Not signed in",
                "Sign in, or send a valid bearer token.".to_owned(),
            ),
            Self::Denied => (
                StatusCode::FORBIDDEN,
                "forbidden",
                "Not allowed",
                "The access policy does not allow this for your role.".to_owned(),
            ),
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "not-found",
                "Not found",
                "There is nothing here under this address for you.".to_owned(),
            ),
            Self::BadForm => (
                StatusCode::FORBIDDEN,
                "security",
                "The form is too old",
                "Open the page again and send the form from there; nothing was changed.".to_owned(),
            ),
            Self::BadField(what) => (
                StatusCode::BAD_REQUEST,
                "value",
                "A field is not right",
                (*what).to_owned(),
            ),
            Self::Stale(what) => (
                StatusCode::CONFLICT,
                "conflict",
                "The case has moved on",
                (*what).to_owned(),
            ),
            Self::Refused(refusal) => (
                match refusal.class {
                    RefusalClass::Malformed => StatusCode::BAD_REQUEST,
                    RefusalClass::Unprocessable | RefusalClass::NotSupported => {
                        StatusCode::UNPROCESSABLE_ENTITY
                    }
                    RefusalClass::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
                },
                "invalid",
                "The resource was refused",
                "See the issues; nothing was stored.".to_owned(),
            ),
            Self::Transition(error) => match error {
                TransitionError::WrongPermit
                | TransitionError::NoteMismatch
                | TransitionError::ClaimWithoutEnd
                | TransitionError::ClaimEnded
                | TransitionError::NotTheHolder
                | TransitionError::NothingToAgreeWith => (
                    StatusCode::CONFLICT,
                    "conflict",
                    "The case has moved on",
                    format!("{error}; nothing was changed."),
                ),
                TransitionError::SigningFailed => return Self::Internal("signing").said(),
            },
            Self::Overloaded => (
                StatusCode::TOO_MANY_REQUESTS,
                "throttled",
                "Too many requests",
                "Try again in a few seconds; nothing was stored.".to_owned(),
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-long",
                "The body is too large",
                format!(
                    "A request may have {} bytes at most; nothing was stored.",
                    super::MAX_BODY
                ),
            ),
            Self::Store(StoreError::Unavailable(_)) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "transient",
                "The database is away",
                "Nothing was stored. Try again in a few seconds.".to_owned(),
            ),
            Self::Store(StoreError::Conflict) => (
                StatusCode::CONFLICT,
                "conflict",
                "Somebody was faster",
                "Open the page again; nothing was changed.".to_owned(),
            ),
            Self::Store(StoreError::Transition(error)) => return Self::Transition(*error).said(),
            Self::Store(StoreError::Taken) => (
                StatusCode::CONFLICT,
                "duplicate",
                "The name is taken",
                "Choose another.".to_owned(),
            ),
            Self::Store(
                StoreError::Database { .. }
                | StoreError::Corrupt { .. }
                | StoreError::Sealed { .. }
                | StoreError::Sealing
                | StoreError::Migration(_)
                | StoreError::BadUrl,
            )
            | Self::Internal(_) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "exception",
                "Something went wrong here",
                "Nothing was changed. Tell the administrator the number of the request.".to_owned(),
            ),
        };
        Said {
            status,
            code,
            title,
            detail,
        }
    }

    /// Writes the whole chain to the log, once, where it is handled. What callers cause is no error of ours.
    pub fn log(&self) {
        let said = self.said();
        if said.status.is_server_error() {
            let chain = match self {
                Self::Store(error) => chain(error),
                Self::Internal(place) => (*place).to_owned(),
                _ => String::new(),
            };
            tracing::error!(
                status = said.status.as_u16(),
                code = said.code,
                chain,
                "request failed: {}",
                said.title
            );
        } else {
            tracing::info!(
                status = said.status.as_u16(),
                code = said.code,
                "request refused: {}",
                said.title
            );
        }
    }

    fn retry_after(&self) -> Option<&'static str> {
        match self {
            Self::Store(StoreError::Unavailable(_)) => Some("5"),
            Self::Overloaded => Some("2"),
            _ => None,
        }
    }
}

/// The sources of an error, from the outside in. Database errors name constraints and codes, never values: the
/// statements have none in their text, and detail lines, which have, are not part of `Display`.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<TransitionError> for Problem {
    fn from(error: TransitionError) -> Self {
        Self::Transition(error)
    }
}

impl From<policy::Denied> for Problem {
    fn from(_: policy::Denied) -> Self {
        Self::Denied
    }
}

/// A problem at the EHR's door: an `OperationOutcome`.
#[derive(Debug)]
pub struct FhirProblem(pub Problem);

impl<P: Into<Problem>> From<P> for FhirProblem {
    fn from(problem: P) -> Self {
        Self(problem.into())
    }
}

impl fmt::Display for FhirProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.said().code)
    }
}

impl ResponseError for FhirProblem {
    fn status_code(&self) -> StatusCode {
        self.0.said().status
    }

    fn error_response(&self) -> HttpResponse {
        self.0.log();
        let said = self.0.said();
        let own;
        let issues = if let Problem::Refused(refusal) = &self.0 {
            &refusal.issues
        } else {
            own = vec![Issue::error(
                said.code,
                format!("{}. {}", said.title, said.detail),
            )];
            &own
        };
        let mut response = HttpResponse::build(said.status);
        if let Some(seconds) = self.0.retry_after() {
            response.insert_header(("Retry-After", seconds));
        }
        if said.status == StatusCode::UNAUTHORIZED {
            response.insert_header(("WWW-Authenticate", "Bearer realm=\"countersign\""));
        }
        response
            .content_type(super::FHIR_JSON)
            .body(interop::emit::operation_outcome(issues).to_string())
    }
}

/// A problem at the portal's door: a page.
#[derive(Debug)]
pub struct PageProblem(pub Problem);

impl<P: Into<Problem>> From<P> for PageProblem {
    fn from(problem: P) -> Self {
        Self(problem.into())
    }
}

impl fmt::Display for PageProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.said().code)
    }
}

impl ResponseError for PageProblem {
    fn status_code(&self) -> StatusCode {
        self.0.said().status
    }

    fn error_response(&self) -> HttpResponse {
        self.0.log();
        let said = self.0.said();
        if matches!(self.0, Problem::Unauthenticated) {
            return HttpResponse::SeeOther()
                .insert_header(("Location", "/login"))
                .finish();
        }
        let mut response = HttpResponse::build(said.status);
        if let Some(seconds) = self.0.retry_after() {
            response.insert_header(("Retry-After", seconds));
        }
        super::page::error(&mut response, &said)
    }
}
