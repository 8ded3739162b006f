//! Passkeys: registered, and used to log in, alone or after the password, and to prove oneself again.

use axum::{Json, response::Response};
use bartizan_identity::{
    account::{NewPasskey, ShownPasskey, StepUp},
    passkey::Assertion,
};
use http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    endpoints::begun,
    factors::LoginCode,
    passkey_json::{MadeCredential, PasskeyCreationOptions, PasskeyRequestOptions, UsedCredential},
    step_up::SteppedUp,
    visitor::{Holder, Visitor},
};
use crate::{extract::JsonBody, failure::Failure};

/// What a page gives `navigator.credentials.create`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasskeyToMake {
    /// The options.
    pub public_key: PasskeyCreationOptions,
}

/// What a page gives `navigator.credentials.get`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasskeyToUse {
    /// The options.
    pub public_key: PasskeyRequestOptions,
}

/// The same for whoever logs in by nothing else.
#[derive(Debug, Serialize, ToSchema)]
pub struct PasskeyLogin {
    /// What to say with the passkey. It opens nothing alone.
    pub ticket: String,
    /// The options.
    #[serde(rename = "publicKey")]
    pub public_key: PasskeyRequestOptions,
}

/// A passkey that a browser has made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MadePasskey {
    /// What to call it.
    #[schema(example = "laptop", min_length = 1, max_length = 100)]
    pub name: String,
    /// What the browser made.
    pub credential: MadeCredential,
}

/// A passkey that counts from now on.
#[derive(Debug, Serialize, ToSchema)]
pub struct EnrolledPasskey {
    /// The id of the factor.
    pub id: String,
    /// Codes on paper, shown only now; each is good once. Empty: those that are there already stay good.
    pub recovery_codes: Vec<String>,
}

/// A passkey that a browser has used to log in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UsedPasskey {
    /// What came with the options.
    #[schema(value_type = String, format = Password)]
    pub ticket: SecretString,
    /// What the browser says.
    pub credential: UsedCredential,
    /// For which of their organisations, by id or name; without it the one they joined first.
    #[serde(default)]
    pub organization: Option<String>,
}

/// A passkey that a browser has used for a login that waits.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginPasskey {
    /// What the login answered.
    #[schema(value_type = String, format = Password)]
    pub ticket: SecretString,
    /// What the browser says.
    pub credential: UsedCredential,
}

/// A passkey that a browser has used once more.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StepUpPasskey {
    /// What the browser says.
    pub credential: UsedCredential,
}

/// Begins to register a passkey. Nothing is kept of it.
#[utoipa::path(
    post,
    path = "/factors/passkey",
    operation_id = "begin_passkey",
    security(("session" = [])),
    responses(
        (status = 200, description = "What the browser needs.", body = PasskeyToMake),
        (status = 401, description = "There is no session, or its person must be proven again."),
        (status = 403, description = "There are no passkeys here.")
    )
)]
pub(crate) async fn begin_passkey(
    Holder { accounts, token, visit, .. }: Holder,
) -> Result<Json<PasskeyToMake>, Failure> {
    let creation = accounts.begin_passkey(&token, &visit).await?;
    Ok(Json(PasskeyToMake { public_key: creation.into() }))
}

/// Registers a passkey. With the first factor come recovery codes.
#[utoipa::path(
    post,
    path = "/factors/passkey/confirm",
    operation_id = "enrol_passkey",
    security(("session" = [])),
    request_body = MadePasskey,
    responses(
        (status = 201, description = "It counts.", body = EnrolledPasskey),
        (status = 401, description = "There is no session, or its person must be proven again."),
        (status = 409, description = "It is somebody's already, or there are ten factors."),
        (status = 422, description = "It cannot be registered: it was made for another page, or too long ago.")
    )
)]
pub(crate) async fn enrol_passkey(
    Holder { accounts, token, visit, .. }: Holder,
    JsonBody(MadePasskey { name, credential: MadeCredential { response } }): JsonBody<MadePasskey>,
) -> Result<(StatusCode, Json<EnrolledPasskey>), Failure> {
    let new = NewPasskey {
        name,
        client_data: response.client_data.0,
        attestation_object: response.attestation_object.0,
        transports: response.transports,
    };
    let enrolled = accounts.enrol_passkey(&token, &new, &visit).await?;
    let codes = enrolled.recovery_codes.iter().map(|code| code.expose_secret().to_owned());
    Ok((StatusCode::CREATED, Json(EnrolledPasskey { id: enrolled.id, recovery_codes: codes.collect() })))
}

