//! Who has which role, where, for how long, and how much of it.

use std::time::SystemTime;

use bartizan_model::Grant;
use bartizan_policy::intersection;
use bartizan_store::{Row, Statement, StoreError, Transaction};
use serde_json::{Value, json};

use super::{
    AccountError, Accounts, Authority, Page, Part, PersonId, Visit, login::done,
    machine_words::parse_some_grants, roles::lock_one,
};
use crate::{
    api_key::record::OwnerId,
    holder::{CUSTOM, grants, written},
    session::{changes::SessionChanges, moment},
};

/// Who is to have a role.
#[derive(Debug, Clone)]
pub enum RoleHolder {
    /// A person.
    Person(PersonId),
    /// A service of the organisation, by client id.
    Service(String),
}

impl RoleHolder {
    /// As they were named, for the audit trail.
    fn told(&self) -> &str {
        match self {
            Self::Person(PersonId(told)) | Self::Service(told) => told,
        }
    }
}

/// A role to be given.
#[derive(Debug, Clone)]
pub struct NewBinding {
    /// To whom.
    pub holder: RoleHolder,
    /// Which: of the configuration, built in, or the organisation's own.
    pub role: String,
    /// What it is cut down to; empty: not at all.
    pub scope: Vec<String>,
    /// When it ends.
    pub expires: Option<SystemTime>,
}

/// A role that somebody has in an organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleBinding {
    /// The id of the person.
    pub user: Option<String>,
    /// The client id of the service.
    pub service: Option<String>,
    /// The address of the person, or the name of the service.
    pub name: String,
    /// The role; one of the organisation's own is `custom/NAME`.
    pub role: String,
    /// What it is cut down to; empty: not at all.
    pub scope: Vec<Grant>,
    /// Since when.
    pub created: SystemTime,
    /// Until when.
    pub expires: Option<SystemTime>,
}

const LIST: &str = "SELECT b.user_id, b.service_id, b.name, b.role, b.scope, b.created_at, b.expires_at FROM ( \
    SELECT r.user_id AS user_id, NULL AS service_id, r.user_id AS holder, u.email AS name, r.role AS role, \
    r.scope AS scope, r.created_at AS created_at, r.expires_at AS expires_at \
    FROM role_bindings r JOIN users u ON u.id = r.user_id WHERE r.organization_id = $1 \
    AND (r.expires_at IS NULL OR r.expires_at > $2) \
    UNION ALL SELECT NULL, r.service_id, r.service_id, s.name, r.role, r.scope, r.created_at, r.expires_at \
    FROM service_roles r JOIN services s ON s.id = r.service_id WHERE s.organization_id = $1 \
    AND (r.expires_at IS NULL OR r.expires_at > $2)) b \
    WHERE b.name > $3 OR (b.name = $3 AND (b.role > $4 OR (b.role = $4 AND b.holder > $5))) \
    ORDER BY b.name, b.role, b.holder LIMIT $6";

/// The tables of bindings, by the kind of their holder.
struct Table {
    lock: &'static str,
    bind: &'static str,
    unbind: &'static str,
    read: &'static str,
}

const PEOPLE: Table = Table {
    lock: "UPDATE role_bindings SET role = role WHERE user_id = $1 AND organization_id = $2 AND role = $3",
    bind: "INSERT INTO role_bindings (user_id, organization_id, role, scope, created_at, expires_at) \
        VALUES ($1, $2, $3, $4, $5, $6)",
    unbind: "DELETE FROM role_bindings WHERE user_id = $1 AND organization_id = $2 AND role = $3",
    read: "SELECT scope, expires_at FROM role_bindings WHERE user_id = $1 AND organization_id = $2 AND role = $3",
};
const SERVICES: Table = Table {
    lock: "UPDATE service_roles SET role = role WHERE service_id = $1 AND role = $3 \
        AND service_id IN (SELECT id FROM services WHERE organization_id = $2)",
    bind: "INSERT INTO service_roles (service_id, role, scope, created_at, expires_at) \
        SELECT id, $3, $4, $5, $6 FROM services WHERE id = $1 AND organization_id = $2",
    unbind: "DELETE FROM service_roles WHERE service_id = $1 AND role = $3 \
        AND service_id IN (SELECT id FROM services WHERE organization_id = $2)",
    read: "SELECT r.scope, r.expires_at FROM service_roles r JOIN services s ON s.id = r.service_id \
        WHERE r.service_id = $1 AND s.organization_id = $2 AND r.role = $3",
};

impl Accounts {
    /// Gives a role in an organisation, by id or name. It counts for sessions and keys that exist, too. A role that the
    /// holder has already gets this scope and this end.
    pub async fn bind_role(
        &self,
        organization: &str,
        new: &NewBinding,
        authority: &Authority<'_>,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        let organization = self.organization(organization).await?.id;
        let (role, _) = self.role_in(organization.as_str(), &new.role).await?;
        let bound = Bound::asked(&new.scope, new.expires)?;
        let place = (organization.as_str(), role.as_str());
        let changed = self.change_binding(&new.holder, place, Some(bound), authority, visit).await;
        let told = ("role.bind", new.holder.told());
        self.audit_refusal(changed, told, organization.as_str(), authority, visit).await
    }

