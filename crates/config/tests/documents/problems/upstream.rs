//! Mistakes of `upstreams` and `hardening`.

use bartizan_config::Severity;

use super::{Case, check, upstream};
use crate::with;

#[test]
fn mistakes_of_upstreams() {
    let cases: [Case<'_>; 15] = [
        (upstream("targets: §[]"), &[("there is no target", "http://orders:8080")]),
        (
            upstream("targets: [§orders]"),
            &[("`orders` is not a URL: write for example `http://orders:8080`", "")],
        ),
        (
            upstream("targets: [§\"http://a/x\"]"),
            &[("`http://a/x`: a target is scheme, host and port only", "strip_prefix")],
        ),
        (upstream("targets: [\"http://a\", §\"http://a:80\"]"), &[("`http://a:80` is listed twice", "")]),
        (upstream("targets: §\"http://user:pass@a\""), &[("a URL here holds no user name and password", "")]),
        (
            upstream("targets: \"http://a\", ejection: { max_percent: §101 }"),
            &[("`max_percent` is 101, which is more than 100", "")],
        ),
        (
            upstream("targets: \"http://a\", retries: { budget_percent: §1000 }"),
            &[("`budget_percent` is 1000, which is more than 100", "")],
        ),
        (
            upstream("targets: \"http://a\", retries: { attempts: §11, statuses: [§200] }"),
            &[("`attempts` is 11, which is more than 10", ""), ("200 is no status of a failure", "")],
        ),
        (
            upstream("targets: \"http://a\", timeouts: { connect: §0s }"),
            &[("`connect` must be longer than zero", "")],
        ),
        (
            upstream("targets: \"http://a\", health: { path: §healthz }"),
            &[("`healthz` is not a path: write for example `/healthz`", "")],
        ),
        (
            upstream("targets: \"http://a\", health: { path: /, interval: §0ms, healthy_after: §0 }"),
            &[("`interval` must be longer than zero", ""), ("`healthy_after` must be greater than zero", "")],
        ),
        (
            upstream("targets: \"http://a\", max_connections: §0"),
            &[("`max_connections` must be greater than zero", "")],
        ),
        (
            upstream("targets: \"https://a\", tls: { cert: §cert.pem }"),
            &[("a client certificate is a `cert` and its `key`", "")],
        ),
        (
            with("hardening: { rate_window: §0s, max_header_bytes: §2MiB }"),
            &[
                ("`rate_window` must be longer than zero", ""),
                ("`max_header_bytes` is more than 1024KiB", ""),
            ],
        ),
        (with("hardening: { http2: { resets: §0 } }"), &[("`resets` must be greater than zero", "")]),
    ];
    check(&cases, Severity::Error);
}
