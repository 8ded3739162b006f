//! Login of people whom another provider has proven.

use std::sync::Arc;

use bartizan_config::OpenIdProvider as Settings;
use bartizan_model::{OrganizationId, UserId};
use bartizan_store::{Statement, StoreError, Transaction};
use http::HeaderMap;
use serde_json::json;

use super::{
    AccountError, Accounts, EmailAddress, Methods, NewSession, PersonId, Visit,
    login::{chosen_organization, done},
    people::NewAccount,
    refusal::RefusalReason,
};
use crate::{
    api_key::record::OwnerId,
    openid::{Errand, OpenIdError, OpenIdProvider, Proven},
    session::{cookie, moment},
};

impl Accounts {
    /// The provider with this name.
    pub fn provider(&self, name: &str) -> Result<Arc<OpenIdProvider>, AccountError> {
        let found = self.providers().into_iter().find(|provider| provider.settings().name.as_str() == name);
        found.ok_or_else(|| AccountError::Missing("provider with this name".into()))
    }

    /// The way to a provider that the browser which asks is on.
    pub fn presented_errand(&self, headers: &HeaderMap) -> Option<Errand> {
        let found = cookie::find(headers, &self.session_settings().errand_cookie()).ok()??;
        Errand::presented(std::str::from_utf8(found).ok()?)
    }

