//! How much may be asked: policies that routes list under `limit`.

use std::{fmt, net::IpAddr, num::NonZeroU32, time::SystemTime};

use bartizan_model::{Line, Name, Quota};
use http::{HeaderName, Method};
use ipnet::IpNet;

use crate::{Authentication, OperationPattern, PathPattern};

/// Names a policy by its place in [`crate::Config::limits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LimitPolicyIndex(pub usize);

/// One entry of `limits:`, or a built-in policy that some route uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitPolicy {
    /// Its name, which routes list under `limit`.
    pub name: Name,
    /// Where it stands in the file; [`Line::NONE`] for a built-in policy.
    pub line: Line,
    /// Its rules, in the order of the file; never empty. All that apply are decided together.
    pub rules: Vec<LimitRule>,
    /// Requests for these paths are not counted.
    pub skip: Vec<PathPattern>,
    /// Requests from these networks are not counted.
    pub allow: Vec<AllowedNetwork>,
}

/// A network whose requests a policy does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedNetwork {
    /// Which.
    pub network: IpNet,
    /// From when on it is counted again; `None`: never.
    pub expires: Option<SystemTime>,
}

/// One rule of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitRule {
    /// Its name, unique in its policy: as written, or made of what it counts (`address-60s`).
    pub name: Name,
    /// Where it stands in the file; [`Line::NONE`] in a built-in policy.
    pub line: Line,
    /// By what it counts; never empty. More than one: by their combination.
    pub per: Vec<Dimension>,
    /// How much.
    pub amount: Amount,
    /// Whether it refuses or only reports. Default: refuses.
    pub enforcement: Enforcement,
    /// Whether it counts at all. Default true.
    pub enabled: bool,
    /// Of the rules of one policy that count by the same dimensions and match a request, only those with the
    /// highest priority apply; equal ones apply together. A rule that only reports never keeps one that refuses from
    /// applying. Default 0.
    pub priority: i32,
    /// The requests it counts. Empty: all.
    pub on: Vec<OperationPattern>,
}

/// How much a rule admits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// So many units in so long a window; a request costs what its route says.
    Rate(Quota),
    /// So many requests in flight at once, whatever they cost.
    Concurrent(NonZeroU32),
}

/// What a rule does when there is too much.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Enforcement {
    /// Refuses.
    #[default]
    Enforce,
    /// Only reports that it would have refused.
    Shadow,
}

/// By what a rule counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Dimension {
    /// The client's address; of IPv6 its /64.
    Address,
    /// The network of the client's address: IPv4 /24, IPv6 /48.
    Prefix,
    /// Who asks.
    User,
    /// Whom they act for.
    Organization,
    /// The API key they use.
    Key,
    /// The method and the route.
    Endpoint,
    /// The route.
    Route,
    /// The value of a request header.
    Header(HeaderName),
    /// The value of a claim of the token.
    Claim(String),
}

impl LimitPolicy {
    /// The built-in policy with this name.
    pub fn built_in(name: &Name) -> Option<Self> {
        crate::resolve::built_in(name)
    }

    /// The rules that count on a route with this authentication: the enabled ones, and where nobody is
    /// authenticated only those that need no identity.
    pub fn rules_under(&self, authentication: &Authentication) -> impl Iterator<Item = &LimitRule> {
        let is_public = *authentication == Authentication::Public;
        self.rules.iter().filter(move |rule| rule.enabled && !(is_public && rule.needs_identity()))
    }
}

impl AllowedNetwork {
    /// Whether requests from `address` are not counted at this time. An IPv4-mapped IPv6 address is an IPv4 address.
    pub fn allows(&self, address: IpAddr, now: impl FnOnce() -> SystemTime) -> bool {
        self.network.contains(&address.to_canonical()) && self.expires.is_none_or(|expires| now() < expires)
    }
}

impl LimitRule {
    /// Whether it can count only those who are authenticated.
    pub fn needs_identity(&self) -> bool {
        self.per.iter().any(Dimension::needs_identity)
    }

    /// Whether it counts requests with this method for this path (in its normal form).
    pub fn counts(&self, method: &Method, path: &str) -> bool {
        self.on.is_empty() || self.on.iter().any(|operation| operation.matches(method, path))
    }

    /// Whether it may count a request that `operation` matches.
    pub(crate) fn meets(&self, operation: &OperationPattern) -> bool {
        self.on.is_empty() || self.on.iter().any(|on| on.meets(operation))
    }
}

impl Dimension {
    /// Whether it is known only of those who are authenticated.
    pub fn needs_identity(&self) -> bool {
        matches!(self, Self::User | Self::Organization | Self::Key | Self::Claim(_))
    }
}

impl fmt::Display for Dimension {
    /// As the document writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "address",
            Self::Prefix => "prefix",
            Self::User => "user",
            Self::Organization => "organization",
            Self::Key => "key",
            Self::Endpoint => "endpoint",
            Self::Route => "route",
            Self::Header(name) => return write!(f, "header:{name}"),
            Self::Claim(name) => return write!(f, "claim:{name}"),
        })
    }
}
