//! Accounts for strangers and for guests.

use std::time::SystemTime;

use axum::{Json, response::Response};
use bartizan_identity::account::{NewPerson, OfferedRole};
use http::StatusCode;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    endpoints::begun,
    visitor::{Holder, Visitor},
};
use crate::{
    Timestamp,
    api::page::Page,
    extract::{JsonBody, PathParameter, QueryParameters},
    failure::Failure,
};

/// Who wants to be known.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignUpRequest {
    /// By which address.
    #[schema(example = "ada@shop.test", max_length = 254)]
    pub email: String,
    /// What to call them.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// What they will prove themselves with.
    #[schema(value_type = String, format = Password, max_length = 1024)]
    pub password: SecretString,
}

/// Whoever reads the mail of an address, and signed up with it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifiedEmail {
    /// What stood behind `#token=` in the message.
    #[schema(value_type = String, format = Password)]
    pub token: SecretString,
    /// The password that was chosen at the sign-up.
    #[schema(value_type = String, format = Password, max_length = 1024)]
    pub password: SecretString,
}

/// Somebody to be invited.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewInvitation {
    /// Their address.
    #[schema(example = "bob@shop.test", max_length = 254)]
    pub email: String,
    /// What they will be.
    #[schema(example = "viewer")]
    pub role: String,
    /// What the role is cut down to; empty: not at all.
    #[serde(default)]
    #[schema(max_items = 100, example = json!(["tickets:read"]))]
    pub scope: Vec<String>,
    /// When the role ends, and the invitation with it; without it only when somebody takes it away.
    #[serde(default)]
    pub role_expires: Option<Timestamp>,
}

/// The invitations that nobody has accepted yet, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Invitations {
    /// The newest first.
    pub invitations: Vec<Invitation>,
    /// What to ask for with `after` to get the next part; null: this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Somebody who is invited.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Invitation {
    /// The id of the invitation.
    pub invitation: String,
    /// Who is invited.
    pub email: String,
    /// The id of the organisation; null: everywhere.
    pub organization: Option<String>,
    /// As what.
    pub role: String,
    /// What the role is cut down to; empty: not at all.
    pub scope: Vec<String>,
    /// When the role ends.
    pub role_expires: Option<Timestamp>,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
}

/// Whoever was invited and has no account yet.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptedInvitation {
    /// What stood behind `#token=` in the message.
    #[schema(value_type = String, format = Password)]
    pub token: SecretString,
    /// What to call them.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// What they will prove themselves with.
    #[schema(value_type = String, format = Password, max_length = 1024)]
    pub password: SecretString,
}

/// Whoever was invited and has an account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinedOrganization {
    /// What stood behind `#token=` in the message.
    #[schema(value_type = String, format = Password)]
    pub token: SecretString,
}

/// Asks for an account, where strangers may. A message goes to the address; the answer is the same whether there is an
/// account already or not.
#[utoipa::path(
    post,
    path = "/sign-up",
    operation_id = "sign_up",
    request_body = SignUpRequest,
    responses(
        (status = 202, description = "If the address can be used, a message is under way."),
        (status = 403, description = "Strangers get no account."),
        (status = 422, description = "The password breaks rules.")
    )
)]
pub(crate) async fn sign_up(
    Visitor { accounts, visit, .. }: Visitor,
    JsonBody(SignUpRequest { email, name, password }): JsonBody<SignUpRequest>,
) -> Result<StatusCode, Failure> {
    let new = NewPerson { email, name, password: Some(password), roles: Vec::new() };
    accounts.sign_up(new, &visit).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Makes the account of whoever reads the message and knows the password, and begins its first session.
#[utoipa::path(
    post,
    path = "/verify-email",
    operation_id = "verify_email",
    request_body = VerifiedEmail,
    responses(
        (status = 200, description = "The session; its cookie is set.", body = super::StartedSession),
        (status = 401, description = "The password is not the one of the sign-up."),
        (status = 410, description = "The link is not good, or no longer.")
    )
)]
pub(crate) async fn verify_email(
    Visitor { accounts, visit, .. }: Visitor,
    JsonBody(VerifiedEmail { token, password }): JsonBody<VerifiedEmail>,
) -> Result<Response, Failure> {
    let session = accounts.verify_email(&token, &password, &visit).await?;
    begun(&accounts, &session).await
}

