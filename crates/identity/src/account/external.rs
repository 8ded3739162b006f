//! Login of people whom another provider has proven.

use std::sync::Arc;

use bartizan_model::UserId;
use bartizan_store::{Statement, StoreError, Transaction};
use http::HeaderMap;
use serde_json::json;

use super::{
    AccountError, Accounts, EmailAddress, Methods, NewPerson, NewSession, PersonId, Visit, login::done,
    refusal::RefusalReason,
};
use crate::{
    openid::{Errand, OpenIdProvider, Proven},
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

    /// Begins a session for the person who came back from `provider` with this query.
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
        let proven = match provider.complete(errand, query).await {
            Ok(proven) => proven,
            Err(error) => {
                self.refused("login.external", name, visit).await?;
                return Err(AccountError::Provider { provider: name.to_owned(), error });
            }
        };
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
        let mut transaction = self.store.everywhere().begin().await?;
        let (session, ended) =
            self.begin_session(&mut transaction, (&user, &email), Methods::PROVIDER, None, visit).await?;
        let details = json!({ "session": session.id.as_str(), "provider": name });
        done("login.external", user.as_str(), user.as_str(), visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        self.note(&ended);
        Ok(session)
    }

    async fn known_as(&self, issuer: &str, subject: &str) -> Result<Option<UserId>, AccountError> {
        const READ: &str = "SELECT user_id FROM external_identities WHERE issuer = $1 AND subject = $2";
        let row = self.store.row(Statement::new(READ).text(issuer).text(subject)).await?;
        Ok(row.map(|row| row.text("user_id")).transpose()?.map(|id| id.as_str().into()))
    }

    /// Who comes from there for the first time.
    async fn acquainted(
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
                self.admit_from(provider, proven, &email, visit).await?
            }
            Ok(_) | Err(AccountError::Missing(_)) => {
                self.refused_because(RefusalReason::Unknown, "login.external", email.as_str(), visit).await?;
                return Err(AccountError::Unknown(name.to_owned()));
            }
            Err(error) => return Err(error),
        };
        let mut transaction = self.store.begin().await?;
        match link(&mut transaction, (&settings.issuer, &proven.subject), &user).await {
            // They came twice at once.
            Err(StoreError::Duplicate) => return Ok(user),
            linked => linked?,
        }
        let after = json!({ "provider": name, "subject": proven.subject });
        let details = json!({ "before": null, "after": after });
        done("user.link", user.as_str(), user.as_str(), visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        Ok(user)
    }

    async fn admit_from(
        &self,
        provider: &OpenIdProvider,
        proven: &Proven,
        email: &EmailAddress,
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
        let roles = if organization.is_some() { Vec::new() } else { vec!["user".to_owned()] };
        let new = NewPerson { email: email.as_str().to_owned(), name, password: None, roles };
        let person = self.create_person(new, "", visit).await?;
        if let Some(organization) = organization {
            let (id, who) = (person.id.as_str(), PersonId(person.id.as_str().into()));
            self.add_role(Some(organization.id.as_str()), &who, "user", id, visit).await?;
        }
        Ok(person.id)
    }
}

async fn link(
    transaction: &mut Transaction,
    (issuer, subject): (&str, &str),
    user: &UserId,
) -> Result<(), StoreError> {
    const LINK: &str =
        "INSERT INTO external_identities (issuer, subject, user_id, created_at) VALUES ($1, $2, $3, $4)";
    let link = Statement::new(LINK).text(issuer).text(subject).text(user.as_str()).integer(moment::now());
    transaction.execute(link).await?;
    Ok(())
}
