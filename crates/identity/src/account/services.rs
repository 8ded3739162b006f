//! Services: machines of an organisation, which have an identity of their own.

use std::time::SystemTime;

use bartizan_model::{Grant, Zone};
use bartizan_policy::beyond;
use bartizan_store::{Row, Statement, StoreError, Transaction};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{
    AccountError, Accounts, CredentialKind, Page, Part, ServiceCredential, Visit,
    login::done,
    machine_words::{check_reason, parse_some_grants, stored_zone, written_zone},
    people::check_name,
};
use crate::{
    api_key::record::OwnerId,
    holder::{grants, written},
    session::{changes::SessionChanges, moment},
};

/// A service to be known.
#[derive(Debug, Clone, Default)]
pub struct NewService {
    /// Its organisation, by id or name.
    pub organization: String,
    /// Its name, which no other of the organisation has.
    pub name: String,
    /// What it may do, beside the roles bound to it.
    pub permissions: Vec<String>,
    /// What of the tokens that it is called with it may carry on (RFC 8693); nothing: it exchanges none.
    pub exchange: Vec<String>,
    /// From which zone it calls; `None`: from that of services of the provider.
    pub zone: Option<Zone>,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its client id.
    pub id: String,
    /// The id of its organisation.
    pub organization: String,
    /// Its name there.
    pub name: String,
    /// What it may do, beside its roles.
    pub permissions: Vec<Grant>,
    /// What of the tokens that it is called with it may carry on (RFC 8693); nothing: it exchanges none.
    pub exchange: Vec<Grant>,
    /// From which zone it calls; `None`: from that of services of the provider.
    pub zone: Option<Zone>,
    /// Since when it is known.
    pub created: SystemTime,
    /// Since when it is suspended.
    pub suspended: Option<SystemTime>,
    /// Why.
    pub suspended_because: String,
    /// What it proves itself with.
    pub credentials: Vec<ServiceCredential>,
}

macro_rules! services {
    ($which:literal) => {
        concat!(
            "SELECT s.id, s.organization_id, s.name, s.permissions, s.exchange, s.zone, s.created_at, s.suspended_at, \
             s.suspended_because, c.id AS credential, c.kind AS kind, c.value AS value, \
             c.created_at AS credential_created_at, c.expires_at AS credential_expires_at \
             FROM services s LEFT JOIN service_credentials c ON c.service_id = s.id WHERE ",
            $which
        )
    };
}

pub(super) const ONE: &str = services!("s.id = $1 ORDER BY c.id");
const LIST: &str = services!(
    "s.id IN (SELECT id FROM services WHERE ($1 = '' OR organization_id = $1) AND id > $2 \
     ORDER BY id LIMIT $3) \
     ORDER BY s.id, c.id"
);

impl Accounts {
    /// Makes a service, and a secret for it. The secret is told here and never again.
    pub async fn create_service(
        &self,
        new: NewService,
        actor: &str,
        visit: &Visit,
    ) -> Result<(Service, SecretString), AccountError> {
        const CREATE: &str = "INSERT INTO services (id, organization_id, name, permissions, created_at, \
            suspended_because, exchange, zone) VALUES ($1, $2, $3, $4, $5, '', $6, $7)";
        let name = check_name(&new.name)?;
        let permissions = parse_some_grants(&new.permissions)?;
        let exchange = parse_some_grants(&new.exchange)?;
        let organization = self.organization(&new.organization).await?.id;
        let id = uuid::Uuid::now_v7().to_string();
        let mut transaction = self.store.within(organization.as_str()).begin().await?;
        let create = Statement::new(CREATE)
            .text(id.as_str())
            .text(organization.as_str())
            .text(name)
            .text(written(&permissions))
            .integer(moment::now())
            .text(written(&exchange))
            .text(written_zone(new.zone));
        transaction.execute(create).await.map_err(|error| match error {
            StoreError::Duplicate => AccountError::Taken(format!("`{name}`")),
            other => other.into(),
        })?;
        let secret = self.add_service_secret(&mut transaction, &id).await?;
        let made = read_service(&mut transaction, &id).await?;
        changed(transaction, ("service.create", None, Some(&made)), actor, visit).await?;
        Ok((made, secret))
    }

    /// The services of an organisation, by id or name, the oldest first; of all without one.
    pub async fn services(
        &self,
        organization: Option<&str>,
        page: &Page,
    ) -> Result<Part<Service>, AccountError> {
        let organization = match organization {
            Some(which) => self.organization(which).await?.id.to_string(),
            None => String::new(),
        };
        let store =
            if organization.is_empty() { self.store.everywhere() } else { self.store.within(&organization) };
        let read = Statement::new(LIST).text(organization).text(page.begins_after()).integer(page.to_read());
        Ok(page.part(Service::all(&store.rows(read).await?)?, |service| service.id.clone()))
    }