    /// Takes a role away.
    pub async fn unbind_role(
        &self,
        organization: &str,
        holder: &RoleHolder,
        role: &str,
        authority: &Authority<'_>,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        let organization = self.organization(organization).await?.id;
        let role = match self.role_in(organization.as_str(), role).await {
            // What the configuration knows no longer can still be taken away.
            Err(AccountError::UnknownRole(_)) => role.to_owned(),
            known => known?.0,
        };
        let place = (organization.as_str(), role.as_str());
        let changed = self.change_binding(holder, place, None, authority, visit).await;
        let told = ("role.unbind", holder.told());
        self.audit_refusal(changed, told, organization.as_str(), authority, visit).await
    }

    /// Who has which role in an organisation, by name.
    pub async fn bindings(&self, organization: &str, page: &Page) -> Result<Part<RoleBinding>, AccountError> {
        let organization = self.organization(organization).await?.id;
        let (role, holder, name) = RoleBinding::place(page.begins_after());
        let read = Statement::new(LIST).text(organization.as_str()).integer(moment::now());
        let read = read.text(name).text(role).text(holder).integer(page.to_read());
        let rows = self.store.within(organization.as_str()).rows(read).await?;
        let bindings = rows.iter().map(RoleBinding::of).collect::<Result<_, StoreError>>()?;
        Ok(page.part(bindings, RoleBinding::named_place))
    }

