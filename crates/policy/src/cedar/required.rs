//! What routes ask for before any policy is asked: who vouches for the caller, permissions, and a second factor. A question about what requests do
//! is answered by this first, as a request is, or it would be told `yes` where the road says 403.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::Arc,
    time::SystemTime,
};

use bartizan_config::{Authentication, Config, JwtKeys, MultiFactor, Provider, Route};
use bartizan_model::{CallerType, Grant};
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
    /// A route asks for one that was shown lately, and nothing says so.
    RecentFactor,
    /// No provider of a route vouches for such a caller.
    Provider,
    /// No request to such a resource does this.
    NoRequest,
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Permissions(missing) => write!(f, "refused before any policy: lacks {missing}"),
            Self::Method => f.write_str("refused before any policy: `require` does not cover this method"),
            Self::SecondFactor => f.write_str("refused before any policy: one factor is not enough"),
            Self::RecentFactor => {
                f.write_str("refused before any policy: the second factor was not shown lately")
            }
            Self::Provider => {
                f.write_str("refused before any policy: no provider of the route vouches for such a caller")
            }
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
    /// Who may come from which provider.
    vouched: HashMap<Box<str>, Vec<CallerType>>,
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
    /// Who may vouch for its callers; none: it is public.
    providers: Vec<Box<str>>,
}

/// What a question says of a request.
#[derive(Debug)]
pub(crate) struct AskedRequest<'q> {
    pub(crate) action: &'q str,
    pub(crate) resource: &'q EntityUid,
    /// `None`: whichever does it.
    pub(crate) method: Option<Method>,
    /// What it is, and by which provider.
    pub(crate) caller: (Option<CallerType>, &'q str),
    pub(crate) grants: &'q [Grant],
    pub(crate) multi_factor: bool,
    /// When the person was asked last; `None`: nobody says.
    pub(crate) proven: Option<SystemTime>,
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
        let vouched =
            config.identity.iter().map(|entry| (entry.name.as_str().into(), callers(&entry.provider)));
        Self { index, roles: RoleTable::new(&config.roles), own, vouched: vouched.collect(), routes }
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
        let now = SystemTime::now();
        concerned.find_map(|(required, decision)| {
            if !self.lets_in(required, asked.caller) {
                return Some(Unmet::Provider);
            }
            required.lacks_factor(asked, now).or(match decision {
                Decision::Permitted => None,
                Decision::Denied(missing) => Some(Unmet::Permissions(missing)),
                Decision::MethodNotCovered => Some(Unmet::Method),
            })
        })
    }

    /// Whether such a caller can have got past the authentication of a route.
    fn lets_in(&self, required: &RequiredByRoute, (caller, provider): (Option<CallerType>, &str)) -> bool {
        let vouches = || self.vouched.get(provider).zip(caller).is_some_and(|(all, one)| all.contains(&one));
        let is_named = || required.providers.iter().any(|name| **name == *provider);
        required.providers.is_empty() || (is_named() && vouches())
    }
}

/// What a provider's callers may be.
fn callers(provider: &Provider) -> Vec<CallerType> {
    match provider {
        Provider::Jwt(jwt) if matches!(jwt.keys, JwtKeys::Own) => vec![jwt.principal, CallerType::Service],
        Provider::Jwt(jwt) => vec![jwt.principal],
        Provider::ApiKey(_) => vec![CallerType::ApiKey],
        Provider::Certificate(_) | Provider::Signature(_) => vec![CallerType::Service],
        Provider::Session => vec![CallerType::User],
    }
}

impl RequiredByRoute {
    fn lacks_factor(&self, asked: &AskedRequest<'_>, now: SystemTime) -> Option<Unmet> {
        match self.factors {
            MultiFactor::Required | MultiFactor::Within(_) if !asked.multi_factor => {
                Some(Unmet::SecondFactor)
            }
            MultiFactor::Off | MultiFactor::Required => None,
            MultiFactor::Within(longest) => {
                let age = asked.proven.map(|proven| now.duration_since(proven).unwrap_or_default());
                age.is_none_or(|age| age > longest).then_some(Unmet::RecentFactor)
            }
        }
    }

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
        providers: match &route.authentication {
            Authentication::Public => Vec::new(),
            Authentication::Required(names) => names.iter().map(|name| name.as_str().into()).collect(),
        },
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
