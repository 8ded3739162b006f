//! The limits of a route, compiled: which rules count a request, by what, and how what they say is told.

mod account;
mod facts;
mod fields;
mod forecast;
mod history;
mod own_rate;
mod policy_rule;
mod standing;
mod value;

use std::{sync::Arc, time::Duration};

use bartizan_config::{
    Amount, Authentication, Config, Enforcement, LimitPolicy, LimitPolicyIndex, LimitRule, PathPattern, Route,
};
use bartizan_limits::{Counted, Limit, Limiter, Nanos, Outcome, Place, RuleStatistics};
use bartizan_model::{Line, Name};
use http::{HeaderMap, Method};
use metrics::{Counter, counter};

use crate::Exchange;

#[cfg(test)]
pub(crate) use account::MOST_RULES;
pub(crate) use account::threat;
pub use account::{LimitAccount, RuleAccount};
pub(crate) use facts::Facts;
pub(crate) use fields::whole_seconds;
pub use forecast::{Forecast, ForecastError, NotForecast, RuleForecast, ValueForecast};
pub use history::LimitHistory;
pub(crate) use history::Recorder;
pub use own_rate::{largest_own_rate, own_rate_policy};
pub(crate) use policy_rule::PolicyRule;
pub use standing::LimitEffect;
pub(crate) use standing::{RuleStanding, Whom};
pub(crate) use value::Value;
pub use value::counted_host;
use value::header_value;

/// What limits the requests of one route, or those that none takes.
#[derive(Debug, Default)]
pub struct RouteLimits {
    /// Decided before it is known who asks.
    pub(crate) coarse: Vec<CompiledRule>,
    /// Decided once it is known.
    pub(crate) fine: Vec<CompiledRule>,
    /// Decided with the fine ones: what API keys have of their own.
    pub(crate) own_rate: Option<CompiledRule>,
}

/// One rule of one policy, for one route.
#[derive(Debug)]
pub(crate) struct CompiledRule {
    in_policy: PolicyRule,
    /// What names it to clients: its own name, with its policy's where two rules of the route share it.
    pub(crate) name: Arc<str>,
    pub(crate) kind: Kind,
    admitted: Counter,
    refused: Counter,
    statistics: Arc<RuleStatistics>,
}

/// What a rule counts.
#[derive(Debug)]
pub(crate) enum Kind {
    Rate(Limit),
    Concurrent { name: Arc<str>, at_most: std::num::NonZeroU32 },
}

/// What the limits have said of a request so far.
#[derive(Debug, Default)]
pub struct Limited {
    /// Every rule that has refused or counted it, and how it stands.
    pub(crate) standings: Vec<RuleStanding>,
    /// When they last said it, by the limiter's clock.
    pub(crate) at: Option<Nanos>,
    /// How long it has waited in vain for the shared store: what is left of the timeout is for the next stage.
    pub(crate) waited: Duration,
    /// The line of the rule that refused it.
    pub(crate) line: Option<Line>,
    /// Where the charges of the coarse rules were counted.
    pub(crate) coarse: Option<Counted>,
    /// Where the rules that only report counted it last.
    pub(crate) reported: Option<Counted>,
    /// The places it holds in concurrency limits, until its response has ended.
    pub(crate) places: Vec<Place>,
    /// What it meets in place of the limits of its route, where it is a preflight or no route takes it.
    pub(crate) instead: Option<Arc<RouteLimits>>,
}

/// Names a compiled rule of those that limit the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RuleReference {
    Coarse(usize),
    Fine(usize),
    /// The rate of the API key itself.
    OwnRate,
}

impl RouteLimits {
    pub(crate) fn compile(route: &Route, config: &Config, limiter: &Limiter) -> Self {
        let own_rate = CompiledRule::of_keys(route, config, limiter);
        Self { own_rate, ..Self::of(&route.limits, &route.authentication, config, limiter) }
    }

    /// Those of these policies on requests that meet no route, or only what holds everywhere; `None`: there are none.
    pub(crate) fn without_route(
        policies: &[LimitPolicyIndex],
        config: &Config,
        limiter: &Limiter,
    ) -> Option<Arc<Self>> {
        let limits = || Self::of(policies, &Authentication::Public, config, limiter);
        (!policies.is_empty()).then(|| Arc::new(limits()))
    }

