//! Login and logout, and what begins and ends sessions.

use std::time::SystemTime;

use bartizan_model::{OrganizationId, SessionId, UserId};
use bartizan_store::{Row, Statement, StoreError, Transaction};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{
    AccountError, Accounts, EmailAddress, LoggedIn, Methods, PersonId, Visit,
    audit::{Entry, Outcome},
    factor_check::ShownFactor,
    link::Link,
    login_ticket::forget_tickets,
    proven_password::{ProvenPassword, chosen_at, hold_person},
    refusal::RefusalReason,
    secret::Admitted,
};
use crate::authorization_server::family;
use crate::password::{Password, PasswordHash};
use crate::session::{
    SessionToken,
    changes::SessionChanges,
    moment::{self, moment, span},
};

/// What somebody says to log in.
#[derive(Debug)]
pub struct Login {
    /// Who they say they are.
    pub email: String,
    /// The proof.
    pub password: SecretString,
    /// For which of their organisations, by id or name; without it the one they joined first.
    pub organization: Option<String>,
    /// The cookie of the device, if it has one: failures of strangers do not hold up whoever was here before.
    pub device: Option<SecretString>,
}

/// A session that has just begun.
#[derive(Debug)]
pub struct NewSession {
    /// The secret, for the cookie. It is known nowhere else.
    pub token: SessionToken,
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// For which organisation.
    pub organization: Option<OrganizationId>,
    /// When it ends, unless it is used.
    pub expires: SystemTime,
    /// The cookie by which the account knows this device from now on. It opens nothing.
    pub device: SecretString,
}

/// What is stored of somebody who wants in.
pub(crate) struct Credentials {
    pub(super) user: UserId,
    pub(crate) hash: Option<String>,
    chosen_at: i64,
    pub(super) is_disabled: bool,
}

impl Credentials {
    /// Their password, once it was right.
    pub(super) fn proven(self) -> ProvenPassword {
        ProvenPassword { user: self.user, chosen_at: self.chosen_at }
    }
}

/// What a login came to that was not paused.
enum Entered {
    In(LoggedIn),
    Refused(RefusalReason),
}

const FIND: &str = "SELECT u.id, u.disabled_at, p.hash, p.changed_at FROM users u \
    LEFT JOIN password_credentials p ON p.user_id = u.id WHERE u.email = $1";

impl Accounts {
    /// Begins a session. An unknown account, a wrong password and a person who may not enter are answered alike, after
    /// the same time.
    ///
    /// After five failures logins are paused, for the account as for the address. Whoever has a second factor is asked for
    /// it before there is a session.
    pub async fn log_in(&self, login: &Login, visit: &Visit) -> Result<LoggedIn, AccountError> {
        Box::pin(self.attempt(login, None, visit)).await
    }

    /// The same with a second factor at once, which also lets its owner in while passwords alone are paused: see
    /// `recovery`.
    pub async fn log_in_with_factor(
        &self,
        login: &Login,
        shown: &ShownFactor,
        visit: &Visit,
    ) -> Result<LoggedIn, AccountError> {
        match self.attempt(login, Some(shown), visit).await? {
            LoggedIn::SecondFactor(pending) => {
                let completing = Box::pin(self.complete_login(pending.ticket.secret(), shown, visit));
                completing.await.map(LoggedIn::Session)
            }
            session @ LoggedIn::Session(_) => Ok(session),
        }
    }

