//! An OTLP/HTTP collector (`/v1/logs`, protocol buffers).

use std::time::Duration;

use bartizan_config::OtlpReceiver;
use http::HeaderMap;

use super::{Refused, Sent, http::Endpoint};
use crate::{
    ExportError, Shown,
    format::{cut, otlp},
};

const LONGEST_REASON: usize = 200;

#[derive(Debug)]
pub(crate) struct Otlp {
    endpoint: Endpoint,
    url: String,
}

impl Otlp {
    pub(super) fn new(settings: &OtlpReceiver, timeout: Duration) -> Result<Self, ExportError> {
        let mut endpoint = Endpoint::new(&settings.url, &settings.tls, timeout)?;
        for (name, secret) in &settings.headers {
            endpoint = endpoint.with_secret(name.clone(), "", secret, "headers")?;
        }
        Ok(Self { endpoint, url: format!("{}/v1/logs", settings.url) })
    }

    pub(super) async fn send(&mut self, events: &[Shown]) -> Result<Sent, Refused> {
        let body = otlp::request(events);
        let answer = self.endpoint.post(&self.url, "application/x-protobuf", HeaderMap::new(), body).await?;
        let answer = answer.accepted()?;
        Ok(match otlp::rejected(&answer.body) {
            // A collector does not say which: none of them is sent again, as its protocol says.
            Some((refused, reason)) => Sent {
                refused: refused.min(events.len()),
                answer: cut(&reason.replace(char::is_control, " "), LONGEST_REASON).to_owned(),
                ..Sent::default()
            },
            None => Sent { answer: answer.status.to_string(), ..Sent::default() },
        })
    }
}
