//! The `OpenAPI` document, generated from the handlers and completed with what is true of every operation.

use utoipa::{
    OpenApi as _,
    openapi::{
        Content, ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder,
        path::Operation,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use crate::{Problem, api};

/// The parts of the document that no handler knows.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Bartizan admin API",
        description = "Shows and changes a running gateway. Errors are RFC 9457 problems with a stable `code`. \
                       Unknown keys and parameters are errors.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(Problem)),
    security(("admin_token" = []))
)]
struct Frame;

pub(crate) fn frame() -> OpenApi {
    Frame::openapi()
}

pub(crate) fn openapi() -> OpenApi {
    let mut document = api::document();
    let components = document.components.get_or_insert_default();
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("What `run` made on its first start."));
    components.add_security_scheme("admin_token", SecurityScheme::Http(token.build()));
    for (_, name, description) in
        [ALWAYS, GUARDED, WITH_BODY, WITH_VALUES, OF_ACCOUNTS, OF_EVENTS, OF_ALERTS].into_iter().flatten()
    {
        components.responses.insert((*name).into(), RefOr::T(problem(description)));
    }
    for item in document.paths.paths.values_mut() {
        [&mut item.get, &mut item.post, &mut item.delete].into_iter().flatten().for_each(complete);
    }
    document
}

pub(crate) fn json() -> String {
    // INVARIANT: the document has string keys only, so it is JSON.
    let mut json = openapi().to_pretty_json().unwrap_or_default();
    json.push('\n');
    json
}

/// What any operation may answer.
const ALWAYS: &[Answer] = &[
    ("400", "MalformedRequest", "The request is not well-formed."),
    ("403", "CrossOriginRefused", "A page of another origin asks."),
    ("421", "MisdirectedRequest", "In the clear, the host must be an IP address or `localhost`."),
];
/// What an operation that needs the token may answer too.
const GUARDED: &[Answer] = &[("401", "Unauthorized", "The admin token is missing or wrong.")];
/// What an operation that takes a body may answer too.
const WITH_BODY: &[Answer] = &[
    ("408", "BodyTooSlow", "The body did not arrive within 10 seconds."),
    ("413", "BodyTooLarge", "The body is larger than 64 KiB."),
    ("415", "UnsupportedMediaType", "The body is not `application/json`."),
];
/// What it may answer, unless `AuthZEN` says how it answers.
const WITH_VALUES: &[Answer] = &[("422", "InvalidValue", "The body is JSON, but not what is asked for.")];

/// What an operation on accounts may answer too.
const OF_ACCOUNTS: &[Answer] = &[
    ("409", "AccountsNotConfigured", "The configuration has no `accounts`."),
    ("503", "StoreUnavailable", "The store of accounts does not answer."),
];
/// What an operation on events may answer too.
const OF_EVENTS: &[Answer] = &[
    ("409", "EventsNotKept", "This gateway keeps no events."),
    ("503", "EventsUnavailable", "The store of events does not answer, or not in time."),
];
/// What an operation on alerts may answer too.
const OF_ALERTS: &[Answer] = &[
    ("409", "AlertsNotConfigured", "The configuration has no `alerts`."),
    ("503", "AlertsUnavailable", "The store of alerts does not answer."),
];
/// The tags of operations on accounts.
const ACCOUNTS: [&str; 8] =
    ["users", "organizations", "roles", "sessions", "tokens", "audit", "keys", "services"];

/// Status, name among the components, description.
pub(crate) type Answer = (&'static str, &'static str, &'static str);

/// Every error is a problem, also those that handlers say in a word.
fn complete(operation: &mut Operation) {
    let guarded = operation.security.as_deref() != Some(&[SecurityRequirement::default()]);
    let guarded = if guarded { GUARDED } else { &[] };
    let with_body = if operation.request_body.is_some() { WITH_BODY } else { &[] };
    let is_tagged = |known: &[&str]| operation.tags.iter().flatten().any(|tag| known.contains(&tag.as_str()));
    let with_values =
        if operation.request_body.is_some() && !is_tagged(&["access"]) { WITH_VALUES } else { &[] };
    let of_accounts = is_tagged(&ACCOUNTS);
    let of_accounts = if of_accounts { OF_ACCOUNTS } else { &[] };
    let of_events = if is_tagged(&["events"]) { OF_EVENTS } else { &[] };
    let of_alerts = if is_tagged(&["alerts"]) { OF_ALERTS } else { &[] };
    answer_with_problems(operation);
    let answers = [ALWAYS, guarded, with_body, with_values, of_accounts, of_events, of_alerts];
    for (status, name, _) in answers.into_iter().flatten() {
        let answer = RefOr::Ref(Ref::from_response_name(*name));
        operation.responses.responses.entry((*status).into()).or_insert(answer);
    }
}

/// Every refusal of every operation is a problem.
pub(crate) fn complete_responses(document: &mut OpenApi) {
    for item in document.paths.paths.values_mut() {
        [&mut item.get, &mut item.post, &mut item.patch, &mut item.delete]
            .into_iter()
            .flatten()
            .for_each(answer_with_problems);
    }
}

fn answer_with_problems(operation: &mut Operation) {
    for (status, answer) in &mut operation.responses.responses {
        if let RefOr::T(response) = answer
            && status.starts_with(['4', '5'])
            && response.content.is_empty()
        {
            *response = problem(&response.description);
        }
    }
}

/// The media type of problems (RFC 9457).
pub(crate) const PROBLEM: &str = "application/problem+json";

pub(crate) fn problem(description: &str) -> Response {
    ResponseBuilder::new().description(description).content(PROBLEM, problem_content()).build()
}

pub(crate) fn problem_content() -> Content {
    ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build()
}
