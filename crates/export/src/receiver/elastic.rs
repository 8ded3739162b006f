//! Elasticsearch: `_bulk` into a data stream, with documents of the Elastic Common Schema.
//!
//! Every document is created under its event's id, so one that is sent twice is there once: the second answer is a conflict
//! (409). An answer tells of each document for itself.

use std::time::Duration;

use bartizan_config::{ElasticCredentials, ElasticReceiver, ExportSecret};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, header::AUTHORIZATION};
use serde_json::{Value, json};

use super::{
    Refused, Sent,
    http::{Answer, Endpoint},
};
use crate::{
    ExportError, Shown,
    format::{cut, ecs},
};

const LONGEST_REASON: usize = 200;

#[derive(Debug)]
pub(crate) struct Elastic {
    endpoint: Endpoint,
    url: String,
}

impl Elastic {
    pub(super) fn new(settings: &ElasticReceiver, timeout: Duration) -> Result<Self, ExportError> {
        let endpoint = Endpoint::new(&settings.url, &settings.tls, timeout)?;
        let endpoint = match &settings.credentials {
            ElasticCredentials::None => endpoint,
            ElasticCredentials::ApiKey(key) => {
                endpoint.with_secret(AUTHORIZATION, "ApiKey ", key, "api_key")?
            }
            ElasticCredentials::Basic { user, password } => {
                let pair = STANDARD.encode(format!("{user}:{}", password.expose()));
                endpoint.with_secret(AUTHORIZATION, "Basic ", &ExportSecret::new(pair), "password")?
            }
        };
        // Of the answer what is looked at.
        let fields = "filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason";
        let url = format!("{}/{}/_bulk?{fields}", settings.url, settings.data_stream);
        Ok(Self { endpoint, url })
    }

    pub(super) async fn send(&mut self, events: &[Shown]) -> Result<Sent, Refused> {
        let mut body = Vec::with_capacity(events.len() * 1024);
        for event in events {
            let action = json!({ "create": { "_id": event.id } });
            body.extend_from_slice(format!("{action}\n{}\n", ecs::document(event)).as_bytes());
        }
        let answer = self.endpoint.post(&self.url, "application/x-ndjson", HeaderMap::new(), body).await?;
        outcome(&answer.accepted()?, events.len())
    }
}

/// What became of each document.
fn outcome(answer: &Answer, events: usize) -> Result<Sent, Refused> {
    let said: Value = serde_json::from_slice(&answer.body)
        .map_err(|_| Refused::now(format!("what answers is no `_bulk`: {}", answer.shown)))?;
    match said.get("errors").and_then(Value::as_bool) {
        Some(false) => return Ok(Sent { answer: answer.shown.clone(), ..Sent::default() }),
        Some(true) => {}
        None => return Err(Refused::now(format!("what answers is no `_bulk`: {}", answer.shown))),
    }
    let items = said.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut sent = Sent { after: answer.after, ..Sent::default() };
    for place in 0..events {
        let item = items.get(place).and_then(|item| item.as_object()?.values().next());
        let status = item.and_then(|item| item.get("status")?.as_u64());
        match status {
            // It is there, perhaps since an earlier attempt.
            Some(200..=299 | 409) => {}
            // Something is wrong with the document.
            Some(400 | 413 | 422) => sent.refused += 1,
            // It is busy, or we may not, or nothing was said of it.
            _ => sent.again.push(place),
        }
        if sent.answer.is_empty() && sent.refused + sent.again.len() > 0 {
            sent.answer = item.map_or_else(|| "no word of an event".into(), reason);
        }
    }
    Ok(sent)
}

fn reason(item: &Value) -> String {
    let error =
        |name: &str| item.get("error").and_then(|error| error.get(name)?.as_str()).unwrap_or_default();
    let status = item.get("status").and_then(Value::as_u64).unwrap_or_default();
    let text = format!("{status} {}: {}", error("type"), error("reason"));
    cut(&text, LONGEST_REASON).chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}
