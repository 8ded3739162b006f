//! Second factors: shown at a login, enrolled, listed, removed.

use axum::{Json, response::Response};
use bartizan_identity::account::{self, ShownFactor};
use http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    endpoints::begun,
    visitor::{Holder, Visitor},
};
use crate::{
    NewName, Timestamp,
    extract::{JsonBody, PathParameter},
    failure::Failure,
};

/// A kind of second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FactorKind {
    /// Codes of an authenticator app.
    Totp,
    /// Passkeys.
    Passkey,
    /// Codes that are sent to the address of the account. Not enough where a role asks for a second factor.
    Email,
    /// Codes that are sent to a telephone. Not enough where a role asks for a second factor.
    Sms,
    /// Codes on paper.
    RecoveryCode,
}

/// What a second factor is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FactorStrength {
    /// Others carry its codes, and may read or redirect them: not enough where a role asks for a second factor (NIST SP
    /// 800-63B-4, section 3.1.3).
    Weak,
    /// Only the person has it.
    Strong,
}

/// A kind of second factor that is a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CodeKind {
    /// Of an authenticator app.
    Totp,
    /// That was sent to the address of the account.
    Email,
    /// That was sent to a telephone.
    Sms,
    /// On paper.
    RecoveryCode,
}

/// A login whose password was right, and that waits for a second factor.
#[derive(Debug, Serialize, ToSchema)]
pub struct PendingLogin {
    /// What to say with the factor. It opens nothing alone.
    pub ticket: String,
    /// What may be shown.
    pub factors: Vec<FactorKind>,
    /// Which of them are weak: others carry their codes. A strong one is to be offered first.
    pub weak: Vec<FactorKind>,
    /// When the login has to begin anew.
    pub expires: Timestamp,
}

/// The second factor of a login.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginFactor {
    /// What the login answered.
    #[schema(value_type = String, format = Password)]
    pub ticket: SecretString,
    /// What is shown. A passkey has an endpoint of its own.
    pub factor: CodeKind,
    /// The code.
    #[schema(value_type = String, format = Password, max_length = 64)]
    pub code: SecretString,
}

/// A login whose person wants a code.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginCode {
    /// What the login answered.
    #[schema(value_type = String, format = Password)]
    pub ticket: SecretString,
}

/// The second factors of the person who asks.
#[derive(Debug, Serialize, ToSchema)]
pub struct SecondFactors {
    /// All that count, the oldest first.
    pub factors: Vec<SecondFactor>,
    /// How many codes on paper are left.
    pub recovery_codes: u32,
}

/// A second factor of the person who asks.
#[derive(Debug, Serialize, ToSchema)]
pub struct SecondFactor {
    /// Its id.
    pub id: String,
    /// What it is.
    pub kind: FactorKind,
    /// What it is worth.
    pub strength: FactorStrength,
    /// What the person calls it.
    pub name: String,
    /// Since when it counts.
    pub added: Timestamp,
    /// When it was used last.
    pub used: Option<Timestamp>,
}

/// An authenticator app to be enrolled.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTotp {
    /// What to call it.
    #[schema(example = "phone", min_length = 1, max_length = 100)]
    pub name: String,
}

/// What an authenticator app needs, to be shown once. The factor counts once a code of it is confirmed.
#[derive(Debug, Serialize, ToSchema)]
pub struct EnrolledTotp {
    /// The id of the factor.
    pub id: String,
    /// For typing into the app, in base 32.
    pub secret: String,
    /// For an app on the same device.
    pub uri: String,
    /// For the camera of another one: an SVG image of the URI.
    pub qr: String,
}

/// The address, to be enrolled: a code is under way.
#[derive(Debug, Serialize, ToSchema)]
pub struct EnrolledEmail {
    /// The id of the factor.
    pub id: String,
    /// What it is worth.
    pub strength: FactorStrength,
}

/// A code of the factor that is enrolled.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmedFactor {
    /// The code.
    #[schema(value_type = String, format = Password, max_length = 64)]
    pub code: SecretString,
}

/// Codes on paper, shown only now.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecoveryCodes {
    /// Each is good once. Empty: those that are there already stay good.
    pub recovery_codes: Vec<String>,
}

