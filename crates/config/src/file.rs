//! The document as it is written: one type per mapping, unknown keys refused, every value with its place.
//!
//! The doc comments here are what `bartizan schema` and the configuration reference show. Nothing is checked
//! against anything else yet: that is [`crate::resolve`].

mod accounts;
mod alerts;
mod detection;
mod entries;
mod events;
mod exports;
mod hardening;
mod identity;
mod limits;
mod listen;
mod openid;
mod operation;
mod policies;
mod proposal;
mod require;
mod route;
mod shared;
mod tls;
mod tokens;
mod upstream;
mod waf;

use bartizan_model::{Grant, Zone};
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) use self::{
    accounts::{
        Accounts, EndpointLimits, Mail, Passkeys, Passwords, Protection, SecondFactor, Sessions, Sms, Smtp,
        Store,
    },
    alerts::{
        AlertMail, AlertRoute, AlertTimes, Alerts, Channel, Escalation, KeyedChannel, Rotation,
        TemplateChannel, WebhookChannel,
    },
    detection::Detection,
    entries::Entries,
    events::Events,
    exports::{
        ElasticExport, Export, ExportFilter, ExportTls, FileExport, OtlpExport, SplunkExport, SyslogExport,
    },
    hardening::{Hardening, Http2},
    identity::{
        ApiKeys, Certificates, Claims, Jwt, OwnTokens, Provider, SignatureKey, Signatures, TokenPrincipal,
    },
    limits::{Allowed, Cost, EveryRequest, LimitAlgorithm, LimitPolicy, LimitRule, Unmatched},
    listen::{Http, Listen},
    openid::{LoginClaims, OpenIdProvider},
    operation::{Log, Shutdown, Telemetry},
    policies::{Entity, Policies, RoutePolicy, ZoneTable},
    proposal::{LimitsProposal, ProposedRoute, Version},
    require::{MethodEntry, MethodKey, Require, RequirementSet},
    route::{Body, BodyPolicyName, Cors, CorsTable, Headers, Route, RouteTimeouts},
    shared::{Shared, SharedTls},
    tls::{ClientCertificate, Tls, TlsTable},
    tokens::{Dpop, TokenAlgorithm, Tokens},
    upstream::{Ejection, Health, Retries, Signing, Upstream, UpstreamTls},
    waf::{ClassAction, Exclusion, Responses, RulesName, SensitivityName, Threshold, Waf, WafModeName},
};
use crate::{
    forms::Parsed,
    located::{At, Optional},
    word::KeyHash,
};

