//! Why an upstream gave no answer.

use std::{error::Error, io};

use crate::body::BodyError;

/// Why an upstream gave no answer. Each variant asks for a different refusal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpstreamError {
    /// Nobody is there: the name does not resolve, the connection is refused, TLS is not trusted. Nothing was
    /// sent.
    #[error("cannot connect: {0}")]
    Unavailable(#[source] io::Error),
    /// TCP and TLS took too long, typically a target behind a firewall that drops. Nothing was sent.
    #[error("no connection in time")]
    ConnectTimeout,
    /// The request was sent and the head of the response did not come. It may still have had its effect.
    #[error("no response in time")]
    ResponseTimeout,
    /// The upstream hung up, reset the stream or does not speak the HTTP it should.
    #[error("the exchange failed: {}", chain(.0.as_ref()))]
    Protocol(Box<dyn Error + Send + Sync>),
    /// The client's own body ended early; the upstream is not to blame.
    #[error("the request body failed: {0}")]
    RequestBody(#[source] BodyError),
    /// Every connection is in use and as many requests wait as may.
    #[error("every connection to the target is in use")]
    Saturated,
}

impl UpstreamError {
    /// The `outcome` label of `bartizan_upstream_requests_total`.
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Unavailable(_) | Self::ConnectTimeout => Outcome::Unreachable,
            Self::ResponseTimeout => Outcome::Timeout,
            Self::Protocol(_) => Outcome::Reset,
            Self::RequestBody(_) => Outcome::RequestBody,
            Self::Saturated => Outcome::Saturated,
        }
    }
}

/// What became of an attempt, as metrics count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Answered with anything below 500.
    Answered,
    /// Answered with 500 or above.
    ServerError,
    /// No connection.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// Connection or stream broken off.
    Reset,
    /// The client's body broke off.
    RequestBody,
    /// No room for it.
    Saturated,
}

impl Outcome {
    pub(super) const ALL: [Self; 7] = [
        Self::Answered,
        Self::ServerError,
        Self::Unreachable,
        Self::Timeout,
        Self::Reset,
        Self::RequestBody,
        Self::Saturated,
    ];

    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::ServerError => "server_error",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::RequestBody => "request_body",
            Self::Saturated => "saturated",
        }
    }
}

/// An error and its causes on one line.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
