//! One running system: the data plane, the admin API and the metrics, from their start to their end.

mod asked;
mod listeners;
mod together;

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;
use bartizan_alerts::Alerts;
use bartizan_config::{Config, ConfigError, Loaded, Watch};
use bartizan_control::{AdminToken, Control};
use bartizan_export::Exports;
use bartizan_gateway::{ActivatedSockets, Gateway};
use bartizan_identity::account::{Accounts, LinkToken};
use bartizan_pipeline::Records;
use bartizan_posture::Monitor;
use bartizan_reputation::AddressLists;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use self::asked::Asked;
use crate::{
    accounts,
    admin_tls::AdminTls,
    alerts,
    configuration::{self, Configuration, Followers},
    detection::Rules,
    document,
    events::Events,
    exports, logging, open_files,
    posture::Surroundings,
    process, recorder,
    signals::{Request, Signals},
    spans::Spans,
    state::{Announcement, Running, StateDirectory},
    systemd,
};

/// Refusals, and as many served requests, remembered for `bartizan explain`.
pub(crate) const RECORDS: usize = 4096;

/// How often the configuration's files are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How often metrics are tidied and the process is measured.
const MEASURE: Duration = Duration::from_secs(5);

/// What a system is started with.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The configuration.
    pub(crate) loaded: Loaded,
    /// The file it is from; `None` for `run --to`.
    pub(crate) document: Option<PathBuf>,
    /// Where the system says that it runs.
    pub(crate) state: StateDirectory,
    /// Whether the admin API and the metrics may be at any free port when theirs is taken. For a system that was
    /// started without much thought: commands find it by the state directory.
    pub(crate) any_control_port: bool,
}

/// A running system.
#[derive(Debug)]
pub(crate) struct System {
    gateway: Gateway,
    addresses: Arc<AddressLists>,
    configuration: Configuration,
    watch: Option<Watch>,
    running: Running,
    announcement: Announcement,
    first_administrator: Option<LinkToken>,
    accounts: Option<Arc<Accounts>>,
    spans: Spans,
    events: Events,
    alerts: Option<Alerts>,
    servers: JoinSet<()>,
    stop_servers: watch::Sender<bool>,
}

// === impl System ===

impl System {
    /// Starts everything that `plan` says.
    pub(crate) async fn start(plan: Plan) -> Result<Self> {
        let Plan { loaded: Loaded { config, warnings }, document, state, any_control_port } = plan;
        let level = logging::start(&config.log)?;
        configuration::log_warnings(&warnings);
        open_files::warn_when_low(open_files::raise_limit(), config.hardening.max_connections);
        let metrics = recorder::install()?;
        process::record();
        state.create()?;
        let token = AdminToken::create_or_read(&state.admin_token_path())?;

        let watch = document.as_deref().map(|path| Watch::new(&config, path));
        let mut sockets = ActivatedSockets::from_environment(&listeners::names(&config));
        let mut bind =
            |address, name| listeners::bind(address, name, &config, &mut sockets, any_control_port);
        let (admin, metrics_listener) =
            (bind(config.listen.admin, "admin")?, bind(config.listen.metrics, "metrics")?);
        let admin_tls = AdminTls::new(&config)?;
        let (addresses, records) = (Arc::default(), Arc::new(Records::with_capacity(RECORDS)));
        let spans = Spans::observing(&records);
        spans.export_to(config.telemetry.otlp.as_deref())?;
        let rules = Rules::compile(&config).map_err(ConfigError::Invalid)?;
        let mut doubts = rules.doubts.clone();
        let plan = exports::plan(&config, document.as_deref()).map_err(ConfigError::Invalid)?;
        let exports = Exports::start(state.exports_path(), plan)?;
        let events = Events::open(&config, rules, &exports, &state)?;
        events.observe(&records);
        let alerts = alerts::open(&config, events.log(), &state).await?;
        let accounts = accounts::open(&config, &state).await?;
        if let Some(accounts) = &accounts {
            events.observe_audit(accounts);
        }
        let first_administrator = accounts::offer_first_administrator(accounts.as_ref()).await?;
        let tokens = accounts::open_tokens(&config, accounts.as_ref()).await?;
        let door = accounts.as_ref().map(|accounts| accounts::door(accounts, tokens.as_ref(), events.log()));
        let gateway =
            Gateway::start(config, Arc::clone(&addresses), door, Arc::clone(&records), &mut sockets)?;
        together::join(gateway.current_limiter(), accounts.as_ref(), tokens.as_ref());
        gateway.limiter().reach_store().await;
        if let Some(path) = &document {
            doubts.extend(gateway.doubts());
            configuration::log_warnings(&document::doubts(path, doubts).collect::<Vec<_>>());
        }

        let listeners = listeners::all(&gateway, admin.local_addr()?, metrics_listener.local_addr()?);
        let running = listeners::running(&listeners, admin_tls.is_some(), document.clone());
        let followers = Followers {
            level,
            admin_tls: admin_tls.clone(),
            spans: spans.clone(),
            events: events.clone(),
            alerts: alerts.clone(),
            accounts: accounts.clone(),
            tokens: tokens.clone(),
        };
        let configuration = Configuration::new(gateway.clone(), document, state.clone(), followers);
        let monitor = Monitor::new(
            events.log().clone(),
            Surroundings {
                gateway: gateway.clone(),
                configuration: configuration.clone(),
                events: events.clone(),
                accounts: accounts.clone(),
                tokens: tokens.clone(),
                alerts: alerts.clone(),
                state: state.clone(),
                started: Instant::now(),
            },
            state.weaknesses_path(),
        );
        let asked =
            Asked::new(gateway.clone(), configuration.clone(), events.clone(), listeners, metrics.clone());
        let mut control = Control::new(Arc::new(asked), records, Arc::clone(&addresses), token)
            .with_events(events.log().clone())
            .with_posture(monitor.clone());
        if let Some(accounts) = &accounts {
            control = control.with_accounts(Arc::clone(accounts));
        }
        if let Some(tokens) = tokens {
            control = control.with_tokens(tokens);
        }
        if let Some(alerts) = alerts.clone() {
            control = control.with_alerts(alerts);
        }
        let (stop_servers, stopping) = watch::channel(false);
        let mut servers = JoinSet::new();
        let (admin_control, stop_admin, stop_metrics) =
            (control.clone(), stopped(&stopping), stopped(&stopping));
        let admin_tls = admin_tls.map(|tls| tls.server_config());
        servers.spawn(async move { admin_control.serve(admin, admin_tls, stop_admin).await });
        servers.spawn(async move { control.serve_metrics(metrics_listener, stop_metrics).await });
        servers.spawn(measure(metrics, stopped(&stopping)));
        servers.spawn(watch_posture(monitor, stopped(&stopping)));
        let announcement = state.announce(&running)?;
        Ok(Self {
            gateway,
            addresses,
            configuration,
            watch,
            running,
            announcement,
            first_administrator,
            accounts,
            spans,
            events,
            alerts,
            servers,
            stop_servers,
        })
    }