/// Configuration of the Bartizan API security gateway.
///
/// A text may hold `${NAME}`, which is replaced by that environment variable, `${NAME:-default}` for a variable
/// that may be missing, and `$${` for a literal `${`.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "Bartizan configuration", extend("required" = ["version", "listen", "routes"]))]
pub(crate) struct Document {
    /// The version of this format: always 1.
    #[schemars(extend("const" = 1))]
    pub(crate) version: Optional<u32>,
    /// Where to listen. At least one of `https` and `http`.
    pub(crate) listen: Optional<Listen>,
    /// What the HTTPS listener presents: certificates, or `dev` for a self-signed one on a loopback address.
    pub(crate) tls: Optional<Parsed<Tls>>,
    /// Who may vouch for a caller, by names that routes list under `auth`.
    pub(crate) identity: Optional<Entries<Provider>>,
    /// Operators with a token of their own for the admin API, by the names that the audit trail calls them, each with the
    /// SHA-256 of the token. `bartizan api-key new NAME` makes both.
    pub(crate) operators: Optional<Entries<Parsed<KeyHash>>>,
    /// People whom the gateway knows itself.
    pub(crate) accounts: Optional<Accounts>,
    /// The database of what outlives the process: people, sessions, the audit trail. Without it a file of SQLite in the
    /// state directory, where one is needed.
    pub(crate) store: Optional<Store>,
    /// Named sets of grants, by names that tokens, API keys, certificates and people carry.
    pub(crate) roles: Optional<Entries<Vec<At<Parsed<Grant>>>>>,
    /// Cedar policies: what decides behind the permissions. Without them the permissions decide alone.
    pub(crate) policies: Optional<Policies>,
    /// Who may call the routes of a zone. Zones are `public`, `gateway`, `services` and `data`; without an entry a zone
    /// may be called from itself and from the one before it, `public` from all.
    pub(crate) zones: Optional<Entries<ZoneTable, Zone>>,
    /// Services behind the gateway, by names that routes give under `to`. A route may also name a URL directly.
    pub(crate) upstreams: Optional<Entries<Upstream>>,
    /// How much may be asked: policies, by names that routes list under `limit`. A policy is a list of rules, or
    /// a mapping with `rules`, `skip` and `allow`.
    ///
    /// These exist without being written here, and one written here with the same name takes their place
    /// (requests per address; per user and hour; per organisation and hour): `voice` (100 in 1 min; 1000; 10000),
    /// `analytics` (50 in 1 min; 500; 5000), `public` (10 in 1 min; 100), `admin` (100 in 1 h), `qr` (50 in 1 h),
    /// `chat` (20 in 1 min), `api` (1000 in 1 h), `generic` (1000 in 1 h), `default` (100 in 1 min); for the
    /// endpoints of accounts `account` (3000 in 1 min), `token` (3000 in 1 min), `introspection` (6000 in 1 min),
    /// `metadata` (6000 in 1 min). On a public route only what they say of addresses counts.
    ///
    /// These count by address and in sliding windows: `auth` (10 in 5 min), `upload` (5 in 5 min), `strict` (10 in 1 h)
    /// for suspects, and with bursts and sustained use apart `login` (5 in 1 min; 20 in 15 min), `refresh` (10 in 1 min;
    /// 60 in 1 h), `static` (200 in 1 min; 5000 in 1 h), `api-burst` (60 in 1 min; 1000 in 1 h), `admin-burst` (10 in
    /// 1 min; 100 in 1 h).
    ///
    /// Requests for `/health` and `/metrics` are counted by no policy that neither says what it skips nor names them in
    /// a rule.
    pub(crate) limits: Optional<Entries<Parsed<LimitPolicy>>>,
    /// The web application firewall of every route that does not say otherwise: the rules' name, or everything written
    /// out. Without it only routes with a `waf` of their own have one.
    pub(crate) waf: Optional<Parsed<Waf>>,
    /// The store that several gateways share, so that their limits count together. Without it each gateway counts
    /// for itself.
    pub(crate) shared: Optional<Shared>,
    /// What is served, to whom and how. The most specific path wins, not the first. A request that matches no
    /// route is answered 404.
    pub(crate) routes: Optional<Vec<At<Route>>>,
    /// What holds for every request, whatever its route says.
    pub(crate) every_request: Optional<EveryRequest>,
    /// What holds for requests that no route takes.
    pub(crate) unmatched: Optional<Unmatched>,
    /// What connections and messages may cost.
    pub(crate) hardening: Optional<Hardening>,
    /// What happens at the gateway, kept to be found again: refusals, logins, changes.
    pub(crate) events: Optional<Events>,
    /// The rules that look at events. Without it those that come with the gateway.
    pub(crate) detection: Optional<Detection>,
    /// Whom the gateway tells of what happens, and how. Without it nobody is told.
    pub(crate) alerts: Optional<Alerts>,
    /// Where events go besides, by names of your choice: to systems that watch over many services. None waits for another.
    pub(crate) exports: Optional<Entries<Export>>,
    /// Logs, written to standard error.
    pub(crate) log: Optional<Log>,
    /// Traces.
    pub(crate) telemetry: Optional<Telemetry>,
    /// How the gateway stops.
    pub(crate) shutdown: Optional<Shutdown>,
}
