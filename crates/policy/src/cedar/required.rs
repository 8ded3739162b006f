//! What routes ask for before any policy is asked: permissions, and a second factor. A question about what requests do
//! is answered by this first, as a request is, or it would be told `yes` where the road says 403.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::Arc,
};

use bartizan_config::{Config, JwtKeys, MultiFactor, Provider, Route};
use bartizan_model::Grant;
use cedar_policy::EntityUid;
use http::Method;

use super::{
    action::{RouteActions, route_id},
    types::Types,
};
use crate::{BuiltInRole, Decision, Missing, PermissionIndex, PermissionSet, RoleTable, RoutePolicy};

/// Why no policy is asked: the road refuses before.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unmet {
    /// The subject lacks permissions that a route requires.
    Permissions(Missing),
    /// `require` says nothing about the method.
    Method,
    /// A route asks for a second factor.
    SecondFactor,
    /// No request to such a resource does this.
    NoRequest,
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Permissions(missing) => write!(f, "refused before any policy: lacks {missing}"),
            Self::Method => f.write_str("refused before any policy: `require` does not cover this method"),
            Self::SecondFactor => f.write_str("refused before any policy: one factor is not enough"),
            Self::NoRequest => f.write_str("no request does this with such a resource by this method"),
        }
    }
}

/// What the routes of one configuration ask for.
#[derive(Debug)]
pub(crate) struct Required {
    index: PermissionIndex,
    roles: RoleTable,
    /// The providers of the gateway's own people, who may have built-in roles.
    own: HashSet<Box<str>>,
    /// By the action that requests do.
    routes: HashMap<String, Vec<RequiredByRoute>>,
}

/// What one route asks of the requests that do one thing.
#[derive(Debug)]
struct RequiredByRoute {
    route: EntityUid,
    /// The type of what its requests name, if it is not the route itself.
    names: Option<Box<str>>,
    /// The methods that do it.
    methods: Vec<Method>,
    /// Whether every other method does it, too.
    others: bool,
    policy: Arc<RoutePolicy>,
    factors: MultiFactor,
}

/// What a question says of a request.
#[derive(Debug)]
pub(crate) struct AskedRequest<'q> {
    pub(crate) action: &'q str,
    pub(crate) resource: &'q EntityUid,
    /// `None`: whichever does it.
    pub(crate) method: Option<Method>,
    pub(crate) grants: &'q [Grant],
    pub(crate) multi_factor: bool,
}

impl Required {
    pub(crate) fn of(config: &Config, types: &Types) -> Self {
        let index = PermissionIndex::from_config(config);
        let mut routes: HashMap<String, Vec<RequiredByRoute>> = HashMap::new();
        for route in config.routes.iter().filter(|route| route.policy.is_asked) {
            for (action, required) in by_action(route, &index, types) {
                routes.entry(action).or_default().push(required);
            }
        }
        let own = config.identity.iter().filter(|entry| match &entry.provider {
            Provider::Session => true,
            Provider::Jwt(provider) => matches!(provider.keys, JwtKeys::Own),
            Provider::ApiKey(_) | Provider::Certificate(_) | Provider::Signature(_) => false,
        });
        let own = own.map(|entry| entry.name.as_str().into()).collect();
        Self { index, roles: RoleTable::new(&config.roles), own, routes }
    }

    /// What roles give to a caller of this provider.
    pub(crate) fn granted(&self, provider: &str, roles: &[String]) -> Vec<Grant> {
        let mut grants = Vec::new();
        for role in roles {
            grants.extend_from_slice(self.roles.grants(role));
            if !self.roles.is_known(role) && self.own.contains(provider) {
                grants.extend(BuiltInRole::named(role).into_iter().flat_map(BuiltInRole::grants));
            }
        }
        grants.sort_unstable();
        grants.dedup();
        grants
    }

    /// Why the road refuses such a request before it asks policies. Where several routes, or several methods of one, do
    /// this and the question does not say which it means, each of them has to let it through.
    pub(crate) fn unmet(&self, asked: &AskedRequest<'_>) -> Option<Unmet> {
        let held = self.index.expand(asked.grants);
        let resource_type = asked.resource.type_name().to_string();
        let routes = self.routes.get(asked.action).into_iter().flatten();
        let mut concerned = routes
            .filter(|required| {
                required.route == *asked.resource || required.names.as_deref() == Some(&*resource_type)
            })
            .filter_map(|required| Some((required, required.decide(asked.method.as_ref(), &held)?)))
            .peekable();
        if concerned.peek().is_none() {
            return Some(Unmet::NoRequest);
        }
        concerned.find_map(|(required, decision)| match decision {
            _ if required.factors != MultiFactor::Off && !asked.multi_factor => Some(Unmet::SecondFactor),
            Decision::Permitted => None,
            Decision::Denied(missing) => Some(Unmet::Permissions(missing)),
            Decision::MethodNotCovered => Some(Unmet::Method),
        })
    }
}

impl RequiredByRoute {
    /// What the permissions say; `None`: requests of this method do something else.
    fn decide(&self, method: Option<&Method>, held: &PermissionSet) -> Option<Decision> {
        let Some(method) = method else { return self.decide_every_method(held) };
        // `HEAD` asks for a `GET` without its content (RFC 9110, section 9.3.2), so it does the same.
        let is_listed =
            self.methods.contains(method) || (method == Method::HEAD && self.methods.contains(&Method::GET));
        (is_listed || self.others).then(|| self.policy.decide(method, held))
    }

    /// What denies one of the methods denies; a method that nobody may use is not what is meant, if there is another.
    fn decide_every_method(&self, held: &PermissionSet) -> Option<Decision> {
        let listed = self.methods.iter().map(|method| self.policy.decide(method, held));
        let others = self.others.then(|| self.policy.decide_unlisted(held));
        let mut decided = None;
        for decision in listed.chain(others) {
            match (&decision, &decided) {
                (Decision::Denied(_), _) => return Some(decision),
                (Decision::MethodNotCovered, Some(_)) => {}
                (Decision::MethodNotCovered, None) | (Decision::Permitted, _) => decided = Some(decision),
            }
        }
        decided
    }
}

fn by_action(route: &Route, index: &PermissionIndex, types: &Types) -> HashMap<String, RequiredByRoute> {
    let policy = Arc::new(index.compile(&route.require));
    let required = || RequiredByRoute {
        route: types.route(&route_id(route)),
        names: route.policy.resource.as_ref().map(|resource| resource.entity_type.as_str().into()),
        methods: Vec::new(),
        others: false,
        policy: Arc::clone(&policy),
        factors: route.multi_factor,
    };
    let admits = |method: &Method| route.methods.is_empty() || route.methods.contains(method);
    let RouteActions { methods, otherwise } = RouteActions::of(route);
    let mut actions: HashMap<String, RequiredByRoute> = HashMap::new();
    for (method, action) in methods.into_iter().filter(|(method, _)| admits(method)) {
        actions.entry(action.id).or_insert_with(required).methods.push(method);
    }
    if route.methods.is_empty() {
        actions.entry(otherwise.id).or_insert_with(required).others = true;
    }
    actions
}
