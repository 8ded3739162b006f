//! The connections of one database.

use std::{fs::OpenOptions, io::ErrorKind, os::unix::fs::OpenOptionsExt, path::Path, time::Duration};

use bartizan_config::StoreLocation;
use secrecy::ExposeSecret;
use sqlx::{
    PgPool, SqlitePool,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{StoreError, scope::Scope};

/// How long a statement waits for a connection, and SQLite for the writer of another process.
const PATIENCE: Duration = Duration::from_secs(5);
const SQLITE_READERS: u32 = 4;
/// At most, of each of the two pools.
const POSTGRES_CONNECTIONS: u32 = 16;

#[derive(Debug)]
pub(crate) enum Pools {
    /// The write-ahead log lets readers read while the one writer writes.
    Sqlite {
        readers: SqlitePool,
        writer: SqlitePool,
    },
    Postgres(Postgres),
}

/// Two pools, so that a statement of the whole system needs no word about its scope, which would take it three round trips
/// more. The scope is an option of the connection, not a setting: a pooler between would hand a setting on to others.
#[derive(Debug)]
pub(crate) struct Postgres {
    /// Sees nothing until a transaction says whose rows.
    pub(crate) guarded: PgPool,
    /// Sees everything.
    pub(crate) everything: PgPool,
}

impl Postgres {
    pub(crate) fn pool(&self, scope: &Scope) -> &PgPool {
        match scope {
            Scope::Everything => &self.everything,
            Scope::Nobody | Scope::Organization(_) => &self.guarded,
        }
    }
}

impl Pools {
    pub(crate) async fn open(location: &StoreLocation) -> Result<Self, StoreError> {
        let unavailable = |source| StoreError::Unavailable { store: location.to_string(), source };
        match location {
            StoreLocation::Sqlite(path) => {
                create_private(path)?;
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .journal_mode(SqliteJournalMode::Wal)
                    // A revocation that was confirmed must outlive a power failure.
                    .synchronous(SqliteSynchronous::Full)
                    .busy_timeout(PATIENCE)
                    .foreign_keys(true);
                let pool = |size| SqlitePoolOptions::new().max_connections(size).acquire_timeout(PATIENCE);
                // The writer first: it sets the journal's mode, for which it must be alone.
                let writer = pool(1).connect_with(options.clone()).await.map_err(unavailable)?;
                let readers =
                    pool(SQLITE_READERS).connect_with(options.read_only(true)).await.map_err(unavailable)?;
                Ok(Self::Sqlite { readers, writer })
            }
            StoreLocation::Postgres(postgres) => {
                let options: PgConnectOptions = (postgres.url().expose_secret().parse())
                    .map_err(|_| StoreError::Url { store: location.to_string() })?;
                let pool =
                    || PgPoolOptions::new().max_connections(POSTGRES_CONNECTIONS).acquire_timeout(PATIENCE);
                let everything = options.clone().application_name("bartizan whole system");
                let everything = everything.options([("bartizan.scope", "everything")]);
                let everything = pool().connect_with(everything).await.map_err(unavailable)?;
                let guarded = pool().connect_lazy_with(options.application_name("bartizan"));
                Ok(Self::Postgres(Postgres { guarded, everything }))
            }
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite { readers, writer } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pools) => {
                pools.guarded.close().await;
                pools.everything.close().await;
            }
        }
    }
}

/// SQLite gives its own files the mode of the database.
fn create_private(path: &Path) -> Result<(), StoreError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(StoreError::Create { path: path.into(), source }),
    }
}
