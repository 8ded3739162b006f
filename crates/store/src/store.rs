//! The store as the services see it.

use std::{future::Future, sync::Arc};

use bartizan_config::StoreLocation;

use crate::{Row, Statement, StoreError, Transaction, migration, pools::Pools, row::Inner};

/// An open database whose schema is up to date. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pools: Arc<Pools>,
    /// Where it is, without credentials.
    label: Arc<str>,
}

impl Store {
    /// Opens the database, makes it if it is a file that is missing, and brings its schema up to date.
    pub async fn open(location: &StoreLocation) -> Result<Self, StoreError> {
        let store = Self::with(Pools::open(location).await?, location);
        migration::apply(&store).await?;
        Ok(store)
    }

    pub(crate) fn with(pools: Pools, location: &StoreLocation) -> Self {
        Self { pools: Arc::new(pools), label: location.to_string().into() }
    }

    /// The rows that a query finds. On SQLite it reads beside the writer.
    pub async fn rows(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        let found = match &*self.pools {
            Pools::Sqlite { readers, .. } => {
                let rows = statement.prepare().fetch_all(readers).await;
                rows.map(|rows| rows.into_iter().map(|row| Row(Inner::Sqlite(row))).collect())
            }
            Pools::Postgres(pool) => {
                let rows = statement.prepare().fetch_all(pool).await;
                rows.map(|rows| rows.into_iter().map(|row| Row(Inner::Postgres(row))).collect())
            }
        };
        found.map_err(|source| self.error(source))
    }

    /// The first row that a query finds.
    pub async fn row(&self, statement: Statement) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(statement).await?.into_iter().next())
    }

    /// Changes something; says how many rows were.
    pub async fn execute(&self, statement: Statement) -> Result<u64, StoreError> {
        let done = match &*self.pools {
            Pools::Sqlite { writer, .. } => {
                statement.prepare().execute(writer).await.map(|done| done.rows_affected())
            }
            Pools::Postgres(pool) => statement.prepare().execute(pool).await.map(|done| done.rows_affected()),
        };
        done.map_err(|source| self.error(source))
    }

    /// Begins what happens whole or not at all. On SQLite it holds the only writer until it ends.
    pub async fn begin(&self) -> Result<Transaction, StoreError> {
        let begun = match &*self.pools {
            // A transaction that began as a reader could not become a writer when somebody else has written since.
            Pools::Sqlite { writer, .. } => {
                writer.begin_with("BEGIN IMMEDIATE").await.map(Transaction::sqlite)
            }
            Pools::Postgres(pool) => pool.begin().await.map(Transaction::postgres),
        };
        begun.map(|transaction| transaction.of(&self.label)).map_err(|source| self.error(source))
    }

    /// Ends every connection.
    pub fn close(&self) -> impl Future<Output = ()> + Send + use<> {
        let pools = Arc::clone(&self.pools);
        async move { pools.close().await }
    }

    /// Where it is, without credentials.
    pub fn label(&self) -> &str {
        &self.label
    }

    pub(crate) fn error(&self, source: sqlx::Error) -> StoreError {
        StoreError::of(&self.label, source)
    }
}
