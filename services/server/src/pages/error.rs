//! What went wrong, for people.

use askama::Template;

use super::Chrome;

/// A refusal or a failure.
#[derive(Template)]
#[template(path = "pages/error/show.html")]
pub struct ErrorPage {
    /// Frame.
    pub chrome: Chrome,
    /// HTTP status.
    pub status: u16,
    /// What happened.
    pub title: String,
    /// What to do.
    pub detail: String,
    /// Number of the request, for the log.
    pub request: String,
}
