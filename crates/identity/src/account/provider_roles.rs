//! Roles that another provider names at a login (`claims.roles`).
//!
//! They are bindings of their own, marked with the provider's issuer: each login there gives those that it names now, and takes
//! away those that it names no longer. What somebody has given here stays, whatever a provider says. Of what it says only
//! those count that the configuration lets it give.

use bartizan_model::UserId;
use bartizan_store::{Statement, StoreError, Transaction};
use serde_json::json;

use super::{AccountError, Accounts, Visit, login::done, organizations::forget_ended};
use crate::{
    openid::{OpenIdProvider, Proven},
    session::{changes::SessionChanges, moment},
};

/// A role, and the organisation where somebody has it; empty: everywhere.
type Place = (String, String);

/// What somebody is by what a provider has said of them.
#[derive(Debug)]
pub(super) struct ProviderRoles<'a> {
    provider: &'a OpenIdProvider,
    named: Vec<Place>,
}

impl Accounts {
    /// What a provider says that this person is: in the organisation that it names, or that it is configured with; without one,
    /// everywhere. Where the organisation is not known here, or has suspended them, they are nothing.
    pub(super) async fn provider_roles<'a>(
        &self,
        provider: &'a OpenIdProvider,
        proven: &Proven,
        user: &UserId,
    ) -> Result<ProviderRoles<'a>, AccountError> {
        let settings = provider.settings();
        let mut roles = ProviderRoles { provider, named: Vec::new() };
        let place = match proven.organization.as_ref().or(settings.organization.as_ref()) {
            Some(named) => match self.organization(named).await {
                Ok(organization) => organization.id.to_string(),
                Err(AccountError::Missing(_)) => return Ok(roles),
                Err(error) => return Err(error),
            },
            None => String::new(),
        };
        if self.is_suspended(user.as_str(), &place).await? {
            return Ok(roles);
        }
        for role in settings.roles.iter().filter(|role| proven.roles.contains(role)) {
            match self.role_in(&place, role).await {
                Ok((role, _)) => roles.named.push((place.clone(), role)),
                Err(AccountError::UnknownRole(_)) => {
                    tracing::warn!(provider = %settings.name, role, "the provider names a role that nobody knows here");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(roles)
    }
}

impl ProviderRoles<'_> {
    /// Gives and takes what has changed since the last login there. Says whether anything has.
    pub(super) async fn apply(
        &self,
        transaction: &mut Transaction,
        user: &UserId,
        visit: &Visit,
    ) -> Result<bool, StoreError> {
        const MARKED: &str = "SELECT organization_id, role FROM role_bindings WHERE user_id = $1 AND provider = $2 \
            UNION SELECT organization_id, role FROM suspended_bindings WHERE user_id = $1 AND provider = $2";
        const GIVE: &str = "INSERT INTO role_bindings (user_id, organization_id, role, created_at, provider) \
            VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
        const TAKE: &str = "DELETE FROM role_bindings WHERE user_id = $1 AND organization_id = $2 AND role = $3 \
            AND provider = $4";
        const TAKE_SUSPENDED: &str = "DELETE FROM suspended_bindings WHERE user_id = $1 AND organization_id = $2 \
            AND role = $3 AND provider = $4";
        let issuer = self.provider.settings().issuer.as_str();
        let rows = transaction.rows(Statement::new(MARKED).text(user.as_str()).text(issuer)).await?;
        let marked = rows.iter().map(|row| Ok((row.text("organization_id")?, row.text("role")?)));
        let marked = marked.collect::<Result<Vec<Place>, StoreError>>()?;
        let at = |sql, (place, role): &Place| {
            Statement::new(sql).text(user.as_str()).text(place.as_str()).text(role.as_str())
        };
        let mut has_changed = false;
        for gone in marked.iter().filter(|one| !self.named.contains(one)) {
            for take in [TAKE, TAKE_SUSPENDED] {
                transaction.execute(at(take, gone).text(issuer)).await?;
            }
            self.tell(transaction, user, gone, false, visit).await?;
            has_changed = true;
        }
        for new in self.named.iter().filter(|one| !marked.contains(one)) {
            let (place, role) = new;
            transaction.execute(forget_ended(user.as_str(), place, role)).await?;
            // What they have been given here stays theirs.
            if transaction.execute(at(GIVE, new).integer(moment::now()).text(issuer)).await? > 0 {
                self.tell(transaction, user, new, true, visit).await?;
                has_changed = true;
            }
        }
        if has_changed {
            SessionChanges::tell_and_revoke(transaction, user.as_str()).await?;
        }
        Ok(has_changed)
    }

    async fn tell(
        &self,
        transaction: &mut Transaction,
        user: &UserId,
        (place, role): &Place,
        is_given: bool,
        visit: &Visit,
    ) -> Result<(), StoreError> {
        let held = |held: bool| held.then_some(role);
        let details = json!({
            "role": role, "organization": place, "provider": self.provider.settings().name.as_str(),
            "before": held(!is_given), "after": held(is_given),
        });
        let action = if is_given { "role.add" } else { "role.remove" };
        done(action, user.as_str(), user.as_str(), visit, details).write(transaction).await
    }
}
