//! The API keys that act for an organisation, in the hands of those who manage it.
//!
//! They make keys of the organisation itself and of its services, with no more than they have themselves, and for no
//! longer. Keys of members act for it, too: those are seen, suspended and revoked here, and known to their holder alone.

use std::time::{Duration, SystemTime};

use bartizan_model::{Grant, OrganizationId};
use bartizan_policy::Rights;
use secrecy::SecretString;

use super::{
    AccountError, Accounts, ApiKey, Authority, CurrentSession, KeyFilter, KeyOwner, NewApiKey, Visit,
    api_key_row::{missing, one},
    authority::managed,
    machine_words::parse_grants,
};
use crate::{
    api_key::{owners, record::OwnerId},
    session::moment,
};

/// A key to be made for the organisation that a session acts for.
#[derive(Debug, Clone)]
pub struct NewOrganizationKey {
    /// What it is for.
    pub name: String,
    /// The service of the organisation that it belongs to, by client id; `None`: to the organisation itself.
    pub service: Option<String>,
    /// What it may do: a part of what the session may.
    pub permissions: Vec<String>,
    /// The addresses and prefixes it may be used from; empty: from everywhere.
    pub addresses: Vec<String>,
    /// How often it may be used, as configurations write rates; `None`: as often as its route allows.
    pub rate: Option<String>,
    /// When it ends.
    pub expires: Option<SystemTime>,
}

/// What is to happen to a key of an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrganizationKeyChange<'a> {
    /// It is refused until it is resumed, for this reason.
    Suspend(&'a str),
    /// It works again.
    Resume,
    /// It may be used so often, as configurations write rates; `None`: as often as its route allows.
    SetRate(Option<&'a str>),
    /// It ends for good.
    Revoke,
}

/// How many keys act for an organisation before those who manage it make no more.
const MOST: usize = 1000;

impl OrganizationKeyChange<'_> {
    /// As the audit trail calls it.
    const fn action(self) -> &'static str {
        match self {
            Self::Suspend(_) => "api_key.suspend",
            Self::Resume => "api_key.resume",
            Self::SetRate(_) => "api_key.set_rate",
            Self::Revoke => "api_key.revoke",
        }
    }
}

impl Accounts {
    /// The keys that act for the organisation of this session, the newest first, a thousand at once; those of a service
    /// alone, if one is named.
    pub async fn organization_keys(
        &self,
        session: &CurrentSession,
        filter: &KeyFilter,
    ) -> Result<Vec<ApiKey>, AccountError> {
        let organization = managed(session)?;
        self.list_keys(Some(organization.as_str()), ("", filter.service.as_deref()), filter).await
    }

    /// Makes a key. Its secret is told here and never again.
    pub async fn create_organization_key(
        &self,
        session: &CurrentSession,
        new: NewOrganizationKey,
        visit: &Visit,
    ) -> Result<(ApiKey, SecretString), AccountError> {
        let organization = managed(session)?;
        let (authority, name) = (Authority::Manager(session), new.name.clone());
        let made = self.try_create_key(organization, new, &authority, visit).await;
        let told = ("api_key.create", name.as_str());
        self.audit_refusal(made, told, organization.as_str(), &authority, visit).await
    }

    async fn try_create_key(
        &self,
        organization: &OrganizationId,
        new: NewOrganizationKey,
        authority: &Authority<'_>,
        visit: &Visit,
    ) -> Result<(ApiKey, SecretString), AccountError> {
        let NewOrganizationKey { name, service, permissions, addresses, rate, expires } = new;
        // As exactly as the store has it.
        let expires = expires.map(|expires| moment::moment(moment::milliseconds(expires)));
        authority.check_gift(&parse_grants(&permissions)?, expires)?;
        let place = organization.as_str();
        if self.list_keys(Some(place), ("", None), &KeyFilter::default()).await?.len() >= MOST {
            return Err(AccountError::TooManyKeys(MOST));
        }
        let owner = match service {
            Some(id) => KeyOwner::Service(self.service_of(organization, &id).await?.id),
            None => KeyOwner::Organization(place.to_owned()),
        };
        let new = NewApiKey { name, owner, permissions, addresses, rate, zone: None, expires };
        self.create_api_key(new, authority.actor(), visit).await
    }

