//! Organisations, and who is what in them.

use std::time::SystemTime;

use bartizan_model::OrganizationId;
use bartizan_policy::BuiltInRole;
use bartizan_store::{Row, Statement, StoreError};
use serde_json::json;

use super::{
    AccountError, Accounts, Page, Part, PersonId, Visit,
    last_administrator::spare_the_last,
    login::done,
    people::{bind_role, check_name},
};
use crate::session::{changes::SessionChanges, moment};

/// An organisation.
#[derive(Debug, Clone)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Its name, which no other has.
    pub name: String,
    /// Since when it is known.
    pub created: SystemTime,
}

/// What a person is in an organisation.
#[derive(Debug, Clone)]
pub struct Membership {
    /// The id of the person.
    pub user: String,
    /// Their address.
    pub email: String,
    /// What they are.
    pub role: String,
    /// Since when they are suspended there.
    pub suspended: Option<SystemTime>,
}

/// What it is called in the audit trail, and the statement of a person, an organisation and a role that does it.
type RoleChange = (&'static str, fn(&str, &str, &str) -> Statement);

impl Accounts {
    /// Makes an organisation.
    pub async fn create_organization(
        &self,
        name: &str,
        actor: &str,
        visit: &Visit,
    ) -> Result<Organization, AccountError> {
        const CREATE: &str = "INSERT INTO organizations (id, name, created_at) VALUES ($1, $2, $3)";
        let name = check_organization_name(name)?;
        let (id, now) = (OrganizationId::generate(), moment::now());
        let mut transaction = self.store.within(id.as_str()).begin().await?;
        let create = Statement::new(CREATE).text(id.as_str()).text(name).integer(now);
        transaction.execute(create).await.map_err(|error| match error {
            StoreError::Duplicate => AccountError::Taken(format!("`{name}`")),
            other => other.into(),
        })?;
        let entry = done(
            "organization.create",
            actor,
            id.as_str(),
            visit,
            json!({ "organization": id.as_str(), "before": null, "after": { "name": name } }),
        );
        entry.write(&mut transaction).await?;
        transaction.commit().await?;
        Ok(Organization { id, name: name.into(), created: moment::moment(now) })
    }

    /// Every organisation, by name.
    pub async fn organizations(&self, page: &Page) -> Result<Part<Organization>, AccountError> {
        const READ: &str =
            "SELECT id, name, created_at FROM organizations WHERE name > $1 ORDER BY name LIMIT $2";
        let read = Statement::new(READ).text(page.begins_after()).integer(page.to_read());
        let rows = self.store.everywhere().rows(read).await?;
        let known = rows.iter().map(Organization::of).collect::<Result<_, _>>()?;
        Ok(page.part(known, |organization: &Organization| organization.name.clone()))
    }

    /// The organisation with this id or name.
    pub async fn organization(&self, which: &str) -> Result<Organization, AccountError> {
        const READ: &str = "SELECT id, name, created_at FROM organizations WHERE id = $1 OR name = $1 \
            ORDER BY CASE WHEN id = $1 THEN 0 ELSE 1 END";
        let row = self.store.everywhere().row(Statement::new(READ).text(which)).await?;
        let row = row.ok_or_else(|| AccountError::Missing(format!("organisation `{which}`")))?;
        Ok(Organization::of(&row)?)
    }

    /// Who is what in an organisation, by address; so many people at once, each with all that they are.
    pub async fn members(&self, which: &str, page: &Page) -> Result<Part<Membership>, AccountError> {
        const READ: &str = "SELECT m.id AS id, m.email AS email, r.role AS role, r.suspended_at AS suspended_at \
            FROM (SELECT u.id, u.email FROM users u JOIN ( \
            SELECT user_id FROM role_bindings WHERE organization_id = $1 AND (expires_at IS NULL OR expires_at > $2) \
            UNION SELECT user_id FROM suspended_bindings \
            WHERE organization_id = $1 AND (expires_at IS NULL OR expires_at > $2)) b ON b.user_id = u.id \
            WHERE u.email > $3 ORDER BY u.email LIMIT $4) m JOIN ( \
            SELECT user_id, role, CAST(NULL AS BIGINT) AS suspended_at FROM role_bindings \
            WHERE organization_id = $1 AND (expires_at IS NULL OR expires_at > $2) \
            UNION ALL SELECT user_id, role, suspended_at FROM suspended_bindings \
            WHERE organization_id = $1 AND (expires_at IS NULL OR expires_at > $2)) r ON r.user_id = m.id \
            ORDER BY m.email, r.role";
        let organization = self.organization(which).await?;
        let read = Statement::new(READ).text(organization.id.as_str()).integer(moment::now());
        let read = read.text(page.begins_after()).integer(page.to_read());
        let rows = self.store.within(organization.id.as_str()).rows(read).await?;
        let mut people: Vec<Vec<Membership>> = Vec::new();
        for row in &rows {
            let membership = Membership::of(row)?;
            match people.last_mut().filter(|roles| roles.iter().any(|one| one.user == membership.user)) {
                Some(roles) => roles.push(membership),
                None => people.push(vec![membership]),
            }
        }
        let email = |roles: &Vec<Membership>| roles.first().map(|one| one.email.clone()).unwrap_or_default();
        let Part { items, next } = page.part(people, email);
        Ok(Part { items: items.into_iter().flatten().collect(), next })
    }

    /// Gives a person a role in an organisation; without one, everywhere. It counts for sessions that exist, too.
    pub async fn add_role(
        &self,
        which: Option<&str>,
        who: &PersonId,
        role: &str,
        actor: &str,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        self.change_role(which, who, role, ("role.add", bind_role), actor, visit).await
    }

    /// Takes a role away.
    pub async fn remove_role(
        &self,
        which: Option<&str>,
        who: &PersonId,
        role: &str,
        actor: &str,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        self.change_role(which, who, role, ("role.remove", unbind_role), actor, visit).await
    }

    async fn change_role(
        &self,
        which: Option<&str>,
        who: &PersonId,
        role: &str,
        (action, statement): RoleChange,
        actor: &str,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        let organization = match which {
            Some(which) => self.organization(which).await?.id.as_str().to_owned(),
            None => String::new(),
        };
        let role = match (self.role_in(&organization, role).await, action) {
            (Ok((role, _)), _) => role,
            // What the configuration knows no longer can still be taken away.
            (Err(AccountError::UnknownRole(_)), "role.remove") => role.to_owned(),
            (Err(error), _) => return Err(error),
        };
        let role = role.as_str();
        let user = self.resolve(who).await?;
        let mut transaction = self.store.within(&organization).begin().await?;
        if action == "role.remove" && organization.is_empty() && role == BuiltInRole::SuperAdmin.name() {
            spare_the_last(&mut transaction, user.as_str()).await?;
        }
        transaction.execute(forget_ended(user.as_str(), &organization, role)).await?;
        let changed = transaction.execute(statement(user.as_str(), &organization, role)).await;
        match changed {
            Err(StoreError::Duplicate) => {
                return Err(AccountError::Taken(format!("the role `{role}` of `{}`", who.0)));
            }
            Ok(0) => return Err(AccountError::Missing(format!("role `{role}` of `{}` there", who.0))),
            changed => changed?,
        };
        SessionChanges::tell_and_revoke(&mut transaction, user.as_str()).await?;
        let held = |held: bool| held.then_some(role);
        let details = json!({
            "role": role, "organization": organization,
            "before": held(action == "role.remove"), "after": held(action == "role.add"),
        });
        done(action, actor, user.as_str(), visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        self.note(&[user.as_str().to_owned()]);
        Ok(())
    }
}

/// A name that cannot be taken for an id.
pub(crate) fn check_organization_name(name: &str) -> Result<&str, AccountError> {
    let name = check_name(name)?;
    if uuid::Uuid::try_parse(name).is_ok() {
        return Err(AccountError::Name(
            "a name that looks like an id stands for two organisations: take another",
        ));
    }
    Ok(name)
}

/// A role that has ended is not in the way of the same role.
pub(super) fn forget_ended(user: &str, organization: &str, role: &str) -> Statement {
    const FORGET: &str = "DELETE FROM role_bindings WHERE user_id = $1 AND organization_id = $2 AND role = $3 \
        AND expires_at <= $4";
    Statement::new(FORGET).text(user).text(organization).text(role).integer(moment::now())
}

fn unbind_role(user: &str, organization: &str, role: &str) -> Statement {
    const UNBIND: &str =
        "DELETE FROM role_bindings WHERE user_id = $1 AND organization_id = $2 AND role = $3";
    Statement::new(UNBIND).text(user).text(organization).text(role)
}

impl Membership {
    fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            user: row.text("id")?,
            email: row.text("email")?,
            role: row.text("role")?,
            suspended: row.optional_integer("suspended_at")?.map(moment::moment),
        })
    }
}

impl Organization {
    fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.text("id")?.as_str().into(),
            name: row.text("name")?,
            created: moment::moment(row.integer("created_at")?),
        })
    }
}
