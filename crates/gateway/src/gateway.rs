//! One running data plane: its listeners, and the configuration it serves by.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use bartizan_config::{Config, Http, Listen};
use bartizan_limits::Limiter;
use bartizan_pipeline::{Doubt, LimitHistory, Pipeline, Records};
use bartizan_policy::Policies;
use bartizan_reputation::AddressLists;
use tokio::{sync::watch, task::JoinSet};

use crate::{
    AccountsDoor, GatewayError, ListenerKind,
    admission::Admission,
    listener::{ActivatedSockets, BoundListener, ListenerSettings, listen},
    metrics::RouteMetrics,
    redirect::Redirect,
    serve::Service,
    tls,
    upstream::{UpstreamStatus, Upstreams},
};

/// How often what limits have counted is looked through for what has lapsed.
const SWEEP: Duration = Duration::from_mins(1);

/// A running data plane. Cloning it gives another handle to the same one.
#[derive(Debug, Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
}

/// The limiter of the configuration in force, for those whom the gateway itself holds.
#[derive(Debug, Clone)]
pub struct CurrentLimiter(Weak<Shared>);

impl CurrentLimiter {
    /// `None` once the gateway is gone.
    pub fn get(&self) -> Option<Limiter> {
        Some(self.0.upgrade()?.generation.load().pipeline.limiter().clone())
    }
}

#[derive(Debug)]
struct Shared {
    generation: Arc<ArcSwap<Generation>>,
    settings: Arc<ArcSwap<ListenerSettings>>,
    addresses: Arc<AddressLists>,
    listeners: Vec<(ListenerKind, SocketAddr)>,
    /// One reload at a time; also holds the listeners' tasks until they are awaited.
    tasks: tokio::sync::Mutex<JoinSet<()>>,
    shutdown: watch::Sender<bool>,
    draining: AtomicBool,
}

/// Everything that one configuration says about a request, swapped in whole. A request keeps the generation it
/// started with to its end.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) config: Arc<Config>,
    pub(crate) pipeline: Pipeline,
    pub(crate) upstreams: Upstreams,
    /// What answers the routes of accounts; `None`: there are none.
    pub(crate) accounts: Option<AccountsDoor>,
    /// By route index.
    pub(crate) metrics: Vec<RouteMetrics>,
}