    async fn change_binding(
        &self,
        holder: &RoleHolder,
        (organization, role): (&str, &str),
        bound: Option<Bound>,
        authority: &Authority<'_>,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        authority.check(&organization.into())?;
        let (id, table, owner) = self.resolve_holder(holder, organization, authority).await?;
        let at = |sql| Statement::new(sql).text(id.as_str()).text(organization).text(role);
        let mut transaction = self.store.within(organization).begin().await?;
        let whole = self.lock_role(&mut transaction, organization, role).await?;
        // Also the lock: what is checked here is what is taken away.
        let before = match transaction.execute(at(table.lock)).await? {
            0 => None,
            _ => transaction.row(at(table.read)).await?.as_ref().map(Bound::of).transpose()?,
        };
        if let Some(before) = &before {
            before.check_removal(whole.as_deref(), authority)?;
            transaction.execute(at(table.unbind)).await?;
        }
        match (&bound, &whole) {
            (Some(bound), Some(whole)) => {
                bound.check(whole, authority)?;
                bind(&mut transaction, at(table.bind), bound).await?;
            }
            (Some(_), None) => return Err(AccountError::UnknownRole(role.into())),
            (None, _) if before.is_none() => {
                return Err(AccountError::Missing("such role of theirs there".into()));
            }
            (None, _) => {}
        }
        SessionChanges::tell_and_revoke(&mut transaction, &id).await?;
        let action = if bound.is_some() { "role.bind" } else { "role.unbind" };
        let shown = |bound: Option<&Bound>| bound.map_or(Value::Null, Bound::audited);
        let details = json!({
            "role": role, "organization": organization,
            "before": shown(before.as_ref()), "after": shown(bound.as_ref()),
        });
        done(action, authority.actor(), &id, visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        self.note(&[id]);
        self.live.keys().reread_owner(&owner).await;
        Ok(())
    }

    /// What a role grants now; of an organisation's own, until the transaction ends. `None`: it is known no longer.
    pub(super) async fn lock_role(
        &self,
        transaction: &mut Transaction,
        organization: &str,
        role: &str,
    ) -> Result<Option<Vec<Grant>>, AccountError> {
        let Some(name) = role.strip_prefix(CUSTOM) else { return Ok(self.configured_role(role)) };
        match lock_one(transaction, organization, name).await {
            Ok(role) => Ok(Some(role.permissions)),
            Err(AccountError::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn is_member(&self, user: &str, organization: &str) -> Result<bool, StoreError> {
        const READ: &str = "SELECT role FROM role_bindings WHERE user_id = $1 AND organization_id = $2 \
            AND (expires_at IS NULL OR expires_at > $3) LIMIT 1";
        Ok(self
            .store
            .within(organization)
            .row(Statement::new(READ).text(user).text(organization).integer(moment::now()))
            .await?
            .is_some())
    }

    async fn resolve_holder(
        &self,
        holder: &RoleHolder,
        organization: &str,
        authority: &Authority<'_>,
    ) -> Result<(String, &'static Table, OwnerId), AccountError> {
        match holder {
            RoleHolder::Person(person) => {
                let id = self.resolve(person).await?.to_string();
                // Who is a stranger there must be invited, and nobody learns this way who has an account.
                if matches!(authority, Authority::Manager(_)) && !self.is_member(&id, organization).await? {
                    return Err(AccountError::Missing(format!("person `{}`", person.0)));
                }
                Ok((id.clone(), &PEOPLE, OwnerId::Person(id.into())))
            }
            RoleHolder::Service(id) => {
                let service = self.service(id).await?;
                if service.organization != organization {
                    return Err(AccountError::Missing("such service in this organisation".into()));
                }
                Ok((service.id.clone(), &SERVICES, OwnerId::Service(service.id.into())))
            }
        }
    }
}

/// Writes a binding that is not there.
async fn bind(transaction: &mut Transaction, at: Statement, bound: &Bound) -> Result<(), AccountError> {
    match transaction.execute(bound.written(at)).await {
        Ok(1) => Ok(()),
        Ok(_) => Err(AccountError::Missing("such service in this organisation".into())),
        Err(StoreError::Duplicate) => Err(AccountError::Taken("the role".into())),
        Err(error) => Err(error.into()),
    }
}

/// How a role is bound.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    /// Empty: whole.
    pub(super) scope: Vec<Grant>,
    pub(super) expires: Option<SystemTime>,
}

impl Bound {
    /// As somebody asks for it.
    pub(super) fn asked(scope: &[String], expires: Option<SystemTime>) -> Result<Self, AccountError> {
        // As exactly as the store has it.
        let expires = expires.map(|expires| moment::moment(moment::milliseconds(expires)));
        if expires.is_some_and(|expires| expires <= SystemTime::now()) {
            return Err(AccountError::Invalid("a role cannot end before it begins".into()));
        }
        Ok(Self { scope: parse_some_grants(scope)?, expires })
    }

    pub(super) fn of(row: &Row) -> Result<Self, StoreError> {
        let expires = row.optional_integer("expires_at")?.map(moment::moment);
        Ok(Self { scope: grants(&row.text("scope")?)?.into_vec(), expires })
    }

    /// Gives a person a role that they do not have, everywhere where `organization` is empty.
    pub(super) fn bind_person(&self, user: &str, organization: &str, role: &str) -> Statement {
        let at = Statement::new(PEOPLE.bind).text(user).text(organization).text(role);
        self.written(at)
    }

    fn written(&self, at: Statement) -> Statement {
        let expires = self.expires.map(moment::milliseconds);
        at.text(written(&self.scope)).integer(moment::now()).optional_integer(expires)
    }

    /// What it gives of a role.
    pub(super) fn part_of(&self, whole: &[Grant]) -> Vec<Grant> {
        if self.scope.is_empty() { whole.to_vec() } else { intersection(whole, &self.scope) }
    }

    /// Whether it gives something, and nothing that whoever gives it does not have.
    pub(super) fn check(&self, whole: &[Grant], authority: &Authority<'_>) -> Result<(), AccountError> {
        if self.part_of(whole).is_empty() && !self.scope.is_empty() {
            return Err(AccountError::Invalid("the role grants nothing of this scope".into()));
        }
        authority.check_gift(&self.worth(whole), self.expires)
    }

    /// Whether it takes away nothing that whoever takes it does not have. A role that nobody knows any longer (`None`) is
    /// nothing.
    fn check_removal(&self, whole: Option<&[Grant]>, authority: &Authority<'_>) -> Result<(), AccountError> {
        let Some(whole) = whole else { return Ok(()) };
        authority.check_reach(&self.worth(whole))
    }

    /// What somebody must have who gives this of a role, or takes it. A role that grants nothing is there for what policies
    /// and upstreams make of its name, for its holder or against them: who may do everything gives and takes it.
    pub(super) fn worth(&self, whole: &[Grant]) -> Vec<Grant> {
        if whole.is_empty() { "*:*".parse().into_iter().collect() } else { self.part_of(whole) }
    }

    pub(super) fn audited(&self) -> Value {
        json!({ "scope": written(&self.scope), "expires": self.expires.map(moment::milliseconds) })
    }
}

impl RoleBinding {
    /// Where it stands in the list. Neither roles nor ids have spaces.
    fn named_place(&self) -> String {
        let holder = self.user.as_ref().or(self.service.as_ref()).map_or("", String::as_str);
        format!("{} {holder} {}", self.role, self.name)
    }

    /// The role, the holder and the name that stand in a place.
    fn place(text: &str) -> (&str, &str, &str) {
        let mut parts = text.splitn(3, ' ').map(Some).chain(std::iter::repeat(None));
        let [role, holder, name] = [(); 3].map(|()| parts.next().flatten().unwrap_or_default());
        (role, holder, name)
    }

    fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            user: row.optional_text("user_id")?,
            service: row.optional_text("service_id")?,
            name: row.text("name")?,
            role: row.text("role")?,
            scope: grants(&row.text("scope")?)?.into_vec(),
            created: moment::moment(row.integer("created_at")?),
            expires: row.optional_integer("expires_at")?.map(moment::moment),
        })
    }
}
