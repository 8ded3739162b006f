//! What the rule engine costs, beside `ModSecurity` with the same rules in the same run.
//!
//! The engine runs in a process of its own (`src/costs/`), on one core and without sockets; `ModSecurity` runs in nginx,
//! whose CPU time per request is taken with and without it. As in the comparison of the proxies, a machine that is not
//! alone drifts: a round measures everything once, and medians over the rounds are reported.

mod peer;
#[path = "costs/report.rs"]
mod report;
mod table;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use peer::{Compared, Peer};
use report::{Cost, Kind, Report};

use crate::{
    command::{self, cargo, command, say},
    figures, machine, server,
    setup::Setup,
};

#[derive(Args)]
pub(crate) struct Waf {
    /// The folder that has the Core Rule Set in `crs-4.28.0`.
    #[arg(
        long,
        env = "BARTIZAN_TEST_DATA",
        default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data"),
        hide_default_value = true
    )]
    data: PathBuf,
    /// Only these, by name and separated by commas (`get,json`); `adversarial` stands for all of that kind.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// How long each measurement of the peer takes, in seconds; one in the engine takes a tenth of it.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// How often each measurement is made; medians are reported.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: u32,
    /// Put the tables into `docs/src/benchmarks.md`.
    #[arg(long, conflicts_with = "only")]
    write: bool,
}

/// What one round measured.
struct Round {
    engine: Report,
    /// By the name of the exchange: microseconds per request that `ModSecurity` costs.
    peer: Vec<(String, f64)>,
}

impl Waf {
    pub(crate) fn run(self) -> Result<()> {
        let crs = self.data.join("crs-4.28.0").canonicalize().with_context(|| {
            format!("`{}` has no Core Rule Set: set BARTIZAN_TEST_DATA", self.data.display())
        })?;
        // The engine is measured also where the peer cannot be had.
        if let Err(error) = Setup::for_benches().run() {
            say(&format!("setup: {error:#}"));
        }
        let costs = build()?;
        let folder = crate::root().join("target/waf");
        server::empty(&folder)?;
        let peer = Peer::start(&folder, &crs);
        if let Err(error) = &peer {
            say("!!! THERE IS NO PEER: its column stays empty !!!");
            say(&format!("!!! {error:#} !!!"));
        }
        let peer = peer.ok();
        let requests = folder.join("requests");
        server::empty(&requests)?;
        let mut writing = command(&costs, &["--crs"]);
        writing.arg(&crs).arg("--write").arg(&requests);
        command::output(writing)?;

        let mut rounds = Vec::new();
        for round in 1..=self.rounds {
            say(&format!("round {round} of {}", self.rounds));
            let engine = self.engine(&costs, &crs)?;
            let compared: Vec<_> = engine.costs.iter().filter_map(|cost| compared(cost, &requests)).collect();
            let peer = peer.as_ref().map_or(Ok(Vec::new()), |peer| peer.measure(&compared, self.seconds))?;
            rounds.push(Round { engine, peer });
        }

        let peer = peer.map_or_else(|| "none: it could not be started".to_owned(), |peer| peer.description);
        let machine = machine::description(&[format!("peer: {peer}"), format!("load: {}", machine::wrk())])?;
        let how = format!(
            "{machine}- medians of {} rounds: {} s for each at the peer, {} s of CPU time in the engine\n",
            self.rounds,
            self.seconds,
            f64::from(u32::try_from(self.milliseconds())?) / 1000.0,
        );
        let text = table::markdown(&how, &rounds);
        println!("{text}");
        if self.write { figures::write("waf", &text) } else { Ok(()) }
    }

    fn engine(&self, costs: &Path, crs: &Path) -> Result<Report> {
        let mut command = command(costs, &["--milliseconds", &self.milliseconds().to_string()]);
        command.arg("--crs").arg(crs);
        if !self.only.is_empty() {
            command.args(["--only", &self.only.join(",")]);
        }
        let report: Report = serde_json::from_slice(&command::output(command)?)?;
        ensure!(!report.costs.is_empty(), "nothing was measured");
        Ok(report)
    }

    fn milliseconds(&self) -> u64 {
        self.seconds * 100
    }
}

/// What the peer is sent, too: all but the hostile values, of which the engine's own speed is asked.
fn compared(cost: &Cost, requests: &Path) -> Option<Compared> {
    let is_refused = match cost.kind {
        Kind::Ordinary => false,
        Kind::Attack => true,
        Kind::AdversarialForm | Kind::AdversarialJson => return None,
    };
    let request = requests.join(&cost.name).with_extension("http");
    Some(Compared { name: cost.name.clone(), request, is_refused })
}

/// Builds the program that measures, as the gateway is built for a release.
fn build() -> Result<PathBuf> {
    let options = ["--package", "xtask", "--features", "costs", "--bin", "costs"];
    command::run(cargo(&[&["build", "--locked", "--release"], options.as_slice()].concat()))?;
    Ok(command::target().join("release/costs"))
}
