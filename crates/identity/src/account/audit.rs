//! The audit trail: what happened to accounts, who did it, from where.

use std::{borrow::Cow, time::SystemTime};

use bartizan_store::{Row, Statement, Store, StoreError, Transaction};
use serde_json::{Value, json};

use super::{AccountError, Accounts, Authority, PersonId, Visit, login::done, refusal::LONGEST_SUBJECT};
use crate::session::moment;

const WRITE: &str = "INSERT INTO audit_entries \
    (id, at, action, outcome, actor, subject, address, client, request_id, details, organization_id) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";

/// How it went.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Outcome {
    Done,
    Refused,
}

/// One line of the trail.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) action: &'static str,
    pub(crate) outcome: Outcome,
    /// The id of the person who did it; `operator` for whoever holds the admin token; empty for nobody known.
    pub(crate) actor: &'a str,
    /// Whom or what it was done to.
    pub(crate) subject: &'a str,
    pub(crate) visit: &'a Visit,
    /// No secrets.
    pub(crate) details: Value,
}

/// What changes nothing that could be compared: logins and their like, what is asked of tokens, and what strangers begin.
const EVENTS: [&str; 15] = [
    "user.sign_up",
    "login",
    "login.password",
    "login.external",
    "login.pause",
    "login.stuffing",
    "logout",
    "session.moved",
    "session.step_up",
    "password.forgotten",
    "service.authenticate",
    "token.issue",
    "token.refresh",
    "token.exchange",
    "token.reuse",
];

/// A change of what nobody may read: that it has changed is all that is told.
pub(crate) fn of_secret(name: &str) -> Value {
    json!({ "before": { name: "***" }, "after": { name: "***" } })
}

impl Entry<'_> {
    /// Whether a change says what was before and after.
    fn is_complete(&self) -> bool {
        let is_change = matches!(self.outcome, Outcome::Done) && !EVENTS.contains(&self.action);
        let tells = |side: &str| self.details.get(side).is_some();
        !is_change || (tells("before") && tells("after"))
    }

    fn written(&self) -> Written {
        // INVARIANT: whoever writes an entry of a change says both; the tests write entries of every kind.
        debug_assert!(self.is_complete(), "`{}` says {}", self.action, self.details);
        let outcome = match self.outcome {
            Outcome::Done => "done",
            Outcome::Refused => "refused",
        };
        let entry = AuditEntry {
            id: uuid::Uuid::now_v7().to_string(),
            at: moment::moment(moment::now()),
            action: self.action.into(),
            outcome: outcome.into(),
            actor: self.actor().into_owned(),
            subject: self.subject.into(),
            address: self.visit.address(),
            client: self.visit.client(),
            request_id: self.visit.request_id.clone(),
            details: self.details.clone(),
        };
        Written { entry, organization: self.organization().into() }
    }

    /// Who did it. Of operators the request says which.
    fn actor(&self) -> Cow<'_, str> {
        match &self.visit.operator {
            Some(name) if self.actor == Accounts::OPERATOR => {
                Cow::Owned(format!("{}/{name}", Accounts::OPERATOR))
            }
            _ => Cow::Borrowed(self.actor),
        }
    }

    /// The organisation that the details name, of the change itself or of what was changed.
    fn organization(&self) -> &str {
        let places = [None, Some("after"), Some("before")].map(|place| match place {
            None => self.details.get("organization"),
            Some(place) => self.details.get(place).and_then(|row| row.get("organization")),
        });
        places.into_iter().flatten().find_map(Value::as_str).unwrap_or_default()
    }

    /// With the change itself.
    pub(crate) async fn write(&self, transaction: &mut Transaction) -> Result<(), StoreError> {
        let written = self.written();
        transaction.execute(written.statement()).await?;
        transaction.tell(written);
        self.log();
        Ok(())
    }

    /// For what changes nothing.
    pub(crate) async fn write_alone(&self, store: &Store) -> Result<(), StoreError> {
        let written = self.written();
        store.execute(written.statement()).await?;
        store.tell(&written);
        self.log();
        Ok(())
    }

    fn log(&self) {
        tracing::info!(
            audit = true,
            action = self.action,
            outcome = ?self.outcome,
            actor = %self.actor(),
            subject = self.subject,
            client = self.visit.address(),
            request_id = self.visit.request_id,
            "accounts"
        );
    }
}

