//! Accounts of the hospital.

use askama::Template;

use super::Chrome;

/// Every account.
#[derive(Template)]
#[template(path = "pages/account/list.html")]
pub struct AccountsPage {
    /// Frame.
    pub chrome: Chrome,
    /// Accounts by user name.
    pub rows: Vec<AccountRow>,
}

/// One account.
pub struct AccountRow {
    /// Name to sign in with.
    pub username: String,
    /// Printed name.
    pub display_name: String,
    /// Roles.
    pub roles: String,
    /// Id, as in the audit log.
    pub id: String,
    /// Made for trying out.
    pub demo: bool,
}