/// Invites somebody to the organisation that the session acts for. It takes `user:invite`, and nobody gives away more than
/// they may do themselves.
#[utoipa::path(
    post,
    path = "/invitations",
    operation_id = "invite",
    security(("session" = [])),
    request_body = NewInvitation,
    responses(
        (status = 201, description = "A message is under way.", body = Invitation),
        (status = 403, description = "You may not, or nobody may."),
        (status = 422, description = "There is no such role, or nothing is left of it."),
        (status = 429, description = "Three messages went to this address in the last hour, or a limit.")
    )
)]
pub(crate) async fn invite(
    Holder { accounts, token, visit, .. }: Holder,
    JsonBody(NewInvitation { email, role, scope, role_expires }): JsonBody<NewInvitation>,
) -> Result<(StatusCode, Json<Invitation>), Failure> {
    let offered = OfferedRole { role, scope, expires: role_expires.map(SystemTime::from) };
    let invitation = accounts.invite_as(&token, &email, offered, &visit).await?;
    Ok((StatusCode::CREATED, Json(invitation.into())))
}

/// The invitations to the organisation that the session acts for.
#[utoipa::path(
    get,
    path = "/invitations",
    operation_id = "list_invitations",
    security(("session" = [])),
    params(Page),
    responses(
        (status = 200, description = "The newest first, a thousand at once.", body = Invitations),
        (status = 403, description = "You may not.")
    )
)]
pub(crate) async fn list_invitations(
    Holder { accounts, token, .. }: Holder,
    QueryParameters(page): QueryParameters<Page>,
) -> Result<Json<Invitations>, Failure> {
    let part = accounts.invitations(&token, &page.into()).await?;
    Ok(Json(Invitations { invitations: part.items.into_iter().map(Into::into).collect(), next: part.next }))
}

/// Takes an invitation back.
#[utoipa::path(
    delete,
    path = "/invitations/{invitation}",
    operation_id = "withdraw_invitation",
    security(("session" = [])),
    params(("invitation" = String, Path, description = "The id of the invitation.")),
    responses(
        (status = 204, description = "It is good no longer."),
        (status = 403, description = "You may not."),
        (status = 404, description = "There is none with this id.")
    )
)]
pub(crate) async fn withdraw_invitation(
    Holder { accounts, token, visit, .. }: Holder,
    PathParameter(invitation): PathParameter<String>,
) -> Result<StatusCode, Failure> {
    accounts.withdraw_invitation(&token, &invitation, &visit).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes the account of somebody who was invited, and begins its first session.
#[utoipa::path(
    post,
    path = "/invitations/accept",
    operation_id = "accept_invitation",
    request_body = AcceptedInvitation,
    responses(
        (status = 200, description = "The session; its cookie is set.", body = super::StartedSession),
        (status = 409, description = "There is an account with the address: log in, and join."),
        (status = 410, description = "The link is not good, or no longer."),
        (status = 422, description = "The password breaks rules.")
    )
)]
pub(crate) async fn accept_invitation(
    Visitor { accounts, visit, .. }: Visitor,
    JsonBody(AcceptedInvitation { token, name, password }): JsonBody<AcceptedInvitation>,
) -> Result<Response, Failure> {
    let session = accounts.accept_invitation(&token, &name, &password, &visit).await?;
    begun(&accounts, &session).await
}

/// Accepts an invitation with an account that has the invited address.
#[utoipa::path(
    post,
    path = "/invitations/join",
    operation_id = "join",
    security(("session" = [])),
    request_body = JoinedOrganization,
    responses(
        (status = 204, description = "The role is yours."),
        (status = 409, description = "It was yours already."),
        (status = 410, description = "The link is not good, or no longer, or for somebody else.")
    )
)]
pub(crate) async fn join(
    Holder { accounts, token: session, visit, .. }: Holder,
    JsonBody(JoinedOrganization { token }): JsonBody<JoinedOrganization>,
) -> Result<StatusCode, Failure> {
    accounts.join(&session, &token, &visit).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<bartizan_identity::account::Invitation> for Invitation {
    fn from(invitation: bartizan_identity::account::Invitation) -> Self {
        Self {
            invitation: invitation.id,
            email: invitation.email,
            organization: invitation.organization.map(|organization| organization.to_string()),
            role: invitation.role,
            scope: invitation.scope.iter().map(ToString::to_string).collect(),
            role_expires: invitation.role_expires.map(Into::into),
            created: invitation.created.into(),
            expires: invitation.expires.into(),
        }
    }
}
