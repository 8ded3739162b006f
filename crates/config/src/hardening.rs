//! What connections and messages may cost.

use std::time::Duration;

/// The limits of the data plane. Every one has a safe default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hardening {
    /// Connections in all. Default 16384.
    pub max_connections: usize,
    /// Connections from one address. Default 1024.
    pub connections_per_address: usize,
    /// Connections from one IPv4 /24 or IPv6 /64. Default 4096.
    pub connections_per_prefix: usize,
    /// From the first byte awaited to the end of the TLS handshake (and PROXY header). Default 10 s.
    pub handshake_timeout: Duration,
    /// From the first byte awaited to the end of a request head; also how long an idle connection is kept.
    /// Default 15 s.
    pub header_timeout: Duration,
    /// Request line and headers together, in bytes. Default 32 KiB.
    pub max_header_bytes: usize,
    /// The request target, in bytes. Default 8 KiB.
    pub max_uri_bytes: usize,
    /// Header fields. Default 100.
    pub max_header_count: usize,
    /// The slowest a client may send a body or take a response, in bytes per second averaged over
    /// `rate_window`. Default 512.
    pub min_rate: u32,
    /// The window over which `min_rate` is measured. Default 10 s.
    pub rate_window: Duration,
    /// Request bodies held in memory at one time, in bytes, by all connections together. Default 256 MiB.
    pub max_held_bytes: u64,
    /// Requests served on one connection before it is closed in order. Default 10 000.
    pub max_requests_per_connection: u64,
    /// Header names with an underscore, which some servers read as a hyphen.
    pub underscore_headers: UnderscoreHeaders,
    /// HTTP/2.
    pub http2: Http2Limits,
}

/// What to do with a header name that contains an underscore.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum UnderscoreHeaders {
    /// Refuse the request.
    #[default]
    Refuse,
    /// Leave the field out.
    Drop,
    /// Forward it.
    Allow,
}

/// Limits of an HTTP/2 connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http2Limits {
    /// Streams open at once. Default 128.
    pub concurrent_streams: u32,
    /// Streams a client may reset within `window`. Default 200.
    pub resets: u32,
    /// `PING` and `SETTINGS` frames, and other frames that carry nothing, within `window`. Default 200.
    pub control_frames: u32,
    /// `CONTINUATION` frames of one header block. Default 8.
    pub continuations: u32,
    /// The window of `resets` and `control_frames`. Default 30 s.
    pub window: Duration,
}

impl Default for Hardening {
    fn default() -> Self {
        Self {
            max_connections: 16_384,
            connections_per_address: 1024,
            connections_per_prefix: 4096,
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(15),
            max_header_bytes: 32 * 1024,
            max_uri_bytes: 8 * 1024,
            max_header_count: 100,
            min_rate: 512,
            rate_window: Duration::from_secs(10),
            max_held_bytes: 256 * 1024 * 1024,
            max_requests_per_connection: 10_000,
            underscore_headers: UnderscoreHeaders::default(),
            http2: Http2Limits::default(),
        }
    }
}

impl Default for Http2Limits {
    fn default() -> Self {
        Self {
            concurrent_streams: 128,
            resets: 200,
            control_frames: 200,
            continuations: 8,
            window: Duration::from_secs(30),
        }
    }
}