    /// The service with this client id.
    pub async fn service(&self, id: &str) -> Result<Service, AccountError> {
        let rows = self.store.everywhere().rows(Statement::new(ONE).text(id)).await?;
        Service::all(&rows)?.pop().ok_or_else(|| missing(id))
    }

    /// Refuses a service and its API keys until it is resumed; `reason: None` resumes it.
    pub async fn suspend_service(
        &self,
        id: &str,
        reason: Option<&str>,
        actor: &str,
        visit: &Visit,
    ) -> Result<Service, AccountError> {
        const SUSPEND: &str = "UPDATE services SET suspended_at = $2, suspended_because = $3 WHERE id = $1";
        let reason = reason.map(check_reason).transpose()?;
        let at = reason.is_some().then(moment::now);
        let suspend = Statement::new(SUSPEND).text(id).optional_integer(at).text(reason.unwrap_or_default());
        let action = if reason.is_some() { "service.suspend" } else { "service.resume" };
        self.change_service(id, action, suspend, actor, visit).await
    }

    /// Gives a service other permissions.
    pub async fn set_service_permissions(
        &self,
        id: &str,
        permissions: &[String],
        actor: &str,
        visit: &Visit,
    ) -> Result<Service, AccountError> {
        const SET: &str = "UPDATE services SET permissions = $2 WHERE id = $1";
        let permissions = parse_some_grants(permissions)?;
        let set = Statement::new(SET).text(id).text(written(&permissions));
        self.change_service(id, "service.set_permissions", set, actor, visit).await
    }

    /// Says what of the tokens that it is called with a service may carry on (RFC 8693); nothing: it exchanges none. Less
    /// than before ends what it has exchanged.
    pub async fn set_service_exchange(
        &self,
        id: &str,
        exchange: &[String],
        actor: &str,
        visit: &Visit,
    ) -> Result<Service, AccountError> {
        const SET: &str = "UPDATE services SET exchange = $2 WHERE id = $1";
        let exchange = parse_some_grants(exchange)?;
        let set = Statement::new(SET).text(id).text(written(&exchange));
        self.change_service(id, "service.set_exchange", set, actor, visit).await
    }

    /// Says from which zone a service calls; `None`: from that of services of the provider. Its tokens end: they say the
    /// one before.
    pub async fn set_service_zone(
        &self,
        id: &str,
        zone: Option<Zone>,
        actor: &str,
        visit: &Visit,
    ) -> Result<Service, AccountError> {
        const SET: &str = "UPDATE services SET zone = $2 WHERE id = $1";
        let set = Statement::new(SET).text(id).text(written_zone(zone));
        self.change_service(id, "service.set_zone", set, actor, visit).await
    }

    /// Gives a service another name, which no other of its organisation has.
    pub async fn rename_service(
        &self,
        id: &str,
        name: &str,
        actor: &str,
        visit: &Visit,
    ) -> Result<Service, AccountError> {
        const RENAME: &str = "UPDATE services SET name = $2 WHERE id = $1";
        let name = check_name(name)?;
        let renamed = self.change_service(
            id,
            "service.rename",
            Statement::new(RENAME).text(id).text(name),
            actor,
            visit,
        );
        renamed.await.map_err(|error| match error {
            AccountError::Store(StoreError::Duplicate) => AccountError::Taken(format!("`{name}`")),
            other => other,
        })
    }

    /// Forgets a service, with its credentials, roles and API keys.
    pub async fn delete_service(
        &self,
        id: &str,
        actor: &str,
        visit: &Visit,
    ) -> Result<Service, AccountError> {
        const DELETE: &str = "DELETE FROM services WHERE id = $1";
        let (mut transaction, before) = self.begin_service_change(id).await?;
        transaction.execute(Statement::new(DELETE).text(id)).await?;
        changed(transaction, ("service.delete", Some(&before), None), actor, visit).await?;
        self.follow_service(id).await;
        Ok(before)
    }

    /// Changes one, tells everybody, and follows it here at once.
    pub(crate) async fn change_service(
        &self,
        id: &str,
        action: &'static str,
        change: Statement,
        actor: &str,
        visit: &Visit,
    ) -> Result<Service, AccountError> {
        let (mut transaction, before) = self.begin_service_change(id).await?;
        transaction.execute(change).await?;
        let after = read_service(&mut transaction, id).await?;
        changed(transaction, (action, Some(&before), Some(&after)), actor, visit).await?;
        self.follow_service(id).await;
        Ok(after)
    }

