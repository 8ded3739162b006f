//! Telephones that codes are sent to.

use axum::Json;
use bartizan_identity::account::FactorKind;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    factors::{FactorStrength, LoginCode},
    visitor::{Holder, Visitor},
};
use crate::{extract::JsonBody, failure::Failure};

/// A telephone to be enrolled.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTelephone {
    /// Its number, with `+` and the country code.
    #[schema(example = "+4915123456789", max_length = 64)]
    pub number: String,
}

/// A telephone that is being enrolled: a code is under way.
#[derive(Debug, Serialize, ToSchema)]
pub struct EnrolledTelephone {
    /// The id of the factor.
    pub id: String,
    /// What it is worth: whoever takes over the number reads the codes.
    pub strength: FactorStrength,
}

/// Begins to enrol a telephone: a code is sent to it.
#[utoipa::path(
    post,
    path = "/factors/sms",
    operation_id = "enrol_telephone",
    security(("session" = [])),
    request_body = NewTelephone,
    responses(
        (status = 201, description = "A code is under way.", body = EnrolledTelephone),
        (status = 401, description = "There is no session, or its person must be proven again."),
        (status = 403, description = "Codes are not sent to telephones here."),
        (status = 409, description = "There is one already."),
        (status = 429, description = "Three messages went to this person or this number in the last hour."),
        (status = 502, description = "The message could not be sent.")
    )
)]
pub(crate) async fn enrol_telephone(
    Holder { accounts, token, visit, .. }: Holder,
    JsonBody(NewTelephone { number }): JsonBody<NewTelephone>,
) -> Result<(StatusCode, Json<EnrolledTelephone>), Failure> {
    let id = accounts.enrol_telephone(&token, &number, &visit).await?;
    let strength = FactorKind::Sms.strength().into();
    Ok((StatusCode::CREATED, Json(EnrolledTelephone { id, strength })))
}

/// Sends a code to the telephone of a login that waits, if it is one of its factors.
#[utoipa::path(
    post,
    path = "/login/sms",
    operation_id = "send_login_sms",
    request_body = LoginCode,
    responses(
        (status = 202, description = "A code is under way, if none was sent in the last half minute."),
        (status = 401, description = "The login does not wait any more."),
        (status = 404, description = "Codes are not sent to this person's telephone."),
        (status = 429, description = "Three messages went to this person or this number in the last hour."),
        (status = 502, description = "The message could not be sent.")
    )
)]
pub(crate) async fn send_login_sms(
    Visitor { accounts, .. }: Visitor,
    JsonBody(LoginCode { ticket }): JsonBody<LoginCode>,
) -> Result<StatusCode, Failure> {
    accounts.send_login_sms(&ticket).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Sends a code to the telephone of the person of the session, if it is a factor of theirs.
#[utoipa::path(
    post,
    path = "/step-up/sms",
    operation_id = "send_step_up_sms",
    security(("session" = [])),
    responses(
        (status = 202, description = "A code is under way, if none was sent in the last half minute."),
        (status = 404, description = "Codes are not sent to this person's telephone."),
        (status = 429, description = "Three messages went to this person or this number in the last hour."),
        (status = 502, description = "The message could not be sent.")
    )
)]
pub(crate) async fn send_step_up_sms(Holder { accounts, token, .. }: Holder) -> Result<StatusCode, Failure> {
    accounts.send_step_up_sms(&token).await?;
    Ok(StatusCode::ACCEPTED)
}
