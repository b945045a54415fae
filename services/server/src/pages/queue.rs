//! The review queue.

use askama::Template;

use super::{Chrome, Tone};

/// Cases that wait, are claimed, or are signed.
#[derive(Template)]
#[template(path = "pages/queue/list.html")]
pub struct QueuePage {
    /// Frame.
    pub chrome: Chrome,
    /// Waiting, mine, signed; with their counts.
    pub tabs: Vec<Tab>,
    /// Cases, oldest first.
    pub rows: Vec<QueueRow>,
    /// Cases that the gateway and the classifier have not finished.
    pub incoming: i64,
    /// Address of the page before, if there is one.
    pub newer: Option<String>,
    /// Address of the page after, if there is one.
    pub older: Option<String>,
}

/// One view of the queue.
pub struct Tab {
    /// Address.
    pub href: &'static str,
    /// Text.
    pub text: &'static str,
    /// Cases in it, where known.
    pub count: Option<i64>,
    /// Whether it is shown.
    pub active: bool,
}

/// One case: no text of the report, no name.
pub struct QueueRow {
    /// Address of the case.
    pub href: String,
    /// Eight digits that name the case.
    pub short: String,
    /// Version, shown from 2 on.
    pub version: i32,
    /// Service.
    pub service: String,
    /// When it came, as `2026-11-24 15:04 UTC`.
    pub received: String,
    /// How long ago, as `12 min`.
    pub age: String,
    /// What the model suggested, as `abnormal 97 %`; a plain word where there is no suggestion.
    pub suggestion: String,
    /// Colour of the suggestion.
    pub tone: Tone,
    /// Findings above their operating points.
    pub findings: Vec<String>,
    /// Who holds it.
    pub holder: Option<String>,
    /// Whether that is the reader.
    pub mine: bool,
    /// State in words.
    pub state: &'static str,
}