    async fn attempt(
        &self,
        login: &Login,
        shown: Option<&ShownFactor>,
        visit: &Visit,
    ) -> Result<LoggedIn, AccountError> {
        let email: Option<EmailAddress> = login.email.parse().ok();
        let told = email.as_ref().map_or(login.email.as_str(), EmailAddress::as_str);
        // Some type their password there: what is no address stays out of the trail.
        let audited = email.as_ref().map_or("", EmailAddress::as_str);
        let password = Password::new(&login.password).ok();
        let begun = self.protection.begin(told, login.device.as_ref(), password.as_ref(), visit).await;
        let ticket = match (begun, shown) {
            (Ok(ticket), _) => ticket,
            (Err(AccountError::Paused(pause)), Some(shown)) => {
                return Box::pin(self.come_back(login, password, shown, pause, visit)).await;
            }
            (Err(error), _) => {
                self.refused_because(RefusalReason::Paused, "login", audited, visit).await?;
                return Err(error);
            }
        };
        // Without mail nobody can be asked for more: right or wrong, they wait.
        let suspect = ticket.suspect();
        let stopped = suspect.filter(|_| self.mailer().is_err());
        match self.enter(login, email.as_ref(), password, suspect.is_some(), visit).await {
            Ok(Entered::In(logged_in)) => {
                self.protection.succeeded(ticket);
                Ok(logged_in)
            }
            Ok(Entered::Refused(reason)) => {
                if reason == RefusalReason::Suspect {
                    self.protection.withdrawn(ticket);
                } else {
                    self.protection.failed(ticket, visit);
                }
                self.refused_because(reason, "login", audited, visit).await?;
                Err(stopped.map_or(AccountError::WrongCredentials, AccountError::Paused))
            }
            Err(error) => {
                let error = self.undecided(ticket, error, "login", audited, visit).await;
                // Whoever hears it knows that the password is right.
                if matches!(error, AccountError::Missing(_)) {
                    self.refused_because(RefusalReason::Organization, "login", audited, visit).await?;
                }
                Err(error)
            }
        }
    }

    async fn enter(
        &self,
        login: &Login,
        email: Option<&EmailAddress>,
        password: Option<Password>,
        is_suspect: bool,
        visit: &Visit,
    ) -> Result<Entered, AccountError> {
        let known = match email {
            Some(email) => self.credentials(email).await?,
            None => None,
        };
        let hash = known.as_ref().and_then(|known| known.hash.as_deref());
        let (matches, renewed) = self.secrets.verify(password, hash).await?;
        let refused = match (known, email) {
            (Some(known), Some(email)) if matches && !known.is_disabled => {
                let (proven, organization) = (known.proven(), login.organization.as_deref());
                if let Some(hash) = renewed {
                    self.rehash(&proven, &hash).await?;
                }
                return Box::pin(self.let_in((&proven, email), organization, is_suspect, visit)).await;
            }
            (known, email) => self.why_refused(email, known.as_ref(), matches).await?,
        };
        Ok(Entered::Refused(refused))
    }

    /// The same password, hashed anew; not if another one was chosen meanwhile.
    async fn rehash(&self, proven: &ProvenPassword, hash: &PasswordHash) -> Result<(), StoreError> {
        const REHASH: &str =
            "UPDATE password_credentials SET hash = $3 WHERE user_id = $1 AND changed_at = $2";
        let rehash = Statement::new(REHASH).text(proven.user.as_str()).integer(proven.chosen_at);
        self.store.execute(rehash.text(hash.expose())).await.map(|_| ())
    }

