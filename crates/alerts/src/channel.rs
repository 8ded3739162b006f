//! The ways to tell somebody: what each makes of a notification, and how that goes its way.

mod opsgenie;
mod pagerduty;
mod slack;
mod template;
mod webhook;

use std::{
    error::Error,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bartizan_config::{AlertChannel, CallTemplate, ChannelTarget};
use bartizan_identity::RequestSigner;
use bartizan_mail::{Courier, Letter};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header::CONTENT_TYPE, header::RETRY_AFTER,
};
use reqwest::{Client, redirect};
use secrecy::SecretString;

use crate::{AlertError, Notice};

/// The longest wait that somebody else's `Retry-After` is followed for.
const LONGEST_PUT_OFF: Duration = Duration::from_hours(1);

/// A way to tell somebody, ready to be used.
pub(crate) struct Channel {
    pub(crate) name: String,
    target: Target,
}

enum Target {
    Mail { to: Vec<String>, courier: Courier },
    Slack { client: Client, url: SecretString },
    Webhook { client: Client, url: String, signer: RequestSigner },
    PagerDuty { client: Client, url: String, key: SecretString },
    Opsgenie { client: Client, url: String, key: SecretString },
    Template { client: Client, template: CallTemplate },
}

/// A call over HTTP, ready to go. Its URL, headers and content may hold secrets.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    pub(crate) content: Option<String>,
}

/// Why a notification did not go. Never holds a secret, nor what the other side has written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotDelivered {
    pub(crate) reason: String,
    /// Whether it may go later.
    pub(crate) again: bool,
    /// When the other side wants to be asked again at the earliest.
    pub(crate) put_off: Option<Duration>,
}

impl NotDelivered {
    fn for_good(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), again: false, put_off: None }
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Channel {
    /// The channel that `settings` describe.
    pub(crate) fn new(settings: &AlertChannel) -> Result<Arc<Self>, AlertError> {
        let name = settings.name.to_string();
        let unusable = |reason: String| AlertError::Channel { channel: settings.name.to_string(), reason };
        let client = || client(settings.timeout).map_err(|error| unusable(error.to_string()));
        let target = match &settings.target {
            ChannelTarget::Mail { to, mail } => Target::Mail {
                to: to.clone(),
                courier: Courier::new(mail).map_err(|error| unusable(error.to_string()))?,
            },
            ChannelTarget::Slack { url } => Target::Slack { client: client()?, url: url.clone() },
            ChannelTarget::Webhook { url, secret } => Target::Webhook {
                client: client()?,
                url: url.clone(),
                signer: webhook::signer(secret).map_err(|error| unusable(error.to_string()))?,
            },
            ChannelTarget::PagerDuty { url, key } => {
                Target::PagerDuty { client: client()?, url: url.clone(), key: key.clone() }
            }
            ChannelTarget::Opsgenie { url, key } => {
                Target::Opsgenie { client: client()?, url: url.clone(), key: key.clone() }
            }
            ChannelTarget::Template(template) => {
                Target::Template { client: client()?, template: template.clone() }
            }
        };
        Ok(Arc::new(Self { name, target }))
    }

    /// Whether it wants to hear of this. Templates are calls to people; that it is over is not one.
    pub(crate) fn takes(&self, notice: &Notice) -> bool {
        match (&self.target, notice.reason) {
            (Target::Template { .. }, reason) => reason.is_a_call(),
            // One message when it begins and one when it is over is enough.
            (Target::Mail { .. }, crate::Reason::Acknowledged) => false,
            _ => true,
        }
    }

    /// Tells.
    pub(crate) async fn deliver(&self, notice: &Notice, now: SystemTime) -> Result<(), NotDelivered> {
        match &self.target {
            Target::Mail { to, courier } => mail(courier, to, notice).await,
            Target::Slack { client, url } => send(client, slack::call(url, notice), now).await,
            Target::Webhook { client, url, signer } => {
                send(client, webhook::call(url, signer, notice, now)?, now).await
            }
            Target::PagerDuty { client, url, key } => {
                send(client, pagerduty::call(url, key, notice), now).await
            }
            Target::Opsgenie { client, url, key } => {
                send(client, opsgenie::call(url, key, notice)?, now).await
            }
            Target::Template { client, template } => {
                send(client, template::call(template, notice)?, now).await
            }
        }
    }
}

impl Call {
    /// A post of JSON.
    fn json(url: String, content: &serde_json::Value) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Self { method: Method::POST, url, headers, content: Some(content.to_string()) }
    }

    fn header(&mut self, name: HeaderName, value: &str, is_secret: bool) -> Result<(), NotDelivered> {
        let value = HeaderValue::from_bytes(value.as_bytes());
        let mut value =
            value.map_err(|_| NotDelivered::for_good(format!("the header `{name}` cannot be sent")))?;
        value.set_sensitive(is_secret);
        self.headers.append(name, value);
        Ok(())
    }
}

/// Redirects are not followed: what is said goes where the configuration says, and nowhere else.
fn client(timeout: Duration) -> Result<Client, reqwest::Error> {
    Client::builder()
        .redirect(redirect::Policy::none())
        .timeout(timeout)
        .user_agent(concat!("bartizan/", env!("CARGO_PKG_VERSION")))
        .build()
}

async fn send(client: &Client, call: Call, now: SystemTime) -> Result<(), NotDelivered> {
    let Call { method, url, headers, content } = call;
    let mut request = client.request(method, url).headers(headers);
    if let Some(content) = content {
        request = request.body(content);
    }
    let response = request.send().await.map_err(unreachable)?;
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let again = status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
        );
    let put_off =
        response.headers().get(RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?, now));
    Err(NotDelivered { reason: format!("the service answers {status}"), again, put_off })
}

/// The URL may be a secret, and causes may repeat it.
fn unreachable(error: reqwest::Error) -> NotDelivered {
    let error = error.without_url();
    let cause = if error.is_timeout() {
        "it does not answer in time".to_owned()
    } else {
        let mut innermost: &dyn Error = &error;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        innermost.to_string()
    };
    NotDelivered {
        reason: format!("the service cannot be reached: {cause}"),
        again: !error.is_builder(),
        put_off: None,
    }
}

/// Seconds, or a date (RFC 9110, section 10.2.3).
fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let wait = match value.trim().parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(wait.min(LONGEST_PUT_OFF))
}

/// To each address a message of its own. The subject is one line: what could begin another header is no part of it.
async fn mail(courier: &Courier, to: &[String], notice: &Notice) -> Result<(), NotDelivered> {
    let mut failed = None;
    for address in to {
        let letter = Letter { to: address.clone(), subject: notice.summary(), text: notice.text() };
        if let Err(error) = courier.deliver(letter).await {
            failed = Some(NotDelivered { reason: error.to_string(), again: error.again, put_off: None });
            // Those behind it are as likely to fail, and whoever has theirs already would get another.
            if to.len() == 1 || error.again {
                break;
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_sides_are_asked_again_when_they_say_so_but_not_later_than_in_an_hour() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (value, seconds) in [
            ("120", Some(120)),
            (" 0", Some(0)),
            ("86400", Some(3600)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            assert_eq!(retry_after(value, now), seconds.map(Duration::from_secs), "{value}");
        }
    }
}
