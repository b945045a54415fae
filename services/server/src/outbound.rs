//! The only HTTP client: no redirects, limits on time and size. Later: allow-listed hosts and checked addresses.

use std::time::Duration;

use ureq::{Agent, http::Response};

/// Bytes of an answer that are read at most.
const MAX_ANSWER: u64 = 8 * 1024 * 1024;

/// A client of one FHIR server.
pub struct FhirClient {
    agent: Agent,
    base: String,
    token: String,
}

/// An answer.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Location`, if there is one.
    pub location: Option<String>,
    /// `Retry-After` in seconds, if there is one.
    pub retry_after: Option<u64>,
    /// Body.
    pub body: String,
}

/// The server could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// No answer, or none in time.
    #[error("no answer from the server")]
    NoAnswer(#[source] Box<ureq::Error>),
}

impl FhirClient {
    /// A client of the FHIR server at `base` (as `http://127.0.0.1:8080/fhir`), which accepts `token`.
    #[must_use]
    pub fn new(base: &str, token: String) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(Duration::from_mins(1)))
            .timeout_connect(Some(Duration::from_secs(5)))
            .max_redirects(0)
            .http_status_as_error(false)
            .build();
        Self {
            agent: config.new_agent(),
            base: base.trim_end_matches('/').to_owned(),
            token,
        }
    }

    /// Sends a resource; `path` begins with a slash, or is empty for a Bundle.
    ///
    /// # Errors
    /// [`OutboundError`].
    pub fn post(&self, path: &str, body: &str) -> Result<Answer, OutboundError> {
        let sent = self
            .agent
            .post(format!("{}{path}", self.base))
            .header("Authorization", format!("Bearer {}", self.token))
            .header("Content-Type", "application/fhir+json")
            .send(body);
        answer(sent)
    }

    /// Reads an address below the base.
    ///
    /// # Errors
    /// [`OutboundError`].
    pub fn get(&self, path: &str) -> Result<Answer, OutboundError> {
        let sent = self
            .agent
            .get(format!("{}{path}", self.base))
            .header("Authorization", format!("Bearer {}", self.token))
            .call();
        answer(sent)
    }
}

fn answer(sent: Result<Response<ureq::Body>, ureq::Error>) -> Result<Answer, OutboundError> {
    let failed = |error| OutboundError::NoAnswer(Box::new(error));
    let mut response = sent.map_err(failed)?;
    let header = |name| {
        response
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let (location, retry_after) = (
        header("location"),
        header("retry-after").and_then(|text| text.parse().ok()),
    );
    let status = response.status().as_u16();
    let body = response
        .body_mut()
        .with_config()
        .limit(MAX_ANSWER)
        .read_to_string()
        .map_err(failed)?;
    Ok(Answer {
        status,
        location,
        retry_after,
        body,
    })
}