    /// What a right password leads to, if nobody chose another one while it was looked at.
    async fn let_in(
        &self,
        (proven, email): (&ProvenPassword, &EmailAddress),
        organization: Option<&str>,
        is_suspect: bool,
        visit: &Visit,
    ) -> Result<Entered, AccountError> {
        let user = &proven.user;
        let factors = self.factor_kinds(user).await?;
        if !factors.is_empty() || is_suspect {
            if factors.is_empty() && self.mailer().is_err() {
                return Ok(Entered::Refused(RefusalReason::Suspect));
            }
            let pending = if factors.is_empty() {
                self.challenge(proven, organization, visit).await?
            } else {
                self.pend(proven, factors, organization, visit).await?
            };
            return Ok(pending.map_or(Entered::Refused(RefusalReason::Wrong), |pending| {
                Entered::In(LoggedIn::SecondFactor(pending))
            }));
        }
        let mut transaction = self.store.everywhere().begin().await?;
        if !proven.hold(&mut transaction).await? {
            return Ok(Entered::Refused(RefusalReason::Wrong));
        }
        let (session, ended) = self
            .begin_session(&mut transaction, (user, email), Methods::PASSWORD, organization, visit)
            .await?;
        let details = json!({
            "session": session.id.as_str(),
            "organization": session.organization.as_ref().map(OrganizationId::as_str),
        });
        done("login", user.as_str(), user.as_str(), visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        self.note(&ended);
        Ok(Entered::In(LoggedIn::Session(session)))
    }

    /// Ends a session. One that is not there any more is no error.
    pub async fn log_out(&self, token: &SessionToken, visit: &Visit) -> Result<(), AccountError> {
        const READ: &str = "SELECT id, user_id FROM sessions WHERE token_hash = $1";
        let found = self.store.everywhere().row(Statement::new(READ).text(token.digest().stored())).await?;
        let Some(row) = found else { return Ok(()) };
        let (id, user) = (row.text("id")?, row.text("user_id")?);
        let mut transaction = self.store.everywhere().begin().await?;
        end_session(&mut transaction, &id).await?;
        let details = json!({ "session": id });
        done("logout", &user, &user, visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        self.note(&[id]);
        Ok(())
    }

    pub(crate) async fn credentials(&self, email: &EmailAddress) -> Result<Option<Credentials>, StoreError> {
        let read = |row: Row| {
            Ok(Credentials {
                user: row.text("id")?.as_str().into(),
                hash: row.optional_text("hash")?,
                chosen_at: row.optional_integer("changed_at")?.unwrap_or_default(),
                is_disabled: row.optional_integer("disabled_at")?.is_some(),
            })
        };
        self.store.row(Statement::new(FIND).text(email.as_str())).await?.map(read).transpose()
    }

    /// A session of a person who has proven to be it, and the sessions that had to make room.
    pub(crate) async fn begin_session(
        &self,
        transaction: &mut Transaction,
        (user, email): (&UserId, &EmailAddress),
        methods: Methods,
        organization: Option<&str>,
        visit: &Visit,
    ) -> Result<(NewSession, Vec<String>), AccountError> {
        // Also the lock that lets two logins of one person happen one after the other.
        const ENTER: &str = "UPDATE users SET last_login_at = $2 WHERE id = $1 AND disabled_at IS NULL";
        const BEGIN: &str = "INSERT INTO sessions (id, token_hash, user_id, organization_id, created_at, \
            renewed_at, expires_at, seen_at, address, client, proven_at, methods) \
            VALUES ($1, $2, $3, $4, $5, $5, $6, $5, $7, $8, $5, $9)";
        let now = moment::now();
        let entered = transaction.execute(Statement::new(ENTER).text(user.as_str()).integer(now)).await?;
        if entered == 0 {
            return Err(AccountError::WrongCredentials);
        }
        let organization = chosen_organization(transaction, user, organization).await?;
        let (token, id, settings) = (SessionToken::generate()?, SessionId::generate(), self.live.settings());
        let expires_at = now.saturating_add(span(settings.lifetime.min(settings.absolute)));
        let begin = Statement::new(BEGIN)
            .text(id.as_str())
            .text(token.digest().stored())
            .text(user.as_str())
            .text(organization.as_ref().map_or("", OrganizationId::as_str))
            .integer(now)
            .integer(expires_at)
            .text(visit.address())
            .text(visit.client())
            .text(methods.stored());
        transaction.execute(begin).await?;
        let ended = make_room(transaction, user, settings.at_most, now).await?;
        let session = NewSession {
            token,
            id,
            user: user.clone(),
            organization,
            expires: moment(expires_at),
            device: self.protection.device_cookie(email.as_str())?,
        };
        Ok((session, ended))
    }

    /// Nothing that is remembered of these counts any longer.
    pub(crate) fn note(&self, subjects: &[String]) {
        for subject in subjects {
            self.live.changes().note(subject);
        }
        if let Some(tokens) = self.live.own_tokens() {
            tokens.look_now();
        }
    }

    /// Who is meant by an id or an e-mail address.
    pub(crate) async fn resolve(&self, who: &PersonId) -> Result<UserId, AccountError> {
        const READ: &str = "SELECT id FROM users WHERE id = $1 OR email = $2";
        let email: Option<EmailAddress> = who.0.parse().ok();
        let email = email.as_ref().map_or("", EmailAddress::as_str);
        let row = self.store.row(Statement::new(READ).text(who.0.as_str()).text(email)).await?;
        match row {
            Some(row) => Ok(row.text("id")?.as_str().into()),
            None => Err(AccountError::Missing(format!("person `{}`", who.0))),
        }
    }
}

pub(crate) fn done<'a>(
    action: &'static str,
    actor: &'a str,
    subject: &'a str,
    visit: &'a Visit,
    details: Value,
) -> Entry<'a> {
    Entry { action, outcome: Outcome::Done, actor, subject, visit, details }
}

