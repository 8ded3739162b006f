//! The road: one request, one straight way from its arrival to a verdict.
//!
//! [`Pipeline::decide`] calls the stages one after the other; read it first. Each stage reads and adds to the
//! [`Exchange`], and leaves one [`Step`] in its [`Trace`]: what it found, why, which configuration line said so,
//! and how long it took. A stage that refuses ends the road with a [`Refusal`]; a stage that errs refuses.
//!
//! There are no sockets here. Whoever owns the connection ([`bartizan-gateway`], later the Envoy and
//! forward-auth doors) builds the exchange, lends the request body through [`HoldBody`], and acts on the
//! [`Verdict`].
//!
//! [`bartizan-gateway`]: https://docs.rs/bartizan-gateway

// The futures of the stages lie inside one another, and so do those of a shared store.
#![recursion_limit = "256"]

mod exchange;
pub mod firewall;
mod held_bytes;
mod limits;
mod path;
mod policies;
mod records;
mod refusal;
mod response;
mod route_table;
mod stage;
#[cfg(test)]
mod tests;
mod trace;
mod verdict;

use std::sync::Arc;

use bartizan_config::Config;
use bartizan_identity::{Authenticator, IdentityError, LiveSessions};
use bartizan_limits::{Limiter, LimitsError};
use bartizan_policy::{PermissionIndex, Policies, PoliciesError};
use bartizan_reputation::AddressLists;
use bartizan_seclang::MemoryCollections;
use bytes::Bytes;

pub use exchange::{ClientFacts, Exchange};
pub use firewall::{
    Doubt, Firewall, FirewallError, Inspected, Inspection, Judged, MatchedRule, MatchedVariable, Proposal,
    ProposedExclusion, RequestLine, Tried, Unseen,
};
use firewall::{Inspectors, Shown};
pub use held_bytes::{HeldBytes, NoRoom, Reservation};
use limits::Recorder;
pub use limits::{
    Forecast, ForecastError, LimitAccount, LimitEffect, LimitHistory, Limited, NotForecast, RouteLimits,
    RuleAccount, RuleForecast, ValueForecast, counted_host, largest_own_rate, own_rate_policy,
};
pub use path::{NormalPath, PathError};
pub use policies::{AskedPolicies, DryRun, JudgedDifferently, dry_run};
pub use records::{Asked, Record, Records};
pub use refusal::{Code, ProblemType, Refusal};
pub use response::{CompiledCors, Nonce, ResponseFacts, SecurityHeaders};
pub use route_table::{CompiledRoute, Found, RouteIndex, RouteTable};
pub use stage::body::{BodyFailure, Held, HoldBody, NoBody};
pub use trace::{Outcome, Reason, Stage, Step, Trace};
pub use verdict::{Preflight, Stop, Verdict};

/// The stages of one configuration, compiled. A reload builds a new one and swaps it in whole.
#[derive(Debug)]
pub struct Pipeline {
    protocol: stage::protocol::Protocol,
    routes: RouteTable,
    policies: Option<Arc<Policies>>,
    addresses: Arc<AddressLists>,
    authenticator: Authenticator,
    limiter: Limiter,
    /// The limits on requests that no route takes.
    unmatched: Option<Arc<RouteLimits>>,
    /// The limits on every request, which preflights meet alone.
    every_request: Option<Arc<RouteLimits>>,
    recorder: Recorder,
    inspectors: Inspectors,
    /// What rules of the firewall remember of one exchange for the next.
    collections: Arc<MemoryCollections>,
}

