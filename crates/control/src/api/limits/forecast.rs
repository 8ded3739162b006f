//! `POST /v1/limits/forecast`: what other limits would have done to the recorded hour.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Json, extract::State};
use bartizan_config::{Amount, ConfigError, LimitRule, LimitsProposal, Source};
use bartizan_pipeline::{Forecast, ForecastError, NotForecast, RuleForecast, ValueForecast};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{LimitMode, LimitQuota};
use crate::{
    control::Shared,
    extract::JsonBody,
    failure::{Failure, FailureCode},
};

/// How long a forecast may take: it keeps a core busy, and whoever asks waits.
const LONGEST: Duration = Duration::from_secs(20);

/// Limits to forecast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitProposal {
    /// YAML or JSON: `limits` as in the configuration, of which each policy takes the place of the one in use with its
    /// name; and `routes`, each with its `path`, `hosts` and `methods` as they are, and the `limit` and `cost` that it
    /// would have. Routes that are not listed stay as they are. `${NAME}` is not read here.
    #[schema(example = "limits: { voice: [{ per: address, rate: 50/min }] }")]
    pub document: String,
}

/// What the limits would have done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LimitForecast {
    /// How much time was replayed, up to now; an hour, if there is so much and memory has been enough for it.
    pub covered_seconds: f64,
    /// The requests that were replayed: those that reached the limits' place on their way.
    pub requests: u64,
    /// Requests of the last hour that were not, because there was no room for them.
    pub missing: u64,
    /// Requests that the limits in use refuse in the replay; what only reports refuses none.
    pub refused_now: u64,
    /// Requests that the proposed limits refuse.
    pub refused_then: u64,
    /// Every rule that some route has or would have: in the order of the proposed ones, then those that would be gone.
    pub rules: Vec<LimitRuleForecast>,
    /// The values that the proposed limits would refuse most, at most 20.
    pub values: Vec<LimitValueForecast>,
    /// What is left out.
    pub not_forecast: Vec<LimitNotForecast>,
}

/// What a rule would have done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LimitRuleForecast {
    /// Its policy.
    #[schema(example = "voice")]
    pub policy: String,
    /// Its name.
    #[schema(example = "address-60s")]
    pub rule: String,
    /// The rule in use with this name; null if there is none.
    pub now: Option<LimitTerms>,
    /// The proposed rule with this name; null if it would be gone.
    pub then: Option<LimitTerms>,
    /// Requests that the proposed rule counts, or the one in use where it would be gone.
    pub requests: u64,
    /// Those that the rule in use refuses, or would refuse if it did more than report.
    pub refused_now: u64,
    /// Those that the proposed rule refuses, or would refuse if it did more than report.
    pub refused_then: u64,
    /// How many different values the proposed rule refuses.
    pub values_refused: u64,
}

/// What a rule says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LimitTerms {
    /// By what it counts; more than one: by their combination.
    #[schema(example = json!(["address"]))]
    pub per: Vec<String>,
    /// How much it admits in what time.
    pub quota: LimitQuota,
    /// Whether it refuses or only reports.
    pub mode: LimitMode,
}

/// What would have happened to a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitValueForecast {
    /// The policy of the rule that would refuse it.
    #[schema(example = "voice")]
    pub policy: String,
    /// The rule.
    #[schema(example = "address-60s")]
    pub rule: String,
    /// The value; where it is long or not plain text, its beginning and a hash.
    #[schema(example = "203.0.113.7")]
    pub value: String,
    /// Its requests that the rule counts.
    pub requests: u64,
    /// Those that the rule in use refuses.
    pub refused_now: u64,
    /// Those that the proposed rule refuses.
    pub refused_then: u64,
}

/// Something that a forecast leaves out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitNotForecast {
    /// What.
    #[schema(example = "voice/address-concurrent")]
    pub what: String,
    /// Why.
    pub why: String,
}

