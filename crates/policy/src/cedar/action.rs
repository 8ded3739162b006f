//! The actions of routes: what their requests do, in the words of policies.

use std::collections::BTreeSet;

use bartizan_config::{Requirements, Route};
use bartizan_model::Permission;
use http::Method;

use crate::index::permissions_of;

/// The methods that have actions of their own on a route that admits all. `HEAD` does what `GET` does.
const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// An action, and the groups it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RouteAction {
    pub(crate) id: String,
    pub(crate) groups: BTreeSet<String>,
}

/// What the requests of one route do.
#[derive(Debug, Clone)]
pub(crate) struct RouteActions {
    pub(crate) methods: Vec<(Method, RouteAction)>,
    /// With any other method.
    pub(crate) otherwise: RouteAction,
}

impl RouteActions {
    pub(crate) fn of(route: &Route) -> Self {
        let mut methods = if route.methods.is_empty() { METHODS.to_vec() } else { route.methods.clone() };
        if let Requirements::ByMethod { methods: listed, .. } = &route.require {
            methods.extend(listed.iter().map(|entry| entry.method.clone()));
        }
        let mut seen = BTreeSet::new();
        methods.retain(|method| seen.insert(method.to_string()));
        let action = |method: Method| {
            let action = RouteAction::new(route, method.as_str(), permissions_for(route, Some(&method)));
            (method, action)
        };
        Self {
            methods: methods.into_iter().map(action).collect(),
            otherwise: RouteAction::new(route, "other", permissions_for(route, None)),
        }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &RouteAction> {
        self.methods.iter().map(|(_, action)| action).chain([&self.otherwise])
    }
}

impl RouteAction {
    fn new(route: &Route, method: &str, permissions: &[Permission]) -> Self {
        let id = match (&route.policy.action, permissions) {
            (Some(action), _) => action.clone(),
            (None, [only]) => only.as_str().into(),
            (None, _) => format!("{method} {}", route_id(route)),
        };
        let mut groups: BTreeSet<String> =
            permissions.iter().map(|permission| permission.as_str().into()).collect();
        groups.extend(families(&id));
        groups.remove(&id);
        Self { id, groups }
    }
}

/// How a route is called in policies: its host names, where it has some, and its path.
pub(crate) fn route_id(route: &Route) -> String {
    format!("{}{}", route.hosts.join(","), route.path.as_str())
}

/// The groups of a permission, as grants with a wildcard name them: `orders:*`, `*:read`.
pub(crate) fn families(action: &str) -> Vec<String> {
    match action.parse::<Permission>() {
        Ok(permission) => {
            vec![format!("{}:*", permission.resource()), format!("*:{}", permission.action())]
        }
        Err(_) => Vec::new(),
    }
}

/// The permissions that a method needs; `None` is one that is not listed anywhere.
fn permissions_for<'r>(route: &'r Route, method: Option<&Method>) -> &'r [Permission] {
    let requirement = match &route.require {
        Requirements::Nothing => None,
        Requirements::Every(requirement) => Some(requirement),
        Requirements::ByMethod { methods, otherwise } => {
            let listed = methods.iter().find(|entry| Some(&entry.method) == method);
            listed.map(|entry| &entry.requirement).or(otherwise.as_ref())
        }
    };
    requirement.map_or(&[], permissions_of)
}
