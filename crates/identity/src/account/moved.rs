//! Sessions that are used from elsewhere: marked in the store, and in the audit trail, once.

use bartizan_store::{Statement, Store, StoreError};
use serde_json::json;

use super::{Visit, login::done};
use crate::session::{changes::SessionChanges, home::Home, moment};

/// Marks a session; the other gateways hear of it.
pub(crate) async fn mark_moved(store: &Store, home: &Home, visit: &Visit) -> Result<(), StoreError> {
    const MARK: &str = "UPDATE sessions SET moved_at = $2 WHERE id = $1 AND moved_at IS NULL";
    let (session, user) = (home.session.as_str(), home.user.as_str());
    let mut transaction = store.everywhere().begin().await?;
    if transaction.execute(Statement::new(MARK).text(session).integer(moment::now())).await? == 0 {
        return Ok(());
    }
    SessionChanges::tell_and_revoke(&mut transaction, session).await?;
    let details = json!({ "session": session });
    done("session.moved", user, user, visit, details).write(&mut transaction).await?;
    transaction.commit().await
}
