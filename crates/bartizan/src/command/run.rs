//! `bartizan run`.

mod first_administrator;

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use anyhow::{Context, Result, anyhow};
use bartizan_config::{Config, ConfigError, Http, Loaded};
use bartizan_gateway::GatewayError;
use clap::Args;
use first_administrator::Offer;

use crate::{
    command::version::VERSION,
    document, failure,
    output::{ATTENTION, Cell, FAINT, PLAIN, TITLE, Table, complain, print, styled},
    signals::Signals,
    state::{Running, StateDirectory},
    system::{Plan, System},
    systemd,
};

/// Guard a service: with safe defaults, or as a configuration says.
///
/// Without `--to` and `--config` the configuration is `./bartizan.yaml`, then `/etc/bartizan/bartizan.yaml`. A
/// changed file is validated and taken over while running (also on SIGHUP and `bartizan reload`). SIGTERM lets
/// requests in flight finish; a second one does not.
///
/// The state directory holds `running.json`, by which commands find this gateway, and `admin-token`. A gateway that
/// starts with the state directory of another takes its place there.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bartizan run --to localhost:3000\n  \
                        bartizan run --to localhost:3000 --listen 0.0.0.0:8080\n  bartizan run -c bartizan.yaml")]
pub(crate) struct Run {
    /// Guard this service: `localhost:3000`, `http://10.0.0.7:8080` or just a port.
    ///
    /// Everybody may ask everything there, once the request is well-formed: add a configuration to say who may
    /// what.
    #[arg(long, value_name = "TARGET", conflicts_with = "config")]
    to: Option<String>,
    /// Where to listen, with `--to`: `0.0.0.0:8080` or just a port. Without it 127.0.0.1:8080.
    #[arg(long, value_name = "ADDRESS", requires = "to", value_parser = listen_address)]
    listen: Option<SocketAddr>,
    /// The configuration.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the gateway says that it runs, and keeps its admin token.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

impl Run {
    pub(crate) async fn run(self) -> Result<()> {
        let state = StateDirectory::locate(self.state_dir.clone())?;
        let (loaded, document) = self.load(&state)?;
        let mut signals = Signals::listen()?;
        let neighbour = state.running().ok().flatten().filter(Running::is_alive);
        let any_control_port = document.is_none();
        let plan = Plan { loaded, document, state: state.clone(), any_control_port };
        let system =
            Box::pin(System::start(plan)).await.map_err(|error| advise(error, neighbour.as_ref()))?;
        print(account(&system, self.to.is_some().then(|| target(&system)).as_deref(), &state))?;
        if let Some(token) = system.first_administrator() {
            print(Offer::of(&system, token))?;
        }
        if let Some(other) = neighbour {
            complain(format_args!(
                "{} process {} runs with this state directory, too: commands now talk to this gateway",
                styled(ATTENTION.bold(), "warning:"),
                other.pid
            ));
        }
        let Running { https, http, admin, metrics, .. } = system.running();
        tracing::info!(https, http, admin, metrics, revision = system.config().revision, "serving");
        systemd::ready();
        Box::pin(system.run(&mut signals)).await;
        Ok(())
    }

    fn load(&self, state: &StateDirectory) -> Result<(Loaded, Option<PathBuf>)> {
        if let Some(target) = &self.to {
            let mut config = Config::for_target(target)?;
            if let Some(address) = self.listen {
                config.listen.http = Some(Http::Serve(address));
            }
            return Ok((Loaded { config, warnings: Vec::new() }, None));
        }
        let found = document::find(self.config.clone())?;
        let path =
            std::path::absolute(&found).with_context(|| format!("cannot find `{}`", found.display()))?;
        Ok((document::load(&found, Some(state))?, Some(path)))
    }
}

/// What to do when an address is taken, and what is wrong with a file that the configuration names.
fn advise(error: anyhow::Error, neighbour: Option<&Running>) -> anyhow::Error {
    match error.downcast_ref::<GatewayError>() {
        Some(gateway) if !gateway.diagnostics().is_empty() => {
            ConfigError::Invalid(gateway.diagnostics().to_vec()).into()
        }
        Some(GatewayError::Listen { source, .. }) if source.kind() == ErrorKind::AddrInUse => {
            let who = match neighbour {
                Some(other) => format!("process {}, which runs with the same state directory", other.pid),
                None => "what listens there".into(),
            };
            anyhow!("{}: stop {who}, or choose another address", failure::causes(&error))
        }
        _ => error,
    }
}

/// What `run --to` guards.
fn target(system: &System) -> String {
    let config = system.config();
    let targets = config.upstreams.iter().flat_map(|upstream| &upstream.targets);
    targets.map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Where everything is.
pub(crate) fn account(system: &System, target: Option<&str>, state: &StateDirectory) -> String {
    let (running, config) = (system.running(), system.config());
    let mut table = Table::default();
    let mut fact = |name: &str, value: String, note: String| {
        table.row([Cell::new(FAINT, format!("  {name}")), Cell::new(PLAIN, value), Cell::new(FAINT, note)]);
    };
    let redirects = matches!(config.listen.http, Some(Http::Redirect(_)));
    if let Some(address) = &running.https {
        fact("proxy", format!("https://{address}"), String::new());
    }
    if let Some(address) = &running.http {
        fact("proxy", format!("http://{address}"), if redirects { "redirects to https" } else { "" }.into());
    }
    let scheme = if running.admin_tls { "https" } else { "http" };
    let token = state.admin_token_path();
    fact("admin API", format!("{scheme}://{}", running.admin), format!("token in {}", token.display()));
    fact("metrics", format!("http://{}/metrics", running.metrics), "and /healthz, /readyz".into());
    match &running.config {
        Some(path) => {
            fact("configuration", path.display().to_string(), format!("revision {}", config.revision));
        }
        None => fact("configuration", "safe defaults, everybody may ask".into(), String::new()),
    }
    let routes = config.routes.len();
    let guarded = match target {
        Some(target) => target.to_owned(),
        None if routes == 1 => "1 route".into(),
        None => format!("{routes} routes"),
    };
    format!("{} guards {}\n\n{table}\n", styled(TITLE, format!("bartizan {VERSION}")), styled(TITLE, guarded))
}

/// An address with a port, or a port on loopback.
pub(crate) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let port = |text: &str| text.parse().ok().map(|port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let address = text.parse().ok().or_else(|| port(text));
    address.ok_or_else(|| "write an address and a port, such as `0.0.0.0:8080`, or just a port".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_on_loopback() {
        let cases = [
            ("8080", Some("127.0.0.1:8080")),
            ("0.0.0.0:80", Some("0.0.0.0:80")),
            ("[::1]:0", Some("[::1]:0")),
            ("localhost:80", None),
            ("65536", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(
                listen_address(text).ok().map(|address| address.to_string()).as_deref(),
                expected,
                "{text}"
            );
        }
    }
}
