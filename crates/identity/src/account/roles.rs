//! Roles of an organisation's own.

use std::time::SystemTime;

use bartizan_model::{Grant, Name, OrganizationId};
use bartizan_policy::beyond;
use bartizan_store::{Row, Statement, StoreError, Transaction};
use serde_json::{Value, json};

use super::{AccountError, Accounts, Authority, Visit, login::done, machine_words::parse_grants};
use crate::{
    holder::{CUSTOM, grants, written},
    session::{changes::SessionChanges, moment},
};

/// A role of an organisation's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomRole {
    /// Its name, without `custom/`.
    pub name: String,
    /// What it grants, in this organisation.
    pub permissions: Vec<Grant>,
    /// Since when it is known.
    pub created: SystemTime,
}

/// An organisation has at most so many.
const MOST: usize = 1000;

const ONE: &str =
    "SELECT name, permissions, created_at FROM custom_roles WHERE organization_id = $1 AND name = $2";
const LIST: &str = "SELECT name, permissions, created_at FROM custom_roles WHERE organization_id = $1 ORDER BY name LIMIT 1000";

impl Accounts {
    /// Makes a role for an organisation, by id or name.
    pub async fn create_custom_role(
        &self,
        organization: &str,
        name: &str,
        permissions: &[String],
        authority: &Authority<'_>,
        visit: &Visit,
    ) -> Result<CustomRole, AccountError> {
        let organization = self.organization(organization).await?.id;
        let made = self.try_create_role(&organization, name, permissions, authority, visit).await;
        self.audit_refusal(made, ("role.create", name), organization.as_str(), authority, visit).await
    }

    async fn try_create_role(
        &self,
        organization: &OrganizationId,
        name: &str,
        permissions: &[String],
        authority: &Authority<'_>,
        visit: &Visit,
    ) -> Result<CustomRole, AccountError> {
        const CREATE: &str = "INSERT INTO custom_roles (organization_id, name, permissions, created_at) VALUES ($1, $2, $3, $4)";
        authority.check(organization)?;
        let name: Name = name
            .parse()
            .map_err(|error: bartizan_model::ModelError| AccountError::Invalid(error.to_string()))?;
        if self.check_role(name.as_str()).is_ok() {
            return Err(AccountError::Taken(format!("`{name}` stands for another role and")));
        }
        let permissions = parse_grants(permissions)?;
        authority.check_gift(&permissions, None)?;
        if self.custom_roles(organization.as_str()).await?.len() >= MOST {
            return Err(AccountError::Invalid(format!("an organisation has {MOST} roles at most")));
        }
        let mut transaction = self.store.within(organization.as_str()).begin().await?;
        let create = Statement::new(CREATE)
            .text(organization.as_str())
            .text(name.as_str())
            .text(written(&permissions))
            .integer(moment::now());
        transaction.execute(create).await.map_err(|error| match error {
            StoreError::Duplicate => AccountError::Taken(format!("`{name}`")),
            other => other.into(),
        })?;
        let made = read_one(&mut transaction, organization.as_str(), name.as_str()).await?;
        let details = json!({
            "organization": organization.as_str(), "before": Value::Null, "after": made.audited(),
        });
        let entry = done("role.create", authority.actor(), name.as_str(), visit, details);
        entry.write(&mut transaction).await?;
        transaction.commit().await?;
        Ok(made)
    }

    /// The roles of an organisation's own, by name.
    pub async fn custom_roles(&self, organization: &str) -> Result<Vec<CustomRole>, AccountError> {
        let organization = self.organization(organization).await?.id;
        let rows = self
            .store
            .within(organization.as_str())
            .rows(Statement::new(LIST).text(organization.as_str()))
            .await?;
        Ok(rows.iter().map(CustomRole::of).collect::<Result<_, _>>()?)
    }

    /// Gives a role other permissions. They count for everybody who has it, at once.
    pub async fn set_custom_role_permissions(
        &self,
        organization: &str,
        name: &str,
        permissions: &[String],
        authority: &Authority<'_>,
        visit: &Visit,
    ) -> Result<CustomRole, AccountError> {
        let organization = self.organization(organization).await?.id;
        let changed = self.try_change_role(&organization, name, permissions, authority, visit).await;
        let told = ("role.set_permissions", name);
        self.audit_refusal(changed, told, organization.as_str(), authority, visit).await
    }

    async fn try_change_role(
        &self,
        organization: &OrganizationId,
        name: &str,
        permissions: &[String],
        authority: &Authority<'_>,
        visit: &Visit,
    ) -> Result<CustomRole, AccountError> {
        const SET: &str = "UPDATE custom_roles SET permissions = $3 WHERE organization_id = $1 AND name = $2";
        authority.check(organization)?;
        let permissions = parse_grants(permissions)?;
        let name = name.strip_prefix(CUSTOM).unwrap_or(name);
        let which = organization.as_str();
        let mut transaction = self.store.within(which).begin().await?;
        let before = lock_one(&mut transaction, which, name).await?;
        authority.check_reach(&before.permissions)?;
        authority.check_gift(&permissions, None)?;
        let set = Statement::new(SET).text(which).text(name).text(written(&permissions));
        transaction.execute(set).await?;
        let after = read_one(&mut transaction, which, name).await?;
        // Tokens say what their holder could do when they were issued.
        let ends_tokens = beyond(&before.permissions, &after.permissions).is_some();
        let bound = format!("{CUSTOM}{name}");
        let holders = tell_holders(&mut transaction, which, &bound, ends_tokens).await?;
        let details = json!({
            "organization": which, "holders": holders.len(),
            "before": before.audited(), "after": after.audited(),
        });
        let entry = done("role.set_permissions", authority.actor(), name, visit, details);
        entry.write(&mut transaction).await?;
        transaction.commit().await?;
        self.note(&holders);
        Ok(after)
    }

