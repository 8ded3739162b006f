//! Who somebody is at other providers: linked, listed, and unlinked again.

use std::time::SystemTime;

use bartizan_model::UserId;
use bartizan_store::{Row, Statement, StoreError, Transaction};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{
    AccountError, Accounts, CurrentSession, FactorKind, Methods, PersonId, Visit,
    external::link,
    letters,
    login::{done, end_all},
    own_sessions::end_each,
};
use crate::{
    openid::{Errand, OpenIdProvider},
    session::{SessionToken, moment},
};

/// Who somebody is at another provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedIdentity {
    /// By what this is known here.
    pub id: String,
    /// The name of the provider; `None`: it is configured no longer.
    pub provider: Option<String>,
    /// Its issuer.
    pub issuer: String,
    /// By which id it knows them.
    pub subject: String,
    /// Since when.
    pub linked: SystemTime,
}

/// A person has at most so many.
const MOST: usize = 20;

impl Accounts {
    /// Begins to link somebody at `provider` to the person of a session, who was proven lately: where to send the browser.
    pub async fn begin_link(
        &self,
        provider: &OpenIdProvider,
        errand: Errand,
        token: &SessionToken,
        visit: &Visit,
    ) -> Result<(Errand, String), AccountError> {
        self.fresh(token, visit).await?;
        let errand = errand.linking(token);
        let url = provider.begin(&errand).await.map_err(|error| AccountError::Provider {
            provider: provider.settings().name.to_string(),
            error,
        })?;
        Ok((errand, url.into()))
    }

    /// Links who came back from `provider` with this query to the person of the session that sent them there. From now on they
    /// log in there, too.
    pub async fn link_from(
        &self,
        provider: &OpenIdProvider,
        (errand, query): (&Errand, &str),
        token: &SessionToken,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        let session = self.fresh(token, visit).await?;
        let settings = provider.settings();
        if !errand.is_tied_to(token) {
            return Err(AccountError::Provider {
                provider: settings.name.to_string(),
                error: crate::openid::OpenIdError::Stray,
            });
        }
        let user = &session.user;
        let proven = self.proven_by(provider, errand, query, ("user.link", user.as_str()), visit).await?;
        let others = || AccountError::Taken(format!("this login at `{}`", settings.name));
        match self.known_as(&settings.issuer, &proven.subject).await? {
            Some(known) if known == *user => return Ok(()),
            // Whose it is, nobody else learns.
            Some(_) => return Err(others()),
            None => {}
        }
        let mut transaction = self.store.everywhere().begin().await?;
        lock(&mut transaction, user).await?;
        if self.linked(&mut transaction, user).await?.len() >= MOST {
            return Err(AccountError::Taken("every place for a login at another provider".into()));
        }
        match link(&mut transaction, (settings, &proven), user, visit).await {
            Err(StoreError::Duplicate) => return Err(others()),
            linked => linked?,
        }
        transaction.commit().await?;
        self.tell(letters::logins_changed(&session.email));
        Ok(())
    }

    /// Who the person of a session is at other providers.
    pub async fn own_identities(&self, token: &SessionToken) -> Result<Vec<LinkedIdentity>, AccountError> {
        let session = self.current_session(token).await?;
        self.linked(&mut self.store.everywhere().begin().await?, &session.user).await
    }

    /// The same of anybody.
    pub async fn identities(&self, who: &PersonId) -> Result<Vec<LinkedIdentity>, AccountError> {
        let user = self.resolve(who).await?;
        self.linked(&mut self.store.everywhere().begin().await?, &user).await
    }

    /// Unlinks the person of a session, who was proven lately, unless they could not get in any more. Every other session of
    /// theirs ends: who began it is not known.
    pub async fn unlink_own(
        &self,
        token: &SessionToken,
        id: &str,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        const OTHERS: &str = "SELECT id FROM sessions WHERE user_id = $1 AND id <> $2";
        let session = self.fresh(token, visit).await?;
        let user = session.user.as_str();
        let mut transaction = self.store.everywhere().begin().await?;
        lock(&mut transaction, &session.user).await?;
        self.unlink(&mut transaction, &session.user, id, user, visit).await?;
        if !self.has_another_way_in(&mut transaction, &session).await? {
            return Err(AccountError::LastWayIn);
        }
        let others = Statement::new(OTHERS).text(user).text(session.id.as_str());
        let ended = end_each(&mut transaction, others).await?;
        transaction.commit().await?;
        self.note(&ended);
        self.tell(letters::logins_changed(&session.email));
        Ok(())
    }

