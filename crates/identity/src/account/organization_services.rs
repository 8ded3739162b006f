//! The services of an organisation, in the hands of those who manage it.
//!
//! They make services with no more than they have themselves, and get to know the secrets of those alone that have no
//! more. From which zone a service calls, and which tokens it may carry on, is said by operators.

use std::time::Duration;

use bartizan_model::{Grant, OrganizationId};
use bartizan_store::Statement;
use secrecy::SecretString;

use super::{
    AccountError, Accounts, Authority, CurrentSession, NewCredential, NewService, Page, Part, Service, Visit,
    authority::managed,
    machine_words::parse_some_grants,
    services::{ONE, missing},
};
use crate::api_key::{owners, record::OwnerId};

/// What is to happen to a service of an organisation.
#[derive(Debug, Clone, Copy)]
pub enum ServiceChange<'a> {
    /// It and its API keys are refused until it is resumed, for this reason.
    Suspend(&'a str),
    /// It is let in again.
    Resume,
    /// It has this name, which no other of the organisation has.
    Rename(&'a str),
    /// It may do this, beside its roles.
    SetPermissions(&'a [String]),
    /// It may prove itself with this, too.
    AddCredential(&'a NewCredential),
    /// It may prove itself with this no longer.
    RemoveCredential(&'a str),
    /// It is forgotten, with its credentials, roles and API keys.
    Delete,
}

/// How many services an organisation has before those who manage it make no more.
const MOST: usize = 1000;

impl ServiceChange<'_> {
    /// As the audit trail calls it.
    const fn action(self) -> &'static str {
        match self {
            Self::Suspend(_) => "service.suspend",
            Self::Resume => "service.resume",
            Self::Rename(_) => "service.rename",
            Self::SetPermissions(_) => "service.set_permissions",
            Self::AddCredential(_) => "service.add_credential",
            Self::RemoveCredential(_) => "service.remove_credential",
            Self::Delete => "service.delete",
        }
    }
}

impl Accounts {
    /// The services of the organisation of this session, the oldest first.
    pub async fn organization_services(
        &self,
        session: &CurrentSession,
        page: &Page,
    ) -> Result<Part<Service>, AccountError> {
        self.services(Some(managed(session)?.as_str()), page).await
    }

    /// Makes a service, and a secret for it. The secret is told here and never again.
    pub async fn create_organization_service(
        &self,
        session: &CurrentSession,
        name: &str,
        permissions: &[String],
        visit: &Visit,
    ) -> Result<(Service, SecretString), AccountError> {
        let (organization, authority) = (managed(session)?, Authority::Manager(session));
        let made = async {
            authority.check_gift(&parse_some_grants(permissions)?, None)?;
            if self.services(Some(organization.as_str()), &Page::default()).await?.items.len() >= MOST {
                let detail = format!("an organisation has {MOST} services at most: delete one");
                return Err(AccountError::Invalid(detail));
            }
            let new = NewService {
                organization: organization.to_string(),
                name: name.to_owned(),
                permissions: permissions.to_vec(),
                ..NewService::default()
            };
            self.create_service(new, authority.actor(), visit).await
        };
        let made = made.await;
        self.audit_refusal(made, ("service.create", name), organization.as_str(), &authority, visit).await
    }

    /// Gives a service another secret, told here and never again. The one so far works for as long as `overlap` says.
    pub async fn rotate_organization_service(
        &self,
        session: &CurrentSession,
        id: &str,
        overlap: Duration,
        visit: &Visit,
    ) -> Result<(Service, SecretString), AccountError> {
        let (organization, authority) = (managed(session)?, Authority::Manager(session));
        let rotated = async {
            let service = self.service_of(organization, id).await?;
            check_handed(&authority, &service, &self.rights_of_service(&service).await?)?;
            self.rotate_service_secret(id, overlap, authority.actor(), visit).await
        };
        let rotated = rotated.await;
        self.audit_refusal(rotated, ("service.rotate", id), organization.as_str(), &authority, visit).await
    }

    /// Changes a service of the organisation, unless it may do more than whoever asks.
    pub async fn change_organization_service(
        &self,
        session: &CurrentSession,
        id: &str,
        change: ServiceChange<'_>,
        visit: &Visit,
    ) -> Result<Service, AccountError> {
        let (organization, authority) = (managed(session)?, Authority::Manager(session));
        let changed = self.try_change_service(organization, id, change, &authority, visit).await;
        self.audit_refusal(changed, (change.action(), id), organization.as_str(), &authority, visit).await
    }

    async fn try_change_service(
        &self,
        organization: &OrganizationId,
        id: &str,
        change: ServiceChange<'_>,
        authority: &Authority<'_>,
        visit: &Visit,
    ) -> Result<Service, AccountError> {
        let service = self.service_of(organization, id).await?;
        let rights = self.rights_of_service(&service).await?;
        let actor = authority.actor();
        match change {
            ServiceChange::Resume => authority.check_gift(&rights, None)?,
            ServiceChange::AddCredential(_) => check_handed(authority, &service, &rights)?,
            ServiceChange::SetPermissions(permissions) => {
                authority.check_reach(&rights)?;
                authority.check_gift(&parse_some_grants(permissions)?, None)?;
            }
            ServiceChange::Suspend(_)
            | ServiceChange::Rename(_)
            | ServiceChange::RemoveCredential(_)
            | ServiceChange::Delete => authority.check_reach(&rights)?,
        }
        match change {
            ServiceChange::Suspend(reason) => self.suspend_service(id, Some(reason), actor, visit).await,
            ServiceChange::Resume => self.suspend_service(id, None, actor, visit).await,
            ServiceChange::Rename(name) => self.rename_service(id, name, actor, visit).await,
            ServiceChange::SetPermissions(permissions) => {
                self.set_service_permissions(id, permissions, actor, visit).await
            }
            ServiceChange::AddCredential(new) => self.add_service_credential(id, new, actor, visit).await,
            ServiceChange::RemoveCredential(credential) => {
                self.remove_service_credential(id, credential, actor, visit).await
            }
            ServiceChange::Delete => self.delete_service(id, actor, visit).await,
        }
    }

    /// A service of the organisation. To which one it belongs never changes.
    pub(super) async fn service_of(
        &self,
        organization: &OrganizationId,
        id: &str,
    ) -> Result<Service, AccountError> {
        let rows = self.store.within(organization.as_str()).rows(Statement::new(ONE).text(id)).await?;
        let service = Service::all(&rows)?.pop();
        let is_theirs = |service: &Service| service.organization == organization.as_str();
        service.filter(is_theirs).ok_or_else(|| missing(id))
    }

    /// What a service may do, also while it is suspended: by its own permissions and its roles.
    async fn rights_of_service(&self, service: &Service) -> Result<Vec<Grant>, AccountError> {
        let owner = owners::read(&self.store, &OwnerId::Service(service.id.as_str().into())).await?;
        let held = owner.map(|owner| self.held_by(&owner, Some(&service.organization)));
        Ok(held.map(|held| held.grants).unwrap_or_default())
    }
}

/// Whether somebody may get to know what a service proves itself with: whoever does has what it has, for good.
fn check_handed(authority: &Authority<'_>, service: &Service, rights: &[Grant]) -> Result<(), AccountError> {
    if service.zone.is_some() {
        return Err(AccountError::Forbidden("an operator has given the service a zone: ask them".into()));
    }
    authority.check_gift(&[rights, service.exchange.as_slice()].concat(), None)
}
