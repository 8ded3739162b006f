//! What clients learn by asking: keys, and where everything is.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use bartizan_identity::authorization_server::AuthorizationServer;
use http::{HeaderValue, header::CACHE_CONTROL};
use serde_json::Value;

use crate::{
    extract::PathParameter,
    failure::{Failure, FailureCode},
};

/// The keys that tokens are verified with: the one that signs, the one that signs next, those that have signed
/// (RFC 7517).
#[utoipa::path(
    get,
    path = "/jwks",
    operation_id = "read_jwks",
    responses((status = 200, description = "The JWK set.", body = Object))
)]
pub(crate) async fn read_jwks(State(server): State<Arc<AuthorizationServer>>) -> Response {
    cached(Value::clone(&server.jwks()))
}

/// Where everything is (RFC 8414).
#[utoipa::path(
    get,
    path = "/.well-known/oauth-authorization-server",
    operation_id = "read_server_metadata",
    responses((status = 200, description = "The metadata.", body = Object))
)]
pub(crate) async fn read_server_metadata(
    State(server): State<Arc<AuthorizationServer>>,
) -> Result<Response, Failure> {
    of_issuer(&server, "")
}

/// The same for an issuer with a path.
#[utoipa::path(
    get,
    path = "/.well-known/oauth-authorization-server/{*issuer}",
    operation_id = "read_server_metadata_with_path",
    params(("issuer" = String, Path, description = "The path of the issuer.")),
    responses(
        (status = 200, description = "The metadata.", body = Object),
        (status = 404, description = "The issuer has another path.")
    )
)]
pub(crate) async fn read_server_metadata_with_path(
    State(server): State<Arc<AuthorizationServer>>,
    PathParameter(issuer): PathParameter<String>,
) -> Result<Response, Failure> {
    of_issuer(&server, &issuer)
}

/// Where everything is (`OpenID` Connect Discovery 1.0).
#[utoipa::path(
    get,
    path = "/.well-known/openid-configuration",
    operation_id = "read_openid_configuration",
    responses((status = 200, description = "The metadata.", body = Object))
)]
pub(crate) async fn read_openid_configuration(State(server): State<Arc<AuthorizationServer>>) -> Response {
    cached(server.metadata())
}

/// Who issues tokens for this resource (RFC 9728).
#[utoipa::path(
    get,
    path = "/.well-known/oauth-protected-resource",
    operation_id = "read_resource_metadata",
    responses(
        (status = 200, description = "The metadata.", body = Object),
        (status = 404, description = "Tokens are for resources with another path.")
    )
)]
pub(crate) async fn read_resource_metadata(
    State(server): State<Arc<AuthorizationServer>>,
) -> Result<Response, Failure> {
    of_resource(&server, "")
}

/// The same for a resource with a path.
#[utoipa::path(
    get,
    path = "/.well-known/oauth-protected-resource/{*resource}",
    operation_id = "read_resource_metadata_with_path",
    params(("resource" = String, Path, description = "The path of the resource.")),
    responses(
        (status = 200, description = "The metadata.", body = Object),
        (status = 404, description = "No token is for this resource.")
    )
)]
pub(crate) async fn read_resource_metadata_with_path(
    State(server): State<Arc<AuthorizationServer>>,
    PathParameter(resource): PathParameter<String>,
) -> Result<Response, Failure> {
    of_resource(&server, &format!("/{resource}"))
}

fn of_issuer(server: &AuthorizationServer, path: &str) -> Result<Response, Failure> {
    let issuer = server.settings().issuer.clone();
    let rest = issuer.split_once("://").map_or("", |(_, rest)| rest);
    let own = rest.split_once('/').map_or("", |(_, path)| path);
    if own == path {
        Ok(cached(server.metadata()))
    } else {
        Err(Failure::new(FailureCode::NotFound, "the issuer has another path"))
    }
}

fn of_resource(server: &AuthorizationServer, path: &str) -> Result<Response, Failure> {
    let metadata = server.resource_metadata(path);
    metadata.map(cached).ok_or_else(|| Failure::new(FailureCode::NotFound, "no token is for this resource"))
}

/// For five minutes, which is less than a key is published before it signs.
fn cached(document: Value) -> Response {
    let mut response = Json(document).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}
