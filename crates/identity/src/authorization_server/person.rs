//! Whom a token is about: what the store says of them at the moment of its issue.

use bartizan_model::Grant;
use bartizan_store::{Statement, Transaction};

use super::{AuthorizationServer, OAuthError, TokenError, access_token::Subject, epochs::TokenEpochs, scope::Scope};

/// Fails for those who may not enter any longer, and holds others who issue for the same person back meanwhile.
const ENTER: &str = "UPDATE users SET disabled_at = disabled_at WHERE id = $1 AND disabled_at IS NULL";
const ROLES: &str =
    "SELECT role FROM role_bindings WHERE user_id = $1 AND (organization_id = '' OR organization_id = $2)";
const PROFILE: &str = "SELECT email, name FROM users WHERE id = $1";

/// What an ID token tells of a person.
pub(crate) struct Profile {
    pub(crate) email: String,
    pub(crate) name: String,
}

impl AuthorizationServer {
    /// The person with what they are now, before any scope.
    pub(crate) async fn person(
        &self,
        user: &str,
        organization: &str,
        transaction: &mut Transaction,
    ) -> Result<Subject, TokenError> {
        // First, so that whatever is revoked from now on revokes this token, too.
        let epochs = (
            TokenEpochs::current(transaction, user).await?,
            if organization.is_empty() { 0 } else { TokenEpochs::current(transaction, organization).await? },
        );
        if transaction.execute(Statement::new(ENTER).text(user)).await? == 0 {
            return Err(TokenError::refused(OAuthError::InvalidGrant, "the person may not enter any longer"));
        }
        let mut roles = Vec::new();
        for row in transaction.rows(Statement::new(ROLES).text(user).text(organization)).await? {
            roles.push(row.text("role")?);
        }
        roles.sort();
        roles.dedup();
        let permissions = self.accounts.grants(&roles);
        Ok(Subject { id: user.into(), organization: organization.into(), roles, permissions, epochs })
    }

    pub(crate) async fn profile(&self, user: &str, transaction: &mut Transaction) -> Result<Profile, TokenError> {
        let row = transaction.row(Statement::new(PROFILE).text(user)).await?;
        let row = row.ok_or_else(|| TokenError::refused(OAuthError::InvalidGrant, "the person is gone"))?;
        Ok(Profile { email: row.text("email")?, name: row.text("name")? })
    }
}

impl Subject {
    /// The same, with what the scope leaves of it.
    pub(crate) fn within(mut self, scope: &Scope) -> Self {
        let held: Vec<Grant> = self.permissions.iter().filter_map(|grant| grant.parse().ok()).collect();
        self.permissions = scope.permissions(&held).into_iter().map(String::from).collect();
        self
    }
}