impl Gateway {
    /// Binds the listeners of `config` (or takes them from `sockets`, where a supervisor holds them) and serves in
    /// the background until [`Gateway::shutdown`]. Needs a tokio runtime.
    pub fn start(
        config: Config,
        addresses: Arc<AddressLists>,
        accounts: Option<AccountsDoor>,
        records: Arc<Records>,
        sockets: &mut ActivatedSockets,
    ) -> Result<Self, GatewayError> {
        let settings = Arc::new(ArcSwap::from_pointee(listener_settings(&config)?));
        let bound = bind(&config.listen, sockets)?;
        let listeners: Vec<_> =
            bound.iter().map(|(kind, listener)| (*kind, listener.local_address())).collect();
        let generation = Generation::compile(Arc::new(config), &addresses, accounts, None)?;
        let limiter = generation.pipeline.limiter().clone();
        limiter.take_over();
        let generation = Arc::new(ArcSwap::from_pointee(generation));
        let (shutdown, stopping) = watch::channel(false);
        let service = Arc::new(Service::new(Arc::clone(&generation), records, stopping.clone()));
        let redirect = Arc::new(Redirect::to(https_port(&listeners)));
        let admission = Admission::new();
        let mut tasks = JoinSet::new();
        for (kind, listener) in bound {
            let (settings, admission, stopping) =
                (Arc::clone(&settings), Arc::clone(&admission), stopping.clone());
            match kind {
                ListenerKind::Redirect => {
                    tasks.spawn(listener.serve(settings, admission, Arc::clone(&redirect), stopping))
                }
                ListenerKind::Https | ListenerKind::Http => {
                    let (service, limiter) = (Arc::clone(&service), limiter.clone());
                    // Clients can connect meanwhile. What they asked before would not be counted in the store.
                    tasks.spawn(async move {
                        limiter.reach_store().await;
                        // Another configuration may have another store: this one must end with the last limiter.
                        drop(limiter);
                        listener.serve(settings, admission, service, stopping).await;
                    })
                }
            };
        }
        tasks.spawn(forget_expired(Arc::clone(&generation), stopping));
        let draining = AtomicBool::new(false);
        let tasks = tokio::sync::Mutex::new(tasks);
        let shared = Shared { generation, settings, addresses, listeners, tasks, shutdown, draining };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Whether `config` can be served: reads and compiles everything it names, but listens nowhere. Needs a tokio
    /// runtime to be entered; where that never runs, nobody is asked for keys or for their health either. Says what of it
    /// is probably not meant.
    pub fn examine(config: Config) -> Result<Vec<Doubt>, GatewayError> {
        listener_settings(&config)?;
        let generation = Generation::compile(Arc::new(config), &Arc::default(), None, None)?;
        Ok(generation.pipeline.doubts())
    }

    /// Takes over `config` in whole, or leaves everything as it is. Requests in flight end by the configuration
    /// they started with. Listening addresses cannot change while running.
    pub async fn reload(&self, config: Config) -> Result<(), GatewayError> {
        let shared = &self.shared;
        let _turn = shared.tasks.lock().await;
        let current = shared.generation.load_full();
        if let Some(changed) = changed_listener(&current.config.listen, &config.listen) {
            return Err(GatewayError::ListenChanged(changed));
        }
        if current.config.accounts.is_some() != config.accounts.is_some() {
            return Err(GatewayError::NeedsRestart("accounts"));
        }
        if config.accounts.is_some() && current.config.store != config.store {
            return Err(GatewayError::NeedsRestart("store"));
        }
        let settings = listener_settings(&config)?;
        // Rule sets take their time, and requests must not wait for it.
        let addresses = Arc::clone(&shared.addresses);
        let compile = move || {
            Generation::compile(Arc::new(config), &addresses, current.accounts.clone(), Some(&current))
        };
        let generation =
            tokio::task::spawn_blocking(compile).await.map_err(|_| GatewayError::Compilation)??;
        let limiter = generation.pipeline.limiter().clone();
        // Until another store can be reached, the one before decides.
        limiter.reach_store().await;
        shared.settings.store(Arc::new(settings));
        shared.generation.store(Arc::new(generation));
        limiter.take_over();
        Ok(())
    }

    /// The configuration that new requests are served by.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.shared.generation.load().config)
    }

    /// What of the configuration in use is probably not meant.
    pub fn doubts(&self) -> Vec<Doubt> {
        self.shared.generation.load().pipeline.doubts()
    }

    /// The policies behind the permissions; `None`: there are none.
    pub fn policies(&self) -> Option<Arc<Policies>> {
        self.shared.generation.load().pipeline.policies().cloned()
    }

    /// The limiter of whatever configuration is in force when it is asked for.
    pub fn current_limiter(&self) -> CurrentLimiter {
        CurrentLimiter(Arc::downgrade(&self.shared))
    }

    /// What counts the requests of limited routes.
    pub fn limiter(&self) -> Limiter {
        self.shared.generation.load().pipeline.limiter().clone()
    }

    /// What the last hour asked for, to forecast what other limits would do.
    pub fn limit_history(&self) -> LimitHistory {
        self.shared.generation.load().pipeline.limit_history().clone()
    }

    /// The proxy listeners and where they really listen.
    pub fn listeners(&self) -> Vec<(ListenerKind, SocketAddr)> {
        self.shared.listeners.clone()
    }

    /// Whether requests can be served: not draining, every identity provider has its keys, and the shared store was reached
    /// or given a second for it.
    pub fn ready(&self) -> bool {
        !self.is_draining() && self.shared.generation.load().pipeline.ready()
    }

    /// Whether [`Gateway::shutdown`] has begun.
    pub fn is_draining(&self) -> bool {
        self.shared.draining.load(Ordering::Acquire)
    }

