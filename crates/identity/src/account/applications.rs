//! What people see and end of the applications that they have let in: clients that hold tokens about them.

use std::{collections::BTreeSet, time::SystemTime};

use bartizan_store::{Row, Statement, StoreError};
use serde_json::json;

use super::{AccountError, Accounts, Visit, login::done};
use crate::{SessionToken, authorization_server::family, session::moment};

/// A client that holds tokens about a person.
#[derive(Debug, Clone)]
pub struct Application {
    /// Its client id.
    pub client: String,
    /// What its tokens may be used for.
    pub scopes: BTreeSet<String>,
    /// When the person let it in first, as far as that still counts.
    pub since: SystemTime,
    /// When it was issued tokens last.
    pub seen: SystemTime,
    /// When the last of it ends.
    pub expires: SystemTime,
}

impl Accounts {
    /// The applications of the holder of this token, for whatever organisation, by client id.
    pub async fn applications(&self, token: &SessionToken) -> Result<Vec<Application>, AccountError> {
        const READ: &str = "SELECT client_id, scope, created_at, seen_at, expires_at FROM token_families \
            WHERE user_id = $1 AND expires_at > $2 ORDER BY client_id, created_at LIMIT 1000";
        let session = self.full_session(token).await?;
        let read = Statement::new(READ).text(session.user.as_str()).integer(moment::now());
        Ok(Application::all(&self.store.everywhere().rows(read).await?)?)
    }

    /// Ends what an application holds of the holder of this token: its refresh tokens at once, its access tokens within a
    /// second everywhere.
    pub async fn end_application(
        &self,
        token: &SessionToken,
        client: &str,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        const FIND: &str = "SELECT id FROM token_families WHERE user_id = $1 AND client_id = $2";
        const CODES: &str = "DELETE FROM authorization_codes WHERE user_id = $1 AND client_id = $2";
        let session = self.full_session(token).await?;
        let user = session.user.as_str();
        let mut transaction = self.store.everywhere().begin().await?;
        let ended = transaction.rows(Statement::new(FIND).text(user).text(client)).await?;
        if ended.is_empty() {
            return Err(AccountError::Missing("application of yours with this client id".into()));
        }
        for row in &ended {
            family::end_family(&mut transaction, &row.text("id")?).await?;
        }
        transaction.execute(Statement::new(CODES).text(user).text(client)).await?;
        let details = json!({
            "kind": "application", "client": client, "ended": ended.len(),
            "before": { "authorizations": ended.len() }, "after": { "authorizations": 0 },
        });
        done("token.revoke", user, user, visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        self.note(&[]);
        Ok(())
    }
}

impl Application {
    /// Rows of one client stand together.
    fn all(rows: &[Row]) -> Result<Vec<Self>, StoreError> {
        let mut applications: Vec<Self> = Vec::new();
        for row in rows {
            let (client, scope) = (row.text("client_id")?, row.text("scope")?);
            let at = |column| Ok::<_, StoreError>(moment::moment(row.integer(column)?));
            let (since, seen, expires) = (at("created_at")?, at("seen_at")?, at("expires_at")?);
            if applications.last().is_none_or(|last| last.client != client) {
                applications.push(Self { client, scopes: BTreeSet::new(), since, seen, expires });
            }
            if let Some(application) = applications.last_mut() {
                application.scopes.extend(scope.split_whitespace().map(str::to_owned));
                application.seen = application.seen.max(seen);
                application.expires = application.expires.max(expires);
            }
        }
        Ok(applications)
    }
}
