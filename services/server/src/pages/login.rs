//! Signing in.

use askama::Template;

use super::Chrome;

/// The form to sign in.
#[derive(Template)]
#[template(path = "pages/login/form.html")]
pub struct LoginPage {
    /// Frame.
    pub chrome: Chrome,
    /// What was wrong, if it was tried.
    pub error: Option<&'static str>,
    /// Where to go afterwards: a path of this portal.
    pub next: String,
}