    /// Begins a session for the person who came back from `provider` with this query. It acts for the organisation that was
    /// asked for on the way there; else for the provider's, if they belong to it; else for the one they joined first.
    ///
    /// They are who was known by their subject there before. A verified address counts only where the provider speaks for
    /// its domain: else whoever is given that address somewhere could take over the account. Whoever has no account gets
    /// one where the provider's `sign_up` says so.
    pub async fn log_in_from(
        &self,
        provider: &OpenIdProvider,
        errand: &Errand,
        query: &str,
        visit: &Visit,
    ) -> Result<NewSession, AccountError> {
        let name = provider.settings().name.as_str();
        let proven = self.proven_by(provider, errand, query, ("login.external", name), visit).await?;
        let user = match self.known_as(&provider.settings().issuer, &proven.subject).await? {
            Some(user) => user,
            None => self.acquainted(provider, &proven, visit).await?,
        };
        let person = self.person(&PersonId(user.as_str().into())).await?;
        if person.disabled.is_some() {
            self.refused_because(RefusalReason::Disabled, "login.external", user.as_str(), visit).await?;
            return Err(AccountError::Unknown(name.to_owned()));
        }
        let email: EmailAddress = person.email.parse().map_err(AccountError::Email)?;
        let roles = self.provider_roles(provider, &proven, &user).await?;
        let mut transaction = self.store.everywhere().begin().await?;
        let has_changed = roles.apply(&mut transaction, &user, visit).await?;
        let organization = match errand.organization() {
            Some(asked) => Some(asked),
            None => usual_organization(&mut transaction, &user, provider).await?,
        };
        let begun =
            self.begin_session(&mut transaction, (&user, &email), Methods::PROVIDER, organization, visit);
        let (session, mut ended) = match begun.await {
            Err(error @ AccountError::Missing(_)) => {
                drop(transaction);
                let reason = RefusalReason::Organization;
                self.refused_because(reason, "login.external", user.as_str(), visit).await?;
                return Err(error);
            }
            begun => begun?,
        };
        let details = json!({
            "session": session.id.as_str(), "provider": name,
            "organization": session.organization.as_ref().map(OrganizationId::as_str),
        });
        done("login.external", user.as_str(), user.as_str(), visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        if has_changed {
            ended.push(user.to_string());
        }
        self.note(&ended);
        if has_changed {
            self.live.keys().reread_owner(&OwnerId::Person(user.as_str().into())).await;
        }
        Ok(session)
    }

    /// Whom a provider has proven. What comes back without a way there costs whoever sends it nothing, so not all of it is
    /// written down.
    pub(super) async fn proven_by(
        &self,
        provider: &OpenIdProvider,
        errand: &Errand,
        query: &str,
        (action, subject): (&'static str, &str),
        visit: &Visit,
    ) -> Result<Proven, AccountError> {
        match provider.complete(errand, query).await {
            Ok(proven) => Ok(proven),
            Err(error) => {
                let is_stray = matches!(error, OpenIdError::Stray);
                let reason = if is_stray { RefusalReason::Stray } else { RefusalReason::Wrong };
                self.refused_because(reason, action, subject, visit).await?;
                Err(AccountError::Provider { provider: provider.settings().name.to_string(), error })
            }
        }
    }

    pub(super) async fn known_as(&self, issuer: &str, subject: &str) -> Result<Option<UserId>, AccountError> {
        const READ: &str = "SELECT user_id FROM external_identities WHERE issuer = $1 AND subject = $2";
        let row = self.store.row(Statement::new(READ).text(issuer).text(subject)).await?;
        Ok(row.map(|row| row.text("user_id")).transpose()?.map(|id| id.as_str().into()))
    }

    /// Who comes from there for the first time.
    pub(crate) async fn acquainted(
        &self,
        provider: &OpenIdProvider,
        proven: &Proven,
        visit: &Visit,
    ) -> Result<UserId, AccountError> {
        let settings = provider.settings();
        let name = settings.name.as_str();
        let email: Option<EmailAddress> = proven.verified_email.as_ref().and_then(|email| email.parse().ok());
        let Some(email) = email else {
            self.refused_because(RefusalReason::Unverified, "login.external", name, visit).await?;
            return Err(AccountError::Unknown(name.to_owned()));
        };
        let domain = email.as_str().rsplit_once('@').map_or("", |(_, domain)| domain);
        let speaks_for = settings.domains.iter().any(|own| own == domain);
        if !settings.domains.is_empty() && !speaks_for {
            self.refused_because(RefusalReason::Unknown, "login.external", email.as_str(), visit).await?;
            return Err(AccountError::Unknown(name.to_owned()));
        }
        let user = match self.person(&PersonId(email.as_str().into())).await {
            Ok(person) if speaks_for => person.id,
            Err(AccountError::Missing(_)) if settings.sign_up => {
                return self.admit_from(provider, proven, (&email, speaks_for), visit).await;
            }
            Ok(_) | Err(AccountError::Missing(_)) => {
                self.refused_because(RefusalReason::Unknown, "login.external", email.as_str(), visit).await?;
                return Err(AccountError::Unknown(name.to_owned()));
            }
            Err(error) => return Err(error),
        };
        let mut transaction = self.store.begin().await?;
        match link(&mut transaction, (settings, proven), &user, visit).await {
            // They came twice at once.
            Err(StoreError::Duplicate) => return Ok(user),
            linked => linked?,
        }
        transaction.commit().await?;
        Ok(user)
    }

    /// Makes an account, with its role and its link, or nothing at all. The address counts as verified where the provider
    /// speaks for its domain.
    async fn admit_from(
        &self,
        provider: &OpenIdProvider,
        proven: &Proven,
        (email, is_verified): (&EmailAddress, bool),
        visit: &Visit,
    ) -> Result<UserId, AccountError> {
        let name: String = proven
            .name
            .as_deref()
            .unwrap_or_default()
            .chars()
            .filter(|letter| !letter.is_control())
            .take(100)
            .collect();
        let name = if name.trim().is_empty() { email.as_str().to_owned() } else { name };
        let settings = provider.settings();
        let organization = match proven.organization.as_ref().or(settings.organization.as_ref()) {
            Some(named) => match self.organization(named).await {
                // One that is not here yet is made by nobody's token.
                Err(AccountError::Missing(_)) if proven.organization.is_some() => {
                    let reason = RefusalReason::Unknown;
                    self.refused_because(reason, "login.external", email.as_str(), visit).await?;
                    return Err(AccountError::Unknown(settings.name.to_string()));
                }
                found => Some(found?),
            },
            None => None,
        };
        let place = organization.as_ref().map_or("", |organization| organization.id.as_str());
        let mut transaction = self.store.everywhere().begin().await?;
        let made = NewAccount { email, name: &name, hash: None, is_verified };
        let made = made.write_with_role(&mut transaction, (place, "user"), visit).await;
        let made = match made {
            Ok(user) => link(&mut transaction, (settings, proven), &user, visit).await.map(|()| user),
            Err(error) => Err(error),
        };
        match made {
            Ok(user) => {
                transaction.commit().await?;
                Ok(user)
            }
            // They came twice at once.
            Err(StoreError::Duplicate) => {
                drop(transaction);
                let known = self.known_as(&settings.issuer, &proven.subject).await?;
                known.ok_or_else(|| AccountError::Taken(format!("`{email}`")))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The organisation that a provider is configured with, if the person belongs to it.
async fn usual_organization<'p>(
    transaction: &mut Transaction,
    user: &UserId,
    provider: &'p OpenIdProvider,
) -> Result<Option<&'p str>, AccountError> {
    let Some(usual) = provider.settings().organization.as_deref() else { return Ok(None) };
    match chosen_organization(transaction, user, Some(usual)).await {
        Ok(_) => Ok(Some(usual)),
        Err(AccountError::Missing(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// From now on whoever a provider proves by this subject is this person.
pub(super) async fn link(
    transaction: &mut Transaction,
    (provider, proven): (&Settings, &Proven),
    user: &UserId,
    visit: &Visit,
) -> Result<(), StoreError> {
    const LINK: &str =
        "INSERT INTO external_identities (issuer, subject, user_id, created_at) VALUES ($1, $2, $3, $4)";
    let link = Statement::new(LINK).text(provider.issuer.as_str()).text(proven.subject.as_str());
    transaction.execute(link.text(user.as_str()).integer(moment::now())).await?;
    let after = json!({ "provider": provider.name.as_str(), "subject": proven.subject });
    let details = json!({ "before": null, "after": after });
    done("user.link", user.as_str(), user.as_str(), visit, details).write(transaction).await
}
