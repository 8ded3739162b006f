//! wrk: sends one request again and again over HTTP/1.1, and says what came of it.

use std::{path::Path, process::Command};

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
    /// Requests a second.
    pub(crate) fn rate(&self) -> f64 {
        f64::from(self.requests) / self.seconds
    }

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
    let mut wrk = wrk("load.lua", connections, seconds);
    wrk.args([origin, "--"]).arg(request);
    told(wrk, origin)?.succeeded()
}

/// The same for a request that is refused, every time.
pub(crate) fn send_in_vain(origin: &str, request: &Path, connections: u32, seconds: u64) -> Result<Load> {
    let mut wrk = wrk("load.lua", connections, seconds);
    wrk.args([origin, "--"]).arg(request);
    let load = told(wrk, origin)?;
    ensure!(load.requests > 0 && load.broken == 0, "not every request was answered");
    ensure!(load.refused >= load.requests, "{} of {} answers were refusals", load.refused, load.requests);
    Ok(load)
}

/// A load that does not ask as fast as it is answered.
pub(crate) struct Pace {
    /// What `bench/logins/paced.lua` sends.
    pub(crate) kind: &'static str,
    pub(crate) connections: u32,
    /// How long each connection rests between two requests, on average.
    pub(crate) rest_milliseconds: u32,
}

/// Sends requests at a pace. Whether refusals are an error is for the caller to say.
pub(crate) fn at_pace(origin: &str, pace: &Pace, seconds: u64) -> Result<Load> {
    let mut wrk = wrk("logins/paced.lua", pace.connections, seconds);
    wrk.args([origin, "--", pace.kind, &pace.rest_milliseconds.to_string()]);
    told(wrk, origin)
}

/// wrk with a script of `bench`, where scripts find each other.
fn wrk(script: &str, connections: u32, seconds: u64) -> Command {
    let bench = crate::root().join("bench");
    let mut wrk = command("wrk", &["--threads", "1", "--timeout", "10s"]);
    wrk.args(["--connections", &connections.to_string()])
        .args(["--duration", &format!("{seconds}s"), "--script"])
        .arg(bench.join(script))
        .env("LUA_PATH", bench.join("?.lua"));
    wrk
}

fn told(wrk: Command, origin: &str) -> Result<Load> {
    let output = String::from_utf8(command::output(wrk)?)?;
    let line = output.lines().last().with_context(|| format!("wrk said nothing about {origin}"))?;
    serde_json::from_str(line).with_context(|| format!("wrk said `{line}`"))
}
