//! The endpoints of accounts: what people do for themselves, on the public listener.
//!
//! Requests come here after the whole road (limits, firewall), with the configured prefix taken off. What an answer says
//! about accounts is the same whether there is one or not; its time is, too.

mod applications;
mod audit;
mod document;
pub(crate) mod endpoints;
mod external;
mod factors;
mod failures;
mod first_administrator;
mod keys;
mod members;
mod organization_events;
mod organization_keys;
mod organization_services;
mod passkey_json;
mod passkeys;
mod profile;
mod roles;
mod sign_up;
mod step_up;
mod telephones;
pub(crate) mod visitor;

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, HttpBody as _, to_bytes},
    extract::DefaultBodyLimit,
    middleware,
};
use bartizan_events::EventLog;
use bartizan_identity::{account::Accounts, authorization_server::AuthorizationServer};
use bytes::Bytes;
use futures_util::StreamExt;
use http::{Request, Response};
use tokio::sync::mpsc;
use tower::ServiceExt;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::organization_events::OrganizationEvents;
pub use self::{
    applications::{Application, Applications},
    endpoints::{
        ChangedPassword, ChosenOrganization, CurrentSession, LoginRequest, OwnSession, OwnSessions,
        StartedSession,
    },
    external::{LinkedIdentities, LinkedIdentity, Providers, WayThere},
    factors::{
        CodeKind, ConfirmedFactor, EnrolledEmail, EnrolledTotp, FactorKind, FactorStrength, LoginCode,
        LoginFactor, NewTotp, PendingLogin, RecoveryCodes, SecondFactor, SecondFactors,
    },
    first_administrator::FirstAdministrator,
    keys::NewOwnApiKey,
    organization_keys::NewOrganizationKey,
    organization_services::NewOrganizationService,
    passkey_json::{
        AssertionResponse, AttestationResponse, AuthenticatorSelection, Base64Url, CredentialDescriptor,
        KeyParameters, MadeCredential, PasskeyCreationOptions, PasskeyRequestOptions, PasskeyUser,
        RelyingParty, UsedCredential,
    },
    passkeys::{
        EnrolledPasskey, LoginPasskey, MadePasskey, PasskeyLogin, PasskeyToMake, PasskeyToUse, StepUpPasskey,
        UsedPasskey,
    },
    profile::{ChangedEmail, ChangedProfile, ConfirmedEmail, ForgottenPassword, Profile, ResetPassword},
    sign_up::{
        AcceptedInvitation, Invitation, Invitations, JoinedOrganization, NewInvitation, SignUpRequest,
        VerifiedEmail,
    },
    step_up::{StepUpKind, StepUpRequest, SteppedUp},
    telephones::{EnrolledTelephone, NewTelephone},
    visitor::AccountClient,
};
use crate::{
    extract::MAX_BODY,
    failure::{Failure, FailureCode, finish},
    oauth,
};

/// How many pieces of a stream may wait for its client.
const STREAMED: usize = 16;

/// The endpoints of accounts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AccountsApi {
    router: Router,
    events: Option<OrganizationEvents>,
}

/// The body of an answer.
#[derive(Debug)]
pub enum AccountsBody {
    /// All of it.
    Whole(Bytes),
    /// Piece by piece, as it comes.
    Stream(mpsc::Receiver<Bytes>),
}

impl AccountsApi {
    /// The endpoints of these accounts, and of the tokens that they are issued.
    pub fn new(accounts: Arc<Accounts>, tokens: Option<Arc<AuthorizationServer>>) -> Self {
        let (router, _) = operations().split_for_parts();
        let router = router.with_state(accounts);
        let router = match tokens {
            Some(server) => router.merge(oauth::router(server)),
            None => router,
        };
        let router = router
            .fallback(not_found)
            .method_not_allowed_fallback(method_not_allowed)
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .layer(middleware::from_fn(finish));
        Self { router, events: None }
    }

    /// With the events of the gateway, for organisations.
    #[must_use]
    pub fn with_events(self, events: EventLog) -> Self {
        Self { events: Some(OrganizationEvents::new(events)), ..self }
    }

    /// Answers one request, whose path is without the prefix.
    pub async fn answer(&self, request: Request<Bytes>, client: AccountClient) -> Response<AccountsBody> {
        let mut request = request.map(Body::from);
        request.extensions_mut().insert(client);
        if let Some(events) = self.events.clone() {
            request.extensions_mut().insert(events);
        }
        let Ok(response) = self.router.clone().oneshot(request).await;
        let (head, body) = response.into_parts();
        let body = if body.size_hint().exact().is_some() {
            // INVARIANT: what has a length is made in memory.
            AccountsBody::Whole(to_bytes(body, usize::MAX).await.unwrap_or_default())
        } else {
            AccountsBody::Stream(stream(body))
        };
        Response::from_parts(head, body)
    }

    /// Their `OpenAPI` document as indented JSON, as they stand under `prefix` (`/auth`).
    pub fn openapi_json(prefix: &str) -> String {
        let mut document = operations().into_openapi();
        document.merge(oauth::document());
        document::json(document, prefix)
    }
}

/// Hands on what comes, until it ends or nobody takes it any more.
fn stream(body: Body) -> mpsc::Receiver<Bytes> {
    let (sender, receiver) = mpsc::channel(STREAMED);
    tokio::spawn(async move {
        let mut pieces = body.into_data_stream();
        loop {
            let piece = tokio::select! {
                () = sender.closed() => return,
                piece = pieces.next() => piece,
            };
            let Some(Ok(piece)) = piece else { return };
            if sender.send(piece).await.is_err() {
                return;
            }
        }
    });
    receiver
}

