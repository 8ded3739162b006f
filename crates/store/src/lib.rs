//! The database under the services: SQLite on one machine, PostgreSQL for many, one portable SQL text for both.
//!
//! A [`Statement`] is a fixed SQL text with numbered placeholders (`$1`) and its values. Texts keep to what both
//! databases understand: `TEXT` for ids, words and JSON, `BIGINT` for moments in milliseconds, numbers and switches.
//! What is stored, and why, the services know; here is only how: pools, transactions, migrations, and errors that say
//! what to do.
//!
//! SQLite runs with a write-ahead log, one writer and several readers; a reader never waits for the writer. Its file is
//! for its user alone.
//!
//! Rows belong to organisations. A statement sees those of one, [`Store::within`], or of all, [`Store::everywhere`]; without
//! either it sees those tables alone that belong to none. PostgreSQL enforces it by row-level security, and its role must
//! not be one that bypasses that; SQLite has the predicates of the statements only.
//!
//! PostgreSQL ends one of several transactions that wait for each other; such a one is repeated.
//!
//! [`Store::open`] brings the schema up to date first, in one transaction under a lock, so that gateways that start at
//! the same time do it once. A schema that a newer release has made, or a migration that differs from the one applied,
//! is an error.

mod error;
mod migration;
mod notices;
mod pools;
mod repetition;
mod role;
mod row;
mod scope;
mod statement;
mod store;
mod transaction;

pub use error::StoreError;
pub use migration::{Migration, MigrationStatus};
pub use row::Row;
pub use scope::Scoped;
pub use statement::Statement;
pub use store::Store;
pub use transaction::Transaction;
