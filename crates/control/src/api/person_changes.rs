//! `/v1/users/{user}/name`, `/email` and `/identities`: what operators change of a person, and where they log in elsewhere.

use axum::Json;
use bartizan_identity::account::{Accounts, PersonId};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{organizations::NewName, people::User};
use crate::{
    LinkedIdentities,
    administration::{Administration, KnownAccounts},
    extract::{JsonBody, PathParameter},
    failure::Failure,
};

/// Another address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEmail {
    /// The address.
    #[schema(example = "ada@lovelace.test", max_length = 254)]
    pub email: String,
}

/// Who somebody is at another provider.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct WhichIdentity {
    /// The id or the e-mail address.
    user: String,
    /// The id of the link.
    identity: String,
}

/// Calls somebody something else.
#[utoipa::path(
    post,
    path = "/v1/users/{user}/name",
    operation_id = "rename_user",
    tag = "users",
    params(("user" = String, Path, description = "The id or the e-mail address.")),
    request_body = NewName,
    responses((status = 200, description = "The person.", body = User), (status = 404, description = "Nobody."))
)]
pub(crate) async fn rename_user(
    Administration { accounts, visit }: Administration,
    PathParameter(user): PathParameter<String>,
    JsonBody(NewName { name }): JsonBody<NewName>,
) -> Result<Json<User>, Failure> {
    let who = PersonId(user);
    Ok(Json(accounts.rename_person(&who, &name, Accounts::OPERATOR, &visit).await?.into()))
}

/// Gives somebody another address. Links that went to the one so far open nothing any more.
#[utoipa::path(
    post,
    path = "/v1/users/{user}/email",
    operation_id = "set_user_email",
    tag = "users",
    params(("user" = String, Path, description = "The id or the e-mail address.")),
    request_body = NewEmail,
    responses(
        (status = 200, description = "The person.", body = User),
        (status = 404, description = "Nobody."),
        (status = 409, description = "Somebody else has the address.")
    )
)]
pub(crate) async fn set_user_email(
    Administration { accounts, visit }: Administration,
    PathParameter(user): PathParameter<String>,
    JsonBody(NewEmail { email }): JsonBody<NewEmail>,
) -> Result<Json<User>, Failure> {
    let who = PersonId(user);
    Ok(Json(accounts.set_email(&who, &email, Accounts::OPERATOR, &visit).await?.into()))
}

/// At which other providers somebody can log in.
#[utoipa::path(
    get,
    path = "/v1/users/{user}/identities",
    operation_id = "list_user_identities",
    tag = "users",
    params(("user" = String, Path, description = "The id or the e-mail address.")),
    responses(
        (status = 200, description = "The links.", body = LinkedIdentities),
        (status = 404, description = "Nobody.")
    )
)]
pub(crate) async fn list_user_identities(
    KnownAccounts(accounts): KnownAccounts,
    PathParameter(user): PathParameter<String>,
) -> Result<Json<LinkedIdentities>, Failure> {
    Ok(Json(accounts.identities(&PersonId(user)).await?.into()))
}

/// Lets somebody log in at a provider no longer, and ends their sessions.
#[utoipa::path(
    delete,
    path = "/v1/users/{user}/identities/{identity}",
    operation_id = "unlink_user_identity",
    tag = "users",
    params(WhichIdentity),
    responses(
        (status = 204, description = "They log in there no longer."),
        (status = 404, description = "Nobody, or no such link.")
    )
)]
pub(crate) async fn unlink_user_identity(
    Administration { accounts, visit }: Administration,
    PathParameter(WhichIdentity { user, identity }): PathParameter<WhichIdentity>,
) -> Result<StatusCode, Failure> {
    accounts.unlink_person(&PersonId(user), &identity, Accounts::OPERATOR, &visit).await?;
    Ok(StatusCode::NO_CONTENT)
}
