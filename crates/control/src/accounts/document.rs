//! The `OpenAPI` document of the endpoints.

use utoipa::{
    OpenApi as _,
    openapi::{
        OpenApi, Ref, RefOr,
        path::{Operation, Parameter, ParameterIn},
        request_body::RequestBody,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use crate::{
    Problem,
    document::{Answer, PROBLEM, complete_responses, problem, problem_content},
};

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

/// The document as indented JSON, for endpoints under `prefix`.
pub(crate) fn json(mut document: OpenApi, prefix: &str) -> String {
    for server in document.servers.iter_mut().flatten() {
        prefix.clone_into(&mut server.url);
    }
    let cookie = ApiKey::Cookie(ApiKeyValue::new("__Host-bartizan"));
    let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    components.add_security_scheme("access_token", SecurityScheme::Http(token));
    for (_, name, description) in
        [ALWAYS, WITH_SESSION, WITH_QUERY, WITH_BODY, WITH_JSON].into_iter().flatten()
    {
        components.responses.insert((*name).into(), RefOr::T(problem(description)));
    }
    complete_responses(&mut document);
    for item in document.paths.paths.values_mut() {
        [&mut item.get, &mut item.post, &mut item.patch, &mut item.delete]
            .into_iter()
            .flatten()
            .for_each(complete);
    }
    // INVARIANT: the document has string keys only, so it is JSON.
    let mut json = document.to_pretty_json().unwrap_or_default();
    json.push('\n');
    json
}

/// What any operation may answer, or the road before it.
const ALWAYS: &[Answer] = &[
    ("400", "MalformedRequest", "The request is not well-formed."),
    ("403", "Refused", "A page of another site asks, or the firewall or an address list refuses."),
    ("429", "TooManyRequests", "A limit of the endpoint, or too many failed attempts."),
    ("503", "StoreUnavailable", "The store of accounts does not answer."),
];
/// What an operation that needs a session may answer too.
const WITH_SESSION: &[Answer] =
    &[("401", "NoSession", "There is no session, or it must prove again that it is its person's.")];
/// What an operation that takes a body may answer too.
const WITH_BODY: &[Answer] = &[
    ("408", "BodyTooSlow", "The body did not arrive in time."),
    ("413", "BodyTooLarge", "The body is larger than 16 KiB."),
];
/// What an operation that takes JSON may answer too.
const WITH_JSON: &[Answer] = &[
    ("415", "UnsupportedMediaType", "The body is not `application/json`."),
    ("422", "InvalidValue", "The body is JSON, but not what is asked for."),
];
/// What an operation that takes a query with a session may answer too.
const WITH_QUERY: &[Answer] = &[("422", "InvalidQuery", "The parameters make no sense together.")];

/// Every error that comes from elsewhere than the handler, or that handlers say in a word.
fn complete(operation: &mut Operation) {
    let with_session = operation.security.iter().flatten().any(|one| *one == session());
    let content = operation.request_body.as_ref().map(takes_json);
    let with_query = operation.parameters.iter().flatten().any(is_in_query);
    let chosen = [
        (true, ALWAYS),
        (with_session, WITH_SESSION),
        (with_session && with_query, WITH_QUERY),
        (content.is_some(), WITH_BODY),
        (content == Some(true), WITH_JSON),
    ];
    let responses = &mut operation.responses.responses;
    for (status, name, _) in
        chosen.into_iter().filter(|(applies, _)| *applies).flat_map(|(_, answers)| answers)
    {
        let answer = RefOr::Ref(Ref::from_response_name(*name));
        responses.entry((*status).into()).or_insert(answer);
    }
    // The road refuses before the handler would, in its own form.
    if let Some(RefOr::T(response)) = responses.get_mut("400") {
        response.content.entry(PROBLEM.into()).or_insert_with(|| RefOr::T(problem_content()));
    }
}

fn session() -> SecurityRequirement {
    SecurityRequirement::new("session", Vec::<String>::new())
}

/// The handlers write out what they take: nothing here is a reference.
fn takes_json(body: &RefOr<RequestBody>) -> bool {
    matches!(body, RefOr::T(body) if body.content.contains_key("application/json"))
}

fn is_in_query(parameter: &RefOr<Parameter>) -> bool {
    matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query)
}