/// An entry as it is written, and as whoever observes the trail is told of it.
#[derive(Debug)]
struct Written {
    entry: AuditEntry,
    /// By its id; empty for none.
    organization: String,
}

impl Written {
    fn statement(&self) -> Statement {
        let Self { entry, organization } = self;
        Statement::new(WRITE)
            .text(entry.id.as_str())
            .integer(moment::milliseconds(entry.at))
            .text(entry.action.as_str())
            .text(entry.outcome.as_str())
            .text(entry.actor.as_str())
            .text(entry.subject.as_str())
            .text(entry.address.as_str())
            .text(entry.client.as_str())
            .text(entry.request_id.as_str())
            .text(entry.details.to_string())
            .text(organization.as_str())
    }
}

/// Removes what is older than the retention.
pub(crate) async fn tidy(store: &Store, before: i64) -> Result<(), StoreError> {
    const TIDY: &str = "DELETE FROM audit_entries WHERE at < $1";
    store.everywhere().execute(Statement::new(TIDY).integer(before)).await.map(|_| ())
}

/// One line of the trail, as it is read.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// Its id. Later ones sort behind earlier ones.
    pub id: String,
    /// When.
    pub at: SystemTime,
    /// What was done or tried.
    pub action: String,
    /// `done` or `refused`.
    pub outcome: String,
    /// Who: the id of a person, `operator` or `operator/NAME`, or empty for nobody known.
    pub actor: String,
    /// Whom or what it was done to.
    pub subject: String,
    /// From where.
    pub address: String,
    /// What the client called itself.
    pub client: String,
    /// Which request.
    pub request_id: String,
    /// What was `before` and `after`, and what else is worth knowing. No secrets.
    pub details: Value,
}

/// Which lines of the trail.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// This action, or all of its kind: `role` is `role.bind`, `role.create` and so on.
    pub action: Option<String>,
    /// By whom: an id, `operator`, or an e-mail address.
    pub actor: Option<String>,
    /// To whom or what: an id or an e-mail address.
    pub subject: Option<String>,
    /// `done` or `refused`.
    pub outcome: Option<String>,
    /// Not before this.
    pub since: Option<SystemTime>,
    /// Before this.
    pub until: Option<SystemTime>,
    /// Before the entry with this id, in the order of the list.
    pub after: Option<String>,
    /// What concerns this organisation, by id or name.
    pub organization: Option<String>,
    /// How many at most.
    pub limit: u32,
}

impl Accounts {
    /// The newest entries of the audit trail.
    pub async fn audit(&self, limit: u32) -> Result<Vec<AuditEntry>, AccountError> {
        self.audit_trail(&AuditFilter { limit, ..AuditFilter::default() }).await
    }

