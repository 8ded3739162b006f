//! The rate that an API key of the store has of its own: one more rule where such keys are let in, decided with the others of
//! the fine stage and told like them. How much it admits the key says, so all keys share the rule and no rule states it.

use std::sync::Arc;

use bartizan_config::{
    Amount, Authentication, Config, Dimension, Enforcement, LimitPolicy, LimitRule, Provider, Route,
};
use bartizan_limits::{Limit, Limiter};
use bartizan_model::{Line, Quota};

use super::{CompiledRule, Kind};
use crate::Exchange;

const POLICY: &str = "api-key";
const RULE: &str = "own-rate";

impl CompiledRule {
    /// The rule for a route; `None` where no key has a rate of its own.
    pub(super) fn of_keys(route: &Route, config: &Config, limiter: &Limiter) -> Option<Self> {
        let lets_in = config
            .identity
            .iter()
            .any(|provider| matches!(&provider.provider, Provider::ApiKey(keys) if keys.stored.is_some()));
        if !lets_in || route.authentication == Authentication::Public {
            return None;
        }
        let policy = Arc::new(policy()?);
        policy.rules.first().map(|rule| Self::compile(&policy, rule, true, limiter))
    }

    /// What the key of a request may ask, as a limit of its own.
    pub(crate) fn own_limit(&self, exchange: &Exchange) -> Option<Limit> {
        let quota = exchange.identified.as_ref()?.quota?;
        let Kind::Rate(Limit { name, .. }) = &self.kind else { return None };
        Some(Limit { name: Arc::clone(name), quota })
    }
}

/// A policy that no document states. Its figures are the largest that a key can state.
fn policy() -> Option<LimitPolicy> {
    let most = std::num::NonZeroU32::new(Quota::LARGEST)?;
    let rule = LimitRule {
        name: RULE.parse().ok()?,
        line: Line::NONE,
        per: vec![Dimension::Key],
        amount: Amount::Rate(Quota::token_bucket(most, Quota::SHORTEST_WINDOW, most).ok()?),
        enforcement: Enforcement::Enforce,
        enabled: true,
        priority: 0,
        on: Vec::new(),
    };
    let (skip, allow) = (Vec::new(), Vec::new());
    Some(LimitPolicy { name: POLICY.parse().ok()?, line: Line::NONE, rules: vec![rule], skip, allow })
}
