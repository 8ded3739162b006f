//! Proves again who holds a session.

use axum::Json;
use bartizan_identity::account::{CurrentSession, FactorKind, ShownFactor, StepUp};
use http::StatusCode;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::visitor::Holder;
use crate::{Timestamp, extract::JsonBody, failure::Failure};

/// What may be shown once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepUpKind {
    /// The password: enough for whoever has no second factor.
    Password,
    /// A code of an authenticator app.
    Totp,
    /// A code that was sent to the address of the account.
    Email,
    /// A code that was sent to a telephone.
    Sms,
    /// A code on paper.
    RecoveryCode,
}

/// A further proof.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StepUpRequest {
    /// What is shown.
    pub factor: StepUpKind,
    /// The password or the code.
    #[schema(value_type = String, format = Password, max_length = 1024)]
    pub secret: SecretString,
}

/// How the person of the session is proven now.
#[derive(Debug, Serialize, ToSchema)]
pub struct SteppedUp {
    /// When they were proven last.
    pub auth_time: Timestamp,
    /// By what (RFC 8176): `pwd`, `otp`, `sms`, `pop`, `user`, `mfa`.
    #[schema(example = json!(["pwd", "otp", "mfa"]))]
    pub amr: Vec<&'static str>,
}

/// Proves the person of the session again: by a second factor, if there is one, else by the password.
#[utoipa::path(
    post,
    path = "/step-up",
    operation_id = "step_up",
    security(("session" = [])),
    request_body = StepUpRequest,
    responses(
        (status = 200, description = "It is the person.", body = SteppedUp),
        (status = 401, description = "It is not, there is no session, or a second factor is needed."),
        (status = 429, description = "Too many failures of this kind, or a limit.")
    )
)]
pub(crate) async fn step_up(
    Holder { accounts, token, visit, device }: Holder,
    JsonBody(StepUpRequest { factor, secret }): JsonBody<StepUpRequest>,
) -> Result<Json<SteppedUp>, Failure> {
    let shown = match factor {
        StepUpKind::Password => StepUp::Password(secret),
        StepUpKind::Totp => shown(FactorKind::Totp, secret, device),
        StepUpKind::Email => shown(FactorKind::Email, secret, device),
        StepUpKind::Sms => shown(FactorKind::Sms, secret, device),
        StepUpKind::RecoveryCode => shown(FactorKind::RecoveryCode, secret, device),
    };
    Ok(Json(accounts.step_up(&token, &shown, &visit).await?.into()))
}

impl From<CurrentSession> for SteppedUp {
    fn from(session: CurrentSession) -> Self {
        Self { auth_time: session.proven.into(), amr: session.methods.names() }
    }
}

fn shown(kind: FactorKind, code: SecretString, device: Option<SecretString>) -> StepUp {
    StepUp::Factor(ShownFactor { kind, code, device })
}

/// Sends a code to the address of the person of the session, if it is a factor of theirs.
#[utoipa::path(
    post,
    path = "/step-up/code",
    operation_id = "send_step_up_code",
    security(("session" = [])),
    responses(
        (status = 202, description = "A code is under way, if none was sent in the last half minute."),
        (status = 404, description = "Codes are not sent to this person.")
    )
)]
pub(crate) async fn send_step_up_code(Holder { accounts, token, .. }: Holder) -> Result<StatusCode, Failure> {
    accounts.send_step_up_code(&token).await?;
    Ok(StatusCode::ACCEPTED)
}
