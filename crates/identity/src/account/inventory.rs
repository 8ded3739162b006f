//! What there is of people, keys and invitations, for whoever looks after the gateway: what is never used, ends soon, or is
//! weaker than it should be. Every answer is a number, or a list that is cut.

use std::time::{Duration, Instant, SystemTime};

use bartizan_policy::BuiltInRole;
use bartizan_store::{Row, Scoped, Statement, StoreError};
use tokio::time::timeout;

use super::{AccountError, Accounts};
use crate::session::moment;

/// What counts as long, and as soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InventoryBounds {
    /// What was not used for so long is stale.
    pub stale: Duration,
    /// What ends within this ends soon.
    pub soon: Duration,
    /// An invitation that waits for so long is old.
    pub old_invitation: Duration,
}

/// What there is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    /// People.
    pub people: u64,
    /// Those of them who may not log in.
    pub disabled: u64,
    /// Those who have a second factor that only they have.
    pub with_strong_factor: u64,
    /// Those who may log in, have been known for long, and never did.
    pub never_used: Some20,
    /// Those who may log in and have not done so for long.
    pub stale: Some20,
    /// People who administer everything or an organisation.
    pub administrators: u64,
    /// Those of them without a second factor that only they have.
    pub administrators_without_factor: Some20,
    /// API keys that work.
    pub keys: u64,
    /// Those that end soon, were never used, or not for long; fifty at most.
    pub doubtful_keys: Vec<DoubtfulKey>,
    /// Secrets of services that end soon, with nothing to take their place; fifty at most.
    pub ending_credentials: Vec<EndingCredential>,
    /// Invitations that nobody has accepted yet.
    pub invitations: u64,
    /// Those that have waited for long.
    pub old_invitations: u64,
    /// How far the clock of the database is ahead of this machine's, in milliseconds, to half the time it took to ask.
    pub clock_ahead: i64,
}

/// How many there are, and the e-mail addresses of up to twenty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Some20 {
    /// All of them.
    pub count: u64,
    /// Some of them.
    pub examples: Vec<String>,
}

/// An API key that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoubtfulKey {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// When it ends.
    pub expires: Option<SystemTime>,
    /// When it was used last.
    pub last_used: Option<SystemTime>,
}

/// What a service proves itself with, and not for long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndingCredential {
    /// Its id.
    pub id: String,
    /// The client id of its service.
    pub service: String,
    /// The name of its service.
    pub name: String,
    /// When it ends.
    pub expires: SystemTime,
}

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(10);

const PEOPLE: &str = "SELECT COUNT(*) AS people, COUNT(u.disabled_at) AS disabled, \
    COUNT(CASE WHEN EXISTS (SELECT 1 FROM second_factors f WHERE f.user_id = u.id AND f.confirmed_at IS NOT NULL \
        AND f.kind IN ('totp', 'passkey')) THEN 1 END) AS strong, \
    COUNT(CASE WHEN u.disabled_at IS NULL AND u.last_login_at IS NULL AND u.created_at < $1 THEN 1 END) AS never_used, \
    COUNT(CASE WHEN u.disabled_at IS NULL AND u.last_login_at < $1 THEN 1 END) AS stale FROM users u";
const NEVER_USED: &str = "SELECT email FROM users WHERE disabled_at IS NULL AND last_login_at IS NULL \
    AND created_at < $1 ORDER BY email LIMIT 20";
const STALE: &str =
    "SELECT email FROM users WHERE disabled_at IS NULL AND last_login_at < $1 ORDER BY email LIMIT 20";
const ADMINISTRATORS: &str = "SELECT u.email, COUNT(f.id) AS factors FROM users u \
    LEFT JOIN second_factors f ON f.user_id = u.id AND f.confirmed_at IS NOT NULL AND f.kind IN ('totp', 'passkey') \
    WHERE u.disabled_at IS NULL AND u.id IN (SELECT user_id FROM role_bindings WHERE role IN ($1, $2) \
        AND (expires_at IS NULL OR expires_at > $3)) GROUP BY u.email ORDER BY u.email LIMIT 10000";
const KEYS: &str = "SELECT COUNT(*) AS keys FROM api_keys WHERE revoked_at IS NULL AND suspended_at IS NULL \
    AND (expires_at IS NULL OR expires_at > $1)";
const DOUBTFUL_KEYS: &str = "SELECT id, name, expires_at, last_used_at FROM api_keys WHERE revoked_at IS NULL \
    AND suspended_at IS NULL AND (expires_at IS NULL OR expires_at > $1) AND (expires_at < $2 \
    OR (last_used_at IS NULL AND created_at < $3) OR last_used_at < $3) ORDER BY id LIMIT 50";
const ENDING_CREDENTIALS: &str = "SELECT c.id, c.service_id, s.name, c.expires_at FROM service_credentials c \
    JOIN services s ON s.id = c.service_id WHERE s.suspended_at IS NULL AND c.expires_at > $1 AND c.expires_at < $2 \
    AND NOT EXISTS (SELECT 1 FROM service_credentials o WHERE o.service_id = c.service_id \
        AND (o.expires_at IS NULL OR o.expires_at >= $2)) ORDER BY c.id LIMIT 50";
