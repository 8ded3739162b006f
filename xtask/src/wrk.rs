//! wrk: sends one request again and again over HTTP/1.1, and says what came of it.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::command::{self, command};

/// What the load generator saw.
#[derive(Deserialize)]
pub(crate) struct Load {
    pub(crate) requests: u32,
    pub(crate) seconds: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// Answers other than 2xx and 3xx.
    pub(crate) refused: u32,
    /// Requests without an answer.
    pub(crate) broken: u32,
}

impl Load {
    /// An answer that is no success makes the figures worthless, so it is an error.
    pub(crate) fn succeeded(self) -> Result<Self> {
        ensure!(self.requests > 0, "not one request was answered");
        ensure!(self.refused == 0, "{} of {} answers were refusals", self.refused, self.requests);
        ensure!(self.broken == 0, "{} requests had no answer", self.broken);
        Ok(self)
    }
}

/// Sends the request in the file `request` to `origin` (`http://127.0.0.1:8080`) over so many connections.
pub(crate) fn send(origin: &str, request: &Path, connections: u32, seconds: u64) -> Result<Load> {
    let mut wrk = command("wrk", &["--threads", "1", "--timeout", "10s"]);
    wrk.args(["--connections", &connections.to_string()])
        .args(["--duration", &format!("{seconds}s"), "--script"])
        .arg(crate::root().join("bench/load.lua"))
        .args([origin, "--"])
        .arg(request);
    let output = String::from_utf8(command::output(wrk)?)?;
    let line = output.lines().last().with_context(|| format!("wrk said nothing about {origin}"))?;
    serde_json::from_str::<Load>(line).with_context(|| format!("wrk said `{line}`"))?.succeeded()
}