/// Begins a login by a passkey alone. The answer is the same for everybody, and nothing is kept of it.
#[utoipa::path(
    post,
    path = "/login/passkey",
    operation_id = "begin_passkey_login",
    responses(
        (status = 200, description = "What the browser needs, and a ticket.", body = PasskeyLogin),
        (status = 403, description = "There are no passkeys here.")
    )
)]
pub(crate) async fn begin_passkey_login(
    Visitor { accounts, .. }: Visitor,
) -> Result<Json<PasskeyLogin>, Failure> {
    let (ticket, request) = accounts.begin_passkey_login()?;
    Ok(Json(PasskeyLogin { ticket: ticket.secret().expose_secret().to_owned(), public_key: request.into() }))
}

/// Begins a session for whoever has a passkey and was verified by its authenticator: two factors in one.
#[utoipa::path(
    post,
    path = "/login/passkey/confirm",
    operation_id = "log_in_by_passkey",
    request_body = UsedPasskey,
    responses(
        (status = 200, description = "The session; its cookie is set.", body = super::StartedSession),
        (status = 401, description = "The passkey proves nobody, or the ticket is none."),
        (status = 429, description = "Too many wrong passkeys, or a limit.")
    )
)]
pub(crate) async fn log_in_by_passkey(
    Visitor { accounts, visit, device }: Visitor,
    JsonBody(UsedPasskey { ticket, credential, organization }): JsonBody<UsedPasskey>,
) -> Result<Response, Failure> {
    let shown = shown(credential, device);
    let session = accounts.log_in_by_passkey(&ticket, &shown, organization.as_deref(), &visit).await?;
    begun(&accounts, &session).await
}

/// Begins to complete a login with a passkey of the person who logs in.
#[utoipa::path(
    post,
    path = "/login/factor/passkey",
    operation_id = "begin_login_passkey",
    request_body = LoginCode,
    responses(
        (status = 200, description = "What the browser needs.", body = PasskeyToUse),
        (status = 401, description = "The login does not wait any more."),
        (status = 404, description = "The person has no passkey.")
    )
)]
pub(crate) async fn begin_login_passkey(
    Visitor { accounts, .. }: Visitor,
    JsonBody(LoginCode { ticket }): JsonBody<LoginCode>,
) -> Result<Json<PasskeyToUse>, Failure> {
    let request = accounts.begin_passkey_factor(&ticket).await?;
    Ok(Json(PasskeyToUse { public_key: request.into() }))
}

/// Completes a login with a passkey. A wrong one leaves the login waiting.
#[utoipa::path(
    post,
    path = "/login/factor/passkey/confirm",
    operation_id = "complete_login_by_passkey",
    request_body = LoginPasskey,
    responses(
        (status = 200, description = "The session; its cookie is set.", body = super::StartedSession),
        (status = 401, description = "The passkey proves nobody, or the login does not wait any more."),
        (status = 429, description = "Too many wrong passkeys, or a limit.")
    )
)]
pub(crate) async fn complete_login_by_passkey(
    Visitor { accounts, visit, device }: Visitor,
    JsonBody(LoginPasskey { ticket, credential }): JsonBody<LoginPasskey>,
) -> Result<Response, Failure> {
    let session = accounts.complete_login_by_passkey(&ticket, &shown(credential, device), &visit).await?;
    begun(&accounts, &session).await
}

/// Begins to prove the person of the session again with a passkey.
#[utoipa::path(
    post,
    path = "/step-up/passkey",
    operation_id = "begin_step_up_passkey",
    security(("session" = [])),
    responses(
        (status = 200, description = "What the browser needs.", body = PasskeyToUse),
        (status = 404, description = "The person has no passkey.")
    )
)]
pub(crate) async fn begin_step_up_passkey(
    Holder { accounts, token, .. }: Holder,
) -> Result<Json<PasskeyToUse>, Failure> {
    let request = accounts.begin_passkey_step_up(&token).await?;
    Ok(Json(PasskeyToUse { public_key: request.into() }))
}

/// Proves the person of the session again with a passkey.
#[utoipa::path(
    post,
    path = "/step-up/passkey/confirm",
    operation_id = "step_up_by_passkey",
    security(("session" = [])),
    request_body = StepUpPasskey,
    responses(
        (status = 200, description = "It is the person.", body = SteppedUp),
        (status = 401, description = "It is not, or there is no session."),
        (status = 429, description = "Too many wrong passkeys, or a limit.")
    )
)]
pub(crate) async fn step_up_by_passkey(
    Holder { accounts, token, visit, device }: Holder,
    JsonBody(StepUpPasskey { credential }): JsonBody<StepUpPasskey>,
) -> Result<Json<SteppedUp>, Failure> {
    let shown = StepUp::Passkey(shown(credential, device));
    Ok(Json(accounts.step_up(&token, &shown, &visit).await?.into()))
}

fn shown(UsedCredential { id, response }: UsedCredential, device: Option<SecretString>) -> ShownPasskey {
    ShownPasskey {
        id: id.text(),
        client_data: response.client_data.0,
        assertion: Assertion {
            authenticator_data: response.authenticator_data.0,
            signature: response.signature.0,
        },
        user_handle: response.user_handle.map(|handle| handle.text()),
        device,
    }
}
