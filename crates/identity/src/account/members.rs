//! Members of an organisation: suspended there, and taken out of it.
//!
//! Either concerns one organisation. What somebody is elsewhere, and their account, stay as they are.

use bartizan_model::{Grant, UserId};
use bartizan_store::{Row, Statement, StoreError, Transaction};
use serde_json::{Value, json};

use super::{
    AccountError, Accounts, Authority, PersonId, Visit, bindings::Bound, login::done,
    machine_words::check_reason,
};
use crate::{
    api_key::record::OwnerId,
    session::{changes::SessionChanges, moment},
};

/// What is to happen to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberChange<'a> {
    /// They act for the organisation no longer until they are resumed, for this reason.
    Suspend(&'a str),
    /// They have the roles back that they had.
    Resume,
    /// They belong to it no longer.
    Remove,
}

const ROLES: &str =
    "SELECT role, scope, expires_at FROM role_bindings WHERE user_id = $1 AND organization_id = $2";
const SUSPENDED: &str =
    "SELECT role, scope, expires_at FROM suspended_bindings WHERE user_id = $1 AND organization_id = $2";

impl MemberChange<'_> {
    const fn action(self) -> &'static str {
        match self {
            Self::Suspend(_) => "member.suspend",
            Self::Resume => "member.resume",
            Self::Remove => "member.remove",
        }
    }
}

impl Accounts {
    /// Changes what a person is in an organisation, by id or name. It counts for sessions and keys that exist, too. Nobody
    /// does it to somebody who may do more than they, nor to themselves.
    pub async fn change_member(
        &self,
        organization: &str,
        who: &PersonId,
        change: MemberChange<'_>,
        authority: &Authority<'_>,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        let organization = self.organization(organization).await?.id;
        let changed = self.try_change_member(organization.as_str(), who, change, authority, visit).await;
        self.audit_refusal(changed, (change.action(), &who.0), organization.as_str(), authority, visit).await
    }

