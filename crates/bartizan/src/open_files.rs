//! Room for connections: every one takes a file descriptor, and so does the one behind it.
//!
//! Distributions start services with a soft limit of 1,024 open files, for the sake of programs that use
//! `select(2)`, and a hard limit far above it. A program that does not use `select` raises the soft limit to the
//! hard one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Two per connection, and some for files, listeners and the admin API.
const PER_CONNECTION: u64 = 2;
const APART: u64 = 128;

/// Raises the soft limit to the hard one and returns the limit that holds now; `None` is unlimited.
pub(crate) fn raise_limit() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return limit.current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    }
}

/// Says so where `limit` is too low for as many connections as the configuration allows.
pub(crate) fn warn_when_low(limit: Option<u64>, max_connections: usize) {
    let needed = u64::try_from(max_connections).unwrap_or(u64::MAX).saturating_mul(PER_CONNECTION) + APART;
    if let Some(limit) = limit.filter(|limit| *limit < needed) {
        tracing::warn!(
            limit,
            needed,
            max_connections,
            "the limit of open files is too low for `hardening.max_connections`: raise it (LimitNOFILE=, ulimit -n) \
             or lower that"
        );
    }
}
