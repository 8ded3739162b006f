//! One rule of a policy: which requests it counts, and by what.

use std::{sync::Arc, time::SystemTime};

use bartizan_config::{Enforcement, LimitPolicy, LimitRule};
use bartizan_limits::{Chosen, Limiter};

use super::{Facts, Value};

/// A rule in its policy.
#[derive(Debug)]
pub(crate) struct PolicyRule {
    pub(super) policy: Arc<LimitPolicy>,
    /// Its place in the policy.
    index: usize,
    /// Rules of the same policy that count by the same and rank higher: where one of them applies, this does not.
    outranked_by: Vec<usize>,
}

impl PolicyRule {
    pub(crate) fn new(policy: &Arc<LimitPolicy>, rule: &LimitRule) -> Self {
        // What only reports must not switch off what refuses.
        let may = |other: &LimitRule| {
            other.enabled
                && (other.enforcement == Enforcement::Enforce || rule.enforcement == Enforcement::Shadow)
        };
        let outranks =
            |other: &LimitRule| may(other) && other.per == rule.per && other.priority > rule.priority;
        let outranked_by = policy.rules.iter().enumerate().filter(|(_, other)| outranks(other));
        Self {
            index: policy.rules.iter().position(|other| std::ptr::eq(other, rule)).unwrap_or(usize::MAX),
            outranked_by: outranked_by.map(|(index, _)| index).collect(),
            policy: Arc::clone(policy),
        }
    }

    pub(crate) fn rule(&self) -> Option<&LimitRule> {
        self.policy.rules.get(self.index)
    }

    pub(crate) fn is_shadow(&self) -> bool {
        self.rule().is_some_and(|rule| rule.enforcement == Enforcement::Shadow)
    }

    /// Whose use of this rule the request adds to; `None` when the rule does not count it, or when an operator has let
    /// them off.
    pub(crate) fn value(&self, facts: &Facts<'_>, limiter: &Limiter) -> Option<Value> {
        let rule = self.rule()?;
        let counts = |rule: &LimitRule| rule.counts(facts.method, facts.path);
        let skipped = self.policy.skip.iter().any(|pattern| pattern.matches(facts.path));
        if skipped || !counts(rule) || is_allowed(&self.policy, facts) {
            return None;
        }
        if self.outranked_by.iter().filter_map(|index| self.policy.rules.get(*index)).any(counts) {
            return None;
        }
        let value = Value::of(&rule.per, facts)?;
        let (address, allowances) = (Some(facts.address.into()), limiter.allowances());
        let counted = (value.as_bytes(), Chosen::of(&rule.per));
        let allowed = allowances.until(|| limiter.now(), &self.policy.name, address, counted);
        allowed.is_none().then_some(value)
    }
}

fn is_allowed(policy: &LimitPolicy, facts: &Facts<'_>) -> bool {
    policy.allow.iter().any(|allowed| allowed.allows(facts.address, SystemTime::now))
}
