//! Logins that wait for a second factor: the password was right, and there is no session yet.

use std::time::{Duration, SystemTime};

use bartizan_model::UserId;
use bartizan_store::{Statement, StoreError, Transaction};
use secrecy::SecretString;
use serde_json::json;

use super::{
    AccountError, Accounts, EmailAddress, FactorKind, LinkToken, Methods, NewSession, ShownFactor, Visit,
    factor_check::Owner,
    login::done,
    proven_password::{ProvenPassword, hold_person},
};
use crate::session::moment::{self, span};

/// How long a login may wait.
const LIFETIME: Duration = Duration::from_mins(10);

/// What a login leads to.
#[derive(Debug)]
pub enum LoggedIn {
    /// A session.
    Session(NewSession),
    /// The password was right; a second factor is asked for.
    SecondFactor(PendingLogin),
}

/// A login that waits for a second factor.
#[derive(Debug)]
pub struct PendingLogin {
    /// What to say with the factor. It opens nothing alone.
    pub ticket: LinkToken,
    /// What may be shown.
    pub factors: Vec<FactorKind>,
    /// When it ends.
    pub expires: SystemTime,
}

/// Whose login waits.
pub(crate) struct Waiting {
    pub(crate) user: UserId,
    pub(crate) email: EmailAddress,
    organization: String,
    /// It waits for a code by e-mail, whatever its person has enrolled.
    is_challenge: bool,
}

impl Accounts {
    /// Lets a login wait for one of these factors; none if its password is another one by now.
    pub(crate) async fn pend(
        &self,
        proven: &ProvenPassword,
        factors: Vec<FactorKind>,
        organization: Option<&str>,
        visit: &Visit,
    ) -> Result<Option<PendingLogin>, AccountError> {
        self.write_ticket(proven, factors, false, organization, visit).await
    }

    /// Lets a login that looks like credential stuffing wait for a code by e-mail, of a person without a second factor.
    pub(crate) async fn challenge(
        &self,
        proven: &ProvenPassword,
        organization: Option<&str>,
        visit: &Visit,
    ) -> Result<Option<PendingLogin>, AccountError> {
        self.write_ticket(proven, vec![FactorKind::Email], true, organization, visit).await
    }

    async fn write_ticket(
        &self,
        proven: &ProvenPassword,
        factors: Vec<FactorKind>,
        is_challenge: bool,
        organization: Option<&str>,
        visit: &Visit,
    ) -> Result<Option<PendingLogin>, AccountError> {
        const WRITE: &str = "INSERT INTO login_tickets (token_hash, user_id, organization, created_at, expires_at, \
            is_challenge) VALUES ($1, $2, $3, $4, $5, $6)";
        let (user, ticket, now) = (&proven.user, LinkToken::generate()?, moment::now());
        let expires = now.saturating_add(span(LIFETIME));
        let write = Statement::new(WRITE)
            .text(ticket.stored())
            .text(user.as_str())
            .text(organization.unwrap_or_default())
            .integer(now)
            .integer(expires)
            .integer(i64::from(is_challenge));
        let mut transaction = self.store.begin().await?;
        if !proven.hold(&mut transaction).await? {
            return Ok(None);
        }
        transaction.execute(write).await?;
        done("login.password", user.as_str(), user.as_str(), visit, json!({}))
            .write(&mut transaction)
            .await?;
        transaction.commit().await?;
        Ok(Some(PendingLogin { ticket, factors, expires: moment::moment(expires) }))
    }

    /// Completes a login with a second factor. A wrong code leaves the login waiting.
    pub async fn complete_login(
        &self,
        ticket: &SecretString,
        shown: &ShownFactor,
        visit: &Visit,
    ) -> Result<NewSession, AccountError> {
        let ticket = LinkToken::presented(ticket).map_err(|_| AccountError::Ticket)?;
        let waiting = self.waiting_login(&ticket).await?;
        let owner = Owner { user: &waiting.user, email: &waiting.email };
        // Whoever answers a challenge has shown that they read the mail, and has no second factor for it.
        let proven = if waiting.is_challenge {
            self.check_challenge(owner, shown, visit).await?;
            Methods::PASSWORD
        } else {
            self.check_factor(owner, shown, "login", visit).await?;
            shown.kind.methods()
        };
        self.enter_waiting(&ticket, &waiting, (shown.kind, proven), visit).await
    }

    /// Begins the session of a login whose second factor was right.
    pub(crate) async fn enter_waiting(
        &self,
        ticket: &LinkToken,
        Waiting { user, email, organization, .. }: &Waiting,
        (kind, shown): (FactorKind, Methods),
        visit: &Visit,
    ) -> Result<NewSession, AccountError> {
        const TAKE: &str = "DELETE FROM login_tickets WHERE token_hash = $1";
        let mut transaction = self.store.everywhere().begin().await?;
        // Another password takes all tickets away: before this one is used, or together with the session.
        hold_person(&mut transaction, user.as_str()).await?;
        if transaction.execute(Statement::new(TAKE).text(ticket.stored())).await? == 0 {
            return Err(AccountError::Ticket);
        }
        let organization = Some(organization.as_str()).filter(|organization| !organization.is_empty());
        let methods = Methods::PASSWORD.and(shown);
        let (session, ended) =
            self.begin_session(&mut transaction, (user, email), methods, organization, visit).await?;
        let details = json!({ "session": session.id.as_str(), "factor": kind.name() });
        done("login", user.as_str(), user.as_str(), visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        self.note(&ended);
        Ok(session)
    }

    /// Sends a code to the address of a login that waits, if it is one of its factors.
    pub async fn send_login_code(&self, ticket: &SecretString) -> Result<(), AccountError> {
        let ticket = LinkToken::presented(ticket).map_err(|_| AccountError::Ticket)?;
        let Waiting { user, email, is_challenge, .. } = self.waiting_login(&ticket).await?;
        if !is_challenge && !self.factor_kinds(&user).await?.contains(&FactorKind::Email) {
            return Err(AccountError::Missing("second factor of yours that codes are sent to".into()));
        }
        self.send_code(Owner { user: &user, email: &email }).await
    }

    pub(crate) async fn waiting_login(&self, ticket: &LinkToken) -> Result<Waiting, AccountError> {
        const READ: &str = "SELECT t.user_id, t.organization, t.is_challenge, u.email FROM login_tickets t \
            JOIN users u ON u.id = t.user_id AND u.disabled_at IS NULL WHERE t.token_hash = $1 AND t.expires_at > $2";
        let read = Statement::new(READ).text(ticket.stored()).integer(moment::now());
        let row = self.store.row(read).await?.ok_or(AccountError::Ticket)?;
        let nonsense = |_| StoreError::Nonsense { what: "an e-mail address" };
        Ok(Waiting {
            user: row.text("user_id")?.as_str().into(),
            email: row.text("email")?.parse().map_err(nonsense)?,
            organization: row.text("organization")?,
            is_challenge: row.integer("is_challenge")? != 0,
        })
    }
}

/// Logins of a person that wait go no further: their password was changed, or they may not enter.
pub(crate) async fn forget_tickets(transaction: &mut Transaction, user: &str) -> Result<(), StoreError> {
    const FORGET: &str = "DELETE FROM login_tickets WHERE user_id = $1";
    transaction.execute(Statement::new(FORGET).text(user)).await.map(|_| ())
}
