//! Limits that somebody proposes, to forecast what they would do: a document about limits alone, or what a whole
//! configuration says of them.
//!
//! Nothing of it is ever in force. [`LimitsProposal::document`] writes it down again, without anything else that a
//! configuration may hold, so that it can be handed to a running gateway.

use std::{path::Path, sync::Arc, time::SystemTime};

use bartizan_model::{Algorithm, Name};
use http::Method;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::{
    AllowedNetwork, Amount, Config, ConfigError, Costs, Diagnostic, LimitPolicy, LimitRule, Loaded,
    PathPattern, Route, Source, document,
    file::{self, Version},
    interpolation, load,
    problems::Problems,
    resolve,
};

/// Limits that somebody proposes.
#[derive(Debug, Default)]
pub struct LimitsProposal {
    /// The policies: each takes the place of the one with its name, or is added.
    pub policies: Vec<Arc<LimitPolicy>>,
    /// What is to limit these routes. Others stay as they are.
    pub routes: Vec<ProposedRoute>,
}

/// What is to limit a route, which its path, hosts and methods name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposedRoute {
    /// Its path.
    pub path: PathPattern,
    /// Its host names, as in [`Route::hosts`].
    pub hosts: Vec<String>,
    /// Its methods, as in [`Route::methods`].
    pub methods: Vec<Method>,
    /// The policies that are to limit it; empty: none.
    pub limits: Vec<Name>,
    /// What its requests are to cost.
    pub costs: Costs,
}

impl LimitsProposal {
    /// Reads the document at `path`, with the process's environment: a whole configuration where it has a `version`,
    /// else one about limits alone. Also says what is questionable about it.
    pub fn load(path: &Path) -> Result<(Self, Vec<Diagnostic>), ConfigError> {
        let source = Source::file(path);
        let text = load::text_of(path, &source)?;
        if is_whole(&text) {
            let Loaded { config, warnings } = Config::parse(&text, &source)?;
            return Ok((Self::of(&config), warnings));
        }
        Self::parse(&text, &source)
    }

    /// Reads a document about limits alone: `limits` as in a configuration, and `routes`, of which only `path`, `hosts`,
    /// `methods`, `limit` and `cost` are told. Also says what is questionable about it.
    pub fn parse(text: &str, source: &Source) -> Result<(Self, Vec<Diagnostic>), ConfigError> {
        load::check_length(text, source)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let variables = interpolation::variables(text, &source.environment);
        let mut problems = Problems::new(source.name(), text, &variables);
        let proposal = document::read::<file::LimitsProposal>(text, &variables, &mut problems)
            .map(|file| resolve::proposal::resolve(file, &mut problems));
        match (proposal, problems.finish()) {
            (Some(proposal), Ok(warnings)) => Ok((proposal, warnings)),
            (_, Ok(problems) | Err(problems)) => Err(ConfigError::Invalid(problems)),
        }
    }

    /// What a whole configuration says of limits.
    fn of(config: &Config) -> Self {
        let names = |route: &Route| {
            let policies = route.limits.iter().filter_map(|index| config.limits.get(index.0));
            policies.map(|policy| policy.name.clone()).collect()
        };
        let routes = config.routes.iter().map(|route| ProposedRoute {
            path: route.path.clone(),
            hosts: route.hosts.clone(),
            methods: route.methods.clone(),
            limits: names(route),
            costs: route.costs.clone(),
        });
        Self { policies: config.limits.clone(), routes: routes.collect() }
    }

    /// A document about limits alone that says the same. It is JSON, and so YAML.
    pub fn document(&self) -> String {
        let policies = self.policies.iter().map(|policy| (policy.name.to_string(), policy_value(policy)));
        let mut members = Map::new();
        members.insert("limits".into(), Value::Object(policies.collect()));
        // Routes may be many: only what is said of them.
        let routes: Vec<_> = self.routes.iter().map(route_value).collect();
        members.insert("routes".into(), Value::Array(routes));
        Value::Object(members).to_string()
    }
}

/// Whether the document has a `version`. One that cannot be read at all has none.
fn is_whole(text: &str) -> bool {
    document::peek::<Version>(text).is_some_and(|document| document.version.is_some())
}

fn policy_value(policy: &LimitPolicy) -> Value {
    let rules: Vec<_> = policy.rules.iter().map(rule_value).collect();
    let skip: Vec<_> = policy.skip.iter().map(PathPattern::as_str).collect();
    let allow: Vec<_> = policy.allow.iter().map(allowed_value).collect();
    json!({ "rules": rules, "skip": skip, "allow": allow })
}

fn allowed_value(allowed: &AllowedNetwork) -> Value {
    let network = allowed.network.to_string();
    match allowed.expires {
        None => json!(network),
        Some(expires) => json!({ "network": network, "expires": day(expires) }),
    }
}

/// As a document writes it.
fn day(moment: SystemTime) -> String {
    let date = OffsetDateTime::from(moment).date();
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}

fn rule_value(rule: &LimitRule) -> Value {
    // The name of a claim may be anything, also what looks like a variable.
    let per: Vec<_> = rule.per.iter().map(|dimension| dimension.to_string().replace("${", "$${")).collect();
    let mut members = Map::new();
    let mut say = |key: &str, value: Value| members.insert(key.into(), value);
    say("name", json!(rule.name.as_str()));
    say("per", json!(per));
    match rule.amount {
        Amount::Concurrent(at_most) => say("concurrent", json!(at_most)),
        Amount::Rate(quota) => {
            say("rate", json!(format!("{}/{}ms", quota.limit(), quota.length().as_millis())));
            match quota.algorithm() {
                Algorithm::TokenBucket => say("burst", json!(quota.burst())),
                Algorithm::SlidingWindow => say("algorithm", json!("sliding-window")),
                Algorithm::FixedWindow => say("algorithm", json!("fixed-window")),
            }
        }
    };
    say("mode", json!(rule.enforcement));
    say("enabled", json!(rule.enabled));
    say("priority", json!(rule.priority));
    if !rule.on.is_empty() {
        say("on", rule.on.iter().map(|operation| json!(operation.to_string())).collect());
    }
    Value::Object(members)
}

fn route_value(route: &ProposedRoute) -> Value {
    let mut members = Map::new();
    members.insert("path".into(), json!(route.path.as_str()));
    // An empty list is an error in a document: it is left out.
    let mut list = |key: &str, texts: Vec<&str>| {
        if !texts.is_empty() {
            members.insert(key.into(), json!(texts));
        }
    };
    list("hosts", route.hosts.iter().map(String::as_str).collect());
    list("methods", route.methods.iter().map(Method::as_str).collect());
    list("limit", route.limits.iter().map(Name::as_str).collect());
    if !route.limits.is_empty() {
        members.insert("cost".into(), cost_value(&route.costs));
    }
    Value::Object(members)
}

fn cost_value(costs: &Costs) -> Value {
    if costs.operations().is_empty() {
        return json!(costs.otherwise());
    }
    let operations =
        costs.operations().iter().map(|listed| (listed.operation.to_string(), json!(listed.cost)));
    Value::Object(operations.collect())
}
