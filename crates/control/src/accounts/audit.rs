//! `/auth/audit`: what happened in an organisation, for those who manage it.

use std::time::SystemTime;

use axum::Json;
use bartizan_identity::account::{Accounts, AuditFilter};
use serde::Deserialize;

use super::{
    roles::{MANAGE, organization},
    visitor::Holder,
};
use crate::{
    Timestamp,
    api::audit::{AuditEntry, AuditTrail},
    extract::QueryParameters,
    failure::{Failure, FailureCode},
};

/// Which lines of the trail.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WantedEntries {
    /// This action, or all of its kind: `role` is `role.bind`, `role.create` and so on.
    action: Option<String>,
    /// By whom: an id, or an e-mail address.
    actor: Option<String>,
    /// To whom or what: an id or an e-mail address.
    subject: Option<String>,
    /// `done` or `refused`.
    outcome: Option<String>,
    /// Not before this.
    since: Option<Timestamp>,
    /// Before this.
    until: Option<Timestamp>,
    /// Those after the entry with this id, in the order of the list.
    after: Option<String>,
    /// How many entries at most.
    #[serde(default = "WantedEntries::default_limit")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: u32,
}

impl WantedEntries {
    fn default_limit() -> u32 {
        100
    }
}

/// What happened in the organisation of the session. Takes the permission `organization:manage`. From where operators did
/// something is not told.
#[utoipa::path(
    get,
    path = "/audit",
    operation_id = "read_own_audit_trail",
    security(("session" = [])),
    params(WantedEntries),
    responses(
        (status = 200, description = "The newest entries.", body = AuditTrail),
        (status = 403, description = "Without the permission.")
    )
)]
pub(crate) async fn read_own_audit_trail(
    Holder { accounts, token, .. }: Holder,
    QueryParameters(wanted): QueryParameters<WantedEntries>,
) -> Result<Json<AuditTrail>, Failure> {
    let session = accounts.permitted_session(&token, MANAGE).await?;
    let organization = Some(organization(&session)?.to_owned());
    let WantedEntries { action, actor, subject, outcome, since, until, after, limit } = wanted;
    if !(1..=1000).contains(&limit) {
        return Err(Failure::new(FailureCode::InvalidValue, "`limit` must be 1 to 1000"));
    }
    let (since, until) = (since.map(SystemTime::from), until.map(SystemTime::from));
    let filter = AuditFilter { action, actor, subject, outcome, since, until, after, organization, limit };
    let entries = accounts.audit_trail(&filter).await?.into_iter().map(AuditEntry::from).map(as_told);
    Ok(Json(AuditTrail { entries: entries.collect() }))
}

/// Where operators sit is no organisation's business.
fn as_told(entry: AuditEntry) -> AuditEntry {
    if entry.actor.split('/').next() != Some(Accounts::OPERATOR) {
        return entry;
    }
    AuditEntry { address: String::new(), client: String::new(), ..entry }
}
