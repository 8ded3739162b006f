//! What a request brings, parsed at the border: a JSON body, a query, a path. What does not parse is a problem.

use std::{error::Error, fmt, marker::PhantomData, time::Duration};

use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Path, Query, Request, rejection::JsonRejection},
};
use http::request::Parts;
use percent_encoding::percent_decode_str;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::failure::{Failure, FailureCode};

/// The largest body taken.
pub(crate) const MAX_BODY: usize = 64 * 1024;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A JSON body.
pub(crate) struct JsonBody<T>(pub(crate) T);

/// The parameters of the query. A type of its own tells which.
pub(crate) struct QueryParameters<T>(pub(crate) T);

/// The one parameter of the path.
pub(crate) struct PathParameter<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let body = tokio::time::timeout(BODY_TIMEOUT, Json::<Object<T>>::from_request(request, state));
        match body.await {
            Ok(Ok(Json(Object(value)))) => Ok(Self(value)),
            Ok(Err(rejection)) => Err(refuse(&rejection)),
            Err(_) => {
                Err(Failure::new(FailureCode::BodyTooSlow, "the body did not arrive within 10 seconds"))
            }
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for QueryParameters<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        // What is no text would be taken for another text, with a placeholder for what cannot be read.
        if percent_decode_str(parts.uri.query().unwrap_or_default()).decode_utf8().is_err() {
            let detail = "the query is malformed: percent-encode UTF-8";
            return Err(Failure::new(FailureCode::MalformedRequest, detail));
        }
        match Query::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(malformed("the query", &rejection)),
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for PathParameter<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(rejection) => Err(malformed("the path", &rejection)),
        }
    }
}

/// A JSON object: serde would read a list as a struct, too, and speak of our structs where it cannot.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

fn refuse(rejection: &JsonRejection) -> Failure {
    match rejection {
        JsonRejection::JsonDataError(error) => Failure::new(
            FailureCode::InvalidValue,
            format!("the body is not what is asked for: {}", cause(error)),
        ),
        JsonRejection::MissingJsonContentType(_) => {
            Failure::new(FailureCode::UnsupportedMediaType, "send the body as `application/json`")
        }
        rejection if rejection.status() == http::StatusCode::PAYLOAD_TOO_LARGE => {
            Failure::new(FailureCode::BodyTooLarge, "the body is larger than 64 KiB")
        }
        rejection => malformed("the body", rejection),
    }
}

fn malformed(what: &str, error: &dyn Error) -> Failure {
    Failure::new(FailureCode::MalformedRequest, format!("{what} is malformed: {}", cause(error)))
}

/// The innermost cause, which says what is wrong without the layers in between.
fn cause(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
