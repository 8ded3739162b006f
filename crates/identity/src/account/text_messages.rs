//! Messages to telephones, through a webhook: a service of the operator's has them sent.

use std::time::SystemTime;

use bartizan_config::{SignatureAlgorithm, SignatureComponent, SigningMaterial, Sms, UpstreamSigning};
use http::{HeaderMap, HeaderValue, Method, Uri, header::CONTENT_TYPE};
use metrics::counter;
use reqwest::{Client, StatusCode, redirect};
use serde_json::json;
use tokio::sync::Semaphore;

use super::PhoneNumber;
use crate::{IdentityError, Outgoing, RequestSigner, SignatureKeyError, Unsigned};

/// Messages on their way at once: a service that hangs does not hold up more.
const AT_ONCE: usize = 16;
/// By which name the service knows the key.
const KEY_ID: &str = "bartizan";

/// Posts messages to a webhook, each signed (RFC 9421).
#[derive(Debug)]
pub(crate) struct TextMessages {
    client: Client,
    webhook: Uri,
    signer: RequestSigner,
    places: Semaphore,
}

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotSent {
    #[error("{AT_ONCE} messages wait for the service already: is it slow?")]
    Busy,
    #[error(transparent)]
    Unsigned(#[from] Unsigned),
    #[error("the service does not answer: {0}")]
    Unreachable(#[source] reqwest::Error),
    #[error("the service answers {0}")]
    Refused(StatusCode),
}

impl TextMessages {
    pub(crate) fn new(settings: &Sms) -> Result<Self, IdentityError> {
        let unusable = |reason: String| IdentityError::Webhook { url: settings.webhook.clone(), reason };
        let is_plain = settings.webhook.starts_with("http:");
        let builder = Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(settings.timeout)
            .https_only(!is_plain)
            .user_agent(concat!("bartizan/", env!("CARGO_PKG_VERSION")));
        // What listens on loopback is not reached through a proxy.
        let builder = if is_plain { builder.no_proxy() } else { builder };
        Ok(Self {
            client: builder.build().map_err(|error| unusable(error.to_string()))?,
            webhook: settings.webhook.parse().map_err(|_| unusable("it is not a URL".into()))?,
            signer: signer(settings).map_err(|error| unusable(error.to_string()))?,
            places: Semaphore::new(AT_ONCE),
        })
    }

    /// Posts `text` for `to`, and waits for the answer.
    pub(crate) async fn send(&self, to: &PhoneNumber, text: &str) -> Result<(), NotSent> {
        let sent = self.post(to, text).await;
        counter!("bartizan_sms_total", "result" => if sent.is_ok() { "sent" } else { "failed" }).increment(1);
        sent
    }

    async fn post(&self, to: &PhoneNumber, text: &str) -> Result<(), NotSent> {
        let _place = self.places.try_acquire().map_err(|_| NotSent::Busy)?;
        let content = json!({ "to": to.as_str(), "text": text }).to_string();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let outgoing = Outgoing {
            method: &Method::POST,
            scheme: self.webhook.scheme_str().unwrap_or("https"),
            authority: self.webhook.authority().map_or("", http::uri::Authority::as_str),
            target: &self.webhook,
            content: Some(content.as_bytes()),
        };
        self.signer.sign(&outgoing, &mut headers, SystemTime::now())?;
        let request = self.client.post(self.webhook.to_string()).headers(headers).body(content);
        // The URL may hold what others are not to know.
        let response = request.send().await.map_err(|error| NotSent::Unreachable(error.without_url()))?;
        let status = response.status();
        if status.is_success() { Ok(()) } else { Err(NotSent::Refused(status)) }
    }
}

fn signer(settings: &Sms) -> Result<RequestSigner, SignatureKeyError> {
    RequestSigner::new(&UpstreamSigning {
        id: KEY_ID.into(),
        algorithm: SignatureAlgorithm::HmacSha256,
        material: SigningMaterial::Secret(settings.secret.clone()),
        components: vec![
            SignatureComponent::Method,
            SignatureComponent::TargetUri,
            SignatureComponent::Field(CONTENT_TYPE),
            SignatureComponent::CONTENT_DIGEST,
        ],
        tag: None,
    })
}
