//! What the API tells of the limits that decided about a request.

use std::time::SystemTime;

use bartizan_limits::Factors;
use bartizan_pipeline::{LimitEffect, Record, RuleAccount};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{LimitMode, LimitQuota, LimitThreat, Timestamp};

/// What the limits said of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DecidedLimits {
    /// The rule that refused first, as `POLICY/RULE`; null when none refused.
    #[schema(example = "voice/address-60s")]
    pub refused_by: Option<String>,
    /// Every rule that decided about it, in the order in which they were asked.
    pub rules: Vec<DecidedLimit>,
    /// How many rules more there were: at most eight are remembered, those that refused first.
    pub rules_left_out: usize,
    /// How much of a threat it looked like; null where all rules only report.
    pub threat: Option<LimitThreat>,
}

/// What one rule said of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DecidedLimit {
    /// The rule's policy.
    #[schema(example = "voice")]
    pub policy: String,
    /// The rule.
    #[schema(example = "address-60s")]
    pub rule: String,
    /// Its line in the configuration; null in a built-in policy.
    pub line: Option<u32>,
    /// By what the rule counts.
    #[schema(example = json!(["address"]))]
    pub per: Vec<String>,
    /// Who was counted. Of a value longer than 64 bytes, or one that is not plain text, its beginning and the first 16
    /// digits of its SHA-256.
    #[schema(example = "203.0.113.7")]
    pub value: String,
    /// Whether the rule refuses or only reports.
    pub mode: LimitMode,
    /// What the rule did.
    pub effect: DecidedLimitEffect,
    /// The units that the request costs there; 1 for a rule that counts requests in flight.
    pub cost: u64,
    /// How much the rule admits in what time, as configured, or as the API key says; null for a rule that counts requests in flight.
    pub configured: Option<LimitQuota>,
    /// What the request's risk made of it; null when nothing.
    pub factors: Option<LimitFactors>,
    /// The units at once, or the requests in flight, that the rule admitted to this request.
    pub quota: u64,
    /// The window that applied to this request; null for requests in flight.
    pub window_seconds: Option<f64>,
    /// The units left once it was decided.
    pub remaining: u64,
    /// From then on, until all of the quota was to be available again; null for requests in flight.
    pub reset_seconds: Option<f64>,
    /// From then on, until the request was to be admitted by this rule; null when it was. For requests in flight the
    /// second that clients are told, since nobody knows when one ends.
    pub retry_after_seconds: Option<f64>,
    /// The same as a moment.
    pub admitted_from: Option<Timestamp>,
}

/// What a rule did with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecidedLimitEffect {
    /// Admitted and counted it.
    Counted,
    /// Refused it.
    Refused,
    /// Would have admitted it, and did not count it because another rule refused.
    NotCounted,
    /// Counted it, and gave it back because a later rule refused.
    GivenBack,
    /// Would have refused it if it did more than report.
    WouldRefuse,
}

/// What a request's risk made of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LimitFactors {
    /// On the units.
    pub quota: f64,
    /// On the cost.
    pub cost: f64,
    /// On the window.
    pub window: f64,
}

impl DecidedLimits {
    /// `None` where no rule decided about the request.
    pub(super) fn of(record: &Record) -> Option<Self> {
        let rules: Vec<_> =
            record.limit_rules().into_iter().map(|said| DecidedLimit::of(&said, record.arrived)).collect();
        if rules.is_empty() {
            return None;
        }
        let refused_by = rules.iter().find(|said| said.effect == DecidedLimitEffect::Refused);
        Some(Self {
            refused_by: refused_by.map(|said| format!("{}/{}", said.policy, said.rule)),
            rules_left_out: record.limits.left_out(),
            threat: record.limit_threat().map(LimitThreat::from),
            rules,
        })
    }
}

impl DecidedLimit {
    /// A request is decided within microseconds of its arrival.
    fn of(said: &RuleAccount<'_>, arrived: SystemTime) -> Self {
        let RuleAccount { policy, rule, standing, .. } = said;
        let configured = said.quota.map(LimitQuota::from);
        let is_rate = configured.is_some();
        Self {
            policy: policy.to_string(),
            rule: rule.name.to_string(),
            line: rule.line.number(),
            per: rule.per.iter().map(ToString::to_string).collect(),
            value: said.value.clone(),
            mode: rule.enforcement.into(),
            effect: said.effect.into(),
            cost: said.units,
            configured,
            factors: (said.factors != Factors::default()).then(|| said.factors.into()),
            quota: standing.quota,
            window_seconds: is_rate.then_some(standing.window.as_secs_f64()),
            remaining: standing.remaining,
            reset_seconds: is_rate.then_some(standing.reset.as_secs_f64()),
            retry_after_seconds: standing.retry_after.map(|wait| wait.as_secs_f64()),
            admitted_from: standing.retry_after.map(|wait| (arrived + wait).into()),
        }
    }
}

impl From<LimitEffect> for DecidedLimitEffect {
    fn from(effect: LimitEffect) -> Self {
        match effect {
            LimitEffect::Counted => Self::Counted,
            LimitEffect::Refused => Self::Refused,
            LimitEffect::NotCounted => Self::NotCounted,
            LimitEffect::GivenBack => Self::GivenBack,
            LimitEffect::WouldRefuse => Self::WouldRefuse,
        }
    }
}

impl From<Factors> for LimitFactors {
    fn from(factors: Factors) -> Self {
        let [quota, cost, window] =
            [factors.quota(), factors.cost(), factors.window()].map(|factor| f64::from(factor) / 1000.0);
        Self { quota, cost, window }
    }
}