/// Replays the recorded hour with the limits in use and with others, and says who would have been refused.
///
/// As if nobody had used anything before. Takes a second or so and is given up after 20; one is made at a time. Changes
/// nothing.
#[utoipa::path(
    post,
    path = "/v1/limits/forecast",
    operation_id = "forecast_limits",
    tag = "limits",
    request_body = LimitProposal,
    responses(
        (status = 200, description = "What the limits would have done.", body = LimitForecast),
        (status = 409, description = "Another forecast is being made."),
        (status = 500, description = "The forecast broke off; see the log."),
        (status = 503, description = "The forecast took too long and was given up.")
    )
)]
pub(crate) async fn forecast_limits(
    State(shared): State<Arc<Shared>>,
    JsonBody(proposal): JsonBody<LimitProposal>,
) -> Result<Json<LimitForecast>, Failure> {
    // What is questionable about it is for whoever wrote the document: they check it before they send it.
    let (proposal, _) =
        LimitsProposal::parse(&proposal.document, &Source::text("")).map_err(|error| invalid(&error))?;
    let (limits, deadline) = (shared.system.limits(), Instant::now() + LONGEST);
    let forecast = tokio::task::spawn_blocking(move || {
        limits.history.forecast(&limits.config, &proposal, &limits.limiter, deadline)
    });
    match forecast.await {
        Ok(Ok(forecast)) => Ok(Json(forecast.into())),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => {
            Err(Failure::new(FailureCode::InternalError, "the forecast broke off: see the gateway's log"))
        }
    }
}

impl From<ForecastError> for Failure {
    fn from(error: ForecastError) -> Self {
        let code = match error {
            ForecastError::Busy => FailureCode::ForecastRunning,
            ForecastError::UnknownPolicy(_) | ForecastError::TooManyRules(_) => FailureCode::InvalidValue,
            ForecastError::TookTooLong => FailureCode::ForecastTookTooLong,
        };
        Self::new(code, error.to_string())
    }
}

fn invalid(error: &ConfigError) -> Failure {
    let diagnostics: Vec<_> = error.diagnostics().iter().cloned().map(Into::into).collect();
    Failure::new(FailureCode::InvalidValue, "`document` is not valid").with_diagnostics(diagnostics)
}

impl From<Forecast> for LimitForecast {
    fn from(forecast: Forecast) -> Self {
        Self {
            covered_seconds: forecast.covered.as_secs_f64(),
            requests: forecast.requests,
            missing: forecast.missing,
            refused_now: forecast.refused_now,
            refused_then: forecast.refused_then,
            rules: forecast.rules.into_iter().map(Into::into).collect(),
            values: forecast.values.into_iter().map(Into::into).collect(),
            not_forecast: forecast.not_forecast.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<RuleForecast> for LimitRuleForecast {
    fn from(forecast: RuleForecast) -> Self {
        Self {
            policy: forecast.policy.into(),
            rule: forecast.rule.into(),
            now: forecast.now.as_ref().and_then(LimitTerms::of),
            then: forecast.then.as_ref().and_then(LimitTerms::of),
            requests: forecast.requests,
            refused_now: forecast.refused_now,
            refused_then: forecast.refused_then,
            values_refused: forecast.values_refused,
        }
    }
}

impl LimitTerms {
    /// Those of a rule that counts a rate; no other is forecast.
    fn of(rule: &LimitRule) -> Option<Self> {
        let Amount::Rate(quota) = rule.amount else { return None };
        let per = rule.per.iter().map(ToString::to_string).collect();
        Some(Self { per, quota: quota.into(), mode: rule.enforcement.into() })
    }
}

impl From<ValueForecast> for LimitValueForecast {
    fn from(forecast: ValueForecast) -> Self {
        let ValueForecast { policy, rule, value, requests, refused_now, refused_then } = forecast;
        Self { policy: policy.into(), rule: rule.into(), value, requests, refused_now, refused_then }
    }
}

impl From<NotForecast> for LimitNotForecast {
    fn from(NotForecast { what, why }: NotForecast) -> Self {
        Self { what, why }
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use http::StatusCode;

    use super::*;

    #[test]
    fn why_there_is_no_forecast_is_told_by_the_status() {
        let cases = [
            (ForecastError::Busy, StatusCode::CONFLICT),
            (ForecastError::TooManyRules("/**".into()), StatusCode::UNPROCESSABLE_ENTITY),
            (ForecastError::TookTooLong, StatusCode::SERVICE_UNAVAILABLE),
        ];
        for (error, status) in cases {
            assert_eq!(Failure::from(error.clone()).into_response().status(), status, "{error}");
        }
    }
}