/// Why a configuration cannot be compiled.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The identity providers cannot be set up.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The shared store cannot be used.
    #[error(transparent)]
    Limits(#[from] LimitsError),
    /// The rules of the firewall cannot be used.
    #[error(transparent)]
    Firewall(#[from] FirewallError),
    /// The policies are not valid.
    #[error(transparent)]
    Policies(#[from] PoliciesError),
}

impl Pipeline {
    /// Compiles `config`. Must be called within a tokio runtime, because identity providers fetch their keys in
    /// the background. Keys already fetched by `previous` are kept where its providers have not changed, and
    /// what its limits and the rules of its firewall have counted.
    pub fn new(
        config: &Config,
        addresses: Arc<AddressLists>,
        previous: Option<&Self>,
    ) -> Result<Self, PipelineError> {
        Self::with_sessions(config, addresses, None, previous)
    }

    /// The same with the sessions of people whom the gateway knows itself. Without them nobody is let in by a session.
    pub fn with_sessions(
        config: &Config,
        addresses: Arc<AddressLists>,
        sessions: Option<&Arc<LiveSessions>>,
        previous: Option<&Self>,
    ) -> Result<Self, PipelineError> {
        let index = Arc::new(PermissionIndex::new(config.routes.iter().map(|route| &route.require)));
        let authenticator =
            Authenticator::new(config, &index, sessions, previous.map(|pipeline| &pipeline.authenticator))?;
        let limiter = Limiter::new(config.shared.as_ref(), previous.map(|pipeline| &pipeline.limiter))?;
        let policies = Policies::compile(config)?;
        let collections = previous.map(|pipeline| Arc::clone(&pipeline.collections)).unwrap_or_default();
        let routes =
            RouteTable::compile(config, &index, &authenticator, &limiter, policies.as_ref(), &collections)?;
        Ok(Self {
            protocol: stage::protocol::Protocol::new(&config.hardening),
            routes,
            policies,
            addresses,
            authenticator,
            unmatched: RouteLimits::without_route(&config.unmatched, config, &limiter),
            every_request: RouteLimits::without_route(&config.every_request, config, &limiter),
            recorder: Recorder::new(config, &limiter, previous.map(|pipeline| &pipeline.recorder)),
            limiter,
            inspectors: previous.map_or_else(Inspectors::new, |pipeline| pipeline.inspectors.clone()),
            collections,
        })
    }

    /// Decides about one request. This is the road; the order follows cost, the cheap and anonymous first, so
    /// that an attacker never makes the gateway do expensive work.
    pub async fn decide(&self, exchange: &mut Exchange, body: &mut impl HoldBody) -> Verdict {
        let mut walked = self.walk(exchange, body).await;
        // Before the body is waited for, so that what is recorded stands in the order in which limits were asked.
        self.recorder.record(exchange, &self.limiter);
        if walked.is_ok() {
            walked = self.look_inside(exchange, body).await;
        }
        match walked {
            Ok(()) => Verdict::Pass,
            Err(Stop::Denied(refusal)) => Verdict::Deny(refusal),
            Err(Stop::Answered(preflight)) => Verdict::Answer(preflight),
        }
    }

    /// All stages that need only the head, but for a signature over the body.
    async fn walk(&self, exchange: &mut Exchange, body: &mut impl HoldBody) -> Result<(), Stop> {
        use stage::{authenticate, authorize, cross_origin, limit, reputation, route};

        let found = self.protocol.run(exchange);
        exchange.conclude(Stage::Protocol, found)?;
        let found = route::run(exchange, &self.routes);
        if found.is_err()
            && let Some(limits) = &self.unmatched
        {
            // Whoever looks for what is not there is told so only as often as that is allowed.
            let limited = limit::instead(exchange, &self.limiter, limits).await;
            exchange.conclude(Stage::CoarseLimit, limited)?;
        }
        exchange.conclude(Stage::Route, found)?;
        let found = reputation::run(exchange, &self.addresses);
        exchange.conclude(Stage::Reputation, found)?;
        let found = cross_origin::run(exchange);
        if found.is_err()
            && let Some(limits) = &self.every_request
        {
            // A preflight is answered without asking who it is: nothing else would bound a flood of them.
            let limited = limit::instead(exchange, &self.limiter, limits).await;
            exchange.conclude(Stage::CoarseLimit, limited)?;
        }
        exchange.conclude(Stage::CrossOrigin, found)?;
        let found = limit::coarse(exchange, &self.limiter).await;
        exchange.conclude(Stage::CoarseLimit, found)?;
        let found = authenticate::run(exchange, &self.authenticator, &self.limiter, body).await;
        exchange.conclude(Stage::Authenticate, found)?;
        let found = limit::fine(exchange, &self.limiter).await;
        exchange.conclude(Stage::FineLimit, found)?;
        let found = authorize::run(exchange);
        exchange.conclude(Stage::Authorize, found)
    }

    /// What needs the content. The head is looked at before the body is waited for.
    async fn look_inside(&self, exchange: &mut Exchange, body: &mut impl HoldBody) -> Result<(), Stop> {
        use stage::inspect;

        if let Err(stop) = inspect::head(exchange, body, &self.inspectors) {
            return exchange.conclude(Stage::Inspect, Err(stop));
        }
        let found = stage::body::run(exchange, body).await;
        let held = found.as_ref().ok().and_then(|(_, held)| *held);
        exchange.conclude(Stage::Body, found.map(|(passed, _)| passed))?;
        match inspect::body(exchange, body.held(), held, &self.inspectors).await {
            Some(found) => exchange.conclude(Stage::Inspect, found)?,
            None => return Ok(()),
        }
        if exchange.costs_more
            && let Err(stop) = stage::limit::again(exchange, &self.limiter).await
        {
            return exchange.conclude(Stage::FineLimit, Err(stop));
        }
        Ok(())
    }

    /// Shows the front of a response's body to the rules that look at the exchange. An error is for the client.
    pub async fn show_response(&self, exchange: &mut Exchange, front: Bytes) -> Result<(), Refusal> {
        let Some(inspection) = exchange.inspection.take() else { return Ok(()) };
        let length = front.len();
        let show = move |inspection: &mut Inspection| inspection.response_body(&front);
        let Shown { inspection, found } = self.inspectors.show(inspection, length, show).await?;
        exchange.inspection = Some(inspection);
        found
    }

    /// The compiled routes.
    pub fn routes(&self) -> &RouteTable {
        &self.routes
    }

    /// What about the firewalls is probably not meant.
    pub fn doubts(&self) -> Vec<Doubt> {
        let firewalls = self.routes.routes().iter().filter_map(|route| route.firewall.as_ref());
        firewall::doubts(&firewalls.collect::<Vec<_>>())
    }

    /// The policies behind the permissions; `None`: there are none.
    pub fn policies(&self) -> Option<&Arc<Policies>> {
        self.policies.as_ref()
    }

    /// What counts the requests of limited routes.
    pub fn limiter(&self) -> &Limiter {
        &self.limiter
    }

    /// What the last hour asked for, to forecast what other limits would do.
    pub fn limit_history(&self) -> &LimitHistory {
        self.recorder.history()
    }

    /// Whether every identity provider has the keys it needs, and the shared store was reached or given the time for it.
    pub fn ready(&self) -> bool {
        self.authenticator.ready() && self.limiter.is_ready()
    }
}
