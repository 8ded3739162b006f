//! Bartizan beside nginx: the same upstream, the same load, one after the other, in turns.
//!
//! It answers what a request costs, not how many a large machine could serve: load, proxy and upstream share the
//! cores of this one. The figure to trust is CPU time per request, which is the proxy's own. A machine that is not
//! alone drifts by a third within minutes, so what is compared is measured side by side: a round measures every
//! scenario on both proxies, and ratios and differences are taken within a round. Figures of different runs are not
//! to be compared. What is configured is in `bench/compare/`.

mod load;
mod scenario;
mod servers;
mod table;
mod token;

use std::{path::Path, thread, time::Duration};

use anyhow::{Context, Result, bail};
use clap::Args;
use load::Sample;
use scenario::{SCENARIOS, Scenario};
use servers::{Proxy, Servers};

use crate::{
    command::say,
    cpu, figures, gateway,
    machine::{self, said},
    server,
    setup::Setup,
};

#[derive(Args)]
pub(crate) struct Compare {
    /// Only these, by name and separated by commas (`plain,jwt`).
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// How long each measurement takes, in seconds.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// How often each measurement is made; medians are reported.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: u32,
    /// Put the table into `docs/src/benchmarks.md`.
    #[arg(long)]
    write: bool,
    /// Measure nginx against itself: the columns must agree, or the measuring is wrong.
    #[arg(long, conflicts_with = "write")]
    self_check: bool,
}

impl Default for Compare {
    fn default() -> Self {
        Self { only: Vec::new(), seconds: 3, rounds: 7, write: false, self_check: false }
    }
}

/// One scenario, measured once in every round.
struct Measured {
    scenario: &'static Scenario,
    nginx: Vec<Sample>,
    subject: Vec<Sample>,
}

impl Measured {
    /// Who goes first changes with every round, so that neither always follows a busy machine.
    fn once_more(&mut self, round: u32, servers: &Servers, token: &str, seconds: u64) -> Result<()> {
        for is_nginx in [round % 2 == 1, round.is_multiple_of(2)] {
            let proxy = if is_nginx { &servers.nginx } else { &servers.subject };
            let samples = if is_nginx { &mut self.nginx } else { &mut self.subject };
            samples.push(sample(self.scenario, proxy, token, seconds)?);
        }
        Ok(())
    }
}

impl Compare {
    pub(crate) fn run(self) -> Result<()> {
        let scenarios = self.scenarios()?;
        Setup::for_benches().run()?;
        let binary = if self.self_check { None } else { Some(gateway::build_release()?) };
        let folder = crate::root().join("target/compare");
        server::empty(&folder)?;
        let token = token::make(&folder)?;
        let servers = Servers::start(&folder, binary.as_deref())?;

        let mut measured: Vec<_> = scenarios
            .into_iter()
            .map(|scenario| Measured { scenario, nginx: Vec::new(), subject: Vec::new() })
            .collect();
        for Measured { scenario, .. } in &measured {
            for proxy in [&servers.nginx, &servers.subject] {
                sample(scenario, proxy, &token, 1)?; // pools and caches are warm from here on
            }
        }
        for round in 1..=self.rounds {
            say(&format!("round {round} of {}", self.rounds));
            for measured in &mut measured {
                measured.once_more(round, &servers, &token, self.seconds)?;
            }
        }
        let machine = machine::description(&facts(binary.as_deref()))?;
        let how = format!(
            "{machine}- medians of {} rounds of {} s for each, in turns\n",
            self.rounds, self.seconds
        );
        let text = table::markdown(&how, servers.subject.name, &measured);
        println!("{text}");
        if self.write { figures::write("comparison", &text) } else { Ok(()) }
    }

    fn scenarios(&self) -> Result<Vec<&'static Scenario>> {
        if let Some(unknown) =
            self.only.iter().find(|name| SCENARIOS.iter().all(|scenario| scenario.name != **name))
        {
            let known: Vec<_> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
            bail!("no comparison is called `{unknown}`; there are {}", known.join(", "));
        }
        Ok(SCENARIOS
            .iter()
            .filter(|scenario| self.only.is_empty() || self.only.iter().any(|name| name == scenario.name))
            .collect())
    }
}

/// What took part.
fn facts(binary: Option<&Path>) -> Vec<String> {
    let subject = binary.map(|binary| format!("subject: {}", said(&binary.to_string_lossy(), &["version"])));
    let load = format!("load: {}; {}", machine::wrk(), said("h2load", &["--version"]));
    subject.into_iter().chain([format!("peer: {}", machine::nginx()), load]).collect()
}

/// One measurement: what the load saw, and the CPU time the proxy spent meanwhile.
fn sample(scenario: &Scenario, proxy: &Proxy, token: &str, seconds: u64) -> Result<Sample> {
    thread::sleep(Duration::from_millis(300)); // lets the connections of the measurement before be closed
    let before = cpu::time(proxy.pid())?;
    let load = load::run(scenario, proxy, token, seconds)
        .with_context(|| format!("`{}` through {}", scenario.name, proxy.name))?;
    let spent = cpu::time(proxy.pid())?.saturating_sub(before);
    Ok(Sample::new(&load, spent))
}
