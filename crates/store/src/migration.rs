//! The schema, step by step. A step that has been released never changes.

use std::{
    fmt::Write,
    time::{SystemTime, UNIX_EPOCH},
};

use bartizan_config::StoreLocation;
use sha2::{Digest, Sha256};

use crate::{Statement, Store, StoreError, Transaction, pools::Pools};

/// A step of the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// Counted from 1.
    pub version: i64,
    /// What it is about.
    pub name: &'static str,
    /// Its statements, for both databases.
    pub sql: &'static str,
    /// What PostgreSQL does besides; empty: nothing.
    pub postgres: &'static str,
}

/// A step of the schema and whether it has been applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MigrationStatus {
    /// The step.
    pub migration: Migration,
    /// Whether the database has it.
    pub applied: bool,
}

impl Migration {
    /// Every step, in order.
    pub const ALL: &'static [Self] = &[
        Self::portable(1, "accounts", include_str!("../migrations/0001_accounts.sql")),
        Self::portable(2, "people", include_str!("../migrations/0002_people.sql")),
        Self::portable(3, "machines", include_str!("../migrations/0003_machines.sql")),
        Self::portable(4, "tokens", include_str!("../migrations/0004_tokens.sql")),
        Self::portable(5, "external identities", include_str!("../migrations/0005_external_identities.sql")),
        Self::portable(6, "passkeys", include_str!("../migrations/0006_passkeys.sql")),
        Self {
            version: 7,
            name: "organizations apart",
            sql: include_str!("../migrations/0007_organizations_apart.sql"),
            postgres: include_str!("../migrations/0007_organizations_apart.postgres.sql"),
        },
        Self::portable(8, "methods of tokens", include_str!("../migrations/0008_token_methods.sql")),
        Self::portable(9, "protection", include_str!("../migrations/0009_protection.sql")),
        Self::portable(10, "rates of keys", include_str!("../migrations/0010_key_rates.sql")),
        Self::portable(12, "verified addresses", include_str!("../migrations/0012_verified_addresses.sql")),
        Self::portable(13, "delegated machines", include_str!("../migrations/0013_delegated_machines.sql")),
        Self::portable(14, "own say", include_str!("../migrations/0014_own_say.sql")),
        Self::portable(15, "alerts", include_str!("../migrations/0015_alerts.sql")),
        Self::portable(16, "roles of providers", include_str!("../migrations/0016_provider_roles.sql")),
    ];

    const fn portable(version: i64, name: &'static str, sql: &'static str) -> Self {
        Self { version, name, sql, postgres: "" }
    }

    fn checksum(&self) -> String {
        let mut text = String::with_capacity(64);
        for byte in Sha256::new().chain_update(self.sql).chain_update(self.postgres).finalize() {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

const TABLE: &str = "schema_migrations";
const CREATE: &str = "CREATE TABLE schema_migrations (\
    version BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)";
const READ: &str = "SELECT version, checksum FROM schema_migrations ORDER BY version";
const RECORD: &str =
    "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)";

impl Store {
    /// Brings the schema up to date and closes the store again. Unlike [`Store::open`], by whatever role: who owns the tables
    /// need not be who works with them.
    pub async fn migrate(location: &StoreLocation) -> Result<(), StoreError> {
        let store = Self::unmigrated(location).await?;
        apply(&store).await?;
        store.close().await;
        Ok(())
    }

    /// Which steps the database has, without changing or making it.
    pub async fn migrations(location: &StoreLocation) -> Result<Vec<MigrationStatus>, StoreError> {
        let applied = match location {
            StoreLocation::Sqlite(path) if !path.exists() => Vec::new(),
            _ => {
                let store = Self::unmigrated(location).await?;
                let mut transaction = store.begin().await?;
                let applied = applied(&mut transaction, store.label()).await?.unwrap_or_default();
                drop(transaction);
                store.close().await;
                applied
            }
        };
        let status = |migration: &Migration| MigrationStatus {
            migration: *migration,
            applied: applied.contains(&migration.version),
        };
        Ok(Migration::ALL.iter().map(status).collect())
    }
}

/// Applies what is missing, all of it or nothing.
pub(crate) async fn apply(store: &Store) -> Result<(), StoreError> {
    // A step that changes rows changes everybody's.
    let mut transaction = store.everywhere().begin().await?;
    transaction.lock_schema().await?;
    let applied = if let Some(applied) = applied(&mut transaction, store.label()).await? {
        applied
    } else {
        transaction.run(CREATE).await?;
        Vec::new()
    };
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    for migration in Migration::ALL.iter().filter(|migration| !applied.contains(&migration.version)) {
        transaction.run(migration.sql).await?;
        transaction.run_on_postgres(migration.postgres).await?;
        let record = Statement::new(RECORD)
            .integer(migration.version)
            .text(migration.name)
            .text(migration.checksum())
            .integer(i64::try_from(at).unwrap_or(i64::MAX));
        transaction.execute(record).await?;
        tracing::info!(
            version = migration.version,
            name = migration.name,
            store = store.label(),
            "schema migrated"
        );
    }
    transaction.commit().await
}

/// The versions that the database has, once it is sure that they are those of this release. `None`: it has never been one's.
async fn applied(transaction: &mut Transaction, label: &str) -> Result<Option<Vec<i64>>, StoreError> {
    let catalogue = Statement::new(transaction.catalogue()).text(TABLE);
    if transaction.row(catalogue).await?.is_none() {
        return Ok(None);
    }
    let known = Migration::ALL.last().map_or(0, |migration| migration.version);
    let mut versions = Vec::new();
    for row in transaction.rows(Statement::new(READ)).await? {
        let (version, checksum) = (row.integer("version")?, row.text("checksum")?);
        match Migration::ALL.iter().find(|migration| migration.version == version) {
            None => return Err(StoreError::Newer { store: label.into(), found: version, known }),
            Some(migration) if migration.checksum() != checksum => {
                return Err(StoreError::Altered { store: label.into(), version });
            }
            Some(_) => versions.push(version),
        }
    }
    Ok(Some(versions))
}

impl Store {
    async fn unmigrated(location: &StoreLocation) -> Result<Self, StoreError> {
        Ok(Self::with(Pools::open(location).await?, location))
    }
}
