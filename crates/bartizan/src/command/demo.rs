//! `bartizan demo`.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use anyhow::{Result, bail};
use clap::Args;

use crate::{
    command::run::{account, listen_address},
    demo::{self, Credentials, traffic},
    output::{ATTENTION, FAINT, TITLE, complain, print, styled},
    signals::{Request, Signals},
    state::StateDirectory,
    systemd,
};

/// Watch the gateway guard a built-in shop.
///
/// Needs nothing else on the machine: starts a small shop API on a free loopback port and the gateway in front of
/// it, and prints requests to try, with working tokens. `--traffic` sends ordinary and hostile requests and shows
/// what was decided about each.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bartizan demo\n  bartizan demo --traffic\n  \
                        bartizan demo --traffic --requests 62 --exit     # for scripts: 1 if any decision is wrong")]
pub(crate) struct Demo {
    /// Send a stream of ordinary and hostile requests.
    #[arg(long)]
    traffic: bool,
    /// How many requests the stream has.
    #[arg(long, default_value_t = 200, value_name = "N", requires = "traffic", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    requests: u32,
    /// End after the traffic instead of running on.
    #[arg(long, requires = "traffic")]
    exit: bool,
    /// Where to listen; without it 127.0.0.1:8080, or a free port.
    #[arg(long, value_name = "ADDRESS", value_parser = listen_address)]
    listen: Option<SocketAddr>,
    /// Where the gateway says that it runs, and the demo keeps its configuration.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

impl Demo {
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let state = StateDirectory::locate(self.state_dir)?;
        if let Some(running) = state.running().ok().flatten().filter(|running| running.is_alive()) {
            bail!(
                "a gateway runs with the state directory `{}` already (process {}): give the demo another with \
                 `--state-dir DIR`",
                state.path().display(),
                running.pid
            );
        }
        let mut signals = Signals::listen()?;
        let demo::Demo { shop, credentials, system, proxy } = demo::Demo::start(&state, self.listen).await?;
        let target = format!("a demo shop on http://{}", shop.address());
        print(account(&system, Some(&target), &state))?;
        print(invitation(proxy, &credentials))?;
        systemd::ready();

        let mut wrong = 0;
        if self.traffic {
            let count = usize::try_from(self.requests)?;
            let summary = tokio::select! {
                summary = traffic::send(proxy, &credentials, count) => summary?,
                () = stop(&mut signals) => { system.stop().await; return Ok(ExitCode::SUCCESS) }
            };
            print(format_args!("\n{}\n", summary.report()))?;
            if let Some(id) = summary.last_refusal() {
                print(format_args!("Why was the last one refused?\n  bartizan explain {id}\n"))?;
            }
            wrong = summary.unexpected();
        }
        if self.exit {
            system.stop().await;
        } else {
            print(styled(FAINT, "Ctrl-C ends the demo."))?;
            system.run(&mut signals).await;
        }
        if wrong > 0 {
            complain(styled(ATTENTION, format!("{wrong} requests were not decided as they should be")));
            return Ok(ExitCode::FAILURE);
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn stop(signals: &mut Signals) {
    while signals.next().await == Request::Reload {}
}

/// Requests to try.
fn invitation(proxy: SocketAddr, credentials: &Credentials) -> String {
    let Credentials { user, admin, admin_with_password, api_key, .. } = credentials;
    let url = format!("http://{proxy}");
    let tries = [
        ("The catalogue is public:", format!("curl -i {url}/products")),
        ("Orders are not:", format!("curl -i {url}/orders")),
        ("A customer reads and places orders:", format!("curl -i {url}/orders -H 'authorization: Bearer {user}'")),
        (
            "",
            format!(
                "curl -i {url}/orders -H 'authorization: Bearer {user}' -H 'content-type: application/json' -d \
                 '{{\"product\":\"lantern\"}}'"
            ),
        ),
        ("A partner reads orders with an API key:", format!("curl -i {url}/orders -H 'x-api-key: {api_key}'")),
        (
            "The report is for administrators with a second factor. This token has none:",
            format!("curl -i {url}/admin/report -H 'authorization: Bearer {admin_with_password}'"),
        ),
        ("This one has:", format!("curl -i {url}/admin/report -H 'authorization: Bearer {admin}'")),
        (
            "What the shop gets to see, and what not:",
            format!("curl -s {url}/echo -H 'authorization: Bearer {user}' -H 'x-user-id: root'"),
        ),
    ];
    let mut text = String::new();
    for (title, command) in tries {
        if !title.is_empty() {
            text = format!("{text}{}\n", styled(TITLE, title));
        }
        text = format!("{text}  {command}\n");
    }
    format!("{text}{}\n  bartizan requests --refused\n  bartizan explain REQUEST_ID\n", styled(TITLE, "And why:"))
}
