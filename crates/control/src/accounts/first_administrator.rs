//! The first administrator.

pub(super) mod page;

use axum::response::Response;
use bartizan_identity::account::NewPerson;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{endpoints::begun, visitor::Visitor};
use crate::{extract::JsonBody, failure::Failure};

/// Whoever has read what the gateway printed when it was started first.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FirstAdministrator {
    /// What the gateway printed.
    #[schema(value_type = String, format = Password)]
    pub token: SecretString,
    /// By which address they will be known.
    #[schema(example = "ada@shop.test", max_length = 254)]
    pub email: String,
    /// What to call them. Without it what stands before the `@`.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// What they will prove themselves with.
    #[schema(value_type = String, format = Password, max_length = 1024)]
    pub password: SecretString,
}

/// Makes the first administrator, while nobody is known, and begins their first session.
#[utoipa::path(
    post,
    path = "/first-administrator",
    operation_id = "create_first_administrator",
    request_body = FirstAdministrator,
    responses(
        (status = 200, description = "The session; its cookie is set.", body = super::StartedSession),
        (status = 410, description = "The token is not good, or no longer: somebody is known."),
        (status = 422, description = "The password breaks rules, or this is no address.")
    )
)]
pub(crate) async fn create_first_administrator(
    Visitor { accounts, visit, .. }: Visitor,
    JsonBody(FirstAdministrator { token, email, name, password }): JsonBody<FirstAdministrator>,
) -> Result<Response, Failure> {
    let name = name.unwrap_or_else(|| email.split('@').next().unwrap_or_default().to_owned());
    let new = NewPerson { email, name, password: Some(password), roles: Vec::new() };
    let session = accounts.create_first_administrator(&token, new, &visit).await?;
    begun(&accounts, &session).await
}
