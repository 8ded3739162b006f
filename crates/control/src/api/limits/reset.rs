//! `POST /v1/limits/reset`: forgets what a value has used.

use std::sync::Arc;

use axum::{Json, extract::State};
use bartizan_config::{Amount, LimitPolicy, LimitRule};
use bartizan_limits::{Limit, LimitsError, unescaped};
use bartizan_model::Name;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{LONGEST_ALLOWED_VALUE, Which, check_value, value};
use crate::{
    LimitsInUse,
    control::Shared,
    extract::JsonBody,
    failure::{Failure, FailureCode},
    operator::Operator,
};

/// Whose use to forget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitReset {
    /// The policy; all of them when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9._-]{1,64}$", example = "voice")]
    pub policy: Option<Name>,
    /// Only the rule with this name; all that count a rate when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9._-]{1,64}$", example = "address-60s")]
    pub rule: Option<Name>,
    /// The value, as `/v1/limits/top` shows it: bytes that are no visible text as `\xNN`, a backslash twice.
    #[schema(max_length = 16384, example = "203.0.113.7")]
    pub value: String,
}

/// What was forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitsForgotten {
    /// Rules in which the value had used anything, by their names; as `POLICY/RULE` where no policy was named.
    #[schema(example = json!(["address-60s"]))]
    pub rules: Vec<String>,
}

/// Forgets what a value has used of the rates of a policy, or of all, in the shared store too.
#[utoipa::path(
    post,
    path = "/v1/limits/reset",
    operation_id = "reset_limit",
    tag = "limits",
    request_body = LimitReset,
    responses(
        (status = 200, description = "What was forgotten.", body = LimitsForgotten),
        (status = 404, description = "There is no such rule."),
        (status = 503, description = "The shared store does not answer.")
    )
)]
pub(crate) async fn reset_limit(
    State(shared): State<Arc<Shared>>,
    operator: Operator,
    JsonBody(reset): JsonBody<LimitReset>,
) -> Result<Json<LimitsForgotten>, Failure> {
    check_value(&reset.value).map_err(|detail| Failure::new(FailureCode::InvalidValue, detail))?;
    let limits = shared.system.limits();
    let which = Which { policy: reset.policy.as_ref(), rule: reset.rule.as_ref() };
    let policies = shared.policies_for(&limits.config, &reset.value).await?;
    let (meant, written) = (which.of(&policies)?, unescaped(&reset.value));
    value::check(&meant, &written)?;
    let forgotten = limits.forget(meant, &written, reset.policy.is_none()).await;
    // Of a very long value the record holds the beginning.
    let value: String = reset.value.chars().take(LONGEST_ALLOWED_VALUE).collect();
    let Forgotten { rules, failed_rules, failure } = forgotten;
    tracing::info!(
        audit = true,
        action = "limits.reset",
        policy = reset.policy.as_ref().map(Name::as_str),
        value,
        rules = rules.join(", "),
        failed_rules = (!failed_rules.is_empty()).then(|| failed_rules.join(", ")),
        error = failure.as_ref().map(tracing::field::display),
        operator = operator.name(),
        peer = operator.peer(),
        request_id = %operator.request_id,
        "an operator reset limits"
    );
    let counted = [rules.as_slice(), failed_rules.as_slice()].concat();
    let change = json!({
        "value": value, "rules": rules, "failed_rules": failed_rules,
        "before": { "counted": counted }, "after": { "counted": failed_rules },
    });
    shared
        .record("limits.reset", reset.policy.as_ref().map_or("every policy", Name::as_str), change, &operator)
        .await;
    match failure {
        None => Ok(Json(LimitsForgotten { rules })),
        Some(error) => {
            let detail =
                format!("forgotten by this gateway alone, the shared store does not answer: {error}");
            Err(Failure::new(FailureCode::SharedStoreUnavailable, detail))
        }
    }
}

/// What came of it, by the names of the rules.
#[derive(Default)]
struct Forgotten {
    rules: Vec<String>,
    /// Those of which this gateway alone has forgotten what was used, and the last reason why.
    failed_rules: Vec<String>,
    failure: Option<LimitsError>,
}

impl LimitsInUse {
    /// The store is asked for all rules at the same time, so that it is waited for once.
    async fn forget(
        &self,
        meant: Vec<(&LimitPolicy, &LimitRule)>,
        written: &[u8],
        with_policy: bool,
    ) -> Forgotten {
        let resets = meant.into_iter().filter_map(|(policy, rule)| {
            let Amount::Rate(quota) = rule.amount else { return None };
            let value = value::counted(&rule.per, written)?;
            let limit = Limit { name: Limit::name_of(&policy.name, &rule.name), quota };
            let name = if with_policy { limit.name.to_string() } else { rule.name.to_string() };
            Some(async move { (name, self.limiter.reset(&limit, &value).await) })
        });
        let mut forgotten = Forgotten::default();
        for (rule, outcome) in join_all(resets).await {
            match outcome {
                Ok(true) => forgotten.rules.push(rule),
                Ok(false) => {}
                Err(error) => {
                    forgotten.failed_rules.push(rule);
                    forgotten.failure = Some(error);
                }
            }
        }
        forgotten
    }
}
