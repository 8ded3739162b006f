//! `/v1/limits`: what is limited, what the limits have seen, how somebody stands, and what an operator does about it.

pub(crate) mod afresh;
pub(crate) mod allow;
pub(crate) mod forecast;
mod own_rate;
pub(crate) mod reset;
pub(crate) mod standing;
pub(crate) mod statistics;
pub(crate) mod threat;
pub(crate) mod top;
mod value;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{Json, extract::State};
use bartizan_config::{Amount, Enforcement, LimitPolicy, LimitRule};
use bartizan_limits::{Limit, LimitsError, Nanos, Period, Ranking, RuleStatistics, Totals};
use bartizan_model::{Algorithm, Name};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::{allow::LimitAllowance, top::LimitTopValue};
use crate::{
    LimitsInUse, Timestamp,
    control::Shared,
    failure::{Failure, FailureCode},
};

/// What is limited.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LimitsStatus {
    /// The policies in the order of the configuration, then the built-in ones that some route uses.
    pub policies: Vec<LimitPolicyStatus>,
    /// What all rules together have seen in the last hour.
    pub hour: LimitOverall,
    /// What all rules together have seen in the last 24 hours.
    pub day: LimitOverall,
    /// Who is not counted for a while, in the order in which it ends.
    pub allowances: Vec<LimitAllowance>,
    /// Whether the shared store can be reached and has decided the last time that it was asked; null without one.
    pub shared_store_decides: Option<bool>,
}

/// What all rules together have seen in a period, each request once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct LimitOverall {
    /// Requests that some rule counted or refused.
    pub requests: u64,
    /// Those that were refused for a limit.
    pub refusals: u64,
    /// How many addresses they came from; an estimate.
    pub addresses: u64,
    /// The addresses that came most, at most ten, the most frequent first.
    pub top_addresses: Vec<LimitTopValue>,
    /// The addresses that were refused most.
    pub top_refused_addresses: Vec<LimitTopValue>,
}

/// One policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LimitPolicyStatus {
    /// Its name.
    #[schema(example = "voice")]
    pub name: String,
    /// Its line in the configuration; null for a built-in policy.
    pub line: Option<u32>,
    /// Its rules, in the order of the configuration.
    pub rules: Vec<LimitRuleStatus>,
}

/// One rule and what it has seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LimitRuleStatus {
    /// Its name.
    #[schema(example = "address-60s")]
    pub name: String,
    /// Its line in the configuration; null in a built-in policy.
    pub line: Option<u32>,
    /// By what it counts; more than one: by their combination.
    #[schema(example = json!(["address"]))]
    pub per: Vec<String>,
    /// How much it admits in what time; null for a rule that counts requests in flight.
    pub quota: Option<LimitQuota>,
    /// How many requests in flight it admits; null for a rule with a quota.
    pub concurrent: Option<u32>,
    /// Whether it refuses or only reports.
    pub mode: LimitMode,
    /// Whether it counts at all.
    pub enabled: bool,
    /// The last hour.
    pub hour: LimitTotals,
    /// The last 24 hours.
    pub day: LimitTotals,
}

/// How much in what time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LimitQuota {
    /// Units in a window.
    pub units: u32,
    /// The length of a window.
    pub window_seconds: f64,
    /// Units at once.
    pub burst: u32,
    /// How its use is counted.
    pub algorithm: LimitAlgorithm,
}

/// How the use of a quota is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LimitAlgorithm {
    /// A bucket that holds the burst and refills evenly.
    TokenBucket,
    /// Never more than the units in one window after the other, and less than twice as many in any that lies across two:
    /// there it is estimated, to a unit for use that is even.
    SlidingWindow,
    /// Never more than the units in a window that begins with the first request; up to twice as many around its end.
    FixedWindow,
}

/// Whether a rule refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitMode {
    /// It refuses.
    Enforce,
    /// It only reports what it would have refused.
    Shadow,
}

/// What a rule has seen in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct LimitTotals {
    /// Requests that it admitted or refused, whatever a later stage said of them; not those that another rule of its
    /// stage refused.
    pub requests: u64,
    /// Those that it refused; in shadow mode, would have refused.
    pub refusals: u64,
    /// Those that it admitted with less than a fifth of the quota left.
    pub near_misses: u64,
    /// How many different values they had; an estimate.
    pub distinct_values: u64,
}

/// What is limited, and what the limits have seen.
#[utoipa::path(
    get,
    path = "/v1/limits",
    operation_id = "list_limits",
    tag = "limits",
    responses((status = 200, description = "What is limited.", body = LimitsStatus))
)]
pub(crate) async fn list_limits(State(shared): State<Arc<Shared>>) -> Json<LimitsStatus> {
    let limits = shared.system.limits();
    let now = limits.limiter.now();
    let policies = limits.config.limits.iter().map(|policy| limits.policy(policy, now)).collect();
    let allowances = limits.limiter.allowances().list(now);
    let overall = |period| LimitOverall::of(limits.limiter.overall(), now, period);
    Json(LimitsStatus {
        policies,
        hour: overall(Period::Hour),
        day: overall(Period::Day),
        allowances: allowances.iter().map(|allowance| LimitAllowance::of(allowance, now)).collect(),
        shared_store_decides: limits.limiter.store_decides(),
    })
}

// === what the endpoints share ===

