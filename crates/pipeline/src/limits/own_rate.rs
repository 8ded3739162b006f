//! The rate that an API key of the store has of its own: one more rule where such keys are let in, decided with the others of
//! the fine stage and told like them. How much it admits the key says, so all keys share the rule and no rule states it.

use std::{num::NonZeroU32, sync::Arc};

use bartizan_config::{
    Amount, Authentication, Config, Dimension, Enforcement, LimitPolicy, LimitRule, Route,
};
use bartizan_limits::{Limit, Limiter};
use bartizan_model::{Line, Quota};

use super::{CompiledRule, Facts, Kind, PolicyRule, Value};
use crate::Exchange;

const POLICY: &str = "api-key";
const RULE: &str = "own-rate";

impl CompiledRule {
    /// The rule for a route; `None` where no key has a rate of its own.
    pub(super) fn of_keys(route: &Route, config: &Config, limiter: &Limiter) -> Option<Self> {
        let lets_in = config.identity.iter().any(|entry| entry.provider.has_stored_keys());
        if !lets_in || route.authentication == Authentication::Public {
            return None;
        }
        let policy = Arc::new(own_rate_policy(largest_own_rate()?)?);
        policy.rules.first().map(|rule| Self::compile(&policy, rule, true, limiter))
    }

    /// What the key of a request may ask, as a limit of its own.
    pub(crate) fn own_limit(&self, exchange: &Exchange) -> Option<Limit> {
        let quota = exchange.identified.as_ref()?.quota?;
        let Kind::Rate(Limit { name, .. }) = &self.kind else { return None };
        Some(Limit { name: Arc::clone(name), quota })
    }
}

/// The rates of keys in a replay.
pub(super) struct OwnRates(PolicyRule);

impl OwnRates {
    pub(super) fn new() -> Option<Self> {
        let policy = Arc::new(own_rate_policy(largest_own_rate()?)?);
        policy.rules.first().map(|rule| Self(PolicyRule::new(&policy, rule)))
    }

    /// What the key of a request may ask, and the value by which that is counted.
    pub(super) fn of(&self, facts: &Facts<'_>, limiter: &Limiter) -> Option<(Limit, Value)> {
        let (quota, rule) = (facts.own_rate?, self.0.rule()?);
        let value = self.0.value(facts, limiter)?;
        Some((Limit { name: Limit::name_of(&self.0.policy.name, &rule.name), quota }, value))
    }
}

/// The largest rate that an API key can have: it stands for whatever each of them has.
pub fn largest_own_rate() -> Option<Quota> {
    let most = NonZeroU32::new(Quota::LARGEST)?;
    Quota::token_bucket(most, Quota::SHORTEST_WINDOW, most).ok()
}

/// The policy that an API key with a rate of its own is limited by; no document states it.
pub fn own_rate_policy(rate: Quota) -> Option<LimitPolicy> {
    let rule = LimitRule {
        name: RULE.parse().ok()?,
        line: Line::NONE,
        per: vec![Dimension::Key],
        amount: Amount::Rate(rate),
        enforcement: Enforcement::Enforce,
        enabled: true,
        priority: 0,
        on: Vec::new(),
    };
    let (skip, allow) = (Vec::new(), Vec::new());
    Some(LimitPolicy { name: POLICY.parse().ok()?, line: Line::NONE, rules: vec![rule], skip, allow })
}