    /// The upstreams and their targets.
    pub fn upstreams(&self) -> Vec<UpstreamStatus> {
        self.shared.generation.load().upstreams.status()
    }

    /// Stops listening and lets requests in flight finish, for at most the configured time.
    pub async fn shutdown(&self) {
        self.shared.draining.store(true, Ordering::Release);
        self.shared.shutdown.send_replace(true);
        let mut tasks = self.shared.tasks.lock().await;
        while tasks.join_next().await.is_some() {}
    }
}

impl Generation {
    fn compile(
        config: Arc<Config>,
        addresses: &Arc<AddressLists>,
        accounts: Option<AccountsDoor>,
        previous: Option<&Self>,
    ) -> Result<Self, GatewayError> {
        let sessions = accounts.as_ref().map(|door| &door.sessions);
        let pipeline = Pipeline::with_sessions(
            &config,
            Arc::clone(addresses),
            sessions,
            previous.map(|previous| &previous.pipeline),
        )?;
        let upstreams = Upstreams::new(&config.upstreams, previous.map(|previous| &previous.upstreams))?;
        let metrics = config.routes.iter().map(|route| RouteMetrics::new(route)).collect();
        Ok(Self { config, pipeline, upstreams, accounts, metrics })
    }
}

/// Gives back the memory of limits that have lapsed, and forgets who has asked more than an hour ago. New values make room
/// for themselves; a flood that is over does not.
async fn forget_expired(generation: Arc<ArcSwap<Generation>>, mut stopping: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            // An error means that the gateway is gone.
            _ = stopping.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(SWEEP) => {}
        }
        let (limiter, history) = {
            let generation = generation.load();
            (generation.pipeline.limiter().clone(), generation.pipeline.limit_history().clone())
        };
        let sweep = move || {
            history.forget_expired(limiter.now());
            limiter.sweep()
        };
        // Of ten million values it takes a fifth of a second, in which a worker would serve nobody.
        match tokio::task::spawn_blocking(sweep).await {
            Ok(0) => {}
            Ok(forgotten) => tracing::debug!(forgotten, "limits forgot what has lapsed"),
            Err(error) => tracing::error!(%error, "limits did not forget what has lapsed"),
        }
    }
}

fn listener_settings(config: &Config) -> Result<ListenerSettings, GatewayError> {
    Ok(ListenerSettings {
        hardening: config.hardening.clone(),
        proxy_protocol: config.listen.proxy_protocol,
        trusted_proxies: config.listen.trusted_proxies.clone(),
        tls: config.tls.as_ref().map(tls::server_config).transpose()?,
        drain: config.drain,
    })
}

fn bind(
    config: &Listen,
    sockets: &mut ActivatedSockets,
) -> Result<Vec<(ListenerKind, BoundListener)>, GatewayError> {
    let https = config.https.map(|address| (ListenerKind::Https, address));
    let http = config.http.map(|http| match http {
        Http::Serve(address) => (ListenerKind::Http, address),
        Http::Redirect(address) => (ListenerKind::Redirect, address),
    });
    let mut bound = Vec::new();
    for (kind, address) in https.into_iter().chain(http) {
        let socket = match sockets.take(if kind == ListenerKind::Https { "https" } else { "http" }) {
            Some(socket) => socket,
            None => listen(address, config.reuse_port)?,
        };
        bound.push((kind, BoundListener::new(kind, socket)?));
    }
    Ok(bound)
}

fn https_port(listeners: &[(ListenerKind, SocketAddr)]) -> Option<u16> {
    listeners.iter().find(|(kind, _)| *kind == ListenerKind::Https).map(|(_, address)| address.port())
}

/// The key under `listen:` whose change needs a restart, if one changed.
fn changed_listener(current: &Listen, next: &Listen) -> Option<&'static str> {
    let changes = [
        ("https", current.https != next.https),
        ("http", current.http != next.http),
        ("admin", current.admin != next.admin),
        ("metrics", current.metrics != next.metrics),
        ("reuse_port", current.reuse_port != next.reuse_port),
    ];
    changes.into_iter().find_map(|(key, changed)| changed.then_some(key))
}
