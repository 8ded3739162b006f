//! What is compared.

/// One row of the table.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// Asked for at both proxies.
    pub(super) path: &'static str,
    pub(super) protocol: Protocol,
    /// The length of the request body; 0 sends `GET`.
    pub(super) body: usize,
    pub(super) connections: u32,
    /// Whether the requests carry the bearer token.
    pub(super) token: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http1Tls,
    Http2Tls,
}

/// Nothing but forwarding.
pub(super) const PLAIN: &str = "plain";
/// A token, a permission, identity and security headers.
pub(super) const EVERYTHING: &str = "jwt";
/// Requests are counted by address and by endpoint, in memory.
pub(super) const LIMITS: &str = "limits";

const GET: Scenario = Scenario {
    name: PLAIN,
    title: "Plain proxy",
    path: "/order",
    protocol: Protocol::Http1,
    body: 0,
    connections: 64,
    token: false,
};

const POST: Scenario = Scenario { connections: 32, ..GET };

pub(super) const SCENARIOS: [Scenario; 9] = [
    GET,
    // Beside the plain one, from which it is subtracted.
    Scenario {
        name: EVERYTHING,
        title: "Proxy + JWT + permission (nginx: plain proxy)",
        path: "/secure/order",
        token: true,
        ..GET
    },
    // Beside the plain one, too.
    Scenario {
        name: LIMITS,
        title: "Plain proxy + two limits (nginx: one `limit_req`)",
        path: "/limited/order",
        ..GET
    },
    Scenario { name: "tls", title: "TLS 1.3", protocol: Protocol::Http1Tls, ..GET },
    Scenario {
        name: "h2",
        title: "HTTP/2 over TLS 1.3",
        protocol: Protocol::Http2Tls,
        connections: 16,
        ..GET
    },
    Scenario { name: "post-4k-held", title: "POST 4 KB, held", path: "/held/sink", body: 4096, ..POST },
    Scenario {
        name: "post-4k-streamed",
        title: "POST 4 KB, streamed",
        path: "/streamed/sink",
        body: 4096,
        ..POST
    },
    Scenario { name: "post-1m-held", title: "POST 1 MB, held", path: "/held/sink", body: 1_048_576, ..POST },
    Scenario {
        name: "post-1m-streamed",
        title: "POST 1 MB, streamed",
        path: "/streamed/sink",
        body: 1_048_576,
        ..POST
    },
];
