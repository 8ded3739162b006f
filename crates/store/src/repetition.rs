//! What PostgreSQL has undone because others were in the way, done again.
//!
//! Of transactions that wait for each other PostgreSQL ends one (`40P01`), and one that it cannot put in an order with others
//! (`40001`). Nothing of it has happened then. A single statement is sent again. A transaction is repeated as it was: who
//! made it has decided by what it answered, so it goes on only if every statement answers the same again.

use std::future::Future;

use sha2::{Digest, Sha256};
use sqlx::{Row as _, ValueRef as _, postgres::PgRow};

use crate::Statement;

/// How often at most.
pub(crate) const REPETITIONS: usize = 5;

/// Whether others were in the way.
pub(crate) fn is_conflict(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(code.as_deref(), Some("40P01" | "40001"))
}

/// Sends a single statement, again where others were in the way.
pub(crate) async fn again<T, F: Future<Output = Result<T, sqlx::Error>>>(
    send: impl Fn() -> F,
) -> Result<T, sqlx::Error> {
    for _ in 0..REPETITIONS {
        match send().await {
            Err(error) if is_conflict(&error) => {}
            decided => return decided,
        }
    }
    send().await
}

/// What a transaction has asked so far, and what it was told.
#[derive(Debug, Default)]
pub(crate) struct Course(pub(crate) Vec<(Asked, Told)>);

/// A statement, and whether for its rows.
#[derive(Debug, Clone)]
pub(crate) enum Asked {
    Rows(Statement),
    Count(Statement),
}

/// A digest of rows, or a number of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    Rows([u8; 32]),
    Count(u64),
}

impl Told {
    pub(crate) fn rows(rows: &[PgRow]) -> Self {
        let mut digest = Sha256::new();
        for row in rows {
            digest.update([b'r']);
            for column in 0..row.len() {
                let value = row.try_get_raw(column).ok().filter(|value| !value.is_null());
                let bytes = value.as_ref().and_then(|value| value.as_bytes().ok());
                digest.update([u8::from(bytes.is_some())]);
                digest.update(bytes.map_or(0, <[u8]>::len).to_le_bytes());
                digest.update(bytes.unwrap_or_default());
            }
        }
        Self::Rows(digest.finalize().into())
    }
}