    /// The newest entries that pass.
    pub async fn audit_trail(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, AccountError> {
        const READ: &str = "SELECT id, at, action, outcome, actor, subject, address, client, request_id, details \
            FROM audit_entries WHERE \
            ($1 = '' OR action = $1 OR substr(action, 1, length($1) + 1) = $1 || '.') \
            AND ($2 = '' OR actor = $2) AND ($3 = '' OR subject = $3 OR subject = $4) \
            AND ($5 = '' OR outcome = $5) AND at >= $6 AND at < $7 AND ($8 = '' OR id < $8) \
            AND ($9 = '' OR organization_id = $9) ORDER BY id DESC LIMIT $10";
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let organization = match &filter.organization {
            Some(which) => self.organization(which).await?.id.to_string(),
            None => String::new(),
        };
        let read = Statement::new(READ)
            .text(text(&filter.action))
            .text(self.id_of(&text(&filter.actor)).await?)
            .text(text(&filter.subject))
            // A failed login names an address, what is done to a person their id.
            .text(self.id_of(&text(&filter.subject)).await?)
            .text(text(&filter.outcome))
            .integer(filter.since.map_or(0, moment::milliseconds))
            .integer(filter.until.map_or(i64::MAX, moment::milliseconds))
            .text(text(&filter.after))
            .text(&organization)
            .integer(filter.limit);
        let store =
            if organization.is_empty() { self.store.everywhere() } else { self.store.within(&organization) };
        let rows = store.rows(read).await?;
        Ok(rows.iter().map(AuditEntry::of).collect::<Result<_, _>>()?)
    }

    /// Shows `observer` every entry that this gateway writes from now on, once it is written, with the id of the
    /// organisation that it concerns. It must neither wait nor work. There is one observer; whether this one is it is
    /// returned.
    pub fn observe_audit(
        &self,
        observer: impl Fn(&AuditEntry, Option<&str>) + Send + Sync + 'static,
    ) -> bool {
        self.store.listen(move |notice| {
            if let Some(Written { entry, organization }) = notice.downcast_ref::<Written>() {
                observer(entry, Some(organization.as_str()).filter(|id| !id.is_empty()));
            }
        })
    }

    /// An entry of what an operator has done to something else than accounts.
    pub async fn record_operation(
        &self,
        action: &'static str,
        subject: &str,
        details: Value,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        self.record_alone(action, (Self::OPERATOR, subject), details, visit).await
    }

    /// An entry of what came of changed files of the configuration.
    pub async fn record_configuration(
        &self,
        action: &'static str,
        subject: &str,
        details: Value,
    ) -> Result<(), AccountError> {
        let by = (Self::CONFIGURATION, subject);
        self.record_alone(action, by, details, &Visit::default()).await
    }

    /// An entry of what changes nothing in the store.
    pub(crate) async fn record_alone(
        &self,
        action: &'static str,
        (actor, subject): (&str, &str),
        details: Value,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        Ok(done(action, actor, subject, visit, details).write_alone(&self.store).await?)
    }

    /// An entry of what somebody who manages an organisation was refused there. What went wrong otherwise is none.
    pub(crate) async fn audit_refusal<T>(
        &self,
        outcome: Result<T, AccountError>,
        (action, subject): (&'static str, &str),
        organization: &str,
        authority: &Authority<'_>,
        visit: &Visit,
    ) -> Result<T, AccountError> {
        if let (Err(AccountError::Forbidden(reason)), Authority::Manager(_)) = (&outcome, authority) {
            let subject: String = subject.chars().take(LONGEST_SUBJECT).collect();
            let details = json!({ "organization": organization, "reason": reason });
            let (outcome, actor) = (Outcome::Refused, authority.actor());
            let entry = Entry { action, outcome, actor, subject: &subject, visit, details };
            entry.write_alone(&self.store).await?;
        }
        outcome
    }

    /// The id of a person by their address; anything else is taken as it is.
    async fn id_of(&self, text: &str) -> Result<String, AccountError> {
        if !text.contains('@') {
            return Ok(text.into());
        }
        match self.resolve(&PersonId(text.into())).await {
            Ok(id) => Ok(id.to_string()),
            Err(AccountError::Missing(_)) => Ok(text.into()),
            Err(error) => Err(error),
        }
    }
}

impl AuditEntry {
    fn of(row: &Row) -> Result<Self, StoreError> {
        let nonsense = |_| StoreError::Nonsense { what: "the details of an audit entry" };
        Ok(Self {
            id: row.text("id")?,
            at: moment::moment(row.integer("at")?),
            action: row.text("action")?,
            outcome: row.text("outcome")?,
            actor: row.text("actor")?,
            subject: row.text("subject")?,
            address: row.text("address")?,
            client: row.text("client")?,
            request_id: row.text("request_id")?,
            details: serde_json::from_str(&row.text("details")?).map_err(nonsense)?,
        })
    }
}
