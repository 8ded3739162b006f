//! Nobody takes away the last person who may do everything.

use bartizan_policy::BuiltInRole;
use bartizan_store::{Statement, Transaction};

use super::AccountError;
use crate::session::moment;

/// Fails if nobody else is a `super_admin` everywhere, for now, and may enter. Nobody else takes another one away until
/// the transaction ends.
pub(super) async fn spare_the_last(transaction: &mut Transaction, user: &str) -> Result<(), AccountError> {
    const LOCK: &str = "UPDATE role_bindings SET role = role WHERE organization_id = '' AND role = $1";
    const READ: &str = "SELECT b.user_id FROM role_bindings b JOIN users u ON u.id = b.user_id \
        WHERE b.organization_id = '' AND b.role = $1 AND b.scope = '' AND u.disabled_at IS NULL \
        AND (b.expires_at IS NULL OR b.expires_at > $2)";
    let role = BuiltInRole::SuperAdmin.name();
    transaction.execute(Statement::new(LOCK).text(role)).await?;
    let rows = transaction.rows(Statement::new(READ).text(role).integer(moment::now())).await?;
    match rows.as_slice() {
        [last] if last.text("user_id")? == user => Err(AccountError::LastAdministrator),
        _ => Ok(()),
    }
}
