//! One running system: the data plane, the admin API and the metrics, from their start to their end.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result};
use bartizan_config::{Config, Loaded, Watch};
use bartizan_control::{
    AdminToken, Control, Listener, ListenerKind, ReloadFuture, Status, TargetHealth, TargetStatus,
    UpstreamStatus,
};
use bartizan_gateway::{ActivatedSockets, Gateway};
use bartizan_pipeline::Records;
use bartizan_reputation::AddressLists;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use crate::{
    admin_tls::AdminTls,
    command::version::VERSION,
    configuration::{self, Configuration},
    logging, open_files, process, recorder,
    signals::{Request, Signals},
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
    servers: JoinSet<()>,
    stop_servers: watch::Sender<bool>,
}

/// What the admin API asks.
#[derive(Debug)]
struct Asked {
    gateway: Gateway,
    configuration: Configuration,
    listeners: Vec<Listener>,
    metrics: PrometheusHandle,
    started: (SystemTime, Instant),
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
        let mut sockets = ActivatedSockets::from_environment(&names(&config));
        let mut bind = |address, name| bind(address, name, &config, &mut sockets, any_control_port);
        let (admin, metrics_listener) =
            (bind(config.listen.admin, "admin")?, bind(config.listen.metrics, "metrics")?);
        let admin_tls = AdminTls::new(&config)?;
        let (addresses, records) = (Arc::default(), Arc::new(Records::with_capacity(RECORDS)));
        let gateway =
            Gateway::start(config, Arc::clone(&addresses), Arc::clone(&records), &mut sockets).await?;

        let configuration = Configuration::new(gateway.clone(), admin_tls.clone(), document.clone(), level);
        let listeners = listeners(&gateway, admin.local_addr()?, metrics_listener.local_addr()?);
        let running = running(&listeners, admin_tls.is_some(), document);
        let asked = Asked {
            gateway: gateway.clone(),
            configuration: configuration.clone(),
            listeners,
            metrics: metrics.clone(),
            started: (SystemTime::now(), Instant::now()),
        };
        let control = Control::new(Arc::new(asked), records, Arc::clone(&addresses), token);
        let (stop_servers, stopping) = watch::channel(false);
        let mut servers = JoinSet::new();
        let (admin_control, stop_admin, stop_metrics) =
            (control.clone(), stopped(&stopping), stopped(&stopping));
        let admin_tls = admin_tls.map(|tls| tls.server_config());
        servers.spawn(async move { admin_control.serve(admin, admin_tls, stop_admin).await });
        servers.spawn(async move { control.serve_metrics(metrics_listener, stop_metrics).await });
        servers.spawn(measure(metrics, stopped(&stopping)));
        let announcement = state.announce(&running)?;
        Ok(Self { gateway, addresses, configuration, watch, running, announcement, servers, stop_servers })
    }

    /// The address lists that requests are checked against.
    pub(crate) fn addresses(&self) -> &AddressLists {
        &self.addresses
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
                    Request::Reload => self.reload().await,
                },
                _ = look.tick() => {
                    if self.watch.as_mut().is_some_and(Watch::changed) {
                        self.reload().await;
                    }
                    if self.announcement.is_superseded_at(&self.running.admin) {
                        self.stop_servers.send_replace(true);
                    }
                }
            }
        }
    }

    /// A failure is told by [`Configuration`]; the files are tried again when they change again.
    async fn reload(&self) {
        let _ = self.configuration.reload().await;
    }

    /// The admin API and the metrics are there until the last request is done, so that `/readyz` can say that
    /// this gateway is about to stop.
    pub(crate) async fn stop(mut self) {
        systemd::stopping();
        self.gateway.shutdown().await;
        self.stop_servers.send_replace(true);
        while self.servers.join_next().await.is_some() {}
        drop(self.announcement);
        tracing::info!("stopped");
    }
}

// === impl Asked ===

