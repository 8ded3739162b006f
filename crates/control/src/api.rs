//! The endpoints, one file per resource: its types, its handlers, its part of the `OpenAPI` document.

pub(crate) mod access;
pub(crate) mod addresses;
pub(crate) mod alerts;
pub(crate) mod audit;
pub(crate) mod components;
pub(crate) mod configuration;
pub(crate) mod detection;
pub(crate) mod events;
pub(crate) mod exports;
pub(crate) mod health;
pub(crate) mod invitations;
pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod members;
pub(crate) mod metrics;
pub(crate) mod organizations;
pub(crate) mod page;
pub(crate) mod people;
pub(crate) mod person_changes;
pub(crate) mod policies;
pub(crate) mod posture;
pub(crate) mod reports;
pub(crate) mod requests;
pub(crate) mod roles;
pub(crate) mod services;
pub(crate) mod sessions;
pub(crate) mod status;
pub(crate) mod token_keys;
pub(crate) mod tokens;
pub(crate) mod upstreams;
pub(crate) mod zone;

use std::sync::Arc;

use axum::{Router, extract::DefaultBodyLimit, middleware};
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AdminToken,
    control::Shared,
    document,
    extract::MAX_BODY,
    failure::{Failure, FailureCode, finish},
    guard::{self, Keys},
};

/// The admin listener: everything needs the token, except the probes and where questions are asked.
pub(crate) fn admin(shared: Arc<Shared>, token: AdminToken) -> Router {
    let (guarded, _) = operations().split_for_parts();
    let (probes, _) = probes().merge(open()).split_for_parts();
    let accounts = shared.accounts.clone();
    let keys = Keys { token, system: Arc::clone(&shared.system), accounts };
    let guarded = with_fallbacks(guarded).layer(middleware::from_fn_with_state(keys, guard::admin_only));
    // A router without a fallback of its own takes that of the other: what is unknown needs the token too.
    let probes = probes.method_not_allowed_fallback(method_not_allowed);
    guarded
        .merge(probes)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn(guard::own_host_and_origin))
        .layer(middleware::from_fn(finish))
        .with_state(shared)
}

/// The metrics listener: no token, and nothing that needs one.
pub(crate) fn metrics(shared: Arc<Shared>) -> Router {
    let (router, _) = probes().routes(routes!(metrics::read_metrics)).split_for_parts();
    with_fallbacks(router).layer(middleware::from_fn(finish)).with_state(shared)
}

/// What the handlers say of themselves.
pub(crate) fn document() -> OpenApi {
    OpenApiRouter::with_openapi(document::frame())
        .merge(operations())
        .merge(probes())
        .merge(open())
        .into_openapi()
}

