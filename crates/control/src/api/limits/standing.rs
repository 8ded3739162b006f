//! `GET /v1/limits/standing`: how somebody stands, right now.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use axum::{Json, extract::State};
use bartizan_config::{Amount, Enforcement, LimitPolicy, LimitRule};
use bartizan_limits::{Asker, Charge, Chosen, DimensionKind, Factors, Limit, Standing, Threat, unescaped};
use bartizan_model::{Name, Quota};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{LimitMode, Which, moment, unavailable, value};
use crate::{
    LimitThreat, LimitsInUse, Timestamp,
    control::Shared,
    extract::QueryParameters,
    failure::{Failure, FailureCode},
};

/// How a value stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LimitStandings {
    /// In each rule that counts and can have the value, in the order of the configuration.
    pub standings: Vec<LimitStanding>,
    /// How much of a threat the value looks like in the rules that refuse and of which it has used something; null where
    /// there is none.
    pub threat: Option<LimitThreat>,
}

/// How a value stands in one rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LimitStanding {
    /// The rule's policy.
    #[schema(example = "voice")]
    pub policy: String,
    /// The rule.
    #[schema(example = "address-60s")]
    pub rule: String,
    /// By what the rule counts.
    #[schema(example = json!(["address"]))]
    pub per: Vec<String>,
    /// Whether the rule refuses or only reports.
    pub mode: LimitMode,
    /// Who has counted.
    pub counted_by: LimitCounter,
    /// The units at once, or the requests in flight, that the rule admits.
    pub quota: u64,
    /// Those left.
    pub remaining: u64,
    /// Until all of the quota is available again, if nothing more is asked; null for requests in flight.
    pub reset_seconds: Option<f64>,
    /// Until a request that costs 1 would be admitted; null when it would be now.
    pub retry_after_seconds: Option<f64>,
    /// Until when the value is not counted, where an operator said so; null when it is counted.
    pub allowed_until: Option<Timestamp>,
}

/// Who has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitCounter {
    /// This gateway alone.
    Gateway,
    /// All gateways together.
    SharedStore,
}

/// The longest value that a query may hold, in characters: with all of them encoded it still fits into a head.
const LONGEST_IN_QUERY: usize = 1024;

/// Who is asked about.
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
    /// The value, as `/v1/limits/top` shows it: bytes that are no visible text as `\xNN`, a backslash twice.
    #[param(max_length = 1024, example = "203.0.113.7")]
    value: String,
}

/// How a value stands in each rule, right now.
///
/// Charges nothing. Where gateways lease parts of a limit, what they hold in advance counts as used.
#[utoipa::path(
    get,
    path = "/v1/limits/standing",
    operation_id = "read_limit_standing",
    tag = "limits",
    params(Asked),
    responses(
        (status = 200, description = "How the value stands.", body = LimitStandings),
        (status = 404, description = "There is no such rule."),
        (status = 422, description = "No rule can have this value."),
        (status = 503, description = "The shared store does not answer.")
    )
)]
pub(crate) async fn read_limit_standing(
    State(shared): State<Arc<Shared>>,
    QueryParameters(asked): QueryParameters<Asked>,
) -> Result<Json<LimitStandings>, Failure> {
    if asked.value.chars().count() > LONGEST_IN_QUERY {
        return Err(Failure::new(FailureCode::MalformedRequest, "`value` is at most 1024 characters long"));
    }
    let limits = shared.system.limits();
    let which = Which { policy: asked.policy.as_ref(), rule: asked.rule.as_ref() };
    let policies = shared.policies_for(&limits.config, &asked.value).await?;
    let (rules, written) = (which.of(&policies)?, unescaped(&asked.value));
    value::check(&rules, &written)?;
    let asking = rules.into_iter().filter(|(_, rule)| rule.enabled).filter_map(|(policy, rule)| {
        let value = value::counted(&rule.per, &written)?;
        let limits = &limits;
        Some(async move {
            let standing = limits.standing(policy, rule, &value).await;
            standing.map(|standing| (rule, standing))
        })
    });
    // The store is asked for all rules at the same time, so that it is waited for once.
    let standings: Vec<_> = try_join_all(asking).await?;
    let used: Vec<_> = standings.iter().filter_map(|(rule, standing)| used_of(rule, standing)).collect();
    let threat = || Threat::of(used.iter().map(|(kind, standing)| (*kind, standing)), Asker::default());
    let threat = (!used.is_empty()).then(|| threat().into());
    Ok(Json(LimitStandings {
        standings: standings.into_iter().map(|(_, standing)| standing).collect(),
        threat,
    }))
}

