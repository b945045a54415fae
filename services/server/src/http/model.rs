//! The model's card, one click away from every suggestion.

use actix_web::HttpResponse;
use policy::{Facts, ReadModel, ResourceKind};

use super::{page, problem::PageProblem, scene::Portal};
use crate::pages::ModelPage;

/// `GET /model`.
pub async fn card(portal: Portal) -> Result<HttpResponse, PageProblem> {
    let app = &portal.app;
    app.authorize::<ReadModel>(
        &portal.actor(),
        &app.tenant_resource(ResourceKind::Model),
        &Facts::default(),
    )
    .await?;
    let page = ModelPage {
        chrome: page::chrome(&portal, "Model card", "/model"),
        name: app.model.name(),
        digest: app.model.digest().to_string(),
        sections: crate::view::card::sections(app.model.card()),
    };
    Ok(page::render(&page)?)
}
