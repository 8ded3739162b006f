//! What receivers over HTTP have in common: a client that follows no redirects, bounded answers, and how an answer is told
//! without the secrets it may repeat.

use std::time::{Duration, SystemTime};

use bartizan_config::{ExportSecret, ExportTls};
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use reqwest::{Client, redirect};

use super::{Refused, tls};
use crate::{ExportError, format::cut};

/// The longest answer that is read: to a batch of 5000, each with its reason.
const LONGEST_ANSWER: usize = 8 * 1024 * 1024;
/// How much of an answer people are shown.
const SHOWN: usize = 300;

/// One URL of a receiver.
#[derive(Debug)]
pub(super) struct Endpoint {
    client: Client,
    headers: HeaderMap,
    /// What an answer must not be shown with.
    secrets: Vec<ExportSecret>,
}

/// What a receiver says.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
    /// How long it wants to be left alone.
    pub(super) after: Option<Duration>,
    /// The status and the beginning of the body, without secrets.
    pub(super) shown: String,
}

impl Endpoint {
    pub(super) fn new(url: &str, tls: &ExportTls, timeout: Duration) -> Result<Self, ExportError> {
        let is_plain = url.starts_with("http:");
        let builder = Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(timeout)
            .https_only(!is_plain)
            .user_agent(concat!("bartizan/", env!("CARGO_PKG_VERSION")));
        // What listens on loopback is not reached through a proxy.
        let builder = if is_plain { builder.no_proxy() } else { builder };
        let client = tls::http(tls, builder)?.build().map_err(ExportError::Client)?;
        Ok(Self { client, headers: HeaderMap::new(), secrets: Vec::new() })
    }

    /// Sends this header with everything. `prefix` is what stands before the secret.
    pub(super) fn with_secret(
        mut self,
        name: HeaderName,
        prefix: &str,
        secret: &ExportSecret,
        key: &'static str,
    ) -> Result<Self, ExportError> {
        let value = HeaderValue::from_str(&format!("{prefix}{}", secret.expose()));
        let mut value = value.map_err(|_| ExportError::Header(key))?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        self.secrets.push(secret.clone());
        Ok(self)
    }

    /// Posts a body, and reads the answer.
    pub(super) async fn post(
        &self,
        url: &str,
        content_type: &'static str,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Answer, Refused> {
        let request = self.client.post(url).headers(self.headers.clone()).headers(headers);
        let request = request.header(CONTENT_TYPE, content_type).body(body);
        // The URL is known to whoever reads this, and what stands in it may not be for everybody.
        let failed =
            |error: reqwest::Error| Refused::now(format!("no answer: {}", causes(&error.without_url())));
        let mut response = request.send().await.map_err(failed)?;
        let (status, after) = (response.status(), after(response.headers(), SystemTime::now()));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > LONGEST_ANSWER {
                return Err(Refused::now(format!("{status}, with an answer that is too long")));
            }
            body.extend_from_slice(&chunk);
        }
        let shown = self.shown(status, &body);
        Ok(Answer { status, body, after, shown })
    }

    fn shown(&self, status: StatusCode, body: &[u8]) -> String {
        // A secret that is cut in two would be shown in half: first all of them, then the length.
        let mut text = String::from_utf8_lossy(&body[..body.len().min(4 * SHOWN)]).into_owned();
        for secret in self.secrets.iter().map(ExportSecret::expose).filter(|secret| !secret.is_empty()) {
            text = text.replace(secret, "***");
        }
        let text: String =
            text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
        format!("{status} {}", cut(text.trim(), SHOWN)).trim_end().to_owned()
    }
}

impl Answer {
    /// Whether the receiver has taken the request, or why not: what is wrong with us or with the receiver passes, what is
    /// wrong with the events does not.
    pub(super) fn accepted(self) -> Result<Self, Refused> {
        match self.status {
            status if status.is_success() => Ok(self),
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
                Err(Refused::Forever { reason: self.shown })
            }
            _ => Err(Refused::Now { reason: self.shown, after: self.after }),
        }
    }
}

/// What an error of a client says, with what has caused it: the first alone says that there was one.
fn causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    cut(&text, SHOWN).to_owned()
}

/// `Retry-After` (RFC 9110, section 10.2.3).
fn after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    text.parse().map(Duration::from_secs).ok().or_else(|| {
        let moment = httpdate::parse_http_date(text).ok()?;
        Some(moment.duration_since(now).unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_says_how_long_to_wait_in_seconds_or_by_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_770);
        for (text, expected) in [
            ("120", Some(120)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(text).unwrap())]);
            assert_eq!(after(&headers, now), expected.map(Duration::from_secs), "{text}");
        }
    }
}
