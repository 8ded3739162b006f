//! `upstreams:`.

use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    Protocol, SignatureAlgorithm, SignatureComponent,
    forms::{OneOrMany, Parsed},
    located::{At, Optional},
    word::{SigningSecret, Url},
};

/// A service behind the gateway: one or more targets that answer alike.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Upstream {
    /// The URLs of its targets: scheme, host and port.
    pub(crate) targets: At<Parsed<OneOrMany<Url>>>,
    /// The HTTP version spoken to it.
    #[serde(default)]
    #[schemars(extend("default" = "auto"))]
    pub(crate) protocol: Optional<Protocol>,
    /// TLS towards `https:` targets. Their certificates are always verified.
    #[serde(default)]
    pub(crate) tls: Optional<UpstreamTls>,
    /// Signs every request to it (RFC 9421), so that it can tell that they come from the gateway. Health checks are
    /// not signed.
    #[serde(default)]
    pub(crate) sign: Optional<Signing>,
    /// Active health checks: `GET path` on every target, healthy on 2xx or 3xx. Without it there are none.
    #[serde(default)]
    pub(crate) health: Optional<Health>,
    /// Passive health: a target that fails real requests is left alone for a while.
    #[serde(default)]
    pub(crate) ejection: Optional<Ejection>,
    /// Retries of idempotent requests whose body is empty or held whole.
    #[serde(default)]
    pub(crate) retries: Optional<Retries>,
    /// Timeouts.
    #[serde(default)]
    pub(crate) timeouts: Optional<UpstreamTimeouts>,
    /// The most connections to one target.
    #[serde(default)]
    #[schemars(extend("default" = 1024))]
    pub(crate) max_connections: Optional<Parsed<u32>>,
}

/// TLS towards an upstream.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct UpstreamTls {
    /// Authorities (PEM) to trust instead of the system's.
    pub(crate) ca: Optional<Parsed<PathBuf>>,
    /// The client certificate to present, with `key`.
    pub(crate) cert: Optional<Parsed<PathBuf>>,
    /// Its private key. Other users must not be able to read it.
    pub(crate) key: Optional<Parsed<PathBuf>>,
    /// The name to verify and to ask for, when it is not the target's host.
    pub(crate) server_name: Optional<Parsed<String>>,
}

/// How requests to an upstream are signed: with `key` or `secret`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Signing {
    /// What the upstream knows the key by (`keyid`).
    pub(crate) id: At<Parsed<String>>,
    /// The algorithm of the key.
    pub(crate) algorithm: At<SignatureAlgorithm>,
    /// The file with the private key (PEM, PKCS #8). Other users must not be able to read it.
    #[serde(default)]
    pub(crate) key: Optional<Parsed<PathBuf>>,
    /// The secret shared with the upstream, for `hmac-sha256`: text, or `base64:` and the base64 of its bytes.
    #[serde(default)]
    pub(crate) secret: Optional<Parsed<SigningSecret>>,
    /// What is covered, as far as a request has it. `content-digest` is made here for a body that is empty or held
    /// whole; of a streamed body there is none.
    #[serde(default)]
    #[schemars(extend("default" = ["@method", "@target-uri", "content-digest"]))]
    pub(crate) components: Optional<Vec<At<Parsed<SignatureComponent>>>>,
    /// The `tag` of the signatures.
    #[serde(default)]
    pub(crate) tag: Optional<Parsed<String>>,
}

/// Active health checks.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Health {
    /// What is asked for.
    #[schemars(extend("examples" = ["/healthz"]))]
    pub(crate) path: At<Parsed<String>>,
    /// How often.
    #[serde(default)]
    #[schemars(extend("default" = "5s"))]
    pub(crate) interval: Optional<Parsed<Duration>>,
    /// How long an answer may take.
    #[serde(default)]
    #[schemars(extend("default" = "2s"))]
    pub(crate) timeout: Optional<Parsed<Duration>>,
    /// Failures in a row that take a target out.
    #[serde(default)]
    #[schemars(extend("default" = 3))]
    pub(crate) unhealthy_after: Optional<Parsed<u32>>,
    /// Successes in a row that bring it back.
    #[serde(default)]
    #[schemars(extend("default" = 2))]
    pub(crate) healthy_after: Optional<Parsed<u32>>,
}

/// Passive health.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Ejection {
    /// Failures in a row (no connection, no answer, 502, 503, 504) that eject a target.
    #[schemars(extend("default" = 5))]
    pub(crate) consecutive_failures: Optional<Parsed<u32>>,
    /// How long the first ejection lasts; each further one twice as long, up to 16 times.
    #[schemars(extend("default" = "10s"))]
    pub(crate) base: Optional<Parsed<Duration>>,
    /// The largest share of targets ejected at once, in percent. A single target is never ejected.
    #[schemars(extend("default" = 50, "maximum" = 100))]
    pub(crate) max_percent: Optional<Parsed<u32>>,
}

/// Retries.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Retries {
    /// Further attempts after the first, at most 10; 0 switches retries off.
    #[schemars(extend("default" = 1, "maximum" = 10))]
    pub(crate) attempts: Optional<Parsed<u32>>,
    /// Retries allowed per 100 requests, so that retrying never becomes the attack.
    #[schemars(extend("default" = 20, "maximum" = 100))]
    pub(crate) budget_percent: Optional<Parsed<u32>>,
    /// Also retry when the answer is one of these.
    #[schemars(extend("default" = [502, 503, 504]))]
    pub(crate) statuses: Optional<Vec<At<u16>>>,
}

/// Timeouts towards an upstream.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct UpstreamTimeouts {
    /// TCP and TLS.
    #[schemars(extend("default" = "3s"))]
    pub(crate) connect: Optional<Parsed<Duration>>,
    /// How long an idle connection is kept.
    #[schemars(extend("default" = "60s"))]
    pub(crate) idle: Optional<Parsed<Duration>>,
}
