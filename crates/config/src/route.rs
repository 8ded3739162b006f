//! What is served, to whom, and how.

use std::{sync::Arc, time::Duration};

use bartizan_model::{Line, Name, Permission, Zone};
use http::{HeaderName, HeaderValue, Method};

use crate::{Costs, LimitPolicyIndex, PathPattern, RoutePolicy, SignatureComponent, UpstreamIndex, Waf};

/// One entry of `routes:`.
#[derive(Debug)]
pub struct Route {
    /// Where it stands in the file.
    pub line: Line,
    /// What it matches.
    pub path: PathPattern,
    /// Host names it answers for, lower case, without port; `*.example.test` matches one or more labels.
    /// Empty: any host.
    pub hosts: Vec<String>,
    /// Methods it admits; others are answered 405. Empty: all.
    pub methods: Vec<Method>,
    /// Where its requests go.
    pub destination: Destination,
    /// Removed from the front of the path before forwarding, by segment (`/api`). Empty: nothing.
    pub strip_prefix: Option<PathPattern>,
    /// Forward the client's `Host` instead of the target's. Default true.
    pub preserve_host: bool,
    /// Who may ask.
    pub authentication: Authentication,
    /// Where `auth` stands in the file.
    pub authentication_line: Line,
    /// What signatures of requests must cover besides what their provider demands.
    pub signed: Vec<SignatureComponent>,
    /// What the caller must be permitted.
    pub require: Requirements,
    /// Where `require` stands in the file.
    pub require_line: Line,
    /// Whether the caller must have used more than one factor. Default off.
    pub multi_factor: MultiFactor,
    /// What is asked of the policies.
    pub policy: RoutePolicy,
    /// The zone in which the service is.
    pub zone: Option<Zone>,
    /// How much may be asked of it: every one of these policies. Empty: no limits.
    pub limits: Vec<LimitPolicyIndex>,
    /// What its requests cost.
    pub costs: Costs,
    /// Cross-origin resource sharing.
    pub cors: Cors,
    /// Response headers.
    pub headers: Headers,
    /// What happens to request bodies.
    pub body: BodyPolicy,
    /// The largest request body, in bytes. Default 10 MiB.
    pub max_body: u64,
    /// The web application firewall; `None`: off.
    pub waf: Option<Arc<Waf>>,
    /// Protocols a client may upgrade to, lower case (`websocket`). Default `websocket`; empty refuses all.
    pub upgrade: Vec<String>,
    /// Timeouts of this route.
    pub timeouts: RouteTimeouts,
}

/// Where the requests of a route go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// To a service behind the gateway.
    Upstream(UpstreamIndex),
    /// To the endpoints of accounts, in the gateway itself.
    Accounts,
}

impl Destination {
    /// The upstream, if it is one.
    pub const fn upstream(self) -> Option<UpstreamIndex> {
        match self {
            Self::Upstream(index) => Some(index),
            Self::Accounts => None,
        }
    }
}

/// Who may use a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authentication {
    /// `auth: none`: anybody.
    Public,
    /// Whoever one of these providers vouches for; never empty.
    Required(Vec<Name>),
}

/// Whether a caller must have used more than one factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MultiFactor {
    /// One is enough.
    #[default]
    Off,
    /// More than one, at any time.
    Required,
    /// More than one, and not longer ago than this.
    Within(Duration),
}

/// Required permissions, by method.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Requirements {
    /// Being authenticated is enough.
    #[default]
    Nothing,
    /// The same for every method.
    Every(Requirement),
    /// By method; a method that is neither listed nor covered by `otherwise` is denied.
    ByMethod {
        /// The listed methods.
        methods: Vec<MethodRequirement>,
        /// The entry `"*"`.
        otherwise: Option<Requirement>,
    },
}

/// What one method requires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodRequirement {
    /// The method. `GET` also covers `HEAD` unless `HEAD` is listed.
    pub method: Method,
    /// What it requires.
    pub requirement: Requirement,
}

/// A set of permissions, of which all or any must be held; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requirement {
    /// Every one.
    All(Vec<Permission>),
    /// At least one.
    Any(Vec<Permission>),
}

/// Cross-origin resource sharing (Fetch standard).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Cors {
    /// No CORS headers; preflights are refused. The default.
    #[default]
    SameOrigin,
    /// Allow these.
    Allow {
        /// Which origins.
        origins: Origins,
        /// Which methods. Default: the route's, or the common ones.
        methods: Vec<Method>,
        /// Which request headers. Default `authorization`, `content-type`, `x-request-id`, and API-key headers.
        headers: Vec<HeaderName>,
        /// Which response headers scripts may read. Default `x-request-id`.
        expose: Vec<HeaderName>,
        /// Whether cookies may be sent; never together with `Origins::Any`.
        credentials: bool,
        /// How long a preflight may be remembered. Default 10 min.
        max_age: Duration,
    },
}

impl Cors {
    /// The origins whose pages may act with the cookie of a person.
    pub fn trusted(&self) -> &[String] {
        match self {
            Self::Allow { origins: Origins::List(origins), credentials: true, .. } => origins,
            Self::Allow { .. } | Self::SameOrigin => &[],
        }
    }
}

/// Allowed origins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// `*`.
    Any,
    /// Exactly these, serialised as browsers do (`https://shop.test`, `http://localhost:5173`).
    List(Vec<String>),
}

/// Response headers of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headers {
    /// The profile. Default `Auto`.
    pub profile: HeaderProfile,
    /// Replaces the profile's `content-security-policy` on HTML. `{nonce}` stands for the nonce of this
    /// response, which the upstream receives as `x-csp-nonce`.
    pub content_security_policy: Option<Arc<str>>,
    /// Set on every response of the route, after the profile.
    pub set: Vec<(HeaderName, HeaderValue)>,
}

/// Sets of security headers.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum HeaderProfile {
    /// `Html` for responses of type `text/html`, else `Api`.
    #[default]
    Auto,
    /// The full set that browsers honour.
    Html,
    /// The lean set for machines.
    Api,
    /// None: the upstream's own headers are left as they are.
    Off,
}

/// What happens to a request body before it is forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyPolicy {
    /// Forward it as it comes.
    Stream,
    /// Hold up to `limit` bytes, then stream what is beyond. The default, with 64 KiB.
    Hold {
        /// Bytes held at most.
        limit: usize,
    },
    /// Hold up to `limit` bytes and refuse (413) a longer one.
    Refuse {
        /// Bytes held at most.
        limit: usize,
    },
}

/// Timeouts of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteTimeouts {
    /// From the forwarded request to the response head. Default 60 s. Upgraded connections are exempt.
    pub response: Duration,
    /// The longest silence in a response body or an upgraded connection. Default 5 min.
    pub idle: Duration,
}
