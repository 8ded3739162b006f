//! What records refer to by number: the routes of a configuration, and the headers and claims that its limits count
//! by, which alone are recorded.

use std::sync::Arc;

use bartizan_config::{Config, Dimension, PathPattern};
use http::{HeaderName, Method};

use crate::limits::route_identity;

/// The most headers and claims together that are recorded of a request.
const MOST_DIMENSIONS: usize = 16;

/// What the numbers in records mean. Configurations that say the same share one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) routes: Vec<RouteKey>,
    pub(crate) headers: Vec<HeaderName>,
    pub(crate) claims: Vec<String>,
}

/// What names a route in every configuration that has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RouteKey {
    pub(crate) identity: Arc<str>,
    /// In alphabetical order; empty: all.
    methods: Vec<String>,
}

impl Layout {
    pub(crate) fn of(config: &Config) -> Self {
        let routes =
            config.routes.iter().map(|route| RouteKey::new(&route.hosts, &route.path, &route.methods));
        let mut layout = Self { routes: routes.collect(), headers: Vec::new(), claims: Vec::new() };
        let rules = config.limits.iter().flat_map(|policy| &policy.rules);
        for dimension in rules.flat_map(|rule| &rule.per) {
            if layout.headers.len() + layout.claims.len() < MOST_DIMENSIONS && !layout.records(dimension) {
                match dimension {
                    Dimension::Header(name) => layout.headers.push(name.clone()),
                    Dimension::Claim(name) => layout.claims.push(name.clone()),
                    _ => {}
                }
            }
        }
        layout
    }

    /// Whether what a rule counts by is recorded.
    pub(crate) fn records(&self, dimension: &Dimension) -> bool {
        match dimension {
            Dimension::Header(name) => self.headers.contains(name),
            Dimension::Claim(name) => self.claims.contains(name),
            Dimension::Address
            | Dimension::Prefix
            | Dimension::User
            | Dimension::Organization
            | Dimension::Key
            | Dimension::Endpoint
            | Dimension::Route => true,
        }
    }
}

impl RouteKey {
    pub(crate) fn new(hosts: &[String], path: &PathPattern, methods: &[Method]) -> Self {
        let identity = route_identity(hosts, path, methods);
        let mut methods: Vec<_> = methods.iter().map(ToString::to_string).collect();
        methods.sort_unstable();
        Self { identity, methods }
    }
}
