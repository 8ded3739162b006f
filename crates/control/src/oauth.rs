//! The endpoints of the authorization server, on the public listener: what clients ask for, in the forms of OAuth 2.0.
//!
//! What is refused is answered as RFC 6749, section 5.2, says (`error`, `error_description`); a store that does not answer
//! is a problem like everywhere else, never an `invalid_…`.

mod authorize;
mod form;
mod logout;
mod metadata;
mod refusal;
mod revoke;
mod token;
mod userinfo;

use std::sync::Arc;

use axum::Router;
use bartizan_identity::authorization_server::AuthorizationServer;
use utoipa::openapi::{OpenApi, Server};
use utoipa_axum::{router::OpenApiRouter, routes};

pub use self::{refusal::OAuthRefusal, token::IssuedTokens, userinfo::Userinfo};

/// The endpoints of this server.
pub(crate) fn router(server: Arc<AuthorizationServer>) -> Router {
    let (router, _) = operations().split_for_parts();
    router.with_state(server)
}

/// What the handlers say of themselves.
pub(crate) fn document() -> OpenApi {
    let mut document = operations().into_openapi();
    let mut paths = std::mem::take(&mut document.paths.paths);
    for (path, mut item) in std::mem::take(&mut paths) {
        if path.starts_with("/.well-known") {
            // Not under the prefix.
            item.servers = Some(vec![Server::new("/")]);
        }
        // A parameter of several segments has a star for the router only.
        paths.insert(path.replace("{*", "{"), item);
    }
    document.paths.paths = paths;
    document
}

fn operations() -> OpenApiRouter<Arc<AuthorizationServer>> {
    OpenApiRouter::default()
        .routes(routes!(authorize::authorize, authorize::authorize_by_form))
        .routes(routes!(token::issue_tokens))
        .routes(routes!(token::refresh_tokens))
        .routes(routes!(token::issue_service_token))
        .routes(routes!(userinfo::read_userinfo, userinfo::read_userinfo_by_post))
        .routes(routes!(logout::end_session, logout::end_session_by_form))
        .routes(routes!(revoke::revoke_token))
        .routes(routes!(revoke::introspect_token))
        .routes(routes!(metadata::read_jwks))
        .routes(routes!(metadata::read_server_metadata))
        .routes(routes!(metadata::read_server_metadata_with_path))
        .routes(routes!(metadata::read_openid_configuration))
        .routes(routes!(metadata::read_resource_metadata))
        .routes(routes!(metadata::read_resource_metadata_with_path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_may_have_a_path_of_several_segments() {
        let routed = operations().into_openapi().paths.paths;
        assert!(routed.contains_key("/.well-known/oauth-protected-resource/{*resource}"));
        let told = document().paths.paths;
        assert!(told.contains_key("/.well-known/oauth-protected-resource/{resource}"));
        assert!(told.keys().all(|path| !path.contains('*')) && told.len() == routed.len());
    }
}
