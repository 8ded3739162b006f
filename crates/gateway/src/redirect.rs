//! The plain listener that sends everybody to the HTTPS one (RFC 9110, section 15.4.9).

use std::sync::Arc;

use http::{HeaderValue, Request, Response, StatusCode, header, uri::Authority};
use hyper::body::Incoming;

use crate::{
    body::ResponseBody,
    connection::{Answer, ConnectionFacts},
    wire::Violation,
};

/// Answers 308 with the same host and target over HTTPS.
#[derive(Debug)]
pub(crate) struct Redirect {
    port: Option<u16>,
}

impl Redirect {
    /// To this port; the default one is not written out.
    pub(crate) fn to(port: Option<u16>) -> Self {
        Self { port: port.filter(|&port| port != 443) }
    }

    fn location<B>(&self, request: &Request<B>) -> Option<HeaderValue> {
        let named = request.headers().get(header::HOST).map(|host| Authority::try_from(host.as_bytes()));
        let authority = match named {
            Some(host) => host.ok()?,
            None => request.uri().authority()?.clone(),
        };
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        HeaderValue::from_str(&format!("https://{}{port}{target}", authority.host())).ok()
    }
}

impl Answer for Redirect {
    async fn answer(
        &self,
        request: Request<Incoming>,
        connection: &Arc<ConnectionFacts>,
        number: u64,
    ) -> Response<ResponseBody> {
        let mut response = Response::new(ResponseBody::EMPTY);
        let malformed = connection.wire.violation(number).map(Violation::status);
        *response.status_mut() = match (malformed, self.location(&request)) {
            (Some(status), _) => status,
            (None, None) => StatusCode::BAD_REQUEST,
            (None, Some(location)) => {
                response.headers_mut().insert(header::LOCATION, location);
                StatusCode::PERMANENT_REDIRECT
            }
        };
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_kept_and_the_port_is_ours() {
        let cases = [
            (Some(443), "shop.test", "/a?b=c", Some("https://shop.test/a?b=c")),
            (Some(8443), "shop.test:8080", "/a", Some("https://shop.test:8443/a")),
            (Some(8443), "[::1]:8080", "/", Some("https://[::1]:8443/")),
            (Some(443), "sh op", "/", None),
            (Some(443), "user@shop.test", "/", Some("https://shop.test/")),
        ];
        for (port, host, target, expected) in cases {
            let request = Request::get(target).header("host", host).body(()).unwrap();
            let location = Redirect::to(port).location(&request);
            assert_eq!(location.as_ref().map(|value| value.to_str().unwrap()), expected, "{host}{target}");
        }
    }
}