    /// The address lists that requests are checked against.
    pub(crate) fn addresses(&self) -> &AddressLists {
        &self.addresses
    }

    /// By which secret the first administrator is made, where accounts know nobody.
    pub(crate) fn first_administrator(&self) -> Option<&LinkToken> {
        self.first_administrator.as_ref()
    }

    /// The configuration in use.
    pub(crate) fn config(&self) -> Arc<Config> {
        self.gateway.config()
    }

    /// Logs at another level than the configuration says, until told otherwise.
    pub(crate) fn set_log_level(&self, level: Option<&str>) {
        self.configuration.set_log_level(level);
    }

    /// What it told the state directory.
    pub(crate) fn running(&self) -> &Running {
        &self.running
    }

    /// Where it serves the routes: the first listener that does not only redirect.
    pub(crate) fn proxy(&self) -> Option<SocketAddr> {
        let mut listeners = self.gateway.listeners().into_iter();
        listeners
            .find(|(kind, _)| *kind != bartizan_gateway::ListenerKind::Redirect)
            .map(|(_, address)| address)
    }

    /// Runs until a signal says to stop, then drains and stops.
    pub(crate) async fn run(mut self, signals: &mut Signals) {
        let signal = self.attend(signals).await;
        tracing::info!(signal, drain = ?self.gateway.config().drain, "stopping: finishing what is in flight");
        signals.impatient(self.stop()).await;
    }

    /// Takes over changed configurations until a signal says to stop.
    async fn attend(&mut self, signals: &mut Signals) -> i32 {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                request = signals.next() => match request {
                    Request::Stop(signal) => return signal,
                    Request::Reload => self.configuration.follow_files().await,
                },
                _ = look.tick() => {
                    let config = self.gateway.config();
                    let changed = self.watch.as_mut().is_some_and(|watch| {
                        watch.follow(&config);
                        watch.changed()
                    });
                    if changed {
                        self.configuration.follow_files().await;
                    }
                    if self.announcement.is_superseded_at(&self.running.admin) {
                        self.stop_servers.send_replace(true);
                    }
                }
            }
        }
    }

    /// The admin API and the metrics are there until the last request is done, so that `/readyz` can say that
    /// this gateway is about to stop.
    pub(crate) async fn stop(mut self) {
        systemd::stopping();
        self.events.dismiss_organizations();
        self.gateway.shutdown().await;
        self.events.dismiss_followers();
        self.stop_servers.send_replace(true);
        while self.servers.join_next().await.is_some() {}
        if let Some(accounts) = &self.accounts {
            accounts.finish_messages().await;
        }
        self.spans.finish().await;
        if let Some(alerts) = &self.alerts {
            alerts.finish().await;
        }
        self.events.finish().await;
        drop(self.announcement);
        tracing::info!("stopped");
    }
}

async fn measure(metrics: PrometheusHandle, stopped: impl Future<Output = ()>) {
    let work = async {
        let mut tick = interval(MEASURE);
        loop {
            tick.tick().await;
            metrics.run_upkeep();
            process::record();
        }
    };
    tokio::select! {
        () = stopped => {}
        () = work => {}
    }
}

async fn watch_posture(monitor: Monitor, stopped: impl Future<Output = ()>) {
    tokio::select! {
        () = stopped => {}
        () = monitor.run() => {}
    }
}

/// Ends when the servers are to stop, or when whoever could say so is gone.
fn stopped(stopping: &watch::Receiver<bool>) -> impl Future<Output = ()> + Send + use<> {
    let mut stopping = stopping.clone();
    async move {
        let _ = stopping.wait_for(|stop| *stop).await;
    }
}