impl bartizan_control::System for Asked {
    fn status(&self) -> Status {
        let (started, since) = self.started;
        Status {
            version: VERSION.into(),
            started: started.into(),
            uptime_seconds: since.elapsed().as_secs(),
            ready: self.gateway.ready(),
            draining: self.gateway.is_draining(),
            configuration: self.configuration.status(),
            listeners: self.listeners.clone(),
        }
    }

    fn reload(&self) -> ReloadFuture<'_> {
        Box::pin(self.configuration.reload())
    }

    fn upstreams(&self) -> Vec<UpstreamStatus> {
        self.gateway.upstreams().into_iter().map(upstream).collect()
    }

    fn metrics(&self) -> String {
        let configuration = recorder::configuration_series(&self.gateway.config().revision);
        format!("{configuration}{}", self.metrics.render())
    }
}

fn upstream(status: bartizan_gateway::UpstreamStatus) -> UpstreamStatus {
    let target = |target: bartizan_gateway::TargetStatus| TargetStatus {
        health: match (target.healthy, target.ejected_until) {
            (false, _) => TargetHealth::Unhealthy,
            (true, Some(_)) => TargetHealth::Ejected,
            (true, None) => TargetHealth::Healthy,
        },
        url: target.address,
        requests_in_flight: u64::try_from(target.in_flight).unwrap_or(u64::MAX),
    };
    UpstreamStatus { name: status.name, targets: status.targets.into_iter().map(target).collect() }
}

/// The listeners that a supervisor may hand over, in the order of its sockets.
fn names(config: &Config) -> Vec<&'static str> {
    let (https, http) = (config.listen.https.map(|_| "https"), config.listen.http.map(|_| "http"));
    https.into_iter().chain(http).chain(["admin", "metrics"]).collect()
}

fn bind(
    address: SocketAddr,
    name: &str,
    config: &Config,
    sockets: &mut ActivatedSockets,
    any_port: bool,
) -> Result<TcpListener> {
    let listen = |address| bartizan_gateway::listen(address, config.listen.reuse_port);
    let listener = match sockets.take(name) {
        Some(listener) => Ok(listener),
        None => listen(address)
            .or_else(|error| if any_port { listen(SocketAddr::new(address.ip(), 0)) } else { Err(error) }),
    };
    let listener = listener.with_context(|| format!("no listener for `listen.{name}`"))?;
    listener.set_nonblocking(true).and_then(|()| TcpListener::from_std(listener)).map_err(Into::into)
}

fn listeners(gateway: &Gateway, admin: SocketAddr, metrics: SocketAddr) -> Vec<Listener> {
    let kind = |kind| match kind {
        bartizan_gateway::ListenerKind::Https => ListenerKind::Https,
        bartizan_gateway::ListenerKind::Http => ListenerKind::Http,
        bartizan_gateway::ListenerKind::Redirect => ListenerKind::Redirect,
    };
    let proxy = gateway.listeners().into_iter().map(|(of, address)| (kind(of), address));
    let control = [(ListenerKind::Admin, admin), (ListenerKind::Metrics, metrics)];
    proxy.chain(control).map(|(kind, address)| Listener { kind, address: address.to_string() }).collect()
}

fn running(listeners: &[Listener], admin_tls: bool, document: Option<PathBuf>) -> Running {
    let of = |kinds: &[ListenerKind]| {
        let listener = listeners.iter().find(|listener| kinds.contains(&listener.kind));
        listener.map(|listener| listener.address.clone())
    };
    Running {
        pid: std::process::id(),
        version: VERSION.into(),
        https: of(&[ListenerKind::Https]),
        http: of(&[ListenerKind::Http, ListenerKind::Redirect]),
        admin: of(&[ListenerKind::Admin]).unwrap_or_default(),
        admin_tls,
        metrics: of(&[ListenerKind::Metrics]).unwrap_or_default(),
        config: document,
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

/// Ends when the servers are to stop, or when whoever could say so is gone.
fn stopped(stopping: &watch::Receiver<bool>) -> impl Future<Output = ()> + Send + use<> {
    let mut stopping = stopping.clone();
    async move {
        let _ = stopping.wait_for(|stop| *stop).await;
    }
}
