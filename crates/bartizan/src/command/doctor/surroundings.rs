//! What the configuration needs around it: the store, Redis, the services behind, the mail server, the gateway itself.

use std::time::Duration;

use bartizan_config::{Config, MailTransport, Shared};
use bartizan_limits::Limiter;
use bartizan_store::Store;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use super::Finding;
use crate::{accounts, state::StateDirectory};

/// How long each may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often Redis is looked at until it answers.
const AGAIN: Duration = Duration::from_millis(20);

pub(super) async fn look(config: &Config, state: &StateDirectory) -> Vec<Finding> {
    let mut findings = Vec::new();
    if config.accounts.is_some() || config.store.is_some() {
        findings.push(store(config, state).await);
    }
    if let Some(settings) = &config.shared {
        findings.push(redis(settings).await);
    }
    for upstream in &config.upstreams {
        for target in &upstream.targets {
            let who = format!("{} ({target})", upstream.name);
            findings.push(connects("upstream", &who, &target.host, target.port).await);
        }
    }
    let mail = config.accounts.as_ref().and_then(|accounts| accounts.mail.as_ref());
    if let Some(MailTransport::Smtp(server)) = mail.map(|mail| &mail.transport) {
        findings.push(connects("mail server", &server.host, &server.host, server.port).await);
    }
    findings.push(gateway(config, state));
    findings
}

async fn store(config: &Config, state: &StateDirectory) -> Finding {
    let about = "store";
    let location = accounts::location(config, state);
    match timeout(PATIENCE, Store::migrations(&location)).await {
        Ok(Ok(steps)) => match steps.iter().filter(|step| !step.applied).count() {
            0 => Finding::good(about, format!("{location} is up to date")),
            missing => Finding::doubtful(
                about,
                format!("{location} lacks {missing} of {} steps of the schema", steps.len()),
                "they are made when the gateway starts; see `bartizan migrate --dry-run`",
            ),
        },
        Ok(Err(error)) => Finding::wrong(about, error.to_string(), "nobody can log in without it"),
        Err(_) => {
            Finding::wrong(about, format!("{location} does not answer"), "nobody can log in without it")
        }
    }
}

async fn redis(settings: &Shared) -> Finding {
    let about = "shared store";
    let limiter = match Limiter::new(Some(settings), None) {
        Ok(limiter) => limiter,
        Err(error) => return Finding::wrong(about, error.to_string(), "mend `shared`"),
    };
    let since = Instant::now();
    while since.elapsed() < PATIENCE {
        if limiter.store_decides() == Some(true) {
            return Finding::good(about, "Redis answers");
        }
        sleep(AGAIN).await;
    }
    Finding::wrong(about, "Redis does not answer", "gateways count as `shared.on_error` says until it does")
}

async fn connects(about: &'static str, who: &str, host: &str, port: u16) -> Finding {
    match timeout(PATIENCE, TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => Finding::good(about, format!("{who} takes connections")),
        Ok(Err(error)) => Finding::wrong(about, format!("{who}: {error}"), "start it, or mend its address"),
        Err(_) => Finding::wrong(about, format!("{who} does not answer"), "is a firewall in the way?"),
    }
}

fn gateway(config: &Config, state: &StateDirectory) -> Finding {
    let about = "gateway";
    match state.running() {
        Ok(Some(running)) if running.is_alive() => {
            let said = format!("version {} runs as process {}", running.version, running.pid);
            Finding::good(about, format!("{said}; this configuration is revision {}", config.revision))
        }
        Ok(_) => Finding::good(about, "none runs with this state directory"),
        Err(error) => {
            Finding::wrong(about, format!("{error:#}"), "name the state directory by `--state-dir`")
        }
    }
}