/// Ends one session, here and for the other gateways.
pub(crate) async fn end_session(transaction: &mut Transaction, id: &str) -> Result<(), StoreError> {
    transaction.execute(Statement::new("DELETE FROM sessions WHERE id = $1").text(id)).await?;
    family::end_of_session(transaction, id).await?;
    SessionChanges::tell_and_revoke(transaction, id).await
}

/// Stores another password and ends the sessions that began with the old one. Returns what is to be noted.
pub(crate) async fn replace_password(
    transaction: &mut Transaction,
    user: &str,
    Admitted { hash, needs_second_factor }: &Admitted,
) -> Result<Vec<String>, StoreError> {
    const FORGET: &str = "DELETE FROM password_credentials WHERE user_id = $1";
    const KEEP: &str = "INSERT INTO password_credentials \
        (user_id, hash, changed_at, needs_second_factor) VALUES ($1, $2, $3, $4)";
    hold_person(transaction, user).await?;
    // Later than the one before, whatever the clock says: no two passwords of a person are chosen at one moment.
    let before = chosen_at(transaction, user).await?.unwrap_or_default();
    let now = moment::now().max(before.saturating_add(1));
    transaction.execute(Statement::new(FORGET).text(user)).await?;
    let keep = Statement::new(KEEP).text(user).text(hash.expose()).integer(now);
    transaction.execute(keep.integer(i64::from(*needs_second_factor))).await?;
    end_all(transaction, user).await
}

/// Ends every session of a person, and what was begun in one: whoever had got hold of it is to leave nothing behind. Returns
/// what is to be noted.
pub(crate) async fn end_all(transaction: &mut Transaction, user: &str) -> Result<Vec<String>, StoreError> {
    transaction.execute(Statement::new("DELETE FROM sessions WHERE user_id = $1").text(user)).await?;
    family::end_of_person(transaction, user).await?;
    forget_tickets(transaction, user).await?;
    Link::forget_all(transaction, user).await?;
    SessionChanges::tell_and_revoke(transaction, user).await?;
    Ok(vec![user.to_owned()])
}

/// Ends the oldest sessions of a person beyond `at_most`.
async fn make_room(
    transaction: &mut Transaction,
    user: &UserId,
    at_most: u32,
    now: i64,
) -> Result<Vec<String>, StoreError> {
    const LAPSED: &str = "DELETE FROM sessions WHERE user_id = $1 AND expires_at <= $2";
    const NEWEST_FIRST: &str = "SELECT id FROM sessions WHERE user_id = $1 ORDER BY created_at DESC, id DESC";
    transaction.execute(Statement::new(LAPSED).text(user.as_str()).integer(now)).await?;
    let rows = transaction.rows(Statement::new(NEWEST_FIRST).text(user.as_str())).await?;
    let mut ended = Vec::new();
    for row in rows.iter().skip(usize::try_from(at_most).unwrap_or(usize::MAX)) {
        let id = row.text("id")?;
        end_session(transaction, &id).await?;
        ended.push(id);
    }
    Ok(ended)
}

/// The organisation that was asked for, if the person belongs to it; else the one they joined first.
pub(crate) async fn chosen_organization(
    transaction: &mut Transaction,
    user: &UserId,
    asked: Option<&str>,
) -> Result<Option<OrganizationId>, AccountError> {
    const READ: &str = "SELECT o.id, o.name FROM role_bindings r \
        JOIN organizations o ON o.id = r.organization_id WHERE r.user_id = $1 \
        AND (r.expires_at IS NULL OR r.expires_at > $2) ORDER BY r.created_at, o.id";
    let mut joined = Vec::new();
    for row in transaction.rows(Statement::new(READ).text(user.as_str()).integer(moment::now())).await? {
        joined.push((row.text("id")?, row.text("name")?));
    }
    let found = match asked {
        None => joined.first(),
        Some(asked) => {
            let found = joined.iter().find(|(id, name)| id == asked || name == asked);
            Some(found.ok_or_else(|| AccountError::Missing("organisation of yours with this name".into()))?)
        }
    };
    Ok(found.map(|(id, _)| id.as_str().into()))
}

#[cfg(test)]
mod tests;
