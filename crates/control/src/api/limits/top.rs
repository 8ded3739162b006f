//! `GET /v1/limits/top`: who comes most.

use std::sync::Arc;

use axum::{Json, extract::State};
use bartizan_limits::{Period, Ranking, TopValue};
use bartizan_model::Name;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Which;
use crate::{
    control::Shared,
    extract::QueryParameters,
    failure::{Failure, FailureCode},
};

/// Who comes most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitTop {
    /// The rules in the order of the configuration, those that have seen nobody left out.
    pub rules: Vec<LimitRuleTop>,
}

/// Who comes most by one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitRuleTop {
    /// Its policy.
    #[schema(example = "voice")]
    pub policy: String,
    /// Its name.
    #[schema(example = "address-60s")]
    pub rule: String,
    /// The values that came most, the most frequent first.
    pub values: Vec<LimitTopValue>,
}

/// A value that came often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitTopValue {
    /// The value; where it is long or not plain text, its beginning and a hash.
    #[schema(example = "203.0.113.7")]
    pub value: String,
    /// It came so often at least.
    pub at_least: u64,
    /// It came so often at most.
    pub at_most: u64,
}

/// By what values are ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitRanking {
    /// By their requests.
    #[default]
    Requests,
    /// By their refusals.
    Refusals,
}

/// How far back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitPeriod {
    /// The last hour.
    #[default]
    Hour,
    /// The last 24 hours.
    Day,
}

/// Who is asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// Only rules of this policy.
    #[param(value_type = Option<String>, pattern = "^[A-Za-z0-9._-]{1,64}$")]
    policy: Option<Name>,
    /// Only rules with this name.
    #[param(value_type = Option<String>, pattern = "^[A-Za-z0-9._-]{1,64}$")]
    rule: Option<Name>,
    /// By what values are ranked. Default: by their requests.
    #[serde(default)]
    #[param(inline)]
    by: LimitRanking,
    /// How far back. Default: the last hour.
    #[serde(default)]
    #[param(inline)]
    over: LimitPeriod,
    /// How many values of each rule at most.
    #[serde(default = "Asked::default_limit")]
    #[param(minimum = 1, maximum = 50, default = 10)]
    limit: usize,
}

impl Asked {
    const MAX: usize = 50;

    fn default_limit() -> usize {
        10
    }
}

/// The values that came most.
#[utoipa::path(
    get,
    path = "/v1/limits/top",
    operation_id = "list_top_values",
    tag = "limits",
    params(Asked),
    responses(
        (status = 200, description = "Who comes most.", body = LimitTop),
        (status = 404, description = "There is no such rule.")
    )
)]
pub(crate) async fn list_top_values(
    State(shared): State<Arc<Shared>>,
    QueryParameters(asked): QueryParameters<Asked>,
) -> Result<Json<LimitTop>, Failure> {
    if !(1..=Asked::MAX).contains(&asked.limit) {
        return Err(Failure::new(FailureCode::MalformedRequest, "`limit` must be 1 to 50"));
    }
    let limits = shared.system.limits();
    let now = limits.limiter.now();
    let which = Which { policy: asked.policy.as_ref(), rule: asked.rule.as_ref() };
    let mut rules = Vec::new();
    for (policy, rule) in which.of(&limits.policies())? {
        let Some(seen) = limits.seen(policy, rule) else { continue };
        let top = seen.top(now, asked.over.into(), asked.by.into(), asked.limit);
        if !top.is_empty() {
            let values = top.into_iter().map(LimitTopValue::from).collect();
            rules.push(LimitRuleTop { policy: policy.name.to_string(), rule: rule.name.to_string(), values });
        }
    }
    Ok(Json(LimitTop { rules }))
}

impl From<TopValue> for LimitTopValue {
    fn from(TopValue { value, at_least, at_most }: TopValue) -> Self {
        Self { value, at_least, at_most }
    }
}

impl From<LimitRanking> for Ranking {
    fn from(ranking: LimitRanking) -> Self {
        match ranking {
            LimitRanking::Requests => Self::Requests,
            LimitRanking::Refusals => Self::Refusals,
        }
    }
}

impl From<LimitPeriod> for Period {
    fn from(period: LimitPeriod) -> Self {
        match period {
            LimitPeriod::Hour => Self::Hour,
            LimitPeriod::Day => Self::Day,
        }
    }
}
