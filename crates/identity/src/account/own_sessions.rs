//! What people see and end of their own sessions, and administrators of theirs.

use std::{sync::Arc, time::SystemTime};

use bartizan_model::{OrganizationId, SessionId, UserId};
use bartizan_store::{Row, Statement, StoreError, Transaction};
use http::HeaderMap;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{
    AccountError, Accounts, EmailAddress, Methods, Page, Part, PersonId, Visit,
    login::{done, end_all, end_session},
};
use crate::{
    holder::Term,
    session::{Home, SessionToken, cookie, live::Unavailable, moment},
};

/// A session, for the person who holds it.
#[derive(Debug, Clone)]
pub struct CurrentSession {
    /// Its id.
    pub id: SessionId,
    /// Who.
    pub user: UserId,
    /// By which address they are known.
    pub email: EmailAddress,
    /// What they are called.
    pub name: String,
    /// For which organisation.
    pub organization: Option<OrganizationId>,
    /// What they are.
    pub roles: Vec<String>,
    /// What they may do.
    pub permissions: Vec<String>,
    /// When it ends, unless it is used.
    pub expires: SystemTime,
    /// When its person was proven last.
    pub proven: SystemTime,
    /// By what.
    pub methods: Methods,
    /// Whether its person has a second factor.
    pub has_second_factor: bool,
    /// By when its person must have one; `None`: nobody asks for it, or it is there.
    pub second_factor_due: Option<SystemTime>,
    /// Whether a role asks for the second factor of its person, who has not shown it.
    pub must_step_up: bool,
    /// Where its person was proven last.
    pub home: Arc<Home>,
    /// What its person may do, and how long.
    pub(crate) terms: Vec<Term>,
}

/// A session in a list.
#[derive(Debug, Clone)]
pub struct SessionSummary {
    /// Its id. No secret: it opens nothing.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// When it began.
    pub created: SystemTime,
    /// When it was used last, to about five minutes.
    pub seen: SystemTime,
    /// When it ends, unless it is used.
    pub expires: SystemTime,
    /// From where it began.
    pub address: String,
    /// What the client called itself then.
    pub client: String,
}

impl Accounts {
    /// The token of the session cookie among these headers.
    pub fn presented(&self, headers: &HeaderMap) -> Result<SessionToken, AccountError> {
        let settings = self.live.settings();
        let value = cookie::find(headers, &settings.cookie).ok().flatten();
        value.and_then(SessionToken::presented).ok_or(AccountError::NoSession)
    }

    /// The cookie of the device among these headers.
    pub fn presented_device(&self, headers: &HeaderMap) -> Option<SecretString> {
        let value = cookie::find(headers, &self.live.settings().device_cookie()).ok().flatten()?;
        std::str::from_utf8(value).ok().map(SecretString::from)
    }

    /// What is known of the holder of this token.
    pub async fn current_session(&self, token: &SessionToken) -> Result<CurrentSession, AccountError> {
        const READ: &str = "SELECT email, name FROM users WHERE id = $1";
        let live = self.live.read(&token.digest()).await;
        let live = live.map_err(|Unavailable| AccountError::Unavailable)?.ok_or(AccountError::NoSession)?;
        let row = self.store.row(Statement::new(READ).text(live.user.as_str())).await?;
        let row = row.ok_or(AccountError::NoSession)?;
        let held = self.held_in(&live);
        let nonsense = |_| StoreError::Nonsense { what: "an e-mail address" };
        Ok(CurrentSession {
            home: Arc::new(live.home()),
            terms: self.terms_of(&live),
            email: row.text("email")?.parse().map_err(nonsense)?,
            name: row.text("name")?,
            permissions: held.grants.iter().map(ToString::to_string).collect(),
            id: live.id,
            user: live.user,
            organization: live.organization,
            roles: held.roles,
            expires: live.expires,
            proven: live.proven,
            methods: live.methods,
            has_second_factor: live.has_second_factor,
            second_factor_due: live.second_factor_due,
            must_step_up: live.must_step_up,
        })
    }

    /// The same, if its person has shown the second factor that a role asks for, or has time to enrol one.
    pub(crate) async fn full_session(&self, token: &SessionToken) -> Result<CurrentSession, AccountError> {
        let session = self.current_session(token).await?;
        if session.second_factor_due.is_some_and(|due| due <= SystemTime::now()) {
            return Err(AccountError::MustEnrol);
        }
        if session.must_step_up {
            return Err(AccountError::StepUp);
        }
        Ok(session)
    }

