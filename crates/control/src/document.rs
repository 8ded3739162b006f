//! The OpenAPI document, generated from the handlers and completed with what is true of every operation.

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
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("The token that `run` makes on its first start.")).build();
    components.add_security_scheme("admin_token", SecurityScheme::Http(bearer));
    for (name, description) in COMMON {
        components.responses.insert((*name).into(), RefOr::T(problem(description)));
    }
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete];
        operations.into_iter().flatten().for_each(complete);
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
const COMMON: &[(&str, &str)] = &[
    ("MalformedRequest", "The request is not well-formed."),
    ("Unauthorized", "The admin token is missing or wrong."),
    ("CrossOriginRefused", "A page of another origin asks."),
    ("MisdirectedRequest", "In the clear, the host must be an IP address or `localhost`."),
];

fn complete(operation: &mut Operation) {
    let public = operation.security.as_deref() == Some(&[SecurityRequirement::default()]);
    let statuses = ["400", "401", "403", "421"];
    for (status, (name, _)) in statuses.into_iter().zip(COMMON) {
        if status == "401" && public {
            continue;
        }
        let answer = RefOr::Ref(Ref::from_response_name(*name));
        operation.responses.responses.entry(status.into()).or_insert(answer);
    }
}

fn problem(description: &str) -> Response {
    let content: Content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(description).content("application/problem+json", content).build()
}
