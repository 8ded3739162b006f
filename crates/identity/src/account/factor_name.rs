//! What people call their second factors.

use bartizan_store::Statement;
use serde_json::json;

use super::{AccountError, Accounts, Visit, login::done, people::check_name};
use crate::SessionToken;

impl Accounts {
    /// Gives a factor of the holder of this token another name. Those that a person has not named, because they are an
    /// address or a number, keep theirs.
    pub async fn rename_factor(
        &self,
        token: &SessionToken,
        id: &str,
        name: &str,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        const READ: &str = "SELECT kind, name FROM second_factors WHERE id = $1 AND user_id = $2 \
            AND confirmed_at IS NOT NULL AND kind IN ('passkey', 'totp')";
        const RENAME: &str = "UPDATE second_factors SET name = $3 WHERE id = $1 AND user_id = $2";
        let name = check_name(name)?;
        let session = self.full_session(token).await?;
        let user = session.user.as_str();
        let mut transaction = self.store.begin().await?;
        let row = transaction.row(Statement::new(READ).text(id).text(user)).await?;
        let row = row.ok_or_else(|| AccountError::Missing("factor of yours with this id to name".into()))?;
        transaction.execute(Statement::new(RENAME).text(id).text(user).text(name)).await?;
        let details = json!({
            "factor": id, "kind": row.text("kind")?,
            "before": { "name": row.text("name")? }, "after": { "name": name },
        });
        done("factor.rename", user, user, visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        Ok(())
    }
}
