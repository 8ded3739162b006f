//! A refusal as the client sees it: RFC 9457 problem details that reveal nothing of the inside.

use bartizan_model::RequestId;
use bartizan_pipeline::Refusal;
use http::{HeaderValue, Response, header};
use serde::Serialize;

use crate::body::ResponseBody;

/// The members of the problem document, in this order.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    request_id: &'a str,
    /// The limits that were exceeded (draft-ietf-httpapi-ratelimit-headers-10).
    #[serde(rename = "violated-policies", skip_serializing_if = "Vec::is_empty")]
    violated_policies: Vec<&'a str>,
}

/// The answer to a refused request.
pub(crate) fn respond(refusal: &Refusal, id: &RequestId) -> Response<ResponseBody> {
    let code = refusal.code;
    let kind = refusal.problem.uri();
    let problem = Problem {
        r#type: &kind,
        title: code.title(),
        status: refusal.status().as_u16(),
        detail: code.detail(),
        code: code.as_str(),
        request_id: id.as_str(),
        violated_policies: refusal.violated_policies.iter().map(AsRef::as_ref).collect(),
    };
    // INVARIANT: a structure of plain text always serialises.
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = Response::new(ResponseBody::Local(Some(body.into())));
    *response.status_mut() = refusal.status();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, value) in &refusal.headers {
        headers.append(name.clone(), value.clone());
    }
    response
}
