//! `hardening:`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{UnderscoreHeaders, forms::Parsed, located::Optional, word::ByteSize};

/// What connections and messages may cost. Every limit has a safe default.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Hardening {
    /// Connections in all.
    #[schemars(extend("default" = 16384))]
    pub(crate) max_connections: Optional<Parsed<u32>>,
    /// Connections from one address.
    #[schemars(extend("default" = 1024))]
    pub(crate) connections_per_address: Optional<Parsed<u32>>,
    /// Connections from one IPv4 /24 or IPv6 /64.
    #[schemars(extend("default" = 4096))]
    pub(crate) connections_per_prefix: Optional<Parsed<u32>>,
    /// From the first byte awaited to the end of the TLS handshake (and PROXY header).
    #[schemars(extend("default" = "10s"))]
    pub(crate) handshake_timeout: Optional<Parsed<Duration>>,
    /// From the first byte awaited to the end of a request head; also how long an idle connection is kept.
    #[schemars(extend("default" = "15s"))]
    pub(crate) header_timeout: Optional<Parsed<Duration>>,
    /// Request line and headers together.
    #[schemars(extend("default" = "32KiB"))]
    pub(crate) max_header_bytes: Optional<Parsed<ByteSize>>,
    /// The request target.
    #[schemars(extend("default" = "8KiB"))]
    pub(crate) max_uri_bytes: Optional<Parsed<ByteSize>>,
    /// Header fields.
    #[schemars(extend("default" = 100))]
    pub(crate) max_header_count: Optional<Parsed<u32>>,
    /// The slowest a client may send a body or take a response, in bytes per second averaged over `rate_window`.
    #[schemars(extend("default" = 512))]
    pub(crate) min_rate: Optional<Parsed<ByteSize>>,
    /// The window over which `min_rate` is measured.
    #[schemars(extend("default" = "10s"))]
    pub(crate) rate_window: Optional<Parsed<Duration>>,
    /// Bodies held in memory at one time, by all connections together, with what the firewall makes of them. A body that
    /// would go over it is refused with 503.
    #[schemars(extend("default" = "256MiB"))]
    pub(crate) max_held_bytes: Optional<Parsed<ByteSize>>,
    /// Requests served on one connection before it is closed in order.
    #[schemars(extend("default" = 10000))]
    pub(crate) max_requests_per_connection: Optional<Parsed<u64>>,
    /// Header names with an underscore, which some servers read as a hyphen.
    #[schemars(extend("default" = "refuse"))]
    pub(crate) underscore_headers: Optional<UnderscoreHeaders>,
    /// Limits of an HTTP/2 connection.
    pub(crate) http2: Optional<Http2>,
}

/// Limits of an HTTP/2 connection.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Http2 {
    /// Streams open at once.
    #[schemars(extend("default" = 128))]
    pub(crate) concurrent_streams: Optional<Parsed<u32>>,
    /// Streams a client may reset within `window`.
    #[schemars(extend("default" = 200))]
    pub(crate) resets: Optional<Parsed<u32>>,
    /// `PING` and `SETTINGS` frames, and other frames that carry nothing, within `window`.
    #[schemars(extend("default" = 200))]
    pub(crate) control_frames: Optional<Parsed<u32>>,
    /// `CONTINUATION` frames of one header block.
    #[schemars(extend("default" = 8))]
    pub(crate) continuations: Optional<Parsed<u32>>,
    /// The window of `resets` and `control_frames`.
    #[schemars(extend("default" = "30s"))]
    pub(crate) window: Optional<Parsed<Duration>>,
}
