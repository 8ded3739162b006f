//! The `OpenAPI` document of the endpoints.

use utoipa::{
    OpenApi as _,
    openapi::{
        OpenApi,
        security::{ApiKey, ApiKeyValue, SecurityScheme},
    },
};

use crate::{Problem, document::complete_responses};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Bartizan accounts API",
        description = "Login, logout, passwords and sessions of people, on the public listener. Errors are RFC 9457 \
                       problems with a stable `code`. A write with a session's cookie repeats in `X-CSRF-Token` what \
                       the login answered as `csrf_token`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    servers((url = "/auth", description = "The prefix of the configuration.")),
    components(schemas(Problem)),
)]
struct Frame;

pub(crate) fn frame() -> OpenApi {
    Frame::openapi()
}

pub(crate) fn json(mut document: OpenApi) -> String {
    let cookie = ApiKey::Cookie(ApiKeyValue::new("__Host-bartizan"));
    document
        .components
        .get_or_insert_default()
        .add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    complete_responses(&mut document);
    // INVARIANT: the document has string keys only, so it is JSON.
    let mut json = document.to_pretty_json().unwrap_or_default();
    json.push('\n');
    json
}
