//! The configuration: one YAML document, parsed at the border into types that the rest of the house trusts.
//!
//! [`Config`] is what a running system reads: references are resolved, defaults applied, secrets masked.

mod diagnostic;
mod document;
mod error;
mod file;
mod forms;
mod hardening;
mod identity;
mod interpolation;
mod listen;
mod load;
mod located;
mod path_pattern;
mod problems;
mod reference;
mod resolve;
mod route;
mod schema;
mod snippet;
mod source;
mod suggestion;
mod telemetry;
mod upstream;
mod watch;
mod word;

use std::sync::Arc;

pub use diagnostic::{Diagnostic, Severity};
pub use error::ConfigError;
pub use hardening::{Hardening, Http2Limits, UnderscoreHeaders};
pub use identity::{
    Algorithm, ApiKey, ApiKeyProvider, CertificateClient, CertificateProvider, ClaimNames, IdentityProvider,
    JwtKeys, JwtProvider, Provider, Role, SubjectAlternativeName,
};
pub use listen::{Certificate, ClientCertificates, Http, Listen, ProxyProtocol, Tls};
pub use load::Loaded;
pub use path_pattern::{PathPattern, Segment};
pub use reference::reference;
pub use route::{
    Authentication, BodyPolicy, Cors, HeaderProfile, Headers, MethodRequirement, Origins, Requirement,
    Requirements, Route, RouteTimeouts,
};
pub use schema::schema;
pub use source::{Environment, Source};
pub use telemetry::{Log, LogFormat, Telemetry};
pub use upstream::{
    ActiveHealth, Ejection, Protocol, Retries, Target, Upstream, UpstreamIndex, UpstreamTimeouts, UpstreamTls,
};
pub use watch::Watch;

/// A whole configuration, validated.
#[derive(Debug)]
pub struct Config {
    /// The first 12 hexadecimal digits of the SHA-256 of the document: names this configuration in logs,
    /// metrics and the admin API.
    pub revision: String,
    /// Where to listen.
    pub listen: Listen,
    /// Certificates; `None` serves plain HTTP only.
    pub tls: Option<Tls>,
    /// What connections and messages may cost.
    pub hardening: Hardening,
    /// Who may vouch for a caller, in the order of the file.
    pub identity: Vec<Arc<IdentityProvider>>,
    /// Named sets of grants.
    pub roles: Vec<Role>,
    /// Where requests go. Routes name them by [`UpstreamIndex`].
    pub upstreams: Vec<Arc<Upstream>>,
    /// What is served, in the order of the file. The most specific path wins, not the first.
    pub routes: Vec<Arc<Route>>,
    /// Logs.
    pub log: Log,
    /// Traces.
    pub telemetry: Telemetry,
    /// How long requests in flight may take to finish after a signal to stop.
    pub drain: std::time::Duration,
    /// Every file the configuration reads beside itself: a change of one is a change of the configuration.
    pub files: Vec<std::path::PathBuf>,
}
