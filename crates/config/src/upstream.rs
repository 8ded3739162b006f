//! Where requests go.

use std::{path::PathBuf, time::Duration};

use bartizan_model::{Line, Name};

use crate::UpstreamSigning;

/// Names an upstream by its place in [`crate::Config::upstreams`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UpstreamIndex(pub usize);

/// A service behind the gateway: one or more targets that answer alike.
///
/// `PartialEq` lets a reload keep the pools of an upstream that has not changed; `line` does not count.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// The key under `upstreams:`, or one made from the URL for a route that names the URL itself
    /// (`localhost-3000`).
    pub name: Name,
    /// Where it stands in the file.
    pub line: Line,
    /// Its targets; never empty.
    pub targets: Vec<Target>,
    /// The HTTP version spoken to it.
    pub protocol: Protocol,
    /// TLS towards `https:` targets.
    pub tls: UpstreamTls,
    /// How requests to it are signed; `None`: they are not.
    pub signing: Option<UpstreamSigning>,
    /// Active health checks.
    pub health: Option<ActiveHealth>,
    /// Passive health.
    pub ejection: Ejection,
    /// Retries.
    pub retries: Retries,
    /// Timeouts.
    pub timeouts: UpstreamTimeouts,
    /// The most connections to one target. Default 1024.
    pub max_connections: usize,
}

impl PartialEq for Upstream {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.targets == other.targets
            && self.protocol == other.protocol
            && self.tls == other.tls
            && self.signing == other.signing
            && self.health == other.health
            && self.ejection == other.ejection
            && self.retries == other.retries
            && self.timeouts == other.timeouts
            && self.max_connections == other.max_connections
    }
}

/// One target.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// Whether TLS is spoken.
    pub tls: bool,
    /// Host name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

/// The HTTP version spoken to an upstream.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Over TLS what ALPN yields; in the clear HTTP/1.1, except gRPC, which gets HTTP/2. A firewall that refuses holds gRPC
    /// like any other body.
    #[default]
    Auto,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, in the clear with prior knowledge. gRPC is streamed past the firewall.
    Http2,
}

/// TLS towards an upstream. Certificates are always verified.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UpstreamTls {
    /// Authorities (PEM) to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// The client certificate to present.
    pub certificate: Option<crate::Certificate>,
    /// The name to verify and send as SNI, when it is not the target's host.
    pub server_name: Option<String>,
}

/// Active health checks: `GET path` on every target, healthy on 2xx or 3xx.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveHealth {
    /// What is asked for.
    pub path: String,
    /// How often. Default 5 s.
    pub interval: Duration,
    /// How long an answer may take. Default 2 s.
    pub timeout: Duration,
    /// Failures in a row that take a target out. Default 3.
    pub unhealthy_after: u32,
    /// Successes in a row that bring it back. Default 2.
    pub healthy_after: u32,
}

/// Passive health: a target that fails real requests is left alone for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ejection {
    /// Failures in a row (no connection, no answer, 502, 503, 504) that eject a target. Default 5.
    pub consecutive_failures: u32,
    /// How long the first ejection lasts; each further one twice as long, up to 16 times. Default 10 s.
    pub base: Duration,
    /// The largest share of targets ejected at once, in percent. Default 50. A single target is never ejected.
    pub max_percent: u8,
}

/// Retries: idempotent requests whose body is empty or held whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retries {
    /// Further attempts after the first. Default 1; 0 switches them off.
    pub attempts: u32,
    /// Retries allowed per 100 requests, so that retrying never becomes the attack. Default 20.
    pub budget_percent: u32,
    /// Also retry when the answer is one of these. Default 502, 503, 504.
    pub statuses: Vec<u16>,
}

/// Timeouts towards an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamTimeouts {
    /// TCP and TLS. Default 3 s.
    pub connect: Duration,
    /// How long an idle connection is kept. Default 60 s.
    pub idle: Duration,
}
