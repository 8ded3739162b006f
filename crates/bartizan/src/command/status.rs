//! `bartizan status`.

use anyhow::Result;
use bartizan_control::{
    ComponentHealth, Components, ListenerKind, Status as Running, TargetHealth, Upstreams,
};
use clap::Args;
use serde_json::json;

use crate::{
    admin::AdminOptions,
    output::{ATTENTION, BAD, Cell, FAINT, GOOD, PLAIN, Table, print},
};

/// Show what runs: since when, with which configuration, where, and how the services behind it fare.
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Print what the admin API answers.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminOptions,
}

impl Status {
    pub(crate) async fn run(self) -> Result<()> {
        let client = self.admin.client()?;
        let status: Running = client.get("v1/status", &[]).await?;
        let upstreams: Upstreams = client.get("v1/upstreams", &[]).await?;
        let components: Components = client.get("v1/components", &[]).await?;
        if self.json {
            let upstreams = upstreams.upstreams;
            let answer = json!({ "status": status, "components": components, "upstreams": upstreams });
            return print(format_args!("{answer:#}"));
        }
        print(format_args!("{}\n\n{}", facts(&status, &components), targets(&upstreams)))
    }
}

fn facts(status: &Running, components: &Components) -> Table {
    let mut table = Table::default();
    let mut fact = |name: &str, value: Cell| table.row([Cell::new(FAINT, name), value]);
    let state = match (status.draining, status.ready) {
        (true, _) => Cell::new(ATTENTION, "stopping: finishing what is in flight"),
        (false, false) => Cell::new(ATTENTION, "not ready: an identity provider has no keys yet"),
        (false, true) => Cell::new(GOOD, "ready"),
    };
    fact("bartizan", status.version.as_str().into());
    fact("state", state);
    fact("running for", uptime(status.uptime_seconds).into());
    for listener in &status.listeners {
        fact(kind(listener.kind), listener.address.as_str().into());
    }
    let configuration = &status.configuration;
    let path = configuration.path.as_deref().unwrap_or("made by `run --to`");
    fact("configuration", format!("{path} (revision {})", configuration.revision).into());
    if let Some(failure) = &configuration.last_failure {
        fact("last change", Cell::new(BAD, format!("not taken: {}", failure.message)));
    }
    let Components { store, shared_store, signing_keys } = components;
    for (name, health) in [("store", store), ("shared store", shared_store)] {
        if let Some(health) = health {
            fact(name, working(*health));
        }
    }
    if let Some(keys) = signing_keys {
        let rotates =
            keys.active.as_ref().map(|active| format!("{}, until {}", active.algorithm, active.rotates));
        fact("token keys", rotates.map_or_else(|| working(keys.health), Cell::from));
    }
    table
}

fn working(health: ComponentHealth) -> Cell {
    match health {
        ComponentHealth::Working => Cell::new(GOOD, "working"),
        ComponentHealth::Failing => Cell::new(BAD, "failing: see the log"),
    }
}

fn targets(upstreams: &Upstreams) -> Table {
    let mut table = Table::new(&["UPSTREAM", "TARGET", "HEALTH", "IN FLIGHT"]);
    for upstream in &upstreams.upstreams {
        for target in &upstream.targets {
            let (style, health) = match target.health {
                TargetHealth::Healthy => (GOOD, "healthy"),
                TargetHealth::Unhealthy => (BAD, "unhealthy"),
                TargetHealth::Ejected => (ATTENTION, "ejected"),
            };
            table.row([
                Cell::new(PLAIN, &upstream.name),
                Cell::new(PLAIN, &target.url),
                Cell::new(style, health),
                target.requests_in_flight.into(),
            ]);
        }
    }
    table
}

fn kind(kind: ListenerKind) -> &'static str {
    match kind {
        ListenerKind::Https => "https",
        ListenerKind::Http => "http",
        ListenerKind::Redirect => "http (redirects)",
        ListenerKind::Admin => "admin API",
        ListenerKind::Metrics => "metrics",
    }
}

fn uptime(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}
