//! Roles that a changed configuration makes larger or smaller.
//!
//! Sessions and keys go by the configuration in force. An access token says what its holder could do when it was issued, so
//! those of everybody who has a smaller role end; a refresh gives what is left. The audit trail tells of both.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry as Place};

use bartizan_model::Grant;
use bartizan_policy::{BuiltInRole, RoleTable, beyond};
use bartizan_store::{Statement, Store, StoreError, Transaction};
use parking_lot::Mutex;
use serde_json::json;

use super::{Accounts, Visit, login::done};
use crate::session::changes::SessionChanges;

/// What has become of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RoleChange {
    before: Vec<Grant>,
    after: Vec<Grant>,
    /// Whether it granted, at some time in between, what it does not grant now.
    is_narrower: bool,
}

/// Which roles grant something else than before.
pub(super) fn changes(before: &RoleTable, after: &RoleTable) -> BTreeMap<String, RoleChange> {
    let names: BTreeSet<&str> = before.names().chain(after.names()).collect();
    let change = |name: &str| {
        let (before, after) = (sorted(granted(before, name)), sorted(granted(after, name)));
        let is_narrower = beyond(&before, &after).is_some();
        (before != after).then(|| (name.to_owned(), RoleChange { before, after, is_narrower }))
    };
    names.into_iter().filter_map(change).collect()
}

/// What a role grants, unless it is an organisation's own.
fn granted(roles: &RoleTable, name: &str) -> Vec<Grant> {
    if roles.is_known(name) {
        return roles.grants(name).to_vec();
    }
    BuiltInRole::named(name).map(BuiltInRole::grants).unwrap_or_default()
}

fn sorted(mut grants: Vec<Grant>) -> Vec<Grant> {
    grants.sort_unstable();
    grants.dedup();
    grants
}

/// Those whose holders may still have tokens that grant more, and of which the trail does not tell yet: until the store has
/// taken it.
#[derive(Debug, Default)]
pub(super) struct ChangedRoles(Mutex<BTreeMap<String, RoleChange>>);

impl ChangedRoles {
    pub(super) fn add(&self, changes: BTreeMap<String, RoleChange>) {
        let mut known = self.0.lock();
        for (role, change) in changes {
            match known.entry(role) {
                Place::Vacant(place) => drop(place.insert(change)),
                Place::Occupied(mut place) => {
                    let RoleChange { after, is_narrower, .. } = change;
                    let earlier = place.get_mut();
                    earlier.after = after;
                    earlier.is_narrower |= is_narrower;
                }
            }
        }
    }

    /// Ends the access tokens of everybody who has one of these roles, if it is smaller, and tells of the change. What fails
    /// is there the next time.
    pub(super) async fn settle(&self, store: &Store) -> Result<(), StoreError> {
        // Taken out first: a role that is changed again meanwhile counts again.
        let mut roles = std::mem::take(&mut *self.0.lock());
        while let Some((role, change)) = roles.pop_first() {
            if let Err(error) = settle(store, &role, &change).await {
                roles.insert(role, change);
                let later = std::mem::replace(&mut *self.0.lock(), roles);
                self.add(later);
                return Err(error);
            }
        }
        Ok(())
    }
}

async fn settle(store: &Store, role: &str, change: &RoleChange) -> Result<(), StoreError> {
    let RoleChange { before, after, is_narrower } = change;
    let mut transaction = store.everywhere().begin().await?;
    let mut details = json!({ "before": { "permissions": before }, "after": { "permissions": after } });
    if *is_narrower {
        details["holders"] = end_tokens(&mut transaction, role).await?.into();
    }
    let action = if *is_narrower { "role.narrow" } else { "role.widen" };
    let visit = Visit::default();
    done(action, Accounts::CONFIGURATION, role, &visit, details).write(&mut transaction).await?;
    transaction.commit().await
}

/// How many had it.
async fn end_tokens(transaction: &mut Transaction, role: &str) -> Result<usize, StoreError> {
    const HOLDERS: &str = "SELECT user_id AS holder FROM role_bindings WHERE role = $1 \
        UNION SELECT service_id AS holder FROM service_roles WHERE role = $1";
    let rows = transaction.rows(Statement::new(HOLDERS).text(role)).await?;
    for row in &rows {
        SessionChanges::tell_and_revoke(transaction, &row.text("holder")?).await?;
    }
    Ok(rows.len())
}

#[cfg(test)]
mod tests {
    use bartizan_config::StoreLocation;

    use super::*;

    fn change(before: &[&str], after: &[&str]) -> RoleChange {
        let grants = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<Grant>>();
        let (before, after) = (grants(before), grants(after));
        let is_narrower = beyond(&before, &after).is_some();
        RoleChange { before, after, is_narrower }
    }

    fn one(role: &str, change: RoleChange) -> BTreeMap<String, RoleChange> {
        [(role.to_owned(), change)].into()
    }

    #[tokio::test]
    async fn what_the_store_does_not_take_is_there_the_next_time() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&StoreLocation::Sqlite(folder.path().join("bartizan.db"))).await.unwrap();
        let roles = ChangedRoles::default();
        roles.add(one("auditor", change(&["a:r", "a:w"], &["a:r"])));
        roles.add(one("editor", change(&["a:w"], &[])));
        store.execute(Statement::new("ALTER TABLE service_roles RENAME TO away")).await.unwrap();
        roles.settle(&store).await.unwrap_err();
        assert_eq!(roles.0.lock().len(), 2);
        store.execute(Statement::new("ALTER TABLE away RENAME TO service_roles")).await.unwrap();
        roles.settle(&store).await.unwrap();
        assert!(roles.0.lock().is_empty());
    }

    #[test]
    fn what_a_role_granted_in_between_counts() {
        let roles = ChangedRoles::default();
        roles.add(one("auditor", change(&["a:r"], &["a:r", "a:w"])));
        roles.add(one("auditor", change(&["a:r", "a:w"], &["a:r"])));
        let change = roles.0.lock().remove("auditor").unwrap();
        assert!(change.is_narrower, "tokens of the time between grant more");
        assert_eq!(change.before, change.after);
    }
}
