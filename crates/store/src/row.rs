//! One row of an answer, by the names of its columns.

use sqlx::{Row as _, postgres::PgRow, sqlite::SqliteRow};

use crate::StoreError;

/// One row of an answer.
pub struct Row(pub(crate) Inner);

pub(crate) enum Inner {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    /// A text.
    pub fn text(&self, column: &str) -> Result<String, StoreError> {
        match &self.0 {
            Inner::Sqlite(row) => row.try_get(column),
            Inner::Postgres(row) => row.try_get(column),
        }
        .map_err(|source| StoreError::column(column, source))
    }

    /// A text, or `None` for `NULL`.
    pub fn optional_text(&self, column: &str) -> Result<Option<String>, StoreError> {
        match &self.0 {
            Inner::Sqlite(row) => row.try_get(column),
            Inner::Postgres(row) => row.try_get(column),
        }
        .map_err(|source| StoreError::column(column, source))
    }

    /// A number, a moment in milliseconds, or a switch.
    pub fn integer(&self, column: &str) -> Result<i64, StoreError> {
        match &self.0 {
            Inner::Sqlite(row) => row.try_get(column),
            Inner::Postgres(row) => row.try_get(column),
        }
        .map_err(|source| StoreError::column(column, source))
    }

    /// The same, or `None` for `NULL`.
    pub fn optional_integer(&self, column: &str) -> Result<Option<i64>, StoreError> {
        match &self.0 {
            Inner::Sqlite(row) => row.try_get(column),
            Inner::Postgres(row) => row.try_get(column),
        }
        .map_err(|source| StoreError::column(column, source))
    }
}

impl std::fmt::Debug for Row {
    /// Values may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Row")
    }
}
