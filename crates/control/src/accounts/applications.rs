//! `/auth/applications`: the clients that hold tokens about the person who asks.

use axum::Json;
use bartizan_identity::account::Application as Known;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::visitor::Holder;
use crate::{Timestamp, extract::PathParameter, failure::Failure};

/// The applications of a person.
#[derive(Debug, Serialize, ToSchema)]
pub struct Applications {
    /// By client id.
    pub applications: Vec<Application>,
}

/// A client that a person has let in.
#[derive(Debug, Serialize, ToSchema)]
pub struct Application {
    /// Its client id.
    #[schema(example = "app")]
    pub client: String,
    /// What its tokens may be used for.
    #[schema(example = json!(["openid", "orders:read"]))]
    pub scopes: Vec<String>,
    /// Since when.
    pub since: Timestamp,
    /// When it was issued tokens last.
    pub seen: Timestamp,
    /// When the last of it ends, if nobody ends it before.
    pub expires: Timestamp,
}

/// The clients that the person who asks has let in, and that still hold tokens.
#[utoipa::path(
    get,
    path = "/applications",
    operation_id = "list_applications",
    security(("session" = [])),
    responses(
        (status = 200, description = "By client id.", body = Applications),
        (status = 401, description = "There is no session.")
    )
)]
pub(crate) async fn list_applications(
    Holder { accounts, token, .. }: Holder,
) -> Result<Json<Applications>, Failure> {
    let applications = accounts.applications(&token).await?;
    Ok(Json(Applications { applications: applications.into_iter().map(Application::from).collect() }))
}

/// Ends what a client holds of the person who asks: its refresh tokens at once, its access tokens within a second.
#[utoipa::path(
    delete,
    path = "/applications/{client}",
    operation_id = "end_application",
    security(("session" = [])),
    params(("client" = String, Path, description = "Its client id.")),
    responses(
        (status = 204, description = "It holds nothing any more."),
        (status = 401, description = "There is no session."),
        (status = 404, description = "It holds nothing of yours.")
    )
)]
pub(crate) async fn end_application(
    Holder { accounts, token, visit, .. }: Holder,
    PathParameter(client): PathParameter<String>,
) -> Result<StatusCode, Failure> {
    accounts.end_application(&token, &client, &visit).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<Known> for Application {
    fn from(Known { client, scopes, since, seen, expires }: Known) -> Self {
        let scopes = scopes.into_iter().collect();
        Self { client, scopes, since: since.into(), seen: seen.into(), expires: expires.into() }
    }
}
