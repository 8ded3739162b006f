//! The store as the services see it.

use std::{any::Any, future::Future, sync::Arc};

use bartizan_config::StoreLocation;

use crate::{
    Row, Statement, StoreError, Transaction, migration, notices::Notices, pools::Pools, repetition, role,
    row::Inner, scope::Scope,
};

/// An open database whose schema is up to date. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pools: Arc<Pools>,
    /// Where it is, without credentials.
    label: Arc<str>,
    notices: Notices,
}

impl Store {
    /// Opens the database, makes it if it is a file that is missing, and brings its schema up to date. A role that
    /// PostgreSQL lets bypass row-level security is refused.
    pub async fn open(location: &StoreLocation) -> Result<Self, StoreError> {
        let store = Self::with(Pools::open(location).await?, location);
        Box::pin(role::check(&store)).await?;
        Box::pin(migration::apply(&store)).await?;
        Ok(store)
    }

    pub(crate) fn with(pools: Pools, location: &StoreLocation) -> Self {
        Self { pools: Arc::new(pools), label: location.to_string().into(), notices: Notices::default() }
    }

    /// The rows that a query finds in tables that belong to no organisation. On SQLite it reads beside the writer.
    pub async fn rows(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        self.rows_in(&Scope::Nobody, statement).await
    }

    /// The first row that a query finds in tables that belong to no organisation.
    pub async fn row(&self, statement: Statement) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(statement).await?.into_iter().next())
    }

    /// Changes something in tables that belong to no organisation; says how many rows were.
    pub async fn execute(&self, statement: Statement) -> Result<u64, StoreError> {
        self.execute_in(&Scope::Nobody, statement).await
    }

    /// Begins what happens whole or not at all, in tables that belong to no organisation. On SQLite it holds the only
    /// writer until it ends.
    pub async fn begin(&self) -> Result<Transaction, StoreError> {
        self.begin_in(Scope::Nobody).await
    }

    pub(crate) async fn rows_in(&self, scope: &Scope, statement: Statement) -> Result<Vec<Row>, StoreError> {
        let found = match (&*self.pools, scope) {
            (Pools::Sqlite { readers, .. }, _) => {
                let rows = statement.prepare().fetch_all(readers).await;
                rows.map(|rows| rows.into_iter().map(|row| Row(Inner::Sqlite(row))).collect())
            }
            (Pools::Postgres(_), Scope::Organization(_)) => {
                let mut transaction = self.begin_in(scope.clone()).await?;
                let rows = transaction.rows(statement).await?;
                transaction.commit().await?;
                return Ok(rows);
            }
            (Pools::Postgres(pools), _) => {
                let pool = pools.pool(scope);
                let rows = repetition::again(|| statement.clone().prepare().fetch_all(pool)).await;
                rows.map(|rows| rows.into_iter().map(|row| Row(Inner::Postgres(row))).collect())
            }
        };
        found.map_err(|source| self.error(source))
    }

    pub(crate) async fn execute_in(&self, scope: &Scope, statement: Statement) -> Result<u64, StoreError> {
        let done = match (&*self.pools, scope) {
            (Pools::Sqlite { writer, .. }, _) => {
                statement.prepare().execute(writer).await.map(|done| done.rows_affected())
            }
            (Pools::Postgres(_), Scope::Organization(_)) => {
                let mut transaction = self.begin_in(scope.clone()).await?;
                let count = transaction.execute(statement).await?;
                transaction.commit().await?;
                return Ok(count);
            }
            (Pools::Postgres(pools), _) => {
                let pool = pools.pool(scope);
                let done = repetition::again(|| statement.clone().prepare().execute(pool)).await;
                done.map(|done| done.rows_affected())
            }
        };
        done.map_err(|source| self.error(source))
    }

    pub(crate) async fn begin_in(&self, scope: Scope) -> Result<Transaction, StoreError> {
        match &*self.pools {
            // A transaction that began as a reader could not become a writer when somebody else has written since.
            Pools::Sqlite { writer, .. } => {
                let begun =
                    writer.begin_with("BEGIN IMMEDIATE").await.map_err(|source| self.error(source))?;
                Ok(Transaction::sqlite(begun, &self.label, self.notices.clone()))
            }
            Pools::Postgres(pools) => {
                Transaction::postgres(pools.pool(&scope).clone(), scope, &self.label, self.notices.clone())
                    .await
            }
        }
    }

    /// What time it is for the database, in milliseconds since 1970.
    pub async fn clock(&self) -> Result<i64, StoreError> {
        const POSTGRES: &str =
            "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS milliseconds";
        // A file's clock is that of the machine.
        const SQLITE: &str = "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS milliseconds";
        let statement = Statement::new(if self.is_postgres() { POSTGRES } else { SQLITE });
        let row = self.row(statement).await?;
        row.map_or(Ok(0), |row| row.integer("milliseconds"))
    }

    /// Whether it is PostgreSQL.
    pub(crate) fn is_postgres(&self) -> bool {
        matches!(&*self.pools, Pools::Postgres(_))
    }

    /// Hears every notice of this store and its clones from now on ([`Transaction::tell`]). It must neither wait nor work.
    /// There is one listener; whether this one is it is returned.
    pub fn listen(&self, listener: impl Fn(&(dyn Any + Send)) + Send + Sync + 'static) -> bool {
        self.notices.listen(listener)
    }

    /// Tells whoever listens of something that has happened already.
    pub fn tell(&self, notice: &(dyn Any + Send)) {
        self.notices.tell(notice);
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
