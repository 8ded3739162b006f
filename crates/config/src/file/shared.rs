//! `shared:`.

use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    OnStoreError, SharedMode,
    forms::{OneOrMany, Parsed},
    located::{At, Optional},
    word::RedisUrl,
};

/// The store that several gateways share.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shared {
    /// A Redis or Valkey server: one URL. A cluster: a list with the URLs of some of its nodes.
    pub(crate) redis: At<Parsed<OneOrMany<RedisUrl>>>,
    /// TLS towards it, where its URL is `rediss:`. Its certificate is always verified.
    #[serde(default)]
    pub(crate) tls: Optional<SharedTls>,
    /// How limits are counted in it.
    #[serde(default)]
    #[schemars(extend("default" = "exact"))]
    pub(crate) mode: Optional<SharedMode>,
    /// What happens to requests while it does not answer.
    #[serde(default)]
    #[schemars(extend("default" = "local"))]
    pub(crate) on_error: Optional<OnStoreError>,
    /// How long a request waits for it while it is silent, at most 1s; while a single server answers others, up to 50ms.
    #[serde(default)]
    #[schemars(extend("default" = "5ms"))]
    pub(crate) timeout: Optional<Parsed<Duration>>,
}

/// TLS towards the shared store. The files are read again for every new connection.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SharedTls {
    /// Authorities (PEM) to trust instead of the system's.
    pub(crate) ca: Optional<Parsed<PathBuf>>,
    /// The client certificate to present, with `key`: Redis asks for one unless it is told not to.
    pub(crate) cert: Optional<Parsed<PathBuf>>,
    /// Its private key. Other users must not be able to read it.
    pub(crate) key: Optional<Parsed<PathBuf>>,
}
