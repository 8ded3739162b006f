//! The load: wrk for HTTP/1.1, h2load for HTTP/2, and what they report.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result};

use super::{
    scenario::{Protocol, Scenario},
    servers::Proxy,
};
use crate::{
    command::{self, command},
    wrk::{self, Load},
};

/// Streams open at once on each HTTP/2 connection.
const STREAMS: &str = "10";

/// One measurement.
pub(super) struct Sample {
    pub(super) requests_per_second: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    /// CPU time of the proxy per request, in microseconds.
    pub(super) cpu_us: f64,
}

impl Sample {
    pub(super) fn new(load: &Load, cpu: Duration) -> Self {
        let requests = f64::from(load.requests);
        Self {
            requests_per_second: requests / load.seconds,
            p50_us: load.p50_us,
            p99_us: load.p99_us,
            cpu_us: cpu.as_secs_f64() * 1e6 / requests,
        }
    }
}

/// Sends one scenario to one proxy for a while.
pub(super) fn run(scenario: &Scenario, proxy: &Proxy, token: &str, seconds: u64) -> Result<Load> {
    let wrk = |origin: &str| -> Result<Load> {
        let request = crate::root().join("target/compare/request.http");
        fs::write(&request, text(scenario, token))?;
        wrk::send(origin, &request, scenario.connections, seconds)
    };
    match scenario.protocol {
        Protocol::Http1 => wrk(&format!("http://{}", proxy.http)),
        Protocol::Http1Tls => wrk(&format!("https://{}", proxy.https)),
        Protocol::Http2Tls => {
            h2load(scenario, &format!("https://{}{}", proxy.https, scenario.path), seconds)?.succeeded()
        }
    }
}

/// The request of a scenario, as wrk's script reads it.
fn text(scenario: &Scenario, token: &str) -> String {
    let Scenario { path, body, .. } = scenario;
    let method = if *body > 0 { "POST" } else { "GET" };
    let media_type = if *body > 0 { "Content-Type: application/octet-stream\n" } else { "" };
    let authorization =
        if scenario.token { format!("Authorization: Bearer {token}\n") } else { String::new() };
    format!("{method} {path} HTTP/1.1\n{media_type}{authorization}\n{}\n", "x".repeat(*body))
}

fn h2load(scenario: &Scenario, url: &str, seconds: u64) -> Result<Load> {
    let log = Log(crate::root().join("target/compare/h2load.log"));
    let mut command = command("h2load", &["--threads", "1", "--max-concurrent-streams", STREAMS]);
    command
        .args(["--clients", &scenario.connections.to_string()])
        .arg(format!("--duration={seconds}"))
        .arg(format!("--log-file={}", log.0.display()))
        .arg(url);
    let output = String::from_utf8(command::output(command)?)?;
    let line =
        output.lines().find(|line| line.starts_with("requests: ")).context("h2load reported no requests")?;
    let mut latencies = log.latencies()?;
    latencies.sort_unstable();
    Ok(Load {
        requests: count(line, " done")?,
        seconds: f64::from(u32::try_from(seconds)?),
        p50_us: percentile(&latencies, 50),
        p99_us: percentile(&latencies, 99),
        refused: count(line, " failed")?,
        broken: count(line, " errored")? + count(line, " timeout")?,
    })
}

/// The number before a word of h2load's summary.
fn count(line: &str, word: &str) -> Result<u32> {
    line.split([',', ':'])
        .find_map(|part| part.strip_suffix(word))
        .and_then(|number| number.trim().parse().ok())
        .with_context(|| format!("h2load said `{line}`"))
}

/// h2load's log of every request: when it began, its status, its microseconds.
struct Log(PathBuf);

impl Log {
    fn latencies(&self) -> Result<Vec<u32>> {
        let text = fs::read_to_string(&self.0)?;
        let latency = |line: &str| line.rsplit('\t').next()?.parse().ok();
        text.lines().map(|line| latency(line).with_context(|| format!("h2load logged `{line}`"))).collect()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // The next run appends to it; one that could not be removed shows in the next percentiles only.
        let _ = fs::remove_file(&self.0);
    }
}

/// A percentile of sorted values, by nearest rank.
fn percentile(sorted: &[u32], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().map_or(f64::NAN, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_of_h2load_is_read_by_its_words() {
        let line = "requests: 31707 total, 31867 started, 31700 done, 31690 succeeded, 4 failed, 3 errored, 2 timeout";
        let found = [" done", " failed", " errored", " timeout"].map(|word| count(line, word).unwrap());
        assert_eq!(found, [31700, 4, 3, 2]);
        assert!(count(line, " lost").is_err());
    }

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let hundred: Vec<u32> = (1..=100).collect();
        for (sorted, percent, expected) in
            [(&hundred[..], 50, 50.0), (&hundred, 99, 99.0), (&[7], 99, 7.0), (&[1, 2], 50, 1.0)]
        {
            assert!(
                (percentile(sorted, percent) - expected).abs() < f64::EPSILON,
                "{percent} of {}",
                sorted.len()
            );
        }
        assert!(percentile(&[], 50).is_nan());
    }
}
