//! `POST /v1/limits/afresh`: forgets what everybody has used.

use std::sync::Arc;

use axum::{Json, extract::State};
use bartizan_config::Amount;
use bartizan_limits::Limit;
use bartizan_model::Name;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{Which, reset::LimitsForgotten, unavailable};
use crate::{control::Shared, extract::JsonBody, failure::Failure, operator::Operator};

/// Which limits to begin afresh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitsAfresh {
    /// The policy.
    #[schema(value_type = String, pattern = "^[A-Za-z0-9._-]{1,64}$", example = "voice")]
    pub policy: Name,
    /// Only the rule with this name; all that count a rate when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9._-]{1,64}$", example = "address-60s")]
    pub rule: Option<Name>,
}

/// Forgets what everybody has used of the rates of a policy: each value begins with all of them again.
///
/// Where gateways share a store, so at all of them, within a second.
#[utoipa::path(
    post,
    path = "/v1/limits/afresh",
    operation_id = "begin_limits_afresh",
    tag = "limits",
    request_body = LimitsAfresh,
    responses(
        (status = 200, description = "The rules that were begun afresh.", body = LimitsForgotten),
        (status = 404, description = "There is no such rule."),
        (status = 503, description = "The shared store does not answer: nothing is forgotten.")
    )
)]
pub(crate) async fn begin_limits_afresh(
    State(shared): State<Arc<Shared>>,
    operator: Operator,
    JsonBody(asked): JsonBody<LimitsAfresh>,
) -> Result<Json<LimitsForgotten>, Failure> {
    let limits = shared.system.limits();
    let policies = limits.policies();
    let meant = Which { policy: Some(&asked.policy), rule: asked.rule.as_ref() }.of(&policies)?;
    let rates = meant.into_iter().filter(|(_, rule)| matches!(rule.amount, Amount::Rate(_)));
    let (rules, names): (Vec<_>, Vec<_>) =
        rates.map(|(policy, rule)| (rule.name.to_string(), Limit::name_of(&policy.name, &rule.name))).unzip();
    limits.limiter.begin_afresh(&names).await.map_err(|error| unavailable(&error))?;
    tracing::info!(
        audit = true,
        action = "limits.afresh",
        policy = asked.policy.as_str(),
        rules = rules.join(", "),
        operator = operator.name(),
        peer = operator.peer(),
        request_id = %operator.request_id,
        "an operator began limits afresh for everybody"
    );
    shared.record("limits.afresh", asked.policy.as_str(), json!({ "rules": rules }), &operator).await;
    Ok(Json(LimitsForgotten { rules }))
}
