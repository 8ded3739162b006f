//! Roles that a changed configuration makes smaller.
//!
//! Sessions and keys go by the configuration in force. An access token says what its holder could do when it was issued, so
//! those of everybody who has such a role end; a refresh gives what is left.

use std::collections::BTreeSet;

use bartizan_model::Grant;
use bartizan_policy::{BuiltInRole, RoleTable, beyond};
use bartizan_store::{Statement, Store, StoreError};
use parking_lot::Mutex;
use serde_json::json;

use super::{Accounts, Visit, login::done};
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

/// Those whose holders may still have tokens that grant more: until the store has taken it.
#[derive(Debug, Default)]
pub(super) struct NarrowedRoles(Mutex<BTreeSet<String>>);

impl NarrowedRoles {
    pub(super) fn add(&self, roles: Vec<String>) {
        self.0.lock().extend(roles);
    }

    /// Ends the access tokens of everybody who has one of these roles. What fails is there the next time.
    pub(super) async fn end_tokens(&self, store: &Store) -> Result<(), StoreError> {
        // Taken out first: a role that is narrowed again meanwhile counts again.
        let mut roles = std::mem::take(&mut *self.0.lock());
        while let Some(role) = roles.pop_first() {
            if let Err(error) = end_tokens(store, &role).await {
                roles.insert(role);
                self.0.lock().append(&mut roles);
                return Err(error);
            }
        }
        Ok(())
    }
}

async fn end_tokens(store: &Store, role: &str) -> Result<(), StoreError> {
    const HOLDERS: &str = "SELECT user_id AS holder FROM role_bindings WHERE role = $1 \
        UNION SELECT service_id AS holder FROM service_roles WHERE role = $1";
    let mut transaction = store.everywhere().begin().await?;
    let rows = transaction.rows(Statement::new(HOLDERS).text(role)).await?;
    for row in &rows {
        SessionChanges::tell_and_revoke(&mut transaction, &row.text("holder")?).await?;
    }
    let visit = Visit::default();
    let entry = done("role.narrow", Accounts::OPERATOR, role, &visit, json!({ "holders": rows.len() }));
    entry.write(&mut transaction).await?;
    transaction.commit().await
}

#[cfg(test)]
mod tests {
    use bartizan_config::StoreLocation;

    use super::*;

    #[tokio::test]
    async fn what_the_store_does_not_take_is_there_the_next_time() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&StoreLocation::Sqlite(folder.path().join("bartizan.db"))).await.unwrap();
        let roles = NarrowedRoles::default();
        roles.add(vec!["auditor".into(), "editor".into()]);
        store.execute(Statement::new("ALTER TABLE service_roles RENAME TO away")).await.unwrap();
        roles.end_tokens(&store).await.unwrap_err();
        assert_eq!(roles.0.lock().len(), 2);
        store.execute(Statement::new("ALTER TABLE away RENAME TO service_roles")).await.unwrap();
        roles.end_tokens(&store).await.unwrap();
        assert!(roles.0.lock().is_empty());
    }
}