/// Completes a login with a second factor. A wrong code leaves the login waiting.
#[utoipa::path(
    post,
    path = "/login/factor",
    operation_id = "complete_login",
    request_body = LoginFactor,
    responses(
        (status = 200, description = "The session; its cookie is set.", body = super::StartedSession),
        (status = 401, description = "The code is wrong, or the login does not wait any more."),
        (status = 429, description = "Too many wrong codes of this kind, or a limit.")
    )
)]
pub(crate) async fn complete_login(
    Visitor { accounts, visit, device }: Visitor,
    JsonBody(LoginFactor { ticket, factor, code }): JsonBody<LoginFactor>,
) -> Result<Response, Failure> {
    let shown = ShownFactor { kind: factor.into(), code, device };
    let session = Box::pin(accounts.complete_login(&ticket, &shown, &visit)).await?;
    begun(&accounts, &session).await
}

/// Sends a code to the address of a login that waits, if it is one of its factors.
#[utoipa::path(
    post,
    path = "/login/code",
    operation_id = "send_login_code",
    request_body = LoginCode,
    responses(
        (status = 202, description = "A code is under way, if none was sent in the last half minute."),
        (status = 401, description = "The login does not wait any more."),
        (status = 404, description = "Codes are not sent to this person.")
    )
)]
pub(crate) async fn send_login_code(
    Visitor { accounts, .. }: Visitor,
    JsonBody(LoginCode { ticket }): JsonBody<LoginCode>,
) -> Result<StatusCode, Failure> {
    accounts.send_login_code(&ticket).await?;
    Ok(StatusCode::ACCEPTED)
}

/// The second factors of the person who asks.
#[utoipa::path(
    get,
    path = "/factors",
    operation_id = "list_factors",
    security(("session" = [])),
    responses((status = 200, description = "The factors.", body = SecondFactors))
)]
pub(crate) async fn list_factors(
    Holder { accounts, token, .. }: Holder,
) -> Result<Json<SecondFactors>, Failure> {
    let listed = accounts.factors(&token).await?;
    let factor = |factor: account::SecondFactor| SecondFactor {
        id: factor.id,
        kind: factor.kind.into(),
        strength: factor.kind.strength().into(),
        name: factor.name,
        added: factor.added.into(),
        used: factor.used.map(Timestamp::from),
    };
    let factors = listed.factors.into_iter().map(factor).collect();
    Ok(Json(SecondFactors { factors, recovery_codes: listed.recovery_codes }))
}

/// Begins to enrol an authenticator app.
#[utoipa::path(
    post,
    path = "/factors/totp",
    operation_id = "enrol_totp",
    security(("session" = [])),
    request_body = NewTotp,
    responses(
        (status = 201, description = "What the app needs.", body = EnrolledTotp),
        (status = 401, description = "There is no session, or its person must be proven again."),
        (status = 409, description = "There are ten already.")
    )
)]
pub(crate) async fn enrol_totp(
    Holder { accounts, token, visit, .. }: Holder,
    JsonBody(NewTotp { name }): JsonBody<NewTotp>,
) -> Result<(StatusCode, Json<EnrolledTotp>), Failure> {
    let enrolled = accounts.enrol_totp(&token, &name, &visit).await?;
    let shown = EnrolledTotp {
        id: enrolled.id,
        secret: enrolled.secret.expose_secret().to_owned(),
        uri: enrolled.uri.expose_secret().to_owned(),
        qr: enrolled.qr.expose_secret().to_owned(),
    };
    Ok((StatusCode::CREATED, Json(shown)))
}

/// Begins to enrol the address of the account: a code is sent to it.
#[utoipa::path(
    post,
    path = "/factors/email",
    operation_id = "enrol_email",
    security(("session" = [])),
    responses(
        (status = 201, description = "A code is under way.", body = EnrolledEmail),
        (status = 401, description = "There is no session, or its person must be proven again."),
        (status = 403, description = "There is no mail."),
        (status = 409, description = "It is enrolled already.")
    )
)]
pub(crate) async fn enrol_email(
    Holder { accounts, token, visit, .. }: Holder,
) -> Result<(StatusCode, Json<EnrolledEmail>), Failure> {
    let id = accounts.enrol_email(&token, &visit).await?;
    let strength = account::FactorKind::Email.strength().into();
    Ok((StatusCode::CREATED, Json(EnrolledEmail { id, strength })))
}

/// Confirms a factor with a code of it. With the first one come recovery codes.
#[utoipa::path(
    post,
    path = "/factors/{factor}/confirm",
    operation_id = "confirm_factor",
    security(("session" = [])),
    params(("factor" = String, Path, description = "The id of the factor.")),
    request_body = ConfirmedFactor,
    responses(
        (status = 200, description = "It counts.", body = RecoveryCodes),
        (status = 401, description = "The code is wrong, or the person must be proven again."),
        (status = 404, description = "There is none of yours with this id to confirm."),
        (status = 429, description = "Too many wrong codes of this kind, or a limit.")
    )
)]
pub(crate) async fn confirm_factor(
    Holder { accounts, token, visit, .. }: Holder,
    PathParameter(factor): PathParameter<String>,
    JsonBody(ConfirmedFactor { code }): JsonBody<ConfirmedFactor>,
) -> Result<Json<RecoveryCodes>, Failure> {
    Ok(Json(accounts.confirm_factor(&token, &factor, &code, &visit).await?.into()))
}

