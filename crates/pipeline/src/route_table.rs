//! Finds the route of a request: host first, then the most specific path, then the method.
//!
//! Paths are matched segment by segment, from the left: a literal before `*`, `*` before `**`. The search visits
//! each node of the tree at most once, so it is linear in the number of routes whatever the path.

use std::{collections::HashMap, sync::Arc};

use bartizan_config::{Authentication, Config, PathPattern, Protocol, Route, Segment, Waf, WafMode};
use bartizan_identity::{Authenticator, Selection};
use bartizan_limits::Limiter;
use bartizan_policy::{PermissionIndex, Policies, RoutePolicy};
use bartizan_seclang::MemoryCollections;
use http::{HeaderValue, Method};

use crate::{
    AskedPolicies, CompiledCors, Firewall, PipelineError, RouteLimits, SecurityHeaders, firewall::RuleSets,
    limits::route_identity,
};

/// Every route of a configuration.
#[derive(Debug)]
pub struct RouteTable {
    routes: Vec<Arc<CompiledRoute>>,
    exact_hosts: HashMap<String, Node>,
    /// `*.example.test`, kept as `.example.test`, the longest first.
    wildcard_hosts: Vec<(String, Node)>,
    any_host: Node,
}

/// A route with everything the road needs of it, prepared.
#[derive(Debug)]
pub struct CompiledRoute {
    /// Its place in the configuration.
    pub index: RouteIndex,
    /// The route as configured.
    pub config: Arc<Route>,
    /// `route /api/orders/**`, for traces.
    pub label: Arc<str>,
    /// Who may ask; `None` for a public route.
    pub selection: Option<Selection>,
    /// Names it for limits, the same in every gateway that serves it: host names and path.
    pub identity: Arc<str>,
    /// How much may be asked.
    pub limits: RouteLimits,
    /// What they must be permitted.
    pub policy: RoutePolicy,
    /// What is asked of the policies behind that; `None`: nothing.
    pub policies: Option<AskedPolicies>,
    /// The web application firewall; `None`: off.
    pub firewall: Option<Arc<Firewall>>,
    /// Whether gRPC is streamed where other bodies are held.
    pub streams_grpc: bool,
    /// Cross-origin rules.
    pub cors: CompiledCors,
    /// Response headers.
    pub security_headers: SecurityHeaders,
}

/// The place of a route in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RouteIndex(pub usize);

/// What a look-up found.
#[derive(Debug)]
pub enum Found {
    /// This route.
    Route(Arc<CompiledRoute>),
    /// The path is served, but not with this method.
    MethodNotAllowed {
        /// The methods that are: the value of `Allow`.
        allow: HeaderValue,
        /// The first route of the path in the file, whose response headers the refusal carries.
        first: Arc<CompiledRoute>,
    },
    /// Nothing.
    NotFound,
}

impl RouteTable {
    pub(crate) fn compile(
        config: &Config,
        index: &PermissionIndex,
        authenticator: &Authenticator,
        limiter: &Limiter,
        policies: Option<&Arc<Policies>>,
        collections: &Arc<MemoryCollections>,
    ) -> Result<Self, PipelineError> {
        let rules = RuleSets::compile(config, collections)?;
        let mut table = Self {
            routes: Vec::with_capacity(config.routes.len()),
            exact_hosts: HashMap::new(),
            wildcard_hosts: Vec::new(),
            any_host: Node::default(),
        };
        for (place, route) in config.routes.iter().enumerate() {
            let index_of_route = RouteIndex(place);
            let mut compiled =
                CompiledRoute::compile(index_of_route, route, config, index, authenticator, limiter, &rules)?;
            compiled.policies = AskedPolicies::compile(policies, route)?;
            table.routes.push(Arc::new(compiled));
            table.insert(route, index_of_route);
        }
        table.wildcard_hosts.sort_by_key(|(suffix, _)| std::cmp::Reverse(suffix.len()));
        Ok(table)
    }

    /// The route for a `Host` value, a path in matching form ([`crate::NormalPath::matched`]) and a method (of a
    /// preflight: the method it asks about).
    pub fn find(&self, host: &str, path: &str, method: &Method) -> Found {
        let leaf = self.trees(host_name(host)).find_map(|tree| tree.find(path));
        let Some(candidates) = leaf else { return Found::NotFound };
        let routes = candidates.iter().filter_map(|index| self.routes.get(index.0));
        if let Some(route) = routes.clone().find(|route| admits(&route.config.methods, method)) {
            return Found::Route(Arc::clone(route));
        }
        let Some(first) = routes.clone().next().map(Arc::clone) else { return Found::NotFound };
        Found::MethodNotAllowed { allow: allow(routes), first }
    }

    /// Every route, in the order of the file.
    pub fn routes(&self) -> &[Arc<CompiledRoute>] {
        &self.routes
    }