const INVITATIONS: &str = "SELECT COUNT(*) AS pending, COUNT(CASE WHEN created_at < $2 THEN 1 END) AS old \
    FROM invitations WHERE expires_at > $1";

impl Accounts {
    /// What there is at a moment. Fails when the store does not answer within ten seconds.
    pub async fn inventory(
        &self,
        bounds: InventoryBounds,
        now: SystemTime,
    ) -> Result<Inventory, AccountError> {
        let late = |_| Err(StoreError::Busy { store: self.store.label().to_owned() });
        Ok(timeout(PATIENCE, self.take_inventory(bounds, now)).await.unwrap_or_else(late)?)
    }

    async fn take_inventory(
        &self,
        bounds: InventoryBounds,
        now: SystemTime,
    ) -> Result<Inventory, StoreError> {
        let (store, at) = (self.store.everywhere(), moment::milliseconds(now));
        let stale = at.saturating_sub(moment::span(bounds.stale));
        let soon = at.saturating_add(moment::span(bounds.soon));
        let old = at.saturating_sub(moment::span(bounds.old_invitation));
        let people = counted(&store, Statement::new(PEOPLE).integer(stale)).await?;
        let administrators = Statement::new(ADMINISTRATORS)
            .text(BuiltInRole::SuperAdmin.name())
            .text(BuiltInRole::OrgAdmin.name())
            .integer(at);
        let administrators = store.rows(administrators).await?;
        let doubtful = Statement::new(DOUBTFUL_KEYS).integer(at).integer(soon).integer(stale);
        let ending = Statement::new(ENDING_CREDENTIALS).integer(at).integer(soon);
        let invitations = counted(&store, Statement::new(INVITATIONS).integer(at).integer(old)).await?;
        let keys = counted(&store, Statement::new(KEYS).integer(at)).await?;
        Ok(Inventory {
            people: number(&people, "people")?,
            disabled: number(&people, "disabled")?,
            with_strong_factor: number(&people, "strong")?,
            never_used: Some20 {
                count: number(&people, "never_used")?,
                examples: emails(&store.rows(Statement::new(NEVER_USED).integer(stale)).await?)?,
            },
            stale: Some20 {
                count: number(&people, "stale")?,
                examples: emails(&store.rows(Statement::new(STALE).integer(stale)).await?)?,
            },
            administrators: administrators.len().try_into().unwrap_or(u64::MAX),
            administrators_without_factor: without_factor(&administrators)?,
            keys: number(&keys, "keys")?,
            doubtful_keys: store.rows(doubtful).await?.iter().map(doubtful_key).collect::<Result<_, _>>()?,
            ending_credentials: store.rows(ending).await?.iter().map(ending_one).collect::<Result<_, _>>()?,
            invitations: number(&invitations, "pending")?,
            old_invitations: number(&invitations, "old")?,
            clock_ahead: self.clock_ahead().await?,
        })
    }

    async fn clock_ahead(&self) -> Result<i64, StoreError> {
        let (before, asked) = (moment::now(), Instant::now());
        let theirs = self.store.clock().await?;
        let halfway = before.saturating_add(moment::span(asked.elapsed() / 2));
        Ok(theirs.saturating_sub(halfway))
    }
}

/// The one row of what only counts.
async fn counted(store: &Scoped, statement: Statement) -> Result<Row, StoreError> {
    let nothing = || StoreError::Nonsense { what: "a count" };
    store.row(statement).await?.ok_or_else(nothing)
}

fn number(row: &Row, column: &str) -> Result<u64, StoreError> {
    Ok(u64::try_from(row.integer(column)?).unwrap_or_default())
}

fn emails(rows: &[Row]) -> Result<Vec<String>, StoreError> {
    rows.iter().map(|row| row.text("email")).collect()
}

fn without_factor(administrators: &[Row]) -> Result<Some20, StoreError> {
    let mut without = Some20::default();
    for row in administrators {
        if row.integer("factors")? == 0 {
            without.count += 1;
            if without.examples.len() < 20 {
                without.examples.push(row.text("email")?);
            }
        }
    }
    Ok(without)
}

fn doubtful_key(row: &Row) -> Result<DoubtfulKey, StoreError> {
    Ok(DoubtfulKey {
        id: row.text("id")?,
        name: row.text("name")?,
        expires: row.optional_integer("expires_at")?.map(moment::moment),
        last_used: row.optional_integer("last_used_at")?.map(moment::moment),
    })
}

fn ending_one(row: &Row) -> Result<EndingCredential, StoreError> {
    Ok(EndingCredential {
        id: row.text("id")?,
        service: row.text("service_id")?,
        name: row.text("name")?,
        expires: moment::moment(row.integer("expires_at")?),
    })
}
