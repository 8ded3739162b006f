//! The configuration: one YAML document, parsed at the border into types that the rest of the house trusts.
//!
//! [`Config`] is what a running system reads: references are resolved, defaults applied, secrets masked. There
//! are three ways to one: [`Config::load`] reads a file, [`Config::parse`] a text, [`Config::for_target`] makes
//! one for a single target.
//!
//! ```
//! use bartizan_config::{Authentication, Config, Source};
//!
//! let document = r#"
//! version: 1
//! listen: { http: "127.0.0.1:8080" }
//! routes:
//!   - { path: /api/**, to: "http://localhost:3000", auth: none }
//! "#;
//! let loaded = Config::parse(document, &Source::text("."))?;
//! assert_eq!(loaded.config.routes[0].authentication, Authentication::Public);
//!
//! let error = Config::parse("version: 1\nrotues: []", &Source::text(".")).unwrap_err();
//! assert!(error.to_string().starts_with("<config>:2:1: error: unknown key `rotues`"));
//! assert!(error.to_string().ends_with("help: did you mean `routes`?"));
//! # Ok::<(), bartizan_config::ConfigError>(())
//! ```
//!
//! # How a document is read
//!
//! `file` holds the types as they are written: every mapping refuses unknown keys, every value remembers its
//! place. `resolve` turns them into the types of this page, follows names, applies defaults and checks what
//! needs more than one value. [`schema()`] and [`reference()`] are made from the file types, so they cannot
//! disagree with the parser.
//!
//! # Limits
//!
//! - A mistake of form (unknown or duplicate key, a list where a word belongs) is reported alone, because the
//!   parser stops there; everything else is reported at once, up to 200 problems.
//! - A document has at most 1 MiB, 32 levels, and a few aliases; merge keys and tags are not read.
//! - `${NAME}` works in texts, numbers and switches, not in fixed choices.
//! - Of the files that a document names it is checked that they can be read and that keys are private; what
//!   they hold is checked by whoever uses them.
//! - Secrets are masked in diagnostics by the names of their keys and by the values of the environment. A secret
//!   that is written under a key with another name is shown if a problem stands on its line.

mod accounts;
mod alerts;
mod claim_source;
mod costs;
mod detection;
mod diagnostic;
mod document;
mod error;
mod events;
mod exports;
mod file;
mod file_pattern;
mod forms;
mod hardening;
mod identity;
mod interpolation;
mod limits;
mod listen;
mod load;
mod located;
mod openid;
mod operation_pattern;
mod path_pattern;
mod policies;
mod problems;
mod proposal;
mod reference;
mod resolve;
mod route;
mod schema;
mod shared;
mod signature;
mod snippet;
mod source;
mod store;
mod suggestion;
mod telemetry;
mod tokens;
mod upstream;
mod waf;
mod watch;
mod word;

use std::sync::Arc;