/// Gives a passkey or an authenticator app of the person another name.
#[utoipa::path(
    patch,
    path = "/factors/{factor}",
    operation_id = "rename_factor",
    security(("session" = [])),
    params(("factor" = String, Path, description = "The id of the factor.")),
    request_body = NewName,
    responses(
        (status = 204, description = "It is called so."),
        (status = 401, description = "There is no session."),
        (status = 404, description = "There is none of yours with this id to name."),
        (status = 422, description = "It is no name.")
    )
)]
pub(crate) async fn rename_factor(
    Holder { accounts, token, visit, .. }: Holder,
    PathParameter(factor): PathParameter<String>,
    JsonBody(NewName { name }): JsonBody<NewName>,
) -> Result<StatusCode, Failure> {
    accounts.rename_factor(&token, &factor, &name, &visit).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a factor; with the last one the recovery codes.
#[utoipa::path(
    delete,
    path = "/factors/{factor}",
    operation_id = "remove_factor",
    security(("session" = [])),
    params(("factor" = String, Path, description = "The id of the factor.")),
    responses(
        (status = 204, description = "It counts no longer."),
        (status = 401, description = "There is no session, or its person must be proven again."),
        (status = 404, description = "There is none of yours with this id."),
        (status = 409, description = "It is the last one, and the password is too weak to be asked for alone.")
    )
)]
pub(crate) async fn remove_factor(
    Holder { accounts, token, visit, .. }: Holder,
    PathParameter(factor): PathParameter<String>,
) -> Result<StatusCode, Failure> {
    accounts.remove_factor(&token, &factor, &visit).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes other recovery codes; those before are worth nothing from now on.
#[utoipa::path(
    post,
    path = "/factors/recovery-codes",
    operation_id = "renew_recovery_codes",
    security(("session" = [])),
    responses(
        (status = 200, description = "The codes.", body = RecoveryCodes),
        (status = 401, description = "There is no session, or its person must be proven again."),
        (status = 404, description = "There is no second factor that they could stand in for.")
    )
)]
pub(crate) async fn renew_recovery_codes(
    Holder { accounts, token, visit, .. }: Holder,
) -> Result<Json<RecoveryCodes>, Failure> {
    Ok(Json(accounts.renew_recovery_codes(&token, &visit).await?.into()))
}

impl From<CodeKind> for account::FactorKind {
    fn from(kind: CodeKind) -> Self {
        match kind {
            CodeKind::Totp => Self::Totp,
            CodeKind::Email => Self::Email,
            CodeKind::Sms => Self::Sms,
            CodeKind::RecoveryCode => Self::RecoveryCode,
        }
    }
}

impl From<account::FactorKind> for FactorKind {
    fn from(kind: account::FactorKind) -> Self {
        use account::FactorKind as Known;

        match kind {
            Known::Totp => Self::Totp,
            Known::Passkey => Self::Passkey,
            Known::Email => Self::Email,
            Known::Sms => Self::Sms,
            Known::RecoveryCode => Self::RecoveryCode,
        }
    }
}

impl From<account::FactorStrength> for FactorStrength {
    fn from(strength: account::FactorStrength) -> Self {
        match strength {
            account::FactorStrength::Weak => Self::Weak,
            account::FactorStrength::Strong => Self::Strong,
        }
    }
}

impl From<Vec<SecretString>> for RecoveryCodes {
    fn from(codes: Vec<SecretString>) -> Self {
        Self { recovery_codes: codes.iter().map(|code| code.expose_secret().to_owned()).collect() }
    }
}

impl From<account::PendingLogin> for PendingLogin {
    fn from(pending: account::PendingLogin) -> Self {
        let is_weak = |kind: &account::FactorKind| kind.strength() == account::FactorStrength::Weak;
        Self {
            ticket: pending.ticket.secret().expose_secret().to_owned(),
            weak: pending.factors.iter().copied().filter(is_weak).map(Into::into).collect(),
            factors: pending.factors.into_iter().map(Into::into).collect(),
            expires: pending.expires.into(),
        }
    }
}