    async fn try_change_member(
        &self,
        organization: &str,
        who: &PersonId,
        change: MemberChange<'_>,
        authority: &Authority<'_>,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        authority.check(&organization.into())?;
        let reason = if let MemberChange::Suspend(reason) = change { check_reason(reason)? } else { "" };
        let missing = || missing(who);
        let user = self.possible_member(who).await?;
        let user = user.as_str();
        if authority.actor() == user {
            return Err(AccountError::Forbidden(
                "nobody does this to themselves: ask another administrator".into(),
            ));
        }
        let mut transaction = self.store.within(organization).begin().await?;
        let (current, suspended) = lock(&mut transaction, user, organization).await?;
        let affected = match change {
            MemberChange::Suspend(_) => &current,
            MemberChange::Resume => &suspended,
            MemberChange::Remove => &[current.as_slice(), suspended.as_slice()].concat(),
        };
        if affected.is_empty() {
            return Err(missing());
        }
        authority.check_reach(&self.granted_by(&mut transaction, organization, affected).await?)?;
        for statement in change.statements(user, organization, reason) {
            transaction.execute(statement).await?;
        }
        SessionChanges::tell_and_revoke(&mut transaction, user).await?;
        let shown = |roles: &[(String, Bound)]| -> Value {
            roles.iter().map(|(role, bound)| json!({ "role": role, "bound": bound.audited() })).collect()
        };
        let before = json!({ "roles": shown(&current), "suspended": shown(&suspended) });
        let all = [current.as_slice(), suspended.as_slice()].concat();
        let after = match change {
            MemberChange::Suspend(_) => json!({ "roles": [], "suspended": shown(&all) }),
            MemberChange::Resume => json!({ "roles": shown(&all), "suspended": [] }),
            MemberChange::Remove => Value::Null,
        };
        let details =
            json!({ "organization": organization, "reason": reason, "before": before, "after": after });
        done(change.action(), authority.actor(), user, visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        self.note(&[user.to_owned()]);
        self.live.keys().reread_owner(&OwnerId::Person(user.into())).await;
        Ok(())
    }

    /// Who belongs to an organisation, or is suspended there; and their roles, which nobody else changes until the transaction
    /// ends.
    pub(super) async fn member(
        &self,
        transaction: &mut Transaction,
        who: &PersonId,
        organization: &str,
    ) -> Result<(String, Roles), AccountError> {
        let user = self.possible_member(who).await?.to_string();
        let (mut roles, suspended) = lock(transaction, &user, organization).await?;
        roles.extend(suspended);
        if roles.is_empty() { Err(missing(who)) } else { Ok((user, roles)) }
    }

    /// Somebody with an account. Nobody learns this way who has one.
    pub(super) async fn possible_member(&self, who: &PersonId) -> Result<UserId, AccountError> {
        self.resolve(who).await.map_err(|error| match error {
            AccountError::Missing(_) => missing(who),
            other => other,
        })
    }

    /// What these roles grant together, as they are bound.
    pub(super) async fn granted_by(
        &self,
        transaction: &mut Transaction,
        organization: &str,
        roles: &[(String, Bound)],
    ) -> Result<Vec<Grant>, AccountError> {
        let mut granted = Vec::new();
        for (role, bound) in roles {
            let whole = self.lock_role(transaction, organization, role).await?.unwrap_or_default();
            granted.extend(bound.part_of(&whole));
        }
        Ok(granted)
    }

    /// Whether a person is suspended in an organisation.
    pub(crate) async fn is_suspended(&self, user: &str, organization: &str) -> Result<bool, StoreError> {
        let read = Statement::new(SUSPENDED).text(user).text(organization);
        Ok(self.store.within(organization).row(read).await?.is_some())
    }
}

impl MemberChange<'_> {
    /// Bindings of who is suspended stand apart, so whatever reads bindings need not know of it.
    fn statements(self, user: &str, organization: &str, reason: &str) -> Vec<Statement> {
        const KEEP: &str = "INSERT INTO suspended_bindings (user_id, organization_id, role, scope, created_at, \
            expires_at, provider, suspended_at, suspended_because) \
            SELECT user_id, organization_id, role, scope, created_at, expires_at, provider, $3, $4 \
            FROM role_bindings WHERE user_id = $1 AND organization_id = $2 ON CONFLICT DO NOTHING";
        const RESTORE: &str = "INSERT INTO role_bindings (user_id, organization_id, role, scope, created_at, \
            expires_at, provider) \
            SELECT user_id, organization_id, role, scope, created_at, expires_at, provider \
            FROM suspended_bindings WHERE user_id = $1 AND organization_id = $2 ON CONFLICT DO NOTHING";
        const FORGET: &str = "DELETE FROM role_bindings WHERE user_id = $1 AND organization_id = $2";
        const FORGET_SUSPENDED: &str =
            "DELETE FROM suspended_bindings WHERE user_id = $1 AND organization_id = $2";
        let at = |sql| Statement::new(sql).text(user).text(organization);
        match self {
            Self::Suspend(_) => vec![at(KEEP).integer(moment::now()).text(reason), at(FORGET)],
            Self::Resume => vec![at(RESTORE), at(FORGET_SUSPENDED)],
            Self::Remove => vec![at(FORGET), at(FORGET_SUSPENDED)],
        }
    }
}

pub(super) fn missing(who: &PersonId) -> AccountError {
    AccountError::Missing(format!("member `{}`", who.0))
}

/// A role, and how it is bound.
type Roles = Vec<(String, Bound)>;

/// The roles that a person has in an organisation, and those that are suspended. Nobody else changes them until the
/// transaction ends.
async fn lock(
    transaction: &mut Transaction,
    user: &str,
    organization: &str,
) -> Result<(Roles, Roles), StoreError> {
    const LOCK: &str = "UPDATE role_bindings SET role = role WHERE user_id = $1 AND organization_id = $2";
    const LOCK_SUSPENDED: &str =
        "UPDATE suspended_bindings SET role = role WHERE user_id = $1 AND organization_id = $2";
    let at = |sql| Statement::new(sql).text(user).text(organization);
    transaction.execute(at(LOCK)).await?;
    transaction.execute(at(LOCK_SUSPENDED)).await?;
    let read = |rows: Vec<Row>| rows.iter().map(|row| Ok((row.text("role")?, Bound::of(row)?))).collect();
    let current: Result<_, StoreError> = read(transaction.rows(at(ROLES)).await?);
    let suspended: Result<_, StoreError> = read(transaction.rows(at(SUSPENDED)).await?);
    Ok((current?, suspended?))
}
