//! Accounts, for the administrator.

use actix_web::HttpResponse;
use policy::{Facts, ManageAccounts, ResourceKind};
use store::Door;

use super::{page, problem::PageProblem, scene::Portal};
use crate::pages::{AccountRow, AccountsPage};

/// `GET /accounts`.
pub async fn list(portal: Portal) -> Result<HttpResponse, PageProblem> {
    let app = &portal.app;
    let resource = app.tenant_resource(ResourceKind::Account);
    app.authorize::<ManageAccounts>(&portal.actor(), &resource, &Facts::default())
        .await?;
    let mut tx = app.begin(Door::Admin).await?;
    let accounts = tx.accounts(app.tenant).await?;
    tx.finish().await?;
    let rows = accounts
        .into_iter()
        .map(|account| AccountRow {
            username: account.username.as_str().to_owned(),
            display_name: account.display_name,
            roles: account
                .roles
                .iter()
                .map(|role| role.as_str())
                .collect::<Vec<_>>()
                .join(", "),
            id: account.id.to_string(),
            demo: account.demo,
        })
        .collect();
    Ok(page::render(&AccountsPage {
        chrome: page::chrome(&portal, "Accounts", "/accounts"),
        rows,
    })?)
}