/// What counts for the threat; nothing of a rule that refuses nobody.
fn used_of(rule: &LimitRule, standing: &LimitStanding) -> Option<(DimensionKind, Standing)> {
    let refuses = rule.enforcement == Enforcement::Enforce && standing.allowed_until.is_none();
    if !refuses || standing.remaining >= standing.quota {
        return None;
    }
    let kind = DimensionKind::weightiest(rule.per.iter().map(DimensionKind::from))?;
    let seconds = |seconds: Option<f64>| {
        seconds.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default())
    };
    let standing = Standing {
        quota: standing.quota,
        window: Duration::ZERO,
        remaining: standing.remaining,
        reset: seconds(standing.reset_seconds).unwrap_or_default(),
        retry_after: seconds(standing.retry_after_seconds),
    };
    Some((kind, standing))
}

impl LimitsInUse {
    async fn standing(
        &self,
        policy: &LimitPolicy,
        rule: &LimitRule,
        value: &[u8],
    ) -> Result<LimitStanding, Failure> {
        let name = Limit::name_of(&policy.name, &rule.name);
        let now = self.limiter.now();
        let (network, counted) = (value::network_of(&rule.per, value), (value, Chosen::of(&rule.per)));
        let allowed = self.limiter.allowances().until(|| now, &policy.name, network, counted);
        let (standing, is_shared) = match rule.amount {
            Amount::Rate(quota) => self.of_rate(name, quota, value).await?,
            Amount::Concurrent(at_most) => (self.of_places(&name, at_most, value), false),
        };
        Ok(LimitStanding {
            policy: policy.name.to_string(),
            rule: rule.name.to_string(),
            per: rule.per.iter().map(ToString::to_string).collect(),
            mode: rule.enforcement.into(),
            counted_by: if is_shared { LimitCounter::SharedStore } else { LimitCounter::Gateway },
            quota: standing.quota,
            remaining: standing.remaining,
            // When a request in flight ends nobody knows.
            reset_seconds: matches!(rule.amount, Amount::Rate(_)).then(|| standing.reset.as_secs_f64()),
            retry_after_seconds: standing.retry_after.map(|wait| wait.as_secs_f64()),
            allowed_until: allowed.map(|until| moment(until, now)),
        })
    }

    /// Also says whether the shared store has counted.
    async fn of_rate(&self, name: Arc<str>, quota: Quota, value: &[u8]) -> Result<(Standing, bool), Failure> {
        let limit = Limit { name, quota };
        let (cost, factors) = (NonZeroU32::MIN, Factors::default());
        let charge = Charge { limit: &limit, value, cost, factors };
        self.limiter.standing(&charge).await.map_err(|error| unavailable(&error))
    }

    fn of_places(&self, name: &str, at_most: NonZeroU32, value: &[u8]) -> Standing {
        let in_flight = self.limiter.concurrency().in_flight(name, value);
        let remaining = at_most.get().saturating_sub(in_flight).into();
        Standing {
            quota: at_most.get().into(),
            window: Duration::ZERO,
            remaining,
            reset: Duration::ZERO,
            // A place is free as soon as a request ends; who is refused is told a second.
            retry_after: (remaining == 0).then_some(Duration::from_secs(1)),
        }
    }
}