/// The longest value that an operator may ask about, in characters.
pub const LONGEST_LIMIT_VALUE: usize = 16_384;
/// The longest value that may be let off, in characters: all gateways read all of them twice a second.
const LONGEST_ALLOWED_VALUE: usize = 1024;

/// Which rules: those of one policy, of one name, or all.
struct Which<'a> {
    policy: Option<&'a Name>,
    rule: Option<&'a Name>,
}

impl Which<'_> {
    /// The rules that are meant. Only a filter that meets none is a failure.
    fn of<'c>(
        &self,
        policies: &'c [Arc<LimitPolicy>],
    ) -> Result<Vec<(&'c LimitPolicy, &'c LimitRule)>, Failure> {
        let is_meant = |wanted: Option<&Name>, name: &Name| wanted.is_none_or(|wanted| wanted == name);
        let policies = policies.iter().filter(|policy| is_meant(self.policy, &policy.name));
        let rules = policies.flat_map(|policy| policy.rules.iter().map(move |rule| (policy.as_ref(), rule)));
        let meant: Vec<_> = rules.filter(|(_, rule)| is_meant(self.rule, &rule.name)).collect();
        let missing = match (self.policy, self.rule) {
            _ if !meant.is_empty() => return Ok(meant),
            (None, None) => return Ok(meant),
            (Some(policy), None) => format!("there is no limit policy `{policy}`"),
            (None, Some(rule)) => format!("no limit policy has a rule `{rule}`"),
            (Some(policy), Some(rule)) => format!("there is no limit policy `{policy}` with a rule `{rule}`"),
        };
        Err(Failure::new(FailureCode::NotFound, missing))
    }
}

impl LimitOverall {
    const MOST_ADDRESSES: usize = 10;

    fn of(seen: &RuleStatistics, now: Nanos, period: Period) -> Self {
        let Totals { requests, refusals, distinct_values: addresses, .. } = seen.totals(now, period);
        let top = |ranking| {
            let top = seen.top(now, period, ranking, Self::MOST_ADDRESSES);
            top.into_iter().map(LimitTopValue::from).collect()
        };
        let (top_addresses, top_refused_addresses) = (top(Ranking::Requests), top(Ranking::Refusals));
        Self { requests, refusals, addresses, top_addresses, top_refused_addresses }
    }
}

impl LimitsInUse {
    fn policy(&self, policy: &LimitPolicy, now: Nanos) -> LimitPolicyStatus {
        LimitPolicyStatus {
            name: policy.name.to_string(),
            line: policy.line.number(),
            rules: policy.rules.iter().map(|rule| self.rule(policy, rule, now)).collect(),
        }
    }

    fn rule(&self, policy: &LimitPolicy, rule: &LimitRule, now: Nanos) -> LimitRuleStatus {
        let seen = self.seen(policy, rule);
        let totals = |period| seen.as_ref().map(|seen| seen.totals(now, period).into()).unwrap_or_default();
        let (quota, concurrent) = match rule.amount {
            Amount::Rate(quota) => (Some(quota), None),
            Amount::Concurrent(at_most) => (None, Some(at_most.get())),
        };
        LimitRuleStatus {
            name: rule.name.to_string(),
            line: rule.line.number(),
            per: rule.per.iter().map(ToString::to_string).collect(),
            quota: quota.map(LimitQuota::from),
            concurrent,
            mode: rule.enforcement.into(),
            enabled: rule.enabled,
            hour: totals(Period::Hour),
            day: totals(Period::Day),
        }
    }

    fn seen(&self, policy: &LimitPolicy, rule: &LimitRule) -> Option<Arc<RuleStatistics>> {
        self.limiter.seen(&Limit::name_of(&policy.name, &rule.name))
    }
}

/// A point on the limiter's clock as a time of day.
fn moment(then: Nanos, now: Nanos) -> Timestamp {
    let ahead = Duration::from_nanos(then.get().saturating_sub(now.get()));
    (SystemTime::now() + ahead).into()
}

fn check_value(value: &str) -> Result<(), &'static str> {
    let is_short = value.chars().count() <= LONGEST_LIMIT_VALUE;
    if is_short { Ok(()) } else { Err("`value` is at most 16384 characters long") }
}

fn unavailable(error: &LimitsError) -> Failure {
    let detail = format!("the shared store does not answer: {error}");
    Failure::new(FailureCode::SharedStoreUnavailable, detail)
}

impl From<bartizan_model::Quota> for LimitQuota {
    fn from(quota: bartizan_model::Quota) -> Self {
        Self {
            units: quota.limit().get(),
            window_seconds: quota.length().as_secs_f64(),
            burst: quota.burst().get(),
            algorithm: match quota.algorithm() {
                Algorithm::TokenBucket => LimitAlgorithm::TokenBucket,
                Algorithm::SlidingWindow => LimitAlgorithm::SlidingWindow,
                Algorithm::FixedWindow => LimitAlgorithm::FixedWindow,
            },
        }
    }
}

impl From<Enforcement> for LimitMode {
    fn from(enforcement: Enforcement) -> Self {
        match enforcement {
            Enforcement::Enforce => Self::Enforce,
            Enforcement::Shadow => Self::Shadow,
        }
    }
}

impl From<Totals> for LimitTotals {
    fn from(totals: Totals) -> Self {
        let Totals { requests, refusals, near_misses, distinct_values } = totals;
        Self { requests, refusals, near_misses, distinct_values }
    }
}
