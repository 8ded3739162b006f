//! The store that several gateways share, so that they count together.

use std::{fmt, path::PathBuf, time::Duration};

use secrecy::{ExposeSecret, SecretString};

/// `shared:`.
///
/// `PartialEq` lets a reload keep the connections of a store that has not changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// Where the store is.
    pub redis: Redis,
    /// TLS towards it.
    pub tls: SharedTls,
    /// How limits are counted in it. Default exact.
    pub mode: SharedMode,
    /// What happens to a request while the store does not answer. Default local.
    pub on_error: OnStoreError,
    /// How long a request waits for the store. Default 5 ms.
    pub timeout: Duration,
}

/// TLS towards the shared store, where its URL asks for it. Its certificate is always verified.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SharedTls {
    /// Authorities (PEM) to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// The client certificate to present.
    pub certificate: Option<crate::Certificate>,
}

/// A Redis or Valkey store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redis {
    /// One server.
    Server(RedisUrl),
    /// A cluster, by some of its nodes: never empty, all with the same credentials and all with TLS or none.
    Cluster(Vec<RedisUrl>),
}

/// The URL of a Redis or Valkey server: `redis:` or `valkey:`, with TLS `rediss:` or `valkeys:`.
///
/// The URL may hold a password, which neither `Debug` nor `Display` shows.
#[derive(Debug, Clone)]
pub struct RedisUrl {
    pub(crate) url: SecretString,
    pub(crate) address: String,
}

impl RedisUrl {
    /// The whole URL.
    pub fn url(&self) -> &SecretString {
        &self.url
    }
}

impl PartialEq for RedisUrl {
    /// Both sides come from configurations of the same owner, so the time it takes tells nobody anything.
    fn eq(&self, other: &Self) -> bool {
        self.url.expose_secret() == other.url.expose_secret()
    }
}

impl Eq for RedisUrl {}

impl fmt::Display for RedisUrl {
    /// Scheme, host and port only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

/// How limits are counted in the shared store.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum SharedMode {
    /// Every decision asks the store: limits are exact over all gateways.
    #[default]
    Exact,
    /// For values that are asked for often, gateways take up to a tenth of a limit in advance and decide from memory.
    /// Windows admit no more than in the exact mode. A token bucket may admit more at once, by at most a tenth of its
    /// burst for each gateway. For up to a second, each gateway may hold a tenth that the others are missing.
    Leased,
}

/// What happens to requests while the shared store does not answer.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum OnStoreError {
    /// Each gateway counts for itself.
    #[default]
    Local,
    /// Requests that a limit applies to are refused.
    Deny,
    /// Requests pass uncounted.
    Allow,
}
