//! Several statements that happen whole or not at all.

use std::{any::Any, sync::Arc};

use sqlx::{PgPool, Sqlite};

use self::postgres::PostgresTransaction;
use crate::{Row, Statement, StoreError, notices::Notices, row::Inner, scope::Scope};

mod postgres;

/// Statements that happen whole or not at all. One that is dropped without [`Transaction::commit`] has not happened.
#[derive(Debug)]
pub struct Transaction {
    inner: Either,
    label: Arc<str>,
    notices: Notices,
    /// What is told once it has happened.
    to_tell: Vec<Box<dyn Any + Send>>,
}

#[derive(Debug)]
enum Either {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(PostgresTransaction),
}

impl Transaction {
    pub(crate) fn sqlite(
        transaction: sqlx::Transaction<'static, Sqlite>,
        label: &Arc<str>,
        notices: Notices,
    ) -> Self {
        Self { inner: Either::Sqlite(transaction), label: Arc::clone(label), notices, to_tell: Vec::new() }
    }

    pub(crate) async fn postgres(
        pool: PgPool,
        scope: Scope,
        label: &Arc<str>,
        notices: Notices,
    ) -> Result<Self, StoreError> {
        let begun = PostgresTransaction::begin(pool, scope).await;
        let inner = begun.map(Either::Postgres).map_err(|source| StoreError::of(label, source))?;
        Ok(Self { inner, label: Arc::clone(label), notices, to_tell: Vec::new() })
    }

    /// The rows that a query finds.
    pub async fn rows(&mut self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        let found = match &mut self.inner {
            Either::Sqlite(transaction) => {
                let rows = statement.prepare().fetch_all(&mut **transaction).await;
                rows.map(|rows| rows.into_iter().map(|row| Row(Inner::Sqlite(row))).collect())
            }
            Either::Postgres(transaction) => {
                let rows = transaction.rows(statement).await;
                rows.map(|rows| rows.into_iter().map(|row| Row(Inner::Postgres(row))).collect())
            }
        };
        found.map_err(|source| StoreError::of(&self.label, source))
    }

    /// The first row that a query finds.
    pub async fn row(&mut self, statement: Statement) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(statement).await?.into_iter().next())
    }

    /// Changes something; says how many rows were.
    pub async fn execute(&mut self, statement: Statement) -> Result<u64, StoreError> {
        let done = match &mut self.inner {
            Either::Sqlite(transaction) => {
                statement.prepare().execute(&mut **transaction).await.map(|done| done.rows_affected())
            }
            Either::Postgres(transaction) => transaction.execute(statement).await,
        };
        done.map_err(|source| StoreError::of(&self.label, source))
    }

    /// Tells whoever listens ([`Store::listen`](crate::Store::listen)) once it has happened; nothing, if it does not.
    pub fn tell(&mut self, notice: impl Any + Send) {
        self.to_tell.push(Box::new(notice));
    }

    /// Makes it happen.
    pub async fn commit(self) -> Result<(), StoreError> {
        let done = match self.inner {
            Either::Sqlite(transaction) => transaction.commit().await,
            Either::Postgres(transaction) => transaction.commit().await,
        };
        done.map_err(|source| StoreError::of(&self.label, source))?;
        self.to_tell.iter().for_each(|notice| self.notices.tell(&**notice));
        Ok(())
    }

    /// Runs a text of several statements.
    pub(crate) async fn run(&mut self, sql: &'static str) -> Result<(), StoreError> {
        let done = match &mut self.inner {
            Either::Sqlite(transaction) => sqlx::raw_sql(sql).execute(&mut **transaction).await.map(|_| ()),
            Either::Postgres(transaction) => transaction.run(sql).await,
        };
        done.map_err(|source| StoreError::of(&self.label, source))
    }

    /// The same, where it is PostgreSQL.
    pub(crate) async fn run_on_postgres(&mut self, sql: &'static str) -> Result<(), StoreError> {
        match &self.inner {
            Either::Sqlite(_) => Ok(()),
            Either::Postgres(_) => self.run(sql).await,
        }
    }

    /// Waits until no other gateway changes the schema. SQLite's transactions are alone anyway.
    pub(crate) async fn lock_schema(&mut self) -> Result<(), StoreError> {
        // The number is `bartizan` read as ASCII.
        self.run_on_postgres("SELECT pg_advisory_xact_lock(7089074238543061358)").await
    }

    /// The name of this table in the catalogue, if it is there.
    pub(crate) fn catalogue(&self) -> &'static str {
        match &self.inner {
            Either::Sqlite(_) => "SELECT name FROM sqlite_master WHERE type = 'table' AND name = $1",
            Either::Postgres(_) => {
                "SELECT CAST(tablename AS TEXT) AS name FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1"
            }
        }
    }
}
