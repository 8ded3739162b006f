//! The control plane as the binary sees it.

use std::{future::Future, sync::Arc};

use axum::Router;
use bartizan_alerts::Alerts;
use bartizan_events::EventLog;
use bartizan_identity::{account::Accounts, authorization_server::AuthorizationServer};
use bartizan_pipeline::Records;
use bartizan_posture::Monitor;
use bartizan_reputation::AddressLists;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use utoipa::openapi::OpenApi;

use crate::{
    AdminToken, System,
    api::{self, access::PermissionsAlone},
    document,
    server::{self, Limits},
};

/// The admin API of one running system. Cheap to clone.
#[derive(Clone)]
pub struct Control {
    shared: Arc<Shared>,
    token: AdminToken,
}

/// What the handlers work with.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) system: Arc<dyn System>,
    pub(crate) records: Arc<Records>,
    pub(crate) addresses: Arc<AddressLists>,
    pub(crate) accounts: Option<Arc<Accounts>>,
    pub(crate) tokens: Option<Arc<AuthorizationServer>>,
    pub(crate) events: Option<EventLog>,
    pub(crate) alerts: Option<Alerts>,
    pub(crate) posture: Option<Monitor>,
    pub(crate) document: String,
    pub(crate) permissions_alone: PermissionsAlone,
}

impl Control {
    /// The admin API of `system`, opened by `token`.
    pub fn new(
        system: Arc<dyn System>,
        records: Arc<Records>,
        addresses: Arc<AddressLists>,
        token: AdminToken,
    ) -> Self {
        let shared = Shared {
            system,
            records,
            addresses,
            accounts: None,
            tokens: None,
            events: None,
            alerts: None,
            posture: None,
            document: Self::openapi_json(),
            permissions_alone: PermissionsAlone::default(),
        };
        Self { shared: Arc::new(shared), token }
    }

    /// With the accounts of the gateway.
    #[must_use]
    pub fn with_accounts(self, accounts: Arc<Accounts>) -> Self {
        let shared = Shared { accounts: Some(accounts), ..Shared::clone(&self.shared) };
        Self { shared: Arc::new(shared), token: self.token }
    }

    /// With the events of the gateway.
    #[must_use]
    pub fn with_events(self, events: EventLog) -> Self {
        let shared = Shared { events: Some(events), ..Shared::clone(&self.shared) };
        Self { shared: Arc::new(shared), token: self.token }
    }

    /// With the alerts of the gateway.
    #[must_use]
    pub fn with_alerts(self, alerts: Alerts) -> Self {
        let shared = Shared { alerts: Some(alerts), ..Shared::clone(&self.shared) };
        Self { shared: Arc::new(shared), token: self.token }
    }

    /// With what looks at the gateway.
    #[must_use]
    pub fn with_posture(self, posture: Monitor) -> Self {
        let shared = Shared { posture: Some(posture), ..Shared::clone(&self.shared) };
        Self { shared: Arc::new(shared), token: self.token }
    }

    /// With the tokens of the gateway.
    #[must_use]
    pub fn with_tokens(self, tokens: Arc<AuthorizationServer>) -> Self {
        let shared = Shared { tokens: Some(tokens), ..Shared::clone(&self.shared) };
        Self { shared: Arc::new(shared), token: self.token }
    }

    /// Everything, for the admin listener.
    pub fn router(&self) -> Router {
        api::admin(Arc::clone(&self.shared), self.token.clone())
    }

    /// `/metrics`, `/healthz` and `/readyz` without a token, for the metrics listener.
    pub fn metrics_router(&self) -> Router {
        api::metrics(Arc::clone(&self.shared))
    }

    /// Serves the admin API until `shutdown` ends, then finishes what is in flight, for ten seconds at most.
    ///
    /// Without `tls` the listener must be on a loopback address: the token would cross the network in the clear.
    /// HTTP/1.1 only, whatever ALPN `tls` says.
    pub async fn serve(
        &self,
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        shutdown: impl Future<Output = ()> + Send,
    ) {
        server::serve(listener, tls, self.router(), Limits::default(), shutdown).await;
    }

    /// Serves the metrics listener until `shutdown` ends.
    pub async fn serve_metrics(&self, listener: TcpListener, shutdown: impl Future<Output = ()> + Send) {
        server::serve(listener, None, self.metrics_router(), Limits::default(), shutdown).await;
    }

    /// The `OpenAPI` document of the admin listener.
    pub fn openapi() -> OpenApi {
        document::openapi()
    }

    /// The `OpenAPI` document as indented JSON, as `/openapi.json` serves it.
    pub fn openapi_json() -> String {
        document::json()
    }
}