    /// Gives a key of the organisation or of one of its services another secret, told here and never again. The one so far
    /// works for as long as `overlap` says. Whoever gets to know it has what it has.
    pub async fn rotate_organization_key(
        &self,
        session: &CurrentSession,
        id: &str,
        overlap: Duration,
        visit: &Visit,
    ) -> Result<(ApiKey, SecretString), AccountError> {
        let (organization, authority) = (managed(session)?, Authority::Manager(session));
        let rotated = async {
            let key = self.key_of(organization, id).await?;
            if key.user.is_some() {
                let why =
                    "the key is a member's: they rotate it themselves, and you can suspend or revoke it";
                return Err(AccountError::Forbidden(why.into()));
            }
            if key.zone.is_some() {
                return Err(AccountError::Forbidden("an operator has given the key a zone: ask them".into()));
            }
            authority.check_gift(&self.rights_of_key(organization, &key).await?, key.expires)?;
            self.rotate_api_key(id, None, overlap, authority.actor(), visit).await
        };
        let rotated = rotated.await;
        self.audit_refusal(rotated, ("api_key.rotate", id), organization.as_str(), &authority, visit).await
    }

    /// Changes a key that acts for the organisation, a member's, too: unless it may do more than whoever asks.
    pub async fn change_organization_key(
        &self,
        session: &CurrentSession,
        id: &str,
        change: OrganizationKeyChange<'_>,
        visit: &Visit,
    ) -> Result<ApiKey, AccountError> {
        let (organization, authority) = (managed(session)?, Authority::Manager(session));
        let changed = self.try_change_key(organization, id, change, &authority, visit).await;
        self.audit_refusal(changed, (change.action(), id), organization.as_str(), &authority, visit).await
    }

    async fn try_change_key(
        &self,
        organization: &OrganizationId,
        id: &str,
        change: OrganizationKeyChange<'_>,
        authority: &Authority<'_>,
        visit: &Visit,
    ) -> Result<ApiKey, AccountError> {
        let key = self.key_of(organization, id).await?;
        let rights = self.rights_of_key(organization, &key).await?;
        let actor = authority.actor();
        match change {
            OrganizationKeyChange::Suspend(reason) => {
                authority.check_reach(&rights)?;
                self.suspend_api_key(id, None, Some(reason), actor, visit).await
            }
            OrganizationKeyChange::Resume => {
                authority.check_gift(&rights, key.expires)?;
                self.suspend_api_key(id, None, None, actor, visit).await
            }
            OrganizationKeyChange::SetRate(rate) => {
                authority.check_reach(&rights)?;
                self.set_api_key_rate(id, None, rate, actor, visit).await
            }
            OrganizationKeyChange::Revoke => {
                authority.check_reach(&rights)?;
                self.revoke_api_key(id, None, actor, visit).await
            }
        }
    }

    /// A key that acts for the organisation. Which one it acts for never changes.
    async fn key_of(&self, organization: &OrganizationId, id: &str) -> Result<ApiKey, AccountError> {
        let row = self.store.within(organization.as_str()).row(one(id, None)).await?;
        let key = row.as_ref().map(ApiKey::of).transpose()?;
        let is_theirs = |key: &ApiKey| key.organization.as_deref() == Some(organization.as_str());
        key.filter(is_theirs).ok_or_else(|| missing(id))
    }

    /// What a key may do now, within what its owner may.
    async fn rights_of_key(
        &self,
        organization: &OrganizationId,
        key: &ApiKey,
    ) -> Result<Vec<Grant>, AccountError> {
        let owner = match (&key.user, &key.service) {
            (Some(user), _) => OwnerId::Person(user.as_str().into()),
            (None, Some(service)) => OwnerId::Service(service.as_str().into()),
            (None, None) => return Ok(key.permissions.clone()),
        };
        let Some(owner) = owners::read(&self.store, &owner).await? else { return Ok(Vec::new()) };
        let held = self.held_by(&owner, Some(organization.as_str()));
        Ok(Rights { scope: &key.permissions, owner: &held.grants, delegation: None }.effective())
    }
}
