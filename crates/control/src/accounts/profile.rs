//! What people say of themselves, and how they get another password or address.

use axum::Json;
use http::StatusCode;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::visitor::{Holder, Visitor};
use crate::{Timestamp, extract::JsonBody, failure::Failure};

/// The person who asks.
#[derive(Debug, Serialize, ToSchema)]
pub struct Profile {
    /// Their id.
    pub user: String,
    /// Their address.
    pub email: String,
    /// What they are called.
    pub name: String,
    /// Since when they are known.
    pub created: Timestamp,
    /// When they logged in last.
    pub last_login: Option<Timestamp>,
}

/// What the person who asks is called from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangedProfile {
    /// The name.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
}

/// Who has forgotten their password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForgottenPassword {
    /// By which address they are known.
    #[schema(example = "ada@shop.test", max_length = 254)]
    pub email: String,
}

/// Another password, by the link of a message.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetPassword {
    /// What stood behind `#token=` in the message.
    #[schema(value_type = String, format = Password)]
    pub token: SecretString,
    /// The password from now on.
    #[schema(value_type = String, format = Password, max_length = 1024)]
    pub password: SecretString,
}

/// Another address.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangedEmail {
    /// The address.
    #[schema(example = "ada@lovelace.test", max_length = 254)]
    pub email: String,
    /// The proof.
    #[schema(value_type = String, format = Password, max_length = 1024)]
    pub password: SecretString,
}

/// Whoever reads the mail of the new address.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmedEmail {
    /// What stood behind `#token=` in the message.
    #[schema(value_type = String, format = Password)]
    pub token: SecretString,
}

/// The person who asks.
#[utoipa::path(
    get,
    path = "/profile",
    operation_id = "read_profile",
    security(("session" = [])),
    responses((status = 200, description = "The person.", body = Profile))
)]
pub(crate) async fn read_profile(Holder { accounts, token, .. }: Holder) -> Result<Json<Profile>, Failure> {
    Ok(Json(accounts.profile(&token).await?.into()))
}

/// Calls the person who asks something else.
#[utoipa::path(
    patch,
    path = "/profile",
    operation_id = "change_profile",
    security(("session" = [])),
    request_body = ChangedProfile,
    responses(
        (status = 200, description = "The person.", body = Profile),
        (status = 422, description = "This is no name.")
    )
)]
pub(crate) async fn change_profile(
    Holder { accounts, token, visit, .. }: Holder,
    JsonBody(ChangedProfile { name }): JsonBody<ChangedProfile>,
) -> Result<Json<Profile>, Failure> {
    Ok(Json(accounts.rename(&token, &name, &visit).await?.into()))
}

/// Sends a message to whoever has forgotten their password. The answer is the same whether there is an account or not.
#[utoipa::path(
    post,
    path = "/password/forgotten",
    operation_id = "forgot_password",
    request_body = ForgottenPassword,
    responses(
        (status = 202, description = "If there is an account, a message is under way; three an hour."),
        (status = 403, description = "There is no mail: ask an administrator.")
    )
)]
pub(crate) async fn forgot_password(
    Visitor { accounts, visit, device }: Visitor,
    JsonBody(ForgottenPassword { email }): JsonBody<ForgottenPassword>,
) -> Result<StatusCode, Failure> {
    accounts.forgot_password(&email, device.as_ref(), &visit).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Chooses another password by the link of a message. Every session of the person ends.
#[utoipa::path(
    post,
    path = "/password/reset",
    operation_id = "reset_password",
    request_body = ResetPassword,
    responses(
        (status = 204, description = "It is changed: log in."),
        (status = 410, description = "The link is not good, or no longer."),
        (status = 422, description = "The password breaks rules; the link stays good.")
    )
)]
pub(crate) async fn reset_password(
    Visitor { accounts, visit, .. }: Visitor,
    JsonBody(ResetPassword { token, password }): JsonBody<ResetPassword>,
) -> Result<StatusCode, Failure> {
    accounts.reset_password(&token, &password, &visit).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends a message to another address, which becomes the person's once its link is used.
#[utoipa::path(
    post,
    path = "/email",
    operation_id = "change_email",
    security(("session" = [])),
    request_body = ChangedEmail,
    responses(
        (status = 202, description = "If the address can be used, a message is under way."),
        (status = 401, description = "There is no session, or the password is wrong.")
    )
)]
pub(crate) async fn change_email(
    Holder { accounts, token, visit, .. }: Holder,
    JsonBody(ChangedEmail { email, password }): JsonBody<ChangedEmail>,
) -> Result<StatusCode, Failure> {
    accounts.change_email(&token, &password, &email, &visit).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Knows the person by the address that the message went to; the old one is told.
#[utoipa::path(
    post,
    path = "/email/confirm",
    operation_id = "confirm_email",
    request_body = ConfirmedEmail,
    responses(
        (status = 204, description = "It is changed."),
        (status = 410, description = "The link is not good, or no longer.")
    )
)]
pub(crate) async fn confirm_email(
    Visitor { accounts, visit, .. }: Visitor,
    JsonBody(ConfirmedEmail { token }): JsonBody<ConfirmedEmail>,
) -> Result<StatusCode, Failure> {
    accounts.confirm_email(&token, &visit).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<bartizan_identity::account::Profile> for Profile {
    fn from(profile: bartizan_identity::account::Profile) -> Self {
        Self {
            user: profile.user.to_string(),
            email: profile.email,
            name: profile.name,
            created: profile.created.into(),
            last_login: profile.last_login.map(Timestamp::from),
        }
    }
}
