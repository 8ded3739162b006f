//! The HTTP Event Collector of Splunk (`/services/collector/event`).
//!
//! With acknowledgement (`/services/collector/ack`) a batch counts as delivered when Splunk says that it is indexed.

use std::time::Duration;

use bartizan_config::SplunkReceiver;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::AUTHORIZATION};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{
    Refused, Sent,
    http::{Answer, Endpoint},
};
use crate::{ExportError, Shown};

const CHANNEL: HeaderName = HeaderName::from_static("x-splunk-request-channel");
const JSON: &str = "application/json";
/// How often it is asked what is indexed.
const ASK: Duration = Duration::from_secs(1);
/// What the collector says of events, by its codes; all others are about the token or itself.
const ABOUT_EVENTS: [u64; 5] = [5, 6, 12, 13, 15];

#[derive(Debug)]
pub(crate) struct Splunk {
    endpoint: Endpoint,
    settings: SplunkReceiver,
    channel: String,
    timeout: Duration,
}

impl Splunk {
    pub(super) fn new(settings: &SplunkReceiver, timeout: Duration) -> Result<Self, ExportError> {
        let endpoint = Endpoint::new(&settings.url, &settings.tls, timeout)?;
        let endpoint = endpoint.with_secret(AUTHORIZATION, "Splunk ", &settings.token, "token")?;
        Ok(Self { endpoint, settings: settings.clone(), channel: Uuid::new_v4().to_string(), timeout })
    }

    pub(super) async fn send(&mut self, events: &[Shown]) -> Result<Sent, Refused> {
        let url = format!("{}/services/collector/event", self.settings.url);
        let body: String = events.iter().map(|event| self.entry(event).to_string() + "\n").collect();
        let answer = self.endpoint.post(&url, JSON, self.channel(), body.into_bytes()).await?;
        let answer = judged(answer)?;
        if self.settings.acknowledge {
            self.wait_until_indexed(&answer).await?;
        }
        Ok(Sent { answer: answer.shown, ..Sent::default() })
    }

    fn entry(&self, event: &Shown) -> Value {
        let SplunkReceiver { index, sourcetype, .. } = &self.settings;
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit an f64")]
        let seconds = event.milliseconds as f64 / 1000.0;
        let mut entry = json!({
            "time": seconds,
            "source": "bartizan",
            "sourcetype": sourcetype,
            "event": event.ocsf,
        });
        if let (Some(index), Some(entry)) = (index, entry.as_object_mut()) {
            entry.insert("index".into(), index.as_str().into());
        }
        entry
    }

    fn channel(&self) -> HeaderMap {
        let channel = HeaderValue::from_str(&self.channel).ok().filter(|_| self.settings.acknowledge);
        channel.map(|channel| (CHANNEL, channel)).into_iter().collect()
    }

    async fn wait_until_indexed(&self, answer: &Answer) -> Result<(), Refused> {
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let Some(id) = said.get("ackId").and_then(Value::as_u64) else {
            return Err(Refused::now("the collector acknowledges nothing: allow it for the token"));
        };
        let url = format!("{}/services/collector/ack?channel={}", self.settings.url, self.channel);
        let until = Instant::now() + self.timeout;
        loop {
            let body = json!({ "acks": [id] }).to_string().into_bytes();
            let answer = self.endpoint.post(&url, JSON, self.channel(), body).await?.accepted()?;
            let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            if said.get("acks").and_then(|acks| acks.get(id.to_string())) == Some(&Value::Bool(true)) {
                return Ok(());
            }
            if Instant::now() + ASK > until {
                return Err(Refused::now("the collector has not indexed the events in time"));
            }
            sleep(ASK).await;
        }
    }
}

/// The collector answers 400 for what is wrong with events, and for what is wrong with its own settings.
fn judged(answer: Answer) -> Result<Answer, Refused> {
    if answer.status == StatusCode::BAD_REQUEST {
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let code = said.get("code").and_then(Value::as_u64);
        if !code.is_some_and(|code| ABOUT_EVENTS.contains(&code)) {
            return Err(Refused::Now { reason: answer.shown, after: answer.after });
        }
    }
    answer.accepted()
}