    fn of(
        policies: &[LimitPolicyIndex],
        authentication: &Authentication,
        config: &Config,
        limiter: &Limiter,
    ) -> Self {
        let policies: Vec<_> = policies.iter().filter_map(|index| config.limits.get(index.0)).collect();
        let rules = || policies.iter().flat_map(|policy| policy.rules_under(authentication));
        let is_shared = |name: &Name| rules().filter(|rule| rule.name == *name).count() > 1;
        let (mut coarse, mut fine) = (Vec::new(), Vec::new());
        for policy in &policies {
            for rule in policy.rules_under(authentication) {
                let compiled = CompiledRule::compile(policy, rule, is_shared(&rule.name), limiter);
                if rule.needs_identity() { fine.push(compiled) } else { coarse.push(compiled) }
            }
        }
        Self { coarse, fine, own_rate: None }
    }

    /// Adds what the limits said to the headers of an answer.
    pub fn tell(&self, limited: &Limited, headers: &mut HeaderMap) {
        let standings =
            limited.standings.iter().filter_map(|standing| Some((self.rule(standing.rule)?, standing)));
        fields::insert(standings, headers);
    }

    pub(crate) fn rule(&self, reference: RuleReference) -> Option<&CompiledRule> {
        match reference {
            RuleReference::Coarse(index) => self.coarse.get(index),
            RuleReference::Fine(index) => self.fine.get(index),
            RuleReference::OwnRate => self.own_rate.as_ref(),
        }
    }
}

impl Limited {
    /// Takes the places that the request holds: whoever sends the response keeps them until it has ended.
    pub fn take_places(&mut self) -> Vec<Place> {
        std::mem::take(&mut self.places)
    }
}

impl CompiledRule {
    fn compile(policy: &Arc<LimitPolicy>, rule: &LimitRule, is_shared: bool, limiter: &Limiter) -> Self {
        let full = Limit::name_of(&policy.name, &rule.name);
        let count = |outcome| {
            let (policy, rule) = (policy.name.to_string(), rule.name.to_string());
            counter!("bartizan_limit_decisions_total", "policy" => policy, "rule" => rule, "outcome" => outcome)
        };
        let refused = if rule.enforcement == Enforcement::Enforce { "refused" } else { "would_refuse" };
        Self {
            statistics: limiter.statistics(&full),
            name: if is_shared { Arc::clone(&full) } else { rule.name.as_str().into() },
            kind: match rule.amount {
                Amount::Rate(quota) => Kind::Rate(Limit { name: full, quota }),
                Amount::Concurrent(at_most) => Kind::Concurrent { name: full, at_most },
            },
            admitted: count("admitted"),
            refused: count(refused),
            in_policy: PolicyRule::new(policy, rule),
        }
    }

    pub(crate) fn rule(&self) -> Option<&LimitRule> {
        self.in_policy.rule()
    }

    pub(crate) fn is_shadow(&self) -> bool {
        self.in_policy.is_shadow()
    }

    /// Whose use of this rule the request adds to; `None` when the rule does not count it.
    pub(crate) fn value(&self, exchange: &Exchange, limiter: &Limiter) -> Option<Value> {
        self.in_policy.value(&exchange.into(), limiter)
    }

    pub(crate) fn count(&self, now: Nanos, value: &Value, outcome: Outcome) {
        let decisions = if outcome == Outcome::Refused { &self.refused } else { &self.admitted };
        decisions.increment(1);
        self.statistics.record(now, value.as_bytes(), outcome);
    }
}

/// Names a route for limits, the same in every gateway that serves it: host names, path, and the methods where it lists
/// any.
pub(crate) fn route_identity(hosts: &[String], path: &PathPattern, methods: &[Method]) -> Arc<str> {
    let (hosts, path) = (hosts.join(","), path.as_str());
    if methods.is_empty() {
        return format!("{hosts}{path}").into();
    }
    let mut methods: Vec<_> = methods.iter().map(Method::as_str).collect();
    methods.sort_unstable();
    format!("{hosts}{path} ({})", methods.join(", ")).into()
}

/// Methods that count as one each; a client can make up others without end.
fn method_name(method: &Method) -> &str {
    match method.as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" | "TRACE") => known,
        _ => "other",
    }
}