fn operations() -> OpenApiRouter<Arc<Accounts>> {
    OpenApiRouter::with_openapi(document::frame())
        .routes(routes!(endpoints::log_in))
        .routes(routes!(endpoints::log_out))
        .routes(routes!(endpoints::read_session))
        .routes(routes!(endpoints::switch_organization))
        .routes(routes!(endpoints::change_password))
        .routes(routes!(endpoints::list_own_sessions, endpoints::end_other_sessions))
        .routes(routes!(endpoints::end_own_session))
        .routes(routes!(step_up::step_up))
        .routes(routes!(step_up::send_step_up_code))
        .routes(routes!(factors::complete_login))
        .routes(routes!(factors::send_login_code))
        .routes(routes!(factors::list_factors))
        .routes(routes!(factors::enrol_totp))
        .routes(routes!(factors::enrol_email))
        .routes(routes!(factors::renew_recovery_codes))
        .routes(routes!(passkeys::begin_passkey))
        .routes(routes!(passkeys::enrol_passkey))
        .routes(routes!(passkeys::begin_passkey_login))
        .routes(routes!(passkeys::log_in_by_passkey))
        .routes(routes!(passkeys::begin_login_passkey))
        .routes(routes!(passkeys::complete_login_by_passkey))
        .routes(routes!(passkeys::begin_step_up_passkey))
        .routes(routes!(passkeys::step_up_by_passkey))
        .routes(routes!(telephones::enrol_telephone))
        .routes(routes!(telephones::send_login_sms))
        .routes(routes!(telephones::send_step_up_sms))
        .routes(routes!(factors::confirm_factor))
        .routes(routes!(factors::rename_factor, factors::remove_factor))
        .routes(routes!(sign_up::sign_up))
        .routes(routes!(sign_up::verify_email))
        .routes(routes!(sign_up::invite, sign_up::list_invitations))
        .routes(routes!(sign_up::withdraw_invitation))
        .routes(routes!(sign_up::accept_invitation))
        .routes(routes!(sign_up::join))
        .routes(routes!(profile::read_profile, profile::change_profile))
        .routes(routes!(profile::forgot_password))
        .routes(routes!(profile::reset_password))
        .routes(routes!(profile::change_email))
        .routes(routes!(profile::confirm_email))
        .routes(routes!(
            first_administrator::page::show_first_administrator_page,
            first_administrator::create_first_administrator
        ))
        .routes(routes!(external::list_providers))
        .routes(routes!(external::list_own_identities))
        .routes(routes!(external::unlink_own_identity))
        .routes(routes!(external::link_provider))
        .routes(routes!(external::log_in_at_provider))
        .routes(routes!(external::come_back_from_provider))
        .routes(routes!(keys::list_own_keys, keys::create_own_key))
        .routes(routes!(keys::revoke_own_key))
        .routes(routes!(keys::rotate_own_key))
        .routes(routes!(keys::set_own_key_rate))
        .routes(routes!(keys::suspend_own_key))
        .routes(routes!(keys::resume_own_key))
        .merge(organization_operations())
        .routes(routes!(applications::list_applications))
        .routes(routes!(applications::end_application))
        .routes(routes!(members::list_own_members))
        .routes(routes!(members::remove_own_member))
        .routes(routes!(members::suspend_own_member))
        .routes(routes!(members::resume_own_member))
        .routes(routes!(members::list_own_member_sessions, members::end_own_member_sessions))
        .routes(routes!(roles::list_own_roles, roles::create_own_role, roles::delete_own_role))
        .routes(routes!(roles::set_own_role_permissions))
        .routes(routes!(audit::read_own_audit_trail))
        .routes(routes!(roles::list_own_bindings, roles::bind_own_role, roles::unbind_own_role))
}

/// What those who manage an organisation do about its machines, and see of it.
fn organization_operations() -> OpenApiRouter<Arc<Accounts>> {
    OpenApiRouter::new()
        .routes(routes!(organization_events::list_organization_events))
        .routes(routes!(organization_events::count_organization_events))
        .routes(routes!(organization_events::rank_organization_events))
        .routes(routes!(organization_events::follow_organization_events))
        .routes(routes!(
            organization_keys::list_organization_keys,
            organization_keys::create_organization_key
        ))
        .routes(routes!(organization_keys::revoke_organization_key))
        .routes(routes!(organization_keys::rotate_organization_key))
        .routes(routes!(organization_keys::suspend_organization_key))
        .routes(routes!(organization_keys::resume_organization_key))
        .routes(routes!(organization_keys::set_organization_key_rate))
        .routes(routes!(
            organization_services::list_organization_services,
            organization_services::create_organization_service
        ))
        .routes(routes!(organization_services::delete_organization_service))
        .routes(routes!(organization_services::rotate_organization_service))
        .routes(routes!(organization_services::suspend_organization_service))
        .routes(routes!(organization_services::resume_organization_service))
        .routes(routes!(organization_services::set_organization_service_permissions))
        .routes(routes!(organization_services::rename_organization_service))
        .routes(routes!(
            organization_services::add_organization_service_credential,
            organization_services::remove_organization_service_credential
        ))
}

async fn not_found() -> Failure {
    Failure::new(FailureCode::NotFound, "there is nothing at this path")
}

async fn method_not_allowed() -> Failure {
    Failure::new(FailureCode::MethodNotAllowed, "use one of the methods in the Allow header")
}
