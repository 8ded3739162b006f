//! `/v1/audit`: what happened to accounts, who did it, from where.

use std::time::SystemTime;

use axum::Json;
use bartizan_identity::account::{AuditEntry as Written, AuditFilter};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    Timestamp,
    administration::KnownAccounts,
    extract::QueryParameters,
    failure::{Failure, FailureCode},
};

/// What happened to accounts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditTrail {
    /// The newest first.
    pub entries: Vec<AuditEntry>,
}

/// One line of the trail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its id.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// What was done or tried.
    #[schema(example = "login")]
    pub action: String,
    /// `done` or `refused`.
    pub outcome: String,
    /// Who: the id of a person, `operator`, or empty for nobody known.
    pub actor: String,
    /// Whom or what it was done to.
    pub subject: String,
    /// From where.
    pub address: String,
    /// What the client called itself.
    pub client: String,
    /// Which request.
    pub request_id: String,
    /// What was `before` and `after`, and what else is worth knowing. Secrets are masked.
    #[schema(value_type = Object)]
    pub details: Value,
}

/// Which lines of the trail.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// This action, or all of its kind: `role` is `role.bind`, `role.create` and so on.
    action: Option<String>,
    /// By whom: an id, `operator`, or an e-mail address.
    actor: Option<String>,
    /// To whom or what: an id or an e-mail address.
    subject: Option<String>,
    /// `done` or `refused`.
    outcome: Option<String>,
    /// What concerns this organisation, by id or name.
    organization: Option<String>,
    /// Not before this.
    since: Option<Timestamp>,
    /// Before this.
    until: Option<Timestamp>,
    /// Those after the entry with this id, in the order of the list.
    after: Option<String>,
    /// How many entries at most.
    #[serde(default = "Wanted::default_limit")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: u32,
}

impl Wanted {
    fn default_limit() -> u32 {
        100
    }
}

/// What happened to accounts: logins, failures, every change, by whom and from where.
#[utoipa::path(
    get,
    path = "/v1/audit",
    operation_id = "read_audit_trail",
    tag = "audit",
    params(Wanted),
    responses((status = 200, description = "The newest entries.", body = AuditTrail))
)]
pub(crate) async fn read_audit_trail(
    KnownAccounts(accounts): KnownAccounts,
    QueryParameters(wanted): QueryParameters<Wanted>,
) -> Result<Json<AuditTrail>, Failure> {
    let Wanted { action, actor, subject, outcome, organization, since, until, after, limit } = wanted;
    if !(1..=1000).contains(&limit) {
        return Err(Failure::new(FailureCode::MalformedRequest, "`limit` must be 1 to 1000"));
    }
    let (since, until) = (since.map(SystemTime::from), until.map(SystemTime::from));
    let filter = AuditFilter { action, actor, subject, outcome, since, until, after, organization, limit };
    let entries = accounts.audit_trail(&filter).await?;
    Ok(Json(AuditTrail { entries: entries.into_iter().map(AuditEntry::from).collect() }))
}

impl From<Written> for AuditEntry {
    fn from(entry: Written) -> Self {
        Self {
            id: entry.id,
            at: entry.at.into(),
            action: entry.action,
            outcome: entry.outcome,
            actor: entry.actor,
            subject: entry.subject,
            address: entry.address,
            client: entry.client,
            request_id: entry.request_id,
            details: entry.details,
        }
    }
}