    /// Forgets a role, and takes it from everybody who has it.
    pub async fn delete_custom_role(
        &self,
        organization: &str,
        name: &str,
        authority: &Authority<'_>,
        visit: &Visit,
    ) -> Result<CustomRole, AccountError> {
        let organization = self.organization(organization).await?.id;
        let gone = self.try_delete_role(&organization, name, authority, visit).await;
        self.audit_refusal(gone, ("role.delete", name), organization.as_str(), authority, visit).await
    }

    async fn try_delete_role(
        &self,
        organization: &OrganizationId,
        name: &str,
        authority: &Authority<'_>,
        visit: &Visit,
    ) -> Result<CustomRole, AccountError> {
        const DELETE: &str = "DELETE FROM custom_roles WHERE organization_id = $1 AND name = $2";
        const UNBIND: &str = "DELETE FROM role_bindings WHERE organization_id = $1 AND role = $2";
        const UNBIND_SUSPENDED: &str =
            "DELETE FROM suspended_bindings WHERE organization_id = $1 AND role = $2";
        const UNBIND_SERVICES: &str = "DELETE FROM service_roles WHERE role = $2 \
            AND service_id IN (SELECT id FROM services WHERE organization_id = $1)";
        authority.check(organization)?;
        let name = name.strip_prefix(CUSTOM).unwrap_or(name);
        let bound = format!("{CUSTOM}{name}");
        let which = organization.as_str();
        let mut transaction = self.store.within(which).begin().await?;
        let before = lock_one(&mut transaction, which, name).await?;
        authority.check_reach(&before.permissions)?;
        let changed = tell_holders(&mut transaction, which, &bound, true).await?;
        transaction.execute(Statement::new(UNBIND).text(which).text(bound.as_str())).await?;
        transaction.execute(Statement::new(UNBIND_SUSPENDED).text(which).text(bound.as_str())).await?;
        transaction.execute(Statement::new(UNBIND_SERVICES).text(which).text(bound)).await?;
        transaction.execute(Statement::new(DELETE).text(which).text(name)).await?;
        let details = json!({ "organization": which, "before": before.audited(), "after": Value::Null });
        done("role.delete", authority.actor(), name, visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        self.note(&changed);
        Ok(before)
    }

    /// What a role grants in an organisation, and how bindings call it.
    pub(crate) async fn role_in(
        &self,
        organization: &str,
        role: &str,
    ) -> Result<(String, Vec<Grant>), AccountError> {
        if let Some(grants) = self.configured_role(role) {
            return Ok((role.to_owned(), grants));
        }
        let name = role.strip_prefix(CUSTOM).unwrap_or(role);
        let row =
            self.store.within(organization).row(Statement::new(ONE).text(organization).text(name)).await?;
        match row {
            Some(row) => Ok((format!("{CUSTOM}{name}"), CustomRole::of(&row)?.permissions)),
            None => Err(AccountError::UnknownRole(role.chars().take(64).collect())),
        }
    }
}

/// Tells the gateways of everybody who has this role, people and services; if it is so, their access tokens end.
async fn tell_holders(
    transaction: &mut Transaction,
    organization: &str,
    role: &str,
    ends_tokens: bool,
) -> Result<Vec<String>, StoreError> {
    const HOLDERS: &str = "SELECT user_id AS holder FROM role_bindings WHERE organization_id = $1 AND role = $2 \
        UNION ALL SELECT r.service_id AS holder FROM service_roles r JOIN services s ON s.id = r.service_id \
        WHERE s.organization_id = $1 AND r.role = $2";
    let rows = transaction.rows(Statement::new(HOLDERS).text(organization).text(role)).await?;
    let holders = rows.iter().map(|row| row.text("holder")).collect::<Result<Vec<_>, _>>()?;
    for holder in &holders {
        if ends_tokens {
            SessionChanges::tell_and_revoke(transaction, holder).await?;
        } else {
            SessionChanges::tell(transaction, holder).await?;
        }
    }
    Ok(holders)
}

async fn read_one(
    transaction: &mut Transaction,
    organization: &str,
    name: &str,
) -> Result<CustomRole, AccountError> {
    let row = transaction.row(Statement::new(ONE).text(organization).text(name)).await?;
    let row = row.ok_or_else(|| {
        AccountError::Missing(format!("role `{}` there", name.chars().take(64).collect::<String>()))
    })?;
    Ok(CustomRole::of(&row)?)
}

/// The same, and nobody else binds or deletes it until the transaction ends.
pub(super) async fn lock_one(
    transaction: &mut Transaction,
    organization: &str,
    name: &str,
) -> Result<CustomRole, AccountError> {
    const LOCK: &str = "UPDATE custom_roles SET name = name WHERE organization_id = $1 AND name = $2";
    transaction.execute(Statement::new(LOCK).text(organization).text(name)).await?;
    read_one(transaction, organization, name).await
}

impl CustomRole {
    fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            name: row.text("name")?,
            permissions: grants(&row.text("permissions")?)?.into_vec(),
            created: moment::moment(row.integer("created_at")?),
        })
    }

    fn audited(&self) -> Value {
        json!({ "name": self.name, "permissions": written(&self.permissions) })
    }
}
