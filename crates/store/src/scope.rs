//! Whose rows statements see.
//!
//! PostgreSQL holds every statement to it, by row-level security that its role cannot bypass: see the migration
//! `0007_organizations_apart`. SQLite has nothing of the kind; there the predicates of the statements must do.

use std::sync::Arc;

use crate::{Row, Statement, Store, StoreError, Transaction};

/// Whose rows are seen and written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Nobody's: only tables that belong to no organisation.
    Nobody,
    /// One organisation's; with an empty id, those that belong to none.
    Organization(Arc<str>),
    /// Everybody's.
    Everything,
}

impl Scope {
    /// What `bartizan.scope` is set to in the transaction. The whole system's is set where connections are made.
    pub(crate) fn setting(&self) -> Option<String> {
        match self {
            Self::Organization(id) => Some(format!("organization:{id}")),
            Self::Nobody | Self::Everything => None,
        }
    }
}

/// The store as one organisation sees it, or as the whole system does.
#[derive(Debug, Clone)]
#[must_use]
pub struct Scoped {
    store: Store,
    scope: Scope,
}

impl Store {
    /// Rows of every organisation: for what happens before it is known for whom, or is not an organisation's to do.
    pub fn everywhere(&self) -> Scoped {
        Scoped { store: self.clone(), scope: Scope::Everything }
    }

    /// Rows of the organisation with this id alone.
    pub fn within(&self, organization: &str) -> Scoped {
        Scoped { store: self.clone(), scope: Scope::Organization(organization.into()) }
    }
}

impl Scoped {
    /// The rows that a query finds.
    pub async fn rows(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        self.store.rows_in(&self.scope, statement).await
    }

    /// The first row that a query finds.
    pub async fn row(&self, statement: Statement) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(statement).await?.into_iter().next())
    }

    /// Changes something; says how many rows were.
    pub async fn execute(&self, statement: Statement) -> Result<u64, StoreError> {
        self.store.execute_in(&self.scope, statement).await
    }

    /// Begins what happens whole or not at all.
    pub async fn begin(&self) -> Result<Transaction, StoreError> {
        self.store.begin_in(self.scope.clone()).await
    }
}
