//! What a flood of attempts to log in does to those who only want to be proxied: the latency of a paced load, in turns
//! without the flood and with it.
//!
//! Every attempt is of somebody else from somewhere else, so that nothing but the bound on hashing stands in its way. Load,
//! flood, proxy and upstream share the cores of one machine: what the flood's own sending takes is in the figures, too.

use std::{path::Path, thread, time::Duration};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::{
    command::say,
    figures::{self, median},
    gateway::{self, Gateway},
    machine, server,
    setup::Setup,
    wrk::{self, Load, Pace},
};

#[derive(Args)]
pub(crate) struct Logins {
    /// How long each measurement takes, in seconds.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// How often each measurement is made; medians are reported.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: u32,
    /// Put the table into `docs/src/benchmarks.md`.
    #[arg(long)]
    write: bool,
}

/// 500 requests a second.
const PROXIED: Pace = Pace { kind: "get", connections: 10, rest_milliseconds: 20 };
/// Some thirty connections at a time wait for their hash, so that the others alone must be enough: 1350 attempts a second.
const ATTEMPTS: Pace = Pace { kind: "login", connections: 300, rest_milliseconds: 200 };
/// Fewer a second are no flood: the figures would say nothing.
const LEAST_ATTEMPTS: f64 = 1000.0;

/// One round.
struct Round {
    calm: Load,
    flooded: Load,
    attempts: Load,
}

impl Logins {
    pub(crate) fn run(self) -> Result<()> {
        Setup::for_benches().run()?;
        let binary = gateway::build_release()?;
        let folder = crate::root().join("target/logins");
        server::empty(&folder)?;
        let upstream_address = server::free_address()?;
        let values = [("UPSTREAM", upstream_address.port().to_string())];
        let _upstream =
            server::nginx("compare/upstream.conf", &folder.join("upstream"), &values, upstream_address)?;
        let config = server::fill("logins/bartizan.yaml", &folder, &values)?;
        let gateway = Gateway::start(&binary, &config, &folder)?;
        let origin = format!("http://{}", gateway.proxy()?);
        wrk::at_pace(&origin, &PROXIED, 1)?.succeeded()?;
        let mut rounds = Vec::new();
        for round in 1..=self.rounds {
            say(&format!("round {round} of {}", self.rounds));
            rounds.push(measure(&origin, self.seconds)?);
        }
        let text = self.markdown(&binary, &rounds)?;
        println!("{text}");
        gateway.stop()?;
        if self.write { figures::write("logins", &text) } else { Ok(()) }
    }

    fn markdown(&self, binary: &Path, rounds: &[Round]) -> Result<String> {
        let subject = format!("subject: {}", machine::said(&binary.to_string_lossy(), &["version"]));
        let facts = [subject, format!("load: {}", machine::wrk())];
        let of = |load: fn(&Round) -> &Load, figure: fn(&Load) -> f64| {
            median(rounds.iter().map(|round| figure(load(round))))
        };
        let p99 = |load: fn(&Round) -> &Load| of(load, |load| load.p99_us);
        let slower = p99(|round| &round.flooded) / p99(|round| &round.calm);
        let row = |name: &str, load: fn(&Round) -> &Load| {
            let of = |figure: fn(&Load) -> f64| of(load, figure);
            format!(
                "| {name} | {:.0} | {:.2} | {:.2} |\n",
                of(Load::rate),
                of(|load| load.p50_us) / 1000.0,
                of(|load| load.p99_us) / 1000.0
            )
        };
        Ok(format!(
            "{}- medians of {} rounds of {} s for each, in turns\n\n\
             | load | requests/s | p50 ms | p99 ms |\n|---|--:|--:|--:|\n{}{}{}\n\
             During the flood the p99 of proxied requests is {slower:.1} times that without. \
             No attempt succeeded. Those for which no hash could be computed in time were answered `503`.\n",
            machine::description(&facts)?,
            self.rounds,
            self.seconds,
            row("proxied, nobody logs in", |round| &round.calm),
            row("proxied, during the flood", |round| &round.flooded),
            row("attempts to log in", |round| &round.attempts),
        ))
    }
}

fn measure(origin: &str, seconds: u64) -> Result<Round> {
    let calm = wrk::at_pace(origin, &PROXIED, seconds)?.succeeded()?;
    let (flooded, attempts) = thread::scope(|scope| {
        // It begins before the others and ends after them.
        let flood = scope.spawn(|| wrk::at_pace(origin, &ATTEMPTS, seconds + 2));
        thread::sleep(Duration::from_secs(1));
        let flooded = wrk::at_pace(origin, &PROXIED, seconds);
        (flooded, flood.join())
    });
    let attempts = attempts.ok().context("the flood broke off")??;
    ensure!(attempts.refused == attempts.requests, "somebody has logged in, or the answers were no refusals");
    ensure!(attempts.broken == 0, "{} attempts had no answer", attempts.broken);
    let rate = attempts.rate();
    ensure!(
        rate >= LEAST_ATTEMPTS,
        "{rate:.0} attempts a second are no flood: {LEAST_ATTEMPTS} are asked for"
    );
    Ok(Round { calm, flooded: flooded?.succeeded()?, attempts })
}
