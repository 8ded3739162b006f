//! `cors:` of a route.

use std::{collections::HashSet, time::Duration};

use http::{HeaderName, Method, header};

use crate::{
    Cors, Origins,
    file::{self, CorsTable},
    forms::{Forms, OneOrMany},
    located::{At, Position},
    problems::Problems,
    word::Origin,
};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// What a limited route says about its limits.
const LIMIT_FIELDS: [HeaderName; 6] = [
    header::RETRY_AFTER,
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
    HeaderName::from_static("x-ratelimit-limit"),
    HeaderName::from_static("x-ratelimit-remaining"),
    HeaderName::from_static("x-ratelimit-reset"),
];
const MAX_AGE: Duration = Duration::from_mins(10);
const METHODS: [Method; 6] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// What the route says of itself, for the defaults.
pub(crate) struct RouteFacts<'a> {
    pub(crate) methods: &'a [Method],
    /// The headers that carry the credentials of its providers.
    pub(crate) credentials: Vec<HeaderName>,
    /// Whether its requests are counted.
    pub(crate) is_limited: bool,
}

pub(crate) fn resolve(
    cors: &file::Cors,
    position: Position,
    facts: RouteFacts<'_>,
    problems: &mut Problems<'_>,
) -> Cors {
    let (origins, table) = match cors {
        file::Cors::SameOrigin => return Cors::SameOrigin,
        file::Cors::Any => (Some(Origins::Any), None),
        file::Cors::Origins(origins) => {
            (Some(list(&At { value: origins.clone(), position }, problems)), None)
        }
        file::Cors::Table(table) => (origins(table, problems), Some(table)),
    };
    let credentials = table
        .and_then(|table| problems.read_optional(&table.credentials))
        .filter(|credentials| credentials.value);
    if let (Some(credentials), Some(Origins::Any)) = (&credentials, &origins) {
        problems
            .error(
                credentials.position,
                "`credentials` with any origin: every site could act in the name of a visitor",
            )
            .help("list the origins that may");
    }
    Cors::Allow {
        origins: origins.unwrap_or(Origins::List(Vec::new())),
        methods: table.and_then(|table| table.methods.as_ref()).map_or_else(
            || if facts.methods.is_empty() { METHODS.into() } else { facts.methods.into() },
            |methods| values(problems.read_all(methods)),
        ),
        headers: table
            .and_then(|table| table.headers.as_ref())
            .map_or_else(|| default_headers(facts.credentials), |headers| values(problems.read_all(headers))),
        expose: table
            .and_then(|table| table.expose.as_ref())
            .map_or_else(|| default_exposed(facts.is_limited), |headers| values(problems.read_all(headers))),
        credentials: credentials.is_some(),
        max_age: table.map_or(MAX_AGE, |table| problems.read_or(&table.max_age, MAX_AGE)),
    }
}

fn origins(table: &CorsTable, problems: &mut Problems<'_>) -> Option<Origins> {
    let words = problems.read(&table.origins)?;
    let words = table.origins.with(words).all();
    let texts = problems.read_all(&words);
    if let [any] = texts.as_slice()
        && any.value == "*"
    {
        return Some(Origins::Any);
    }
    let origins = texts.iter().map(|text| text.with(crate::forms::Parsed(Origin::word(text)))).collect();
    Some(list(&table.origins.with(OneOrMany::Many(origins)), problems))
}

fn list(origins: &At<OneOrMany<Origin>>, problems: &mut Problems<'_>) -> Origins {
    let words = origins.all();
    if words.is_empty() {
        problems
            .error(origins.position, "there is no origin")
            .help("write `cors: same-origin` to allow none");
    }
    let mut seen = HashSet::new();
    let listed = problems.read_all(&words).into_iter().map(|origin| origin.value.0);
    Origins::List(listed.filter(|origin| seen.insert(origin.clone())).collect())
}

/// What scripts may read of an answer, unless that is written out.
fn default_exposed(is_limited: bool) -> Vec<HeaderName> {
    let limit_fields = LIMIT_FIELDS.into_iter().filter(|_| is_limited);
    [X_REQUEST_ID].into_iter().chain(limit_fields).collect()
}

fn default_headers(credentials: Vec<HeaderName>) -> Vec<HeaderName> {
    let mut headers = vec![header::AUTHORIZATION, header::CONTENT_TYPE, X_REQUEST_ID];
    for header in credentials {
        if !headers.contains(&header) {
            headers.push(header);
        }
    }
    headers
}

fn values<T>(located: Vec<At<T>>) -> Vec<T> {
    located.into_iter().map(|at| at.value).collect()
}