    /// Unlinks anybody, and ends their sessions: an operator does, also where they could not get in any more.
    pub async fn unlink_person(
        &self,
        who: &PersonId,
        id: &str,
        actor: &str,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        let person = self.person(who).await?;
        let mut transaction = self.store.everywhere().begin().await?;
        self.unlink(&mut transaction, &person.id, id, actor, visit).await?;
        let ended = end_all(&mut transaction, person.id.as_str()).await?;
        transaction.commit().await?;
        self.note(&ended);
        if let Ok(email) = person.email.parse() {
            self.tell(letters::logins_changed(&email));
        }
        Ok(())
    }

    async fn unlink(
        &self,
        transaction: &mut Transaction,
        user: &UserId,
        id: &str,
        actor: &str,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        const UNLINK: &str =
            "DELETE FROM external_identities WHERE issuer = $1 AND subject = $2 AND user_id = $3";
        let linked = self.linked(transaction, user).await?;
        let found = linked.into_iter().find(|identity| identity.id == id);
        let missing = || AccountError::Missing("login at another provider with this id".into());
        let LinkedIdentity { provider, issuer, subject, .. } = found.ok_or_else(missing)?;
        let unlink = Statement::new(UNLINK).text(issuer.as_str()).text(subject.as_str()).text(user.as_str());
        transaction.execute(unlink).await?;
        let before = json!({ "provider": provider.unwrap_or(issuer), "subject": subject });
        let details = json!({ "before": before, "after": null });
        done("user.unlink", actor, user.as_str(), visit, details).write(transaction).await?;
        Ok(())
    }

    async fn linked(
        &self,
        transaction: &mut Transaction,
        user: &UserId,
    ) -> Result<Vec<LinkedIdentity>, AccountError> {
        const READ: &str = "SELECT issuer, subject, created_at FROM external_identities WHERE user_id = $1 \
            ORDER BY created_at, issuer, subject";
        let rows = transaction.rows(Statement::new(READ).text(user.as_str())).await?;
        let providers = self.providers();
        let identity = |row: &Row| {
            let (issuer, subject) = (row.text("issuer")?, row.text("subject")?);
            let named = providers.iter().find(|provider| provider.settings().issuer == issuer);
            Ok(LinkedIdentity {
                id: id_of(&issuer, &subject),
                provider: named.map(|provider| provider.settings().name.to_string()),
                linked: moment::moment(row.integer("created_at")?),
                issuer,
                subject,
            })
        };
        Ok(rows.iter().map(identity).collect::<Result<_, StoreError>>()?)
    }

    /// Whether the person of a session can begin another: by a password, at a provider, or with the passkey that this one
    /// began with, whose authenticator verifies who holds it.
    async fn has_another_way_in(
        &self,
        transaction: &mut Transaction,
        session: &CurrentSession,
    ) -> Result<bool, AccountError> {
        const PASSWORDS: &str = "SELECT COUNT(*) AS count FROM password_credentials WHERE user_id = $1";
        const PASSKEYS: &str = "SELECT COUNT(*) AS count FROM second_factors \
            WHERE user_id = $1 AND kind = $2 AND confirmed_at IS NOT NULL";
        if self.linked(transaction, &session.user).await?.iter().any(|one| one.provider.is_some()) {
            return Ok(true);
        }
        let user = session.user.as_str();
        let mut read = vec![Statement::new(PASSWORDS).text(user)];
        if self.passkeys().is_ok() && session.methods.and(Methods::VERIFIED_PASSKEY) == session.methods {
            read.push(Statement::new(PASSKEYS).text(user).text(FactorKind::Passkey.name()));
        }
        for read in read {
            let row = transaction.row(read).await?;
            if row.map(|row| row.integer("count")).transpose()?.unwrap_or_default() > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Lets two changes of one person's links happen one after the other.
async fn lock(transaction: &mut Transaction, user: &UserId) -> Result<(), StoreError> {
    const LOCK: &str = "UPDATE users SET email = email WHERE id = $1";
    transaction.execute(Statement::new(LOCK).text(user.as_str())).await.map(|_| ())
}

/// What a link is known by: neither issuer nor subject is fit for a path.
fn id_of(issuer: &str, subject: &str) -> String {
    let digest = Sha256::new().chain_update(issuer).chain_update("\0").chain_update(subject).finalize();
    URL_SAFE_NO_PAD.encode(digest)
}
