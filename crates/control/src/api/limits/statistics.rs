//! `POST /v1/limits/statistics/reset`: forgets what the limits have seen, and nothing of what they count.

use std::sync::Arc;

use axum::{Json, extract::State};
use bartizan_model::Name;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::Which;
use crate::{control::Shared, extract::JsonBody, failure::Failure, operator::Operator};

/// Whose statistics to forget.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitStatisticsReset {
    /// The policy; all of them when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9._-]{1,64}$", example = "voice")]
    pub policy: Option<Name>,
    /// Only rules with this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9._-]{1,64}$", example = "address-60s")]
    pub rule: Option<Name>,
}

/// What was forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitStatisticsForgotten {
    /// The rules, as `POLICY/RULE`.
    #[schema(example = json!(["voice/address-60s"]))]
    pub rules: Vec<String>,
    /// Whether what all rules together have seen is forgotten, too: so it is when neither a policy nor a rule is named.
    pub overall: bool,
}

/// Forgets what the limits of this gateway have seen: requests, refusals, values.
///
/// What they have counted stays counted, and metrics go on.
#[utoipa::path(
    post,
    path = "/v1/limits/statistics/reset",
    operation_id = "reset_limit_statistics",
    tag = "limits",
    request_body = LimitStatisticsReset,
    responses(
        (status = 200, description = "What was forgotten.", body = LimitStatisticsForgotten),
        (status = 404, description = "There is no such rule.")
    )
)]
pub(crate) async fn reset_limit_statistics(
    State(shared): State<Arc<Shared>>,
    operator: Operator,
    JsonBody(reset): JsonBody<LimitStatisticsReset>,
) -> Result<Json<LimitStatisticsForgotten>, Failure> {
    let limits = shared.system.limits();
    let which = Which { policy: reset.policy.as_ref(), rule: reset.rule.as_ref() };
    let mut rules = Vec::new();
    for (policy, rule) in which.of(&limits.policies())? {
        if let Some(seen) = limits.seen(policy, rule) {
            seen.clear();
            rules.push(format!("{}/{}", policy.name, rule.name));
        }
    }
    let overall = reset.policy.is_none() && reset.rule.is_none();
    if overall {
        limits.limiter.overall().clear();
    }
    tracing::info!(
        audit = true,
        action = "limits.statistics.reset",
        rules = rules.join(", "),
        overall,
        peer = operator.peer(),
        request_id = %operator.request_id,
        "an operator reset the statistics of limits"
    );
    let policy = reset.policy.as_ref().map_or("every policy", Name::as_str);
    let change = json!({ "rules": rules, "overall": overall });
    shared.record("limits.statistics.reset", policy, change, &operator).await;
    Ok(Json(LimitStatisticsForgotten { rules, overall }))
}