    /// The sessions of one person, or of everybody, the newest first.
    pub async fn sessions_of(
        &self,
        user: Option<&UserId>,
        page: &Page,
    ) -> Result<Part<SessionSummary>, AccountError> {
        // Later ids sort behind earlier ones.
        const READ: &str = "SELECT id, user_id, created_at, seen_at, expires_at, address, client FROM sessions \
            WHERE expires_at > $1 AND ($2 = '' OR user_id = $2) AND ($3 = '' OR id < $3) ORDER BY id DESC LIMIT $4";
        let read = Statement::new(READ).integer(moment::now()).text(user.map_or("", UserId::as_str));
        let read = read.text(page.begins_after()).integer(page.to_read());
        let rows = self.store.everywhere().rows(read).await?;
        let sessions = rows.iter().map(SessionSummary::of).collect::<Result<_, _>>()?;
        Ok(page.part(sessions, |session: &SessionSummary| session.id.to_string()))
    }

    /// Ends a session; `owner`: only if it is theirs.
    pub async fn revoke_session(
        &self,
        id: &str,
        owner: Option<&UserId>,
        actor: &str,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        const READ: &str = "SELECT user_id FROM sessions WHERE id = $1 AND ($2 = '' OR user_id = $2)";
        let mut transaction = self.store.everywhere().begin().await?;
        let read = Statement::new(READ).text(id).text(owner.map_or("", UserId::as_str));
        let found = transaction.row(read).await?;
        let user =
            found.ok_or_else(|| AccountError::Missing("session with this id".into()))?.text("user_id")?;
        end_session(&mut transaction, id).await?;
        let details = json!({ "session": id, "before": { "session": id }, "after": null });
        done("session.revoke", actor, &user, visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        self.note(&[id.to_owned()]);
        Ok(())
    }

    /// Ends every session of the person of this one but this one.
    pub async fn revoke_other_sessions(
        &self,
        token: &SessionToken,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        const OTHERS: &str = "SELECT id FROM sessions WHERE user_id = $1 AND id <> $2";
        let session = self.current_session(token).await?;
        let user = session.user.as_str();
        let mut transaction = self.store.everywhere().begin().await?;
        let others = Statement::new(OTHERS).text(user).text(session.id.as_str());
        let ended = end_each(&mut transaction, others).await?;
        let details = json!({
            "sessions": "others", "ended": ended.len(),
            "before": { "sessions": ended.len() + 1 }, "after": { "sessions": 1 },
        });
        done("session.revoke", user, user, visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        self.note(&ended);
        Ok(())
    }

    /// Ends every session that acts for an organisation, by its id or name. Their people may log in again.
    pub async fn revoke_sessions_for(
        &self,
        organization: &str,
        actor: &str,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        const ALL: &str = "SELECT id FROM sessions WHERE organization_id = $1";
        let organization = self.organization(organization).await?.id;
        let mut transaction = self.store.everywhere().begin().await?;
        let all = Statement::new(ALL).text(organization.as_str());
        let ended = end_each(&mut transaction, all).await?;
        let details = of_all(ended.len());
        let entry = done("session.revoke", actor, organization.as_str(), visit, details);
        entry.write(&mut transaction).await?;
        transaction.commit().await?;
        self.note(&ended);
        Ok(())
    }

    /// Ends every session of a person.
    pub async fn revoke_sessions_of(
        &self,
        who: &PersonId,
        actor: &str,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        let user = self.resolve(who).await?;
        let mut transaction = self.store.everywhere().begin().await?;
        let ended = end_all(&mut transaction, user.as_str()).await?;
        let entry = done("session.revoke", actor, user.as_str(), visit, of_all(ended.len()));
        entry.write(&mut transaction).await?;
        transaction.commit().await?;
        self.note(&ended);
        Ok(())
    }
}

/// What the trail says where every session has ended.
pub(super) fn of_all(ended: usize) -> Value {
    json!({ "sessions": "all", "ended": ended, "before": { "sessions": ended }, "after": { "sessions": 0 } })
}

/// Ends the sessions that are found. Returns what is to be noted.
pub(crate) async fn end_each(
    transaction: &mut Transaction,
    found: Statement,
) -> Result<Vec<String>, StoreError> {
    let rows = transaction.rows(found).await?;
    let ids = rows.iter().map(|row| row.text("id")).collect::<Result<Vec<_>, _>>()?;
    for id in &ids {
        end_session(transaction, id).await?;
    }
    Ok(ids)
}

impl SessionSummary {
    pub(super) fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.text("id")?.as_str().into(),
            user: row.text("user_id")?.as_str().into(),
            created: moment::moment(row.integer("created_at")?),
            seen: moment::moment(row.integer("seen_at")?),
            expires: moment::moment(row.integer("expires_at")?),
            address: row.text("address")?,
            client: row.text("client")?,
        })
    }
}