pub use accounts::{
    Accounts, LoginProtection, Mail, MailTransport, Passkeys, PasswordProfile, Passwords, SameSite,
    SecondFactor, Sessions, SignUp, Sms, SmtpServer, SmtpTls,
};
pub use alerts::{
    AlertChannel, AlertDay, AlertGrouping, AlertRoute, AlertSeverity, AlertTimes, Alerts, CallTemplate,
    ChannelTarget, Escalation, Escaping, Rotation, RotationOverride,
};
pub use claim_source::{ClaimExpression, ClaimSource, Unevaluable};
pub use costs::{Costs, OperationCost};
pub use detection::{Detection, DetectionFile};
pub use diagnostic::{Diagnostic, Severity};
pub use error::ConfigError;
pub use events::{EventStore, Events};
pub use exports::{
    ElasticCredentials, ElasticReceiver, Export, ExportClass, ExportFilter, ExportReceiver, ExportSecret,
    ExportSeverity, ExportTls, FileReceiver, OtlpReceiver, PersonalFields, SplunkReceiver, SyslogFacility,
    SyslogFormat, SyslogReceiver,
};
pub use file_pattern::FilePattern;
pub use hardening::{Hardening, Http2Limits, UnderscoreHeaders};
pub use identity::{
    Algorithm, ApiKey, ApiKeyProvider, CertificateClient, CertificateProvider, ClaimNames, IdentityProvider,
    JwtKeys, JwtProvider, Operator, Provider, Role, SubjectAlternativeName,
};
pub use limits::{AllowedNetwork, Amount, Dimension, Enforcement, LimitPolicy, LimitPolicyIndex, LimitRule};
pub use listen::{Certificate, ClientCertificates, Http, Listen, ProxyProtocol, Tls};
pub use load::Loaded;
pub use openid::{LoginClaims, OpenIdProvider};
pub use operation_pattern::OperationPattern;
pub use path_pattern::{PathPattern, Segment};
pub use policies::{EntityPattern, IdPart, Policies, PolicyFile, PolicyMode, RoutePolicy, ZoneRule};
pub use proposal::{LimitsProposal, ProposedRoute};
pub use reference::reference;
pub use route::{
    Authentication, BodyPolicy, Cors, Destination, HeaderProfile, Headers, MethodRequirement, MultiFactor,
    Origins, Requirement, Requirements, Route, RouteTimeouts,
};
pub use schema::schema;
pub use shared::{OnStoreError, Redis, RedisUrl, Shared, SharedMode, SharedTls};
pub use signature::{
    NoncePolicy, SignatureAlgorithm, SignatureComponent, SignatureKey, SignatureProfile, SignatureProvider,
    SigningMaterial, UpstreamSigning, VerifyingMaterial,
};
pub use source::{Environment, RulePlaces, Source};
pub use store::{PostgresUrl, StoreLocation};
pub use suggestion::nearest;
pub use telemetry::{Log, LogFormat, Telemetry};
pub use tokens::{Dpop, LONGEST_ACCESS_TOKEN, Origin, TokenClient, Tokens};
pub use upstream::{
    ActiveHealth, Ejection, Protocol, Retries, Target, Upstream, UpstreamIndex, UpstreamTimeouts, UpstreamTls,
};
pub use waf::{
    ClassAction, CoreRuleSet, ExcludedRules, Exclusion, InspectedResponses, OnLargeBody, RuleIds, RuleSet,
    RuleSetIndex, Rules, Threshold, Waf, WafAction, WafMode,
};
pub use watch::Watch;
pub use word::{Rate, RateError};

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
    /// Operators with a token of their own for the admin API.
    pub operators: Vec<Operator>,
    /// People whom the gateway knows itself; `None`: nobody.
    pub accounts: Option<Accounts>,
    /// The tokens that it issues to them; `None`: none.
    pub tokens: Option<Arc<Tokens>>,
    /// The database of what outlives the process; `None`: a file in the state directory, where one is needed.
    pub store: Option<StoreLocation>,
    /// Named sets of grants.
    pub roles: Vec<Role>,
    /// Cedar policies; `None`: permissions decide alone, and zones.
    pub policies: Option<Policies>,
    /// Who may call the zones that some route or `zones` names.
    pub zones: Vec<ZoneRule>,
    /// Where requests go. Routes name them by [`UpstreamIndex`].
    pub upstreams: Vec<Arc<Upstream>>,
    /// How much may be asked: the policies in the order of the file, then the built-in ones that some route
    /// uses. Routes name them by [`LimitPolicyIndex`].
    pub limits: Vec<Arc<LimitPolicy>>,
    /// The rules of the firewall. Routes name them by [`RuleSetIndex`].
    pub rule_sets: Vec<Arc<RuleSet>>,
    /// The store that several gateways share; `None`: each counts for itself.
    pub shared: Option<Shared>,
    /// What is served, in the order of the file. The most specific path wins, not the first.
    pub routes: Vec<Arc<Route>>,
    /// The limits on every request, which those of each route and of requests that no route takes end with. CORS preflights
    /// meet these alone.
    pub every_request: Vec<LimitPolicyIndex>,
    /// The limits on requests that no route takes, of which only rules count that need neither a route nor to know who
    /// asks.
    pub unmatched: Vec<LimitPolicyIndex>,
    /// What is kept of what happens.
    pub events: Events,
    /// The rules that look at it.
    pub detection: Detection,
    /// Who is told of it; `None`: nobody.
    pub alerts: Option<Alerts>,
    /// Where it goes besides, in the order of the file.
    pub exports: Vec<Export>,
    /// Logs.
    pub log: Log,
    /// Traces.
    pub telemetry: Telemetry,
    /// How long requests in flight may take to finish after a signal to stop.
    pub drain: std::time::Duration,
    /// Every file the configuration reads beside itself: a change of one is a change of the configuration.
    pub files: Vec<std::path::PathBuf>,
    /// The patterns that have named some of them: a file that is new to one is a change, too.
    pub file_patterns: Vec<FilePattern>,
}
