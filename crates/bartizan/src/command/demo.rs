//! `bartizan demo`.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use anyhow::{Result, bail};
use clap::Args;

use crate::{
    command::run::{account, listen_address},
    demo::{self, Credentials, traffic},
    output::{FAINT, TITLE, print, styled},
    signals::{Request, Signals},
    state::{Running, StateDirectory},
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
        if let Some(running) = state.running().ok().flatten().filter(Running::is_alive) {
            bail!(
                "a gateway runs with the state directory `{}` already (process {}): give the demo another with \
                 `--state-dir DIR`",
                state.path().display(),
                running.pid
            );
        }
        let mut signals = Signals::listen()?;
        let demo::Demo { shop, credentials, system, proxy } =
            Box::pin(demo::Demo::start(&state, self.listen)).await?;
        let target = format!("a demo shop on http://{}", shop.address());
        print(account(&system, Some(&target), &state))?;
        print(invitation(proxy, &credentials))?;
        systemd::ready();

        let mut wrong = 0;
        if self.traffic {
            let count = usize::try_from(self.requests)?;
            print(styled(TITLE, "Ordinary and hostile requests:\n"))?;
            system.set_log_level(Some("warn"));
            let summary = tokio::select! {
                summary = traffic::send(proxy, &credentials, count) => summary?,
                () = stop(&mut signals) => { system.stop().await; return Ok(ExitCode::SUCCESS) }
            };
            system.set_log_level(None);
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
            Box::pin(system.run(&mut signals)).await;
        }
        Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

async fn stop(signals: &mut Signals) {
    while signals.next().await == Request::Reload {}
}

/// Requests to try, ready to paste into a shell.
fn invitation(proxy: SocketAddr, credentials: &Credentials) -> String {
    let Credentials { user, admin, admin_with_password, api_key, .. } = credentials;
    let variables = [
        ("GATEWAY", format!("http://{proxy}")),
        ("CUSTOMER", user.clone()),
        ("ADMIN", admin.clone()),
        ("PASSWORD_ONLY", admin_with_password.clone()),
        ("KEY", api_key.clone()),
    ];
    let tries = [
        ("the catalogue is public", r#"curl -i "$GATEWAY/products""#),
        ("orders are not", r#"curl -i "$GATEWAY/orders""#),
        (
            "a customer places an order",
            r#"curl -i "$GATEWAY/orders" -H "authorization: Bearer $CUSTOMER" --json '{"product":"rope"}'"#,
        ),
        ("a partner reads orders with an API key", r#"curl -i "$GATEWAY/orders" -H "x-api-key: $KEY""#),
        (
            "the report asks for a second factor",
            r#"curl -i "$GATEWAY/admin/report" -H "authorization: Bearer $PASSWORD_ONLY""#,
        ),
        (
            "which this administrator has used",
            r#"curl -i "$GATEWAY/admin/report" -H "authorization: Bearer $ADMIN""#,
        ),
        (
            "what the shop gets to see",
            r#"curl -s "$GATEWAY/echo" -H "authorization: Bearer $CUSTOMER" -H "x-user-id: root""#,
        ),
        ("the firewall looks at what is asked", r#"curl -i "$GATEWAY/products?id=1%27%20OR%20%271%27=%271""#),
        (
            "a fourth password is one too many",
            r#"for n in 1 2 3 4; do curl -i "$GATEWAY/login" --json '{"password":"letmein"}'; done"#,
        ),
        ("how near the limits are", "bartizan limits status"),
        ("who was refused", "bartizan requests --refused"),
        ("and why", "bartizan explain REQUEST_ID"),
    ];
    let mut text = format!("{}\n\n", styled(TITLE, "To try it, paste these lines into another shell:"));
    for (name, value) in variables {
        text = format!("{text}  {}{value}\n", styled(FAINT, format!("{name}=")));
    }
    for (comment, command) in tries {
        text = format!("{text}\n  {}\n  {command}\n", styled(FAINT, format!("# {comment}")));
    }
    text
}
