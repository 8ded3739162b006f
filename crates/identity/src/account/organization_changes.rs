//! Organisations that are given another name, and forgotten.

use std::fmt;

use bartizan_store::{Row, Statement, StoreError, Transaction};
use serde_json::json;

use super::{
    AccountError, Accounts, Organization, Visit, login::done, organizations::check_organization_name,
    own_sessions::end_each,
};
use crate::{
    LiveKeys,
    authorization_server::{epochs::TokenEpochs, family},
    session::{changes::SessionChanges, moment},
};

/// What an organisation has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Holdings {
    /// People who have a role there, or had one that is suspended.
    pub members: u64,
    /// Services.
    pub services: u64,
    /// API keys that are not revoked.
    pub keys: u64,
}

impl Accounts {
    /// What an organisation has, by its id or name.
    pub async fn holdings(&self, which: &str) -> Result<(Organization, Holdings), AccountError> {
        let organization = self.organization(which).await?;
        let row = self.store.within(organization.id.as_str()).row(Holdings::of(&organization)).await?;
        let holdings = row.as_ref().map(Holdings::read).transpose()?;
        Ok((organization, holdings.unwrap_or_default()))
    }

    /// Gives an organisation another name.
    pub async fn rename_organization(
        &self,
        which: &str,
        name: &str,
        actor: &str,
        visit: &Visit,
    ) -> Result<Organization, AccountError> {
        const RENAME: &str = "UPDATE organizations SET name = $2 WHERE id = $1";
        let name = check_organization_name(name)?;
        let before = self.organization(which).await?;
        let id = before.id.as_str();
        let mut transaction = self.store.within(id).begin().await?;
        let renamed = transaction.execute(Statement::new(RENAME).text(id).text(name)).await;
        match renamed {
            Err(StoreError::Duplicate) => return Err(AccountError::Taken(format!("`{name}`"))),
            Ok(0) => return Err(AccountError::Missing(format!("organisation `{which}`"))),
            renamed => renamed?,
        };
        let details =
            json!({ "organization": id, "before": { "name": before.name }, "after": { "name": name } });
        done("organization.rename", actor, id, visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        Ok(Organization { name: name.into(), ..before })
    }

    /// Forgets an organisation, with its roles, invitations, services and API keys; the accounts of its people and the
    /// audit trail stay. Whatever acts for it ends: sessions, tokens and keys, on every gateway within a second. One that
    /// has members, services or keys is forgotten only if `force` says so.
    pub async fn delete_organization(
        &self,
        which: &str,
        force: bool,
        actor: &str,
        visit: &Visit,
    ) -> Result<Organization, AccountError> {
        // Another name, so that PostgreSQL lets nobody add anything to it meanwhile.
        const LOCK: &str = "UPDATE organizations SET name = id WHERE id = $1";
        const DELETE: &str = "DELETE FROM organizations WHERE id = $1";
        let organization = self.organization(which).await?;
        let id = organization.id.as_str();
        // What acts for it may have authorised something elsewhere.
        let mut transaction = self.store.everywhere().begin().await?;
        transaction.execute(Statement::new(LOCK).text(id)).await?;
        let row = transaction.row(Holdings::of(&organization)).await?;
        let holdings = row.as_ref().map(Holdings::read).transpose()?.unwrap_or_default();
        if !force && holdings != Holdings::default() {
            return Err(AccountError::InUse(format!("`{}` has {holdings}", organization.name)));
        }
        let ended = end_everything(&mut transaction, id).await?;
        transaction.execute(Statement::new(DELETE).text(id)).await?;
        let details = json!({
            "organization": id, "after": null, "before": {
                "name": organization.name, "members": holdings.members, "services": holdings.services,
                "keys": holdings.keys,
            },
        });
        done("organization.delete", actor, id, visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        self.note(&ended);
        if holdings.keys > 0 {
            self.live.keys().reread_all().await;
        }
        Ok(organization)
    }
}

/// Ends what acts for an organisation, and forgets what no reference removes. Returns what is to be noted.
async fn end_everything(transaction: &mut Transaction, id: &str) -> Result<Vec<String>, StoreError> {
    const SESSIONS: &str = "SELECT id FROM sessions WHERE organization_id = $1";
    const SERVICES: &str = "SELECT id FROM services WHERE organization_id = $1";
    const KEYS: &str = "SELECT id FROM api_keys WHERE organization_id = $1 AND revoked_at IS NULL";
    const FORGET: [&str; 3] = [
        "DELETE FROM role_bindings WHERE organization_id = $1",
        "DELETE FROM suspended_bindings WHERE organization_id = $1",
        "DELETE FROM invitations WHERE organization_id = $1",
    ];
    let of = |sql| Statement::new(sql).text(id);
    let mut ended = end_each(transaction, of(SESSIONS)).await?;
    family::end_of_organization(transaction, id).await?;
    TokenEpochs::advance(transaction, id).await?;
    for row in transaction.rows(of(SERVICES)).await? {
        let service = row.text("id")?;
        SessionChanges::tell_and_revoke(transaction, &service).await?;
        ended.push(service);
    }
    for row in transaction.rows(of(KEYS)).await? {
        SessionChanges::tell(transaction, &LiveKeys::subject(&row.text("id")?)).await?;
    }
    for sql in FORGET {
        transaction.execute(of(sql)).await?;
    }
    Ok(ended)
}

impl Holdings {
    fn of(organization: &Organization) -> Statement {
        const COUNT: &str = "SELECT (SELECT COUNT(*) FROM (\
            SELECT user_id FROM role_bindings WHERE organization_id = $1 AND (expires_at IS NULL OR expires_at > $2) \
            UNION SELECT user_id FROM suspended_bindings WHERE organization_id = $1 \
            AND (expires_at IS NULL OR expires_at > $2)) m) AS members, \
            (SELECT COUNT(*) FROM services WHERE organization_id = $1) AS services, \
            (SELECT COUNT(*) FROM api_keys WHERE organization_id = $1 AND revoked_at IS NULL) AS keys";
        Statement::new(COUNT).text(organization.id.as_str()).integer(moment::now())
    }

    fn read(row: &Row) -> Result<Self, StoreError> {
        let count = |column| Ok::<_, StoreError>(u64::try_from(row.integer(column)?).unwrap_or(0));
        Ok(Self { members: count("members")?, services: count("services")?, keys: count("keys")? })
    }
}

impl fmt::Display for Holdings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { members, services, keys } = self;
        write!(f, "{members} members, {services} services and {keys} API keys")
    }
}
