//! The audit trail: what happened to accounts, who did it, from where.

use bartizan_store::{Row, Statement, Store, StoreError, Transaction};
use serde_json::Value;

use super::Visit;
use crate::session::moment;

const WRITE: &str = "INSERT INTO audit_entries \
    (id, at, action, outcome, actor, subject, address, client, request_id, details) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

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

impl Entry<'_> {
    fn statement(&self) -> Statement {
        Statement::new(WRITE)
            .text(uuid::Uuid::now_v7().to_string())
            .integer(moment::now())
            .text(self.action)
            .text(match self.outcome {
                Outcome::Done => "done",
                Outcome::Refused => "refused",
            })
            .text(self.actor)
            .text(self.subject)
            .text(self.visit.address())
            .text(self.visit.client())
            .text(self.visit.request_id.as_str())
            .text(self.details.to_string())
    }

    /// With the change itself.
    pub(crate) async fn write(&self, transaction: &mut Transaction) -> Result<(), StoreError> {
        transaction.execute(self.statement()).await?;
        self.log();
        Ok(())
    }

    /// For what changes nothing.
    pub(crate) async fn write_alone(&self, store: &Store) -> Result<(), StoreError> {
        store.execute(self.statement()).await?;
        self.log();
        Ok(())
    }

    fn log(&self) {
        tracing::info!(
            audit = true,
            action = self.action,
            outcome = ?self.outcome,
            actor = self.actor,
            subject = self.subject,
            client = self.visit.address(),
            request_id = self.visit.request_id,
            "accounts"
        );
    }
}

/// Removes what is older than the retention.
pub(crate) async fn tidy(store: &Store, before: i64) -> Result<(), StoreError> {
    store.execute(Statement::new("DELETE FROM audit_entries WHERE at < $1").integer(before)).await.map(|_| ())
}

/// One line of the trail, as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: std::time::SystemTime,
    /// What was done or tried.
    pub action: String,
    /// `done` or `refused`.
    pub outcome: String,
    /// Who: the id of a person, `operator`, or empty for nobody known.
    pub actor: String,
    /// Whom or what it was done to.
    pub subject: String,
    /// From where.
    pub address: String,
    /// Which request.
    pub request_id: String,
}

/// The newest lines of the trail.
pub(crate) async fn latest(store: &Store, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
    const READ: &str = "SELECT at, action, outcome, actor, subject, address, request_id FROM audit_entries \
        ORDER BY at DESC, id DESC LIMIT $1";
    let read = |row: &Row| {
        Ok(AuditEntry {
            at: moment::moment(row.integer("at")?),
            action: row.text("action")?,
            outcome: row.text("outcome")?,
            actor: row.text("actor")?,
            subject: row.text("subject")?,
            address: row.text("address")?,
            request_id: row.text("request_id")?,
        })
    };
    store.rows(Statement::new(READ).integer(limit)).await?.iter().map(read).collect()
}