    /// Nobody else changes the service until the transaction ends.
    pub(crate) async fn begin_service_change(
        &self,
        id: &str,
    ) -> Result<(Transaction, Service), AccountError> {
        const LOCK: &str = "UPDATE services SET id = id WHERE id = $1";
        let found = self.service(id).await?;
        let mut transaction = self.store.within(&found.organization).begin().await?;
        if transaction.execute(Statement::new(LOCK).text(id)).await? == 0 {
            return Err(missing(id));
        }
        let before = read_service(&mut transaction, id).await?;
        Ok((transaction, before))
    }

    async fn follow_service(&self, id: &str) {
        self.note(&[id.to_owned()]);
        self.live.keys().reread_owner(&OwnerId::Service(id.into())).await;
    }
}

pub(crate) async fn read_service(transaction: &mut Transaction, id: &str) -> Result<Service, AccountError> {
    let rows = transaction.rows(Statement::new(ONE).text(id)).await?;
    Service::all(&rows)?.pop().ok_or_else(|| missing(id))
}

/// Tells the other gateways and the audit trail, and makes it happen.
pub(crate) async fn changed(
    mut transaction: Transaction,
    (action, before, after): (&'static str, Option<&Service>, Option<&Service>),
    actor: &str,
    visit: &Visit,
) -> Result<(), AccountError> {
    let Some(service) = after.or(before) else { return Ok(()) };
    if after.is_none_or(|after| before.is_some_and(|before| after.has_less_than(before))) {
        SessionChanges::tell_and_revoke(&mut transaction, &service.id).await?;
    } else {
        SessionChanges::tell(&mut transaction, &service.id).await?;
    }
    let shown = |service: Option<&Service>| service.map_or(Value::Null, Service::audited);
    let details = json!({ "before": shown(before), "after": shown(after) });
    done(action, actor, &service.id, visit, details).write(&mut transaction).await?;
    Ok(transaction.commit().await?)
}

pub(super) fn missing(id: &str) -> AccountError {
    AccountError::Missing(format!("service `{}`", id.chars().take(64).collect::<String>()))
}

impl Service {
    /// Rows come with one credential each, those of a service together.
    pub(super) fn all(rows: &[Row]) -> Result<Vec<Self>, StoreError> {
        let mut services: Vec<Self> = Vec::new();
        for row in rows {
            let id = row.text("id")?;
            if services.last().is_none_or(|last| last.id != id) {
                services.push(Self {
                    id,
                    organization: row.text("organization_id")?,
                    name: row.text("name")?,
                    permissions: grants(&row.text("permissions")?)?.into_vec(),
                    exchange: grants(&row.text("exchange")?)?.into_vec(),
                    zone: stored_zone(&row.text("zone")?)?,
                    created: moment::moment(row.integer("created_at")?),
                    suspended: row.optional_integer("suspended_at")?.map(moment::moment),
                    suspended_because: row.text("suspended_because")?,
                    credentials: Vec::new(),
                });
            }
            if let Some(service) = services.last_mut() {
                service.credentials.extend(ServiceCredential::of(row)?);
            }
        }
        Ok(services)
    }

    /// Whether tokens that were issued before may say too much: also where a credential is gone, for that is what is done
    /// with one that has leaked. A further one, or one that is given an end, changes no tokens.
    fn has_less_than(&self, before: &Self) -> bool {
        let is_gone =
            |old: &ServiceCredential| self.credentials.iter().all(|credential| credential.id != old.id);
        self.suspended.is_some()
            || self.zone != before.zone
            || beyond(&before.permissions, &self.permissions).is_some()
            || beyond(&before.exchange, &self.exchange).is_some()
            || before.credentials.iter().any(is_gone)
    }

    fn audited(&self) -> Value {
        let credentials = self.credentials.iter().map(|credential| {
            json!({
                "id": credential.id,
                "kind": credential.kind.word(),
                "shown": if credential.kind == CredentialKind::Secret { "***" } else { &credential.value },
                "expires": credential.expires.map(moment::milliseconds),
            })
        });
        json!({
            "organization": self.organization,
            "name": self.name,
            "permissions": written(&self.permissions),
            "exchange": written(&self.exchange),
            "zone": self.zone.map(Zone::as_str),
            "suspended": self.suspended.is_some().then_some(self.suspended_because.as_str()),
            "credentials": credentials.collect::<Vec<_>>(),
        })
    }
}
