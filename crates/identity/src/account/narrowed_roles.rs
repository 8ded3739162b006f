//! Roles that a changed configuration makes smaller.
//!
//! Sessions and keys go by the configuration in force. An access token says what its holder could do when it was issued, so
//! those of everybody who has such a role end; a refresh gives what is left.

use std::collections::BTreeSet;

use bartizan_model::Grant;
use bartizan_policy::{BuiltInRole, RoleTable, beyond};
use bartizan_store::{Statement, Store};
use serde_json::json;

use super::{AccountError, Accounts, Visit, login::done};
use crate::session::changes::SessionChanges;

/// Which roles grant less than before.
pub(super) fn narrowed(before: &RoleTable, after: &RoleTable) -> Vec<String> {
    let names: BTreeSet<&str> = before.names().chain(after.names()).collect();
    let is_narrower = |name: &&str| beyond(&granted(before, name), &granted(after, name)).is_some();
    names.into_iter().filter(is_narrower).map(str::to_owned).collect()
}

/// What a role grants, unless it is an organisation's own.
pub(super) fn granted(roles: &RoleTable, name: &str) -> Vec<Grant> {
    if roles.is_known(name) {
        return roles.grants(name).to_vec();
    }
    BuiltInRole::named(name).map(BuiltInRole::grants).unwrap_or_default()
}

/// Ends the access tokens of everybody who has one of these roles.
pub(super) async fn end_tokens(store: Store, roles: Vec<String>) -> Result<(), AccountError> {
    const HOLDERS: &str = "SELECT user_id AS holder FROM role_bindings WHERE role = $1 \
        UNION SELECT service_id AS holder FROM service_roles WHERE role = $1";
    for role in roles {
        let mut transaction = store.everywhere().begin().await?;
        let rows = transaction.rows(Statement::new(HOLDERS).text(role.as_str())).await?;
        for row in &rows {
            SessionChanges::tell_and_revoke(&mut transaction, &row.text("holder")?).await?;
        }
        let visit = Visit::default();
        let entry = done("role.narrow", Accounts::OPERATOR, &role, &visit, json!({ "holders": rows.len() }));
        entry.write(&mut transaction).await?;
        transaction.commit().await?;
    }
    Ok(())
}
