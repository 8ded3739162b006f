//! `/v1/invitations`: people whom an operator invites.

use std::time::SystemTime;

use axum::Json;
use bartizan_identity::account::OfferedRole;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Invitation, Timestamp, administration::Administration, extract::JsonBody, failure::Failure};

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