    /// The trees that may answer for a host, the most specific first.
    fn trees<'t>(&'t self, host: &str) -> impl Iterator<Item = &'t Node> + use<'t> {
        let named = !self.exact_hosts.is_empty() || !self.wildcard_hosts.is_empty();
        let host = if named { host.to_ascii_lowercase() } else { String::new() };
        let exact = self.exact_hosts.get(&host);
        let wildcards = self.wildcard_hosts.iter().filter_map(move |(suffix, tree)| {
            (host.len() > suffix.len() && host.ends_with(suffix.as_str())).then_some(tree)
        });
        exact.into_iter().chain(wildcards).chain(std::iter::once(&self.any_host))
    }

    fn insert(&mut self, route: &Route, index: RouteIndex) {
        if route.hosts.is_empty() {
            self.any_host.insert(&route.path, index);
        }
        for host in &route.hosts {
            let tree = match host.strip_prefix('*') {
                None => self.exact_hosts.entry(host.clone()).or_default(),
                Some(suffix) => {
                    let known = self.wildcard_hosts.iter().position(|(other, _)| other == suffix);
                    let place = known.unwrap_or_else(|| {
                        self.wildcard_hosts.push((suffix.into(), Node::default()));
                        self.wildcard_hosts.len() - 1
                    });
                    &mut self.wildcard_hosts[place].1
                }
            };
            tree.insert(&route.path, index);
        }
    }
}

impl CompiledRoute {
    fn compile(
        index: RouteIndex,
        route: &Arc<Route>,
        config: &Config,
        permissions: &PermissionIndex,
        authenticator: &Authenticator,
        limiter: &Limiter,
        rules: &RuleSets,
    ) -> Result<Self, PipelineError> {
        let upstream = route.destination.upstream().and_then(|index| config.upstreams.get(index.0));
        let firewall = route.waf.as_ref().map(|waf| Firewall::new(waf, rules)).transpose()?;
        let selection = match &route.authentication {
            Authentication::Public => None,
            Authentication::Required(names) => Some(authenticator.select(names, &route.signed)?),
        };
        Ok(Self {
            index,
            label: format!("route {}", route.path.as_str()).into(),
            selection,
            identity: route_identity(&route.hosts, &route.path, &route.methods),
            limits: RouteLimits::compile(route, config, limiter),
            policy: permissions.compile(&route.require),
            policies: None,
            firewall: firewall.map(Arc::new),
            streams_grpc: upstream
                .is_some_and(|upstream| streams_grpc(upstream.protocol, route.waf.as_deref())),
            cors: CompiledCors::compile(&route.cors, &route.methods),
            security_headers: SecurityHeaders::compile(&route.headers, &route.cors),
            config: Arc::clone(route),
        })
    }
}

/// A client calls gRPC what it likes. Where rules refuse, its word is taken only towards a service that is said to speak
/// HTTP/2; which HTTP a handshake will yield is known only when the body is on its way, and says nothing of gRPC. Where
/// rules only report, nothing is held that they would not hold up.
fn streams_grpc(protocol: Protocol, waf: Option<&Waf>) -> bool {
    match waf.map(|waf| waf.mode) {
        None => true,
        Some(WafMode::Log) => protocol != Protocol::Http1,
        Some(WafMode::Block) => protocol == Protocol::Http2,
    }
}

/// A node of the tree: one segment deep.
#[derive(Debug, Default)]
struct Node {
    literals: HashMap<String, Node>,
    any: Option<Box<Node>>,
    /// Routes that end here.
    here: Vec<RouteIndex>,
    /// Routes that end here with `**`.
    rest: Vec<RouteIndex>,
}

impl Node {
    fn insert(&mut self, pattern: &PathPattern, index: RouteIndex) {
        let mut node = self;
        for segment in pattern.segments() {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(text.clone()).or_default(),
                Segment::Any => node.any.get_or_insert_default(),
                Segment::Rest => return node.rest.push(index),
            };
        }
        node.here.push(index);
    }

    /// The routes of the most specific pattern that matches. A trailing slash makes no difference.
    fn find(&self, path: &str) -> Option<&[RouteIndex]> {
        let path = path.trim_start_matches('/');
        let (segment, remainder) = path.split_once('/').unwrap_or((path, ""));
        if segment.is_empty() {
            return Some(&self.here)
                .filter(|here| !here.is_empty())
                .or(Some(&self.rest).filter(|rest| !rest.is_empty()))
                .map(Vec::as_slice);
        }
        let literal = || self.literals.get(segment)?.find(remainder);
        let any = || self.any.as_ref()?.find(remainder);
        literal().or_else(any).or(Some(self.rest.as_slice()).filter(|rest| !rest.is_empty()))
    }
}

/// The name in a `Host` value, without port and without the trailing dot of a rooted name.
pub(crate) fn host_name(host: &str) -> &str {
    let name = match host.strip_prefix('[') {
        Some(literal) => literal.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.strip_suffix('.').unwrap_or(name)
}

fn admits(methods: &[Method], method: &Method) -> bool {
    methods.is_empty()
        || methods.contains(method)
        || (method == Method::HEAD && methods.contains(&Method::GET))
}

fn allow<'r>(routes: impl Iterator<Item = &'r Arc<CompiledRoute>>) -> HeaderValue {
    let mut methods: Vec<&str> =
        routes.flat_map(|route| route.config.methods.iter().map(Method::as_str)).collect();
    methods.sort_unstable();
    methods.dedup();
    // INVARIANT: method tokens are header text.
    HeaderValue::from_str(&methods.join(", ")).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests;
