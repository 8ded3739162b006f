//! What a caller of the gateway's own may do, by its id alone: for services that ask what somebody may.

use std::{net::IpAddr, time::SystemTime};

use bartizan_model::{CallerType, Grant, OrganizationId, UserId, Zone};
use bartizan_policy::Rights;

use super::{AccountError, Accounts, login::chosen_organization};
use crate::api_key::{owners, record::OwnerId};

/// What a caller holds now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerStanding {
    /// For which organisation it acts.
    pub organization: Option<OrganizationId>,
    /// Its roles there and everywhere. A key has none: policies that let a role do something would give it more than its
    /// scope.
    pub roles: Vec<String>,
    /// All that it may do.
    pub grants: Vec<Grant>,
    /// From which zone it calls; `None`: from that of its provider.
    pub zone: Option<Zone>,
}

impl Accounts {
    /// What a person, a service or an API key with this id would be let in with; `None`: it would not be.
    ///
    /// A person acts for the `organization` that is asked for, by its id, if they belong to it; without one for the one that
    /// a login would take. Services and keys act for their own. A key that is bound to addresses counts from `address` only,
    /// where that is known.
    pub async fn caller_standing(
        &self,
        caller: CallerType,
        id: &str,
        organization: Option<&str>,
        address: Option<IpAddr>,
    ) -> Result<Option<CallerStanding>, AccountError> {
        match caller {
            CallerType::User => self.standing_of_person(&id.into(), organization).await,
            CallerType::Service => {
                let standing = self.service_standing(id).await?;
                Ok(standing.map(|service| CallerStanding {
                    organization: Some(service.organization),
                    roles: service.roles,
                    grants: service.grants,
                    zone: service.zone,
                }))
            }
            CallerType::ApiKey => self.standing_of_key(id, address).await,
        }
    }

    async fn standing_of_person(
        &self,
        user: &UserId,
        organization: Option<&str>,
    ) -> Result<Option<CallerStanding>, AccountError> {
        let owner = owners::read(&self.store, &OwnerId::Person(user.as_str().into())).await?;
        let Some(owner) = owner.filter(|owner| !owner.is_barred) else { return Ok(None) };
        let organization: Option<OrganizationId> = match organization {
            Some(asked) => Some(asked.into()),
            None => chosen_organization(&mut self.store.everywhere().begin().await?, user, None).await?,
        };
        let place = organization.as_ref().map(OrganizationId::as_str);
        if !owner.belongs(place, SystemTime::now()) {
            return Ok(None);
        }
        let held = self.held_by(&owner, place);
        Ok(Some(CallerStanding { roles: held.roles, grants: held.grants, zone: None, organization }))
    }

    async fn standing_of_key(
        &self,
        id: &str,
        address: Option<IpAddr>,
    ) -> Result<Option<CallerStanding>, AccountError> {
        let now = SystemTime::now();
        let Some(key) = self.live.keys().look_up(id, now).await? else { return Ok(None) };
        let owner = key.owner.load();
        let is_elsewhere = address.is_some() && !key.admits(address);
        if key.is_suspended || owner.is_barred || is_elsewhere || !owner.belongs(key.organization(), now) {
            return Ok(None);
        }
        let held = self.held_by(&owner, key.organization());
        let rights = Rights { scope: &key.scope, owner: &held.grants, delegation: None };
        Ok(Some(CallerStanding {
            organization: key.organization.clone(),
            roles: Vec::new(),
            grants: rights.effective(),
            zone: key.zone,
        }))
    }
}
