//! CPU time, allocations and memory, of loading and of an exchange.

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use alloc_tracker::Session;
use anyhow::{Context, Result, ensure};
use bartizan_seclang::{Connection, Interruption, RuleSet, Transaction, ast::EngineMode};
use rustix::time::{ClockId, clock_gettime};

use super::{
    exchange::Exchange,
    report::{Cost, Kind, Loading},
};

/// Bodies come in pieces of what a socket gives at once.
const PIECE: usize = 64 * 1024;
/// However long one takes.
const FEWEST_RUNS: u32 = 3;

/// Loads, and says what it took.
pub(crate) fn loading(load: impl FnOnce() -> Result<Arc<RuleSet>>) -> Result<(Arc<RuleSet>, Loading)> {
    let before = memory("VmRSS")?;
    let (start, cpu_start) = (Instant::now(), cpu_time()?);
    let rules = load()?;
    let loading = Loading {
        seconds: start.elapsed().as_secs_f64(),
        cpu_seconds: cpu_time()?.saturating_sub(cpu_start).as_secs_f64(),
        held_mb: memory("VmRSS")? - before,
        peak_mb: memory("VmHWM")? - before,
    };
    Ok((rules, loading))
}

/// Takes one exchange through the engine again and again, until it has used its budget.
pub(crate) fn cost(exchange: &Exchange, rules: &Arc<RuleSet>, budget: Duration) -> Result<Cost> {
    check(exchange, &run(exchange, rules)).with_context(|| format!("`{}`", exchange.name))?;
    let start = cpu_time()?;
    let (allocations, peak) = allocated(|| drop(run(exchange, rules)));
    let once = cpu_time()?.saturating_sub(start);

    // The clock is asked ten times at most in the budget, so that asking it costs nothing.
    let batch = (budget.as_nanos() / 10 / once.as_nanos().max(1)).clamp(1, 10_000);
    let batch = u32::try_from(batch)?;
    let (mut runs, mut spent) = (0, Duration::ZERO);
    let start = cpu_time()?;
    while runs < FEWEST_RUNS || spent < budget {
        for _ in 0..batch {
            drop(run(exchange, rules));
        }
        runs += batch;
        spent = cpu_time()?.saturating_sub(start);
    }
    let cpu_us = spent.as_secs_f64() * 1e6 / f64::from(runs);
    Ok(Cost {
        name: exchange.name.into(),
        title: exchange.title.into(),
        kind: exchange.kind,
        cpu_us,
        mb_per_second: f64::from(u32::try_from(exchange.bytes)?) / cpu_us,
        allocations,
        peak_kb: peak / 1000.0,
    })
}

/// A whole exchange, up to the refusal where there is one.
fn run(exchange: &Exchange, rules: &Arc<RuleSet>) -> Transaction {
    let mut transaction = Transaction::new(Arc::clone(rules), Connection::default(), "0192f0c16d5e7b7a9a53");
    if exchange.is_adversarial() {
        // Nothing ends early, and every rule runs.
        transaction.set_mode(EngineMode::DetectionOnly);
        transaction.set_tx("blocking_paranoia_level", "4");
    }
    let _refused = phases(&mut transaction, exchange);
    transaction.finish();
    transaction
}

fn phases(transaction: &mut Transaction, exchange: &Exchange) -> Option<()> {
    let request = &exchange.request;
    transaction.request_line(request.method.as_bytes(), request.target.as_bytes(), b"HTTP/1.1");
    for (name, value) in &request.headers {
        transaction.request_header(name.as_bytes(), value.as_bytes());
    }
    passed(transaction.request_headers_done())?;
    if transaction.wants_request_body() {
        for piece in request.body.chunks(PIECE) {
            passed(transaction.request_body(piece))?;
        }
    }
    passed(transaction.request_body_done())?;
    transaction.response_line(200, b"HTTP/1.1");
    for (name, value) in [
        ("Server", "nginx"),
        ("Date", "Sun, 01 Mar 2026 09:30:00 GMT"),
        ("Content-Type", "application/json"),
        ("Content-Length", "1024"),
    ] {
        transaction.response_header(name.as_bytes(), value.as_bytes());
    }
    passed(transaction.response_headers_done())?;
    passed(transaction.response_body_done())
}

fn passed(interruption: Option<&Interruption>) -> Option<()> {
    interruption.is_none().then_some(())
}

/// Figures of something else are worth nothing.
fn check(exchange: &Exchange, transaction: &Transaction) -> Result<()> {
    let status = transaction.interruption().map(|interruption| interruption.status);
    let matched: Vec<_> = transaction.matches().iter().map(|one| one.rule).collect();
    match exchange.kind {
        Kind::Ordinary => ensure!(matched.is_empty(), "rules {matched:?} match an ordinary exchange"),
        Kind::Attack => ensure!(status == Some(403), "an attack is not refused; rules {matched:?} match"),
        Kind::AdversarialForm | Kind::AdversarialJson => {
            for (name, expected) in [("REQBODY_ERROR", "0"), ("TX.detection_paranoia_level", "4")] {
                let value = transaction.variable(name).unwrap_or_default();
                ensure!(value == expected.as_bytes(), "{name} is `{}`", String::from_utf8_lossy(&value));
            }
        }
    }
    Ok(())
}

/// How often something allocates, and how many bytes at most at once.
fn allocated(something: impl FnOnce()) -> (u64, f64) {
    let session = Session::new().no_stdout().no_file();
    {
        let _counted = session.operation("").measure_thread().iterations(1);
        something();
    }
    let report = session.to_report();
    let counted = report.operations().next().map(|(_, counted)| counted);
    counted.map_or((0, 0.0), |counted| {
        (counted.total_allocations_count(), counted.peak_outstanding_bytes().unwrap_or_default())
    })
}

/// What this thread has used; the engine has no other.
fn cpu_time() -> Result<Duration> {
    Ok(Duration::try_from(clock_gettime(ClockId::ThreadCPUTime))?)
}

/// A figure of the process (`proc_pid_status(5)`), in megabytes.
fn memory(name: &str) -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let kibibytes = |line: &str| {
        let value = line.strip_prefix(name)?.strip_prefix(':')?.trim().strip_suffix(" kB")?;
        value.parse::<u32>().ok()
    };
    let kibibytes = status.lines().find_map(kibibytes).with_context(|| format!("no `{name}` in `/proc`"))?;
    Ok(f64::from(kibibytes) * 1024.0 / 1e6)
}
