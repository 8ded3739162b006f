//! Who receives: one kind a file. Each sends a batch and says what became of every event of it.

mod elastic;
mod file;
mod http;
mod otlp;
mod splunk;
mod syslog;
mod tls;

use std::time::Duration;

use bartizan_config::{Export, ExportReceiver};

use crate::{ExportError, Shown};

/// A receiver, with its connection.
#[derive(Debug)]
pub(crate) enum Receiver {
    Syslog(syslog::Syslog),
    Splunk(splunk::Splunk),
    Elastic(elastic::Elastic),
    Otlp(otlp::Otlp),
    File(file::Files),
}

/// What became of a batch that a receiver has answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Sent {
    /// Which of its events are to be sent again, by their places.
    pub(crate) again: Vec<usize>,
    /// How many of them it will never take.
    pub(crate) refused: usize,
    /// How long to wait before anything is sent again.
    pub(crate) after: Option<Duration>,
    /// What the receiver said, for a person. No secrets.
    pub(crate) answer: String,
}

/// Why nothing of a batch was taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// It may be later: the receiver is away, is busy, or does not know us.
    #[error("{reason}")]
    Now {
        /// Why. No secrets.
        reason: String,
        /// How long the receiver wants to be left alone.
        after: Option<Duration>,
    },
    /// It will never be: something of the batch, or its length, is not as the receiver wants it.
    #[error("{reason}")]
    Forever {
        /// Why. No secrets.
        reason: String,
    },
}

impl Refused {
    pub(crate) fn now(reason: impl Into<String>) -> Self {
        Self::Now { reason: reason.into(), after: None }
    }
}

impl Receiver {
    /// The receiver of an export. Reads its certificates; connects to nobody yet.
    pub(crate) fn new(export: &Export) -> Result<Self, ExportError> {
        let timeout = export.timeout;
        Ok(match &export.receiver {
            ExportReceiver::Syslog(settings) => Self::Syslog(syslog::Syslog::new(settings, timeout)?),
            ExportReceiver::Splunk(settings) => Self::Splunk(splunk::Splunk::new(settings, timeout)?),
            ExportReceiver::Elastic(settings) => Self::Elastic(elastic::Elastic::new(settings, timeout)?),
            ExportReceiver::Otlp(settings) => Self::Otlp(otlp::Otlp::new(settings, timeout)?),
            ExportReceiver::File(settings) => Self::File(file::Files::new(settings)),
        })
    }

    /// Sends a batch that is not empty.
    pub(crate) async fn send(&mut self, events: &[Shown]) -> Result<Sent, Refused> {
        match self {
            Self::Syslog(receiver) => receiver.send(events).await,
            Self::Splunk(receiver) => receiver.send(events).await,
            Self::Elastic(receiver) => receiver.send(events).await,
            Self::Otlp(receiver) => receiver.send(events).await,
            Self::File(receiver) => receiver.send(events).await,
        }
    }
}
