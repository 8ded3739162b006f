//! Where the system listens.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::{Context, Result};
use bartizan_config::Config;
use bartizan_control::{Listener, ListenerKind};
use bartizan_gateway::{ActivatedSockets, Gateway};
use tokio::net::TcpListener;

use crate::{command::version::VERSION, state::Running};

/// The listeners that a supervisor may hand over, in the order of its sockets.
pub(super) fn names(config: &Config) -> Vec<&'static str> {
    let (https, http) = (config.listen.https.map(|_| "https"), config.listen.http.map(|_| "http"));
    https.into_iter().chain(http).chain(["admin", "metrics"]).collect()
}

/// A listener for the admin API or the metrics: inherited, or its own.
pub(super) fn bind(
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

/// Every listener with its real port.
pub(super) fn all(gateway: &Gateway, admin: SocketAddr, metrics: SocketAddr) -> Vec<Listener> {
    let kind = |kind| match kind {
        bartizan_gateway::ListenerKind::Https => ListenerKind::Https,
        bartizan_gateway::ListenerKind::Http => ListenerKind::Http,
        bartizan_gateway::ListenerKind::Redirect => ListenerKind::Redirect,
    };
    let proxy = gateway.listeners().into_iter().map(|(of, address)| (kind(of), address));
    let control = [(ListenerKind::Admin, admin), (ListenerKind::Metrics, metrics)];
    proxy.chain(control).map(|(kind, address)| Listener { kind, address: address.to_string() }).collect()
}

/// What `running.json` says.
pub(super) fn running(listeners: &[Listener], admin_tls: bool, document: Option<PathBuf>) -> Running {
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
