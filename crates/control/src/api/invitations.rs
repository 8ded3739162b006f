//! `/v1/invitations`: people whom an operator invites.

use std::time::SystemTime;

use axum::Json;
use bartizan_identity::account::OfferedRole;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::page::Page;
use crate::{
    Invitation, Timestamp,
    administration::{Administration, KnownAccounts},
    extract::{JsonBody, PathParameter, QueryParameters},
    failure::Failure,
};

/// Invitations that nobody has accepted yet.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct PendingInvitations {
    /// The newest first.
    pub invitations: Vec<Invitation>,
    /// What to ask for with `after` to get the next part; null: this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Somebody whom an operator invites.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OperatorInvitation {
    /// Their address.
    #[schema(example = "bob@shop.test", max_length = 254)]
    pub email: String,
    /// What they will be.
    #[schema(example = "viewer")]
    pub role: String,
    /// In this organisation, by id or name; without it everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// What the role is cut down to; empty: not at all.
    #[serde(default)]
    #[schema(max_items = 100, example = json!(["tickets:read"]))]
    pub scope: Vec<String>,
    /// When the role ends, and the invitation with it; without it only when somebody takes it away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_expires: Option<Timestamp>,
}

/// The invitations that nobody has accepted yet, to every organisation and everywhere.
#[utoipa::path(
    get,
    path = "/v1/invitations",
    operation_id = "list_all_invitations",
    tag = "users",
    params(Page),
    responses((status = 200, description = "The newest first, a thousand at once.", body = PendingInvitations))
)]
pub(crate) async fn list_all_invitations(
    KnownAccounts(accounts): KnownAccounts,
    QueryParameters(page): QueryParameters<Page>,
) -> Result<Json<PendingInvitations>, Failure> {
    let part = accounts.all_invitations(&page.into()).await?;
    let invitations = part.items.into_iter().map(Invitation::from).collect();
    Ok(Json(PendingInvitations { invitations, next: part.next }))
}

/// Takes an invitation back: its link opens nothing any more.
#[utoipa::path(
    delete,
    path = "/v1/invitations/{invitation}",
    operation_id = "withdraw_any_invitation",
    tag = "users",
    params(("invitation" = String, Path, description = "The id of the invitation.")),
    responses((status = 204, description = "It is gone."), (status = 404, description = "There is none."))
)]
pub(crate) async fn withdraw_any_invitation(
    Administration { accounts, visit }: Administration,
    PathParameter(invitation): PathParameter<String>,
) -> Result<StatusCode, Failure> {
    accounts.withdraw_any_invitation(&invitation, &visit).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Invites somebody by message, whatever `sign_up` says.
#[utoipa::path(
    post,
    path = "/v1/invitations",
    operation_id = "invite_user",
    tag = "users",
    request_body = OperatorInvitation,
    responses(
        (status = 201, description = "A message is under way.", body = Invitation),
        (status = 404, description = "There is no such organisation."),
        (status = 429, description = "Three messages went to this address in the last hour.")
    )
)]
pub(crate) async fn invite_user(
    Administration { accounts, visit }: Administration,
    JsonBody(new): JsonBody<OperatorInvitation>,
) -> Result<(StatusCode, Json<Invitation>), Failure> {
    let OperatorInvitation { email, role, organization, scope, role_expires } = new;
    let offered = OfferedRole { role, scope, expires: role_expires.map(SystemTime::from) };
    let invitation = accounts.invite(&email, organization.as_deref(), offered, &visit).await?;
    Ok((StatusCode::CREATED, Json(invitation.into())))
}
