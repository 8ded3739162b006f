//! Whom PostgreSQL takes this program for.

use crate::{Statement, Store, StoreError};

/// Refuses a role that row-level security does not bind: nobody would notice that organisations are kept apart by less than
/// the operator thinks.
pub(crate) async fn check(store: &Store) -> Result<(), StoreError> {
    const BYPASSING: &str = "SELECT CAST(rolname AS TEXT) AS name FROM pg_roles \
        WHERE rolname = current_user AND (rolsuper OR rolbypassrls)";
    if !store.is_postgres() {
        return Ok(());
    }
    match store.row(Statement::new(BYPASSING)).await? {
        Some(row) => Err(StoreError::Bypasses { store: store.label().into(), role: row.text("name")? }),
        None => Ok(()),
    }
}
