//! The audit log: ids, verbs and digests.

use askama::Template;

use super::Chrome;

/// Entries, newest first, with a filter.
#[derive(Template)]
#[template(path = "pages/audit/list.html")]
pub struct AuditPage {
    /// Frame.
    pub chrome: Chrome,
    /// Entries.
    pub rows: Vec<AuditRow>,
    /// Every kind of event, and whether it is chosen.
    pub kinds: Vec<(&'static str, bool)>,
    /// Filter: actor's id, as typed and accepted.
    pub actor: String,
    /// Filter: subject's id.
    pub subject: String,
    /// Filter: first day, `YYYY-MM-DD`.
    pub since: String,
    /// Filter: last day.
    pub until: String,
    /// What was wrong with the filter: names the field, never repeats it.
    pub alert: Option<&'static str>,
    /// Address of the next page.
    pub older: Option<String>,
    /// The log's head.
    pub log: LogStatus,
}

/// The newest checkpoint.
pub struct LogStatus {
    /// Entries that it covers.
    pub size: i64,
    /// Entries that wait for the next.
    pub pending: i64,
    /// The signed note, for copying.
    pub checkpoint: Option<String>,
}

/// One entry.
pub struct AuditRow {
    /// Index in the log; none while it waits for its checkpoint.
    pub index: Option<i64>,
    /// When.
    pub at: String,
    /// `user`, `client` or `system`.
    pub actor_kind: String,
    /// Who, by id.
    pub actor: String,
    /// What he was.
    pub roles: String,
    /// What.
    pub kind: String,
    /// On what kind of thing.
    pub subject_kind: String,
    /// On which.
    pub subject: String,
    /// On which version; 0 for none.
    pub version: i32,
    /// By which policies.
    pub policies: String,
    /// Details.
    pub facts: Vec<(String, String)>,
}