fn operations() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::default()
        .routes(routes!(status::read_status))
        .routes(routes!(components::read_components))
        .routes(routes!(configuration::read_configuration))
        .routes(routes!(configuration::reload_configuration))
        .routes(routes!(requests::list_requests))
        .routes(routes!(requests::explain_request))
        .routes(routes!(addresses::list_addresses, addresses::set_address, addresses::remove_address))
        .routes(routes!(limits::list_limits))
        .routes(routes!(limits::top::list_top_values))
        .routes(routes!(limits::standing::read_limit_standing))
        .routes(routes!(limits::reset::reset_limit))
        .routes(routes!(limits::afresh::begin_limits_afresh))
        .routes(routes!(limits::statistics::reset_limit_statistics))
        .routes(routes!(limits::allow::allow_limit))
        .routes(routes!(limits::forecast::forecast_limits))
        .routes(routes!(policies::list_policies))
        .routes(routes!(policies::dry_run_policies))
        .routes(routes!(access::evaluate_access))
        .routes(routes!(access::evaluate_access_several))
        .routes(routes!(people::list_users, people::create_user))
        .routes(routes!(people::read_user, people::delete_user))
        .routes(routes!(people::disable_user))
        .routes(routes!(people::enable_user))
        .routes(routes!(people::unlock_user))
        .routes(routes!(people::reset_user_factors))
        .routes(routes!(people::set_user_password))
        .routes(routes!(people::add_user_role, people::remove_user_role))
        .routes(routes!(person_changes::rename_user))
        .routes(routes!(person_changes::set_user_email))
        .routes(routes!(person_changes::list_user_identities))
        .routes(routes!(person_changes::unlink_user_identity))
        .routes(routes!(invitations::list_all_invitations, invitations::invite_user))
        .routes(routes!(invitations::withdraw_any_invitation))
        .routes(routes!(roles::list_known_roles))
        .routes(routes!(organizations::list_organizations, organizations::create_organization))
        .routes(routes!(organizations::read_organization, organizations::delete_organization))
        .routes(routes!(organizations::rename_organization))
        .routes(routes!(members::list_members))
        .routes(routes!(members::remove_member))
        .routes(routes!(members::suspend_member))
        .routes(routes!(members::resume_member))
        .routes(routes!(roles::list_roles, roles::create_role, roles::delete_role))
        .routes(routes!(roles::set_role_permissions))
        .routes(routes!(roles::list_bindings, roles::bind_role, roles::unbind_role))
        .routes(routes!(keys::list_keys, keys::create_key))
        .routes(routes!(keys::read_key, keys::revoke_key))
        .routes(routes!(keys::rotate_key))
        .routes(routes!(keys::set_key_rate))
        .routes(routes!(keys::set_key_zone))
        .routes(routes!(keys::suspend_key))
        .routes(routes!(keys::resume_key))
        .routes(routes!(services::list_services, services::create_service))
        .routes(routes!(services::read_service, services::delete_service))
        .routes(routes!(services::rotate_service))
        .routes(routes!(services::suspend_service))
        .routes(routes!(services::resume_service))
        .routes(routes!(services::set_service_permissions))
        .routes(routes!(services::set_service_exchange))
        .routes(routes!(services::set_service_zone))
        .routes(routes!(services::rename_service))
        .routes(routes!(services::add_service_credential))
        .routes(routes!(services::remove_service_credential))
        .routes(routes!(sessions::list_sessions, sessions::end_sessions))
        .routes(routes!(sessions::end_session))
        .routes(routes!(audit::read_audit_trail))
        .routes(routes!(events::list_events))
        .routes(routes!(events::count_events))
        .routes(routes!(events::rank_events))
        .routes(routes!(events::stream::follow_events))
        .routes(routes!(detection::read_detection))
        .routes(routes!(posture::read_posture))
        .routes(routes!(posture::scan_posture))
        .routes(routes!(posture::stream::follow_posture))
        .routes(routes!(reports::read_security_report))
        .routes(routes!(alerts::list_alerts))
        .routes(routes!(alerts::read_alert))
        .routes(routes!(alerts::acknowledge_alert))
        .routes(routes!(alerts::resolve_alert))
        .routes(routes!(alerts::test_alert_channels))
        .routes(routes!(alerts::silences::list_alert_silences, alerts::silences::create_alert_silence))
        .routes(routes!(alerts::silences::end_alert_silence))
        .routes(routes!(alerts::undelivered::list_undelivered_alerts))
        .routes(routes!(alerts::undelivered::retry_undelivered_alerts))
        .routes(routes!(alerts::undelivered::discard_undelivered_alert))
        .routes(routes!(exports::list_exports))
        .routes(routes!(exports::test_export))
        .routes(routes!(tokens::list_authorizations))
        .routes(routes!(tokens::revoke_tokens))
        .routes(routes!(token_keys::list_token_keys))
        .routes(routes!(token_keys::rotate_token_keys))
        .routes(routes!(upstreams::list_upstreams))
        .routes(routes!(metrics::read_metrics))
        .routes(routes!(metrics::read_document))
        .routes(routes!(metrics::read_accounts_document))
}

/// What clients read before they have a token, on the admin listener alone.
fn open() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::default().routes(routes!(access::read_access_configuration))
}

fn probes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::default().routes(routes!(health::healthz)).routes(routes!(health::readyz))
}

fn with_fallbacks(router: Router<Arc<Shared>>) -> Router<Arc<Shared>> {
    router.fallback(not_found).method_not_allowed_fallback(method_not_allowed)
}

async fn not_found() -> Failure {
    Failure::new(FailureCode::NotFound, "there is nothing at this path: see `/openapi.json`")
}

async fn method_not_allowed() -> Failure {
    Failure::new(FailureCode::MethodNotAllowed, "use one of the methods in the Allow header")
}
