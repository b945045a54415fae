//! The model's card.

use askama::Template;

use super::Chrome;

/// What the model is, what it was made from, and what it must not be used for.
#[derive(Template)]
#[template(path = "pages/model/card.html")]
pub struct ModelPage {
    /// Frame.
    pub chrome: Chrome,
    /// Name and version.
    pub name: String,
    /// Digest of the packed model.
    pub digest: String,
    /// Sections in order.
    pub sections: Vec<CardSection>,
}

/// A section of the card.
pub struct CardSection {
    /// Heading.
    pub title: String,
    /// Name and text of each row.
    pub rows: Vec<(String, String)>,
}
