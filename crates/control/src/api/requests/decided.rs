//! What the API tells of a decided request: the pipeline's record in plain types.

use std::{sync::Arc, time::Duration};

use bartizan_model::{Principal, PrincipalKind};
use bartizan_pipeline::{CompiledRoute, Outcome, Record, Step};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{firewall::DecidedFirewall, limits::DecidedLimits, policies::DecidedPolicies};
use crate::Timestamp;

/// Requests and what was decided about them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DecidedRequests {
    /// The newest first.
    pub requests: Vec<DecidedRequest>,
}

/// One request and what was decided about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DecidedRequest {
    /// Its id. A client may choose it, so several requests may share one.
    #[schema(example = "019a9f3e-7c1d-7d2a-9b51-0242ac120002")]
    pub id: String,
    /// Its W3C trace id.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    pub trace_id: String,
    /// When it arrived.
    pub arrived: Timestamp,
    /// From its arrival to the head of the answer, in microseconds.
    pub microseconds: f64,
    /// The client's address.
    #[schema(example = "203.0.113.7")]
    pub client: String,
    /// Its method.
    #[schema(example = "GET")]
    pub method: String,
    /// Its path as received, without the query, at most 512 bytes of it.
    #[schema(example = "/api/orders/7")]
    pub path: String,
    /// The route that took it.
    pub route: Option<MatchedRoute>,
    /// Who asked, once proven.
    pub principal: Option<ProvenPrincipal>,
    /// The status it was answered with.
    #[schema(minimum = 100, maximum = 999)]
    pub status: u16,
    /// The refusal's stable code; null when it was not refused.
    #[schema(example = "permission_denied")]
    pub code: Option<String>,
    /// What every stage said, in the order they ran.
    pub steps: Vec<DecidedStep>,
    /// What the policies said; null when none were asked.
    pub policies: Option<DecidedPolicies>,
    /// What its limits said; null when none decided about it.
    pub limits: Option<DecidedLimits>,
    /// What the firewall's rules found; null when they did not look.
    pub firewall: Option<DecidedFirewall>,
}

/// The route that took a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MatchedRoute {
    /// Its path pattern.
    #[schema(example = "/api/orders/**")]
    pub path: String,
    /// Its line in the configuration; null for a built-in default.
    pub line: Option<u32>,
}

/// Who asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProvenPrincipal {
    /// Who it is, in the words of the provider.
    pub id: String,
    /// How it was proven.
    pub kind: ProofKind,
    /// The organisation it acts for, where the proof names one.
    pub organization: Option<String>,
    /// The entry of `identity:` that vouched for it.
    pub provider: String,
}

/// What one stage said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DecidedStep {
    /// The stage.
    #[schema(example = "authorize")]
    pub stage: String,
    /// What it decided.
    pub outcome: StepOutcome,
    /// Why.
    pub reason: String,
    /// The configuration line that caused it; null for a built-in default.
    pub line: Option<u32>,
    /// How long it took, in microseconds.
    pub microseconds: f64,
}

/// How a principal proved itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProofKind {
    /// A signed token.
    Token,
    /// An API key.
    ApiKey,
    /// A client certificate.
    Certificate,
    /// A signature over the request.
    Signature,
    /// A session that began with a login.
    Session,
}

/// What a stage decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// Went on.
    Passed,
    /// Refused.
    Denied,
    /// Answered the request itself.
    Answered,
}

impl DecidedRequests {
    pub(crate) fn of(records: &[Arc<Record>]) -> Self {
        Self { requests: records.iter().map(|record| DecidedRequest::from(&**record)).collect() }
    }
}

impl From<&Record> for DecidedRequest {
    fn from(record: &Record) -> Self {
        Self {
            id: record.id.to_string(),
            trace_id: format!("{:032x}", u128::from_be_bytes(record.trace_context.trace_id)),
            arrived: record.arrived.into(),
            microseconds: microseconds(record.took),
            client: record.client.to_string(),
            method: record.method.to_string(),
            path: record.path.as_ref().into(),
            route: record.route.as_deref().map(MatchedRoute::from),
            principal: record.identified.as_deref().map(|identified| (&identified.principal).into()),
            status: record.status.as_u16(),
            code: record.code.map(|code| code.as_str().into()),
            steps: record.trace.steps().iter().map(DecidedStep::from).collect(),
            policies: record.judged.as_deref().map(DecidedPolicies::from),
            limits: DecidedLimits::of(record),
            firewall: record.inspected.as_deref().map(DecidedFirewall::from),
        }
    }
}

impl From<&CompiledRoute> for MatchedRoute {
    fn from(route: &CompiledRoute) -> Self {
        Self { path: route.config.path.as_str().into(), line: route.config.line.number() }
    }
}

impl From<&Principal> for ProvenPrincipal {
    fn from(principal: &Principal) -> Self {
        Self {
            id: principal.id.as_str().into(),
            kind: principal.kind.into(),
            organization: principal.organization.as_ref().map(|organization| organization.as_str().into()),
            provider: principal.provider.as_str().into(),
        }
    }
}

impl From<&Step> for DecidedStep {
    fn from(step: &Step) -> Self {
        Self {
            stage: step.stage.as_str().into(),
            outcome: step.outcome.into(),
            reason: step.reason.as_str().into(),
            line: step.line.number(),
            microseconds: microseconds(step.took),
        }
    }
}

impl From<PrincipalKind> for ProofKind {
    fn from(kind: PrincipalKind) -> Self {
        match kind {
            PrincipalKind::Token => Self::Token,
            PrincipalKind::ApiKey => Self::ApiKey,
            PrincipalKind::Certificate => Self::Certificate,
            PrincipalKind::Signature => Self::Signature,
            PrincipalKind::Session => Self::Session,
        }
    }
}

impl From<Outcome> for StepOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Passed => Self::Passed,
            Outcome::Denied => Self::Denied,
            Outcome::Answered => Self::Answered,
        }
    }
}

fn microseconds(took: Duration) -> f64 {
    took.as_secs_f64() * 1e6
}
