//! `GET /v1/policies`: the policies in use. `POST /v1/policies/dry-run`: what others would have said.

use std::{path::PathBuf, sync::Arc};

use axum::{Json, extract::State};
use bartizan_config::{Policies as Configured, PolicyFile};
use bartizan_pipeline::{DryRun, JudgedDifferently, dry_run};
use bartizan_policy::{Policies, PoliciesError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::requests::policies::{DecidedPolicies, PolicyStatement};
use crate::{
    PoliciesInUse,
    control::Shared,
    extract::JsonBody,
    failure::{Failure, FailureCode},
};

/// The policies in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyList {
    /// Every policy, in the order in which files name them, those that are built in last.
    pub policies: Vec<PolicyStatement>,
}

/// Policies to try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyProposal {
    /// Each takes the place of the file in use with its name, or is added.
    pub files: Vec<ProposedPolicies>,
}

/// A file of policies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposedPolicies {
    /// Its name, without folders.
    #[schema(example = "orders.cedar")]
    pub name: String,
    /// What it holds.
    #[schema(example = "permit (principal, action, resource);")]
    pub text: String,
}

/// What other policies would have said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyDryRun {
    /// The remembered requests that both were asked about.
    pub requests: u64,
    /// Those that could not be asked about again: their route has changed, or their path was too long to be remembered
    /// whole.
    pub left_out: u64,
    /// Of the requests, those that the policies in use permit.
    pub permitted_now: u64,
    /// Those that the proposed ones permit.
    pub permitted_then: u64,
    /// How many would be judged differently.
    pub differences: u64,
    /// The latest of those, at most 100.
    pub changed: Vec<PolicyChange>,
}

/// A request that would be judged differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyChange {
    /// Its id.
    pub id: String,
    /// Its method.
    #[schema(example = "GET")]
    pub method: String,
    /// Its path.
    #[schema(example = "/api/orders/7")]
    pub path: String,
    /// What the policies in use say; null where there are none, which permits.
    pub now: Option<DecidedPolicies>,
    /// What the proposed ones say.
    pub then: DecidedPolicies,
}

/// The policies in use, those that `zones` makes included.
#[utoipa::path(
    get,
    path = "/v1/policies",
    operation_id = "list_policies",
    tag = "policies",
    responses((status = 200, description = "The policies in use.", body = PolicyList))
)]
pub(crate) async fn list_policies(State(shared): State<Arc<Shared>>) -> Json<PolicyList> {
    let in_use = shared.system.policies().policies;
    let statements = in_use.iter().flat_map(|policies| policies.statements());
    Json(PolicyList { policies: statements.map(|statement| PolicyStatement::from(&**statement)).collect() })
}

/// Asks other policies about the remembered requests, and says which would be judged differently. Changes nothing.
#[utoipa::path(
    post,
    path = "/v1/policies/dry-run",
    operation_id = "dry_run_policies",
    tag = "policies",
    request_body = PolicyProposal,
    responses(
        (status = 200, description = "What they would have said.", body = PolicyDryRun),
        (status = 500, description = "The dry run broke off; see the log.")
    )
)]
pub(crate) async fn dry_run_policies(
    State(shared): State<Arc<Shared>>,
    JsonBody(proposal): JsonBody<PolicyProposal>,
) -> Result<Json<PolicyDryRun>, Failure> {
    let (in_use, records) = (shared.system.policies(), shared.records.all());
    let run = tokio::task::spawn_blocking(move || {
        let PoliciesInUse { config, policies } = in_use;
        let proposed = proposed(config.policies.clone().unwrap_or_default(), proposal);
        let then = Policies::with_policies(&config, Some(&proposed))?;
        dry_run(&records, &config, policies.as_ref(), &then)
    });
    match run.await {
        Ok(Ok(run)) => Ok(Json(run.into())),
        Ok(Err(error)) => Err(invalid(&error)),
        Err(_) => {
            Err(Failure::new(FailureCode::InternalError, "the dry run broke off: see the gateway's log"))
        }
    }
}

/// The policies in use, with the files that are proposed in their places.
fn proposed(mut in_use: Configured, proposal: PolicyProposal) -> Configured {
    for ProposedPolicies { name, text } in proposal.files {
        in_use.put(PolicyFile { path: PathBuf::from(name), text });
    }
    in_use
}

fn invalid(error: &PoliciesError) -> Failure {
    let diagnostics: Vec<_> = error.diagnostics().iter().cloned().map(Into::into).collect();
    Failure::new(FailureCode::InvalidValue, error.to_string()).with_diagnostics(diagnostics)
}

impl From<DryRun> for PolicyDryRun {
    fn from(run: DryRun) -> Self {
        Self {
            requests: run.requests,
            left_out: run.left_out,
            permitted_now: run.permitted_now,
            permitted_then: run.permitted_then,
            differences: run.differences,
            changed: run.changed.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<JudgedDifferently> for PolicyChange {
    fn from(JudgedDifferently { id, method, path, now, then }: JudgedDifferently) -> Self {
        Self {
            id: id.to_string(),
            method: method.to_string(),
            path: path.into(),
            now: now.as_ref().map(Into::into),
            then: (&then).into(),
        }
    }
}
