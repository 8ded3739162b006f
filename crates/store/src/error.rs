//! What may fail with the database, and what to do about it.

use std::path::PathBuf;

use crate::repetition;

/// A failure of the store. None holds a password of its URL.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Nothing answers, or it refuses.
    #[error(
        "the store {store} cannot be used: {source}: check that it runs, and that `store.url` names its database, user and password"
    )]
    Unavailable {
        /// Which, without credentials.
        store: String,
        /// What the driver said.
        source: sqlx::Error,
    },
    /// Every connection stayed busy too long.
    #[error("the store {store} is too busy: no connection was free in time")]
    Busy {
        /// Which, without credentials.
        store: String,
    },
    /// The file of the database cannot be made.
    #[error("cannot make the database `{}`: {source}: its folder must exist and be writable", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The URL cannot be used; its text is not shown.
    #[error("the URL of the store {store} cannot be used: its options are not understood")]
    Url {
        /// Which, without credentials.
        store: String,
    },
    /// Something with this key is there already.
    #[error("it is there already")]
    Duplicate,
    /// The database refused a statement.
    #[error("the store {store} refused a statement: {source}")]
    Statement {
        /// Which, without credentials.
        store: String,
        /// What the driver said.
        source: sqlx::Error,
    },
    /// A column is missing or of another type than expected.
    #[error("the column `{column}` cannot be read: {source}: has the schema been changed by hand?")]
    Column {
        /// The column.
        column: String,
        /// What the driver said.
        source: sqlx::Error,
    },
    /// What is stored makes no sense.
    #[error("what is stored as {what} makes no sense: has it been changed by hand?")]
    Nonsense {
        /// What it was to be.
        what: &'static str,
    },
    /// The role of the database could see every organisation's rows, whatever is asked.
    #[error(
        "the role `{role}` of the store {store} bypasses row-level security, which keeps organisations apart: use a role made with `CREATE ROLE bartizan LOGIN NOSUPERUSER NOBYPASSRLS`"
    )]
    Bypasses {
        /// Which, without credentials.
        store: String,
        /// The role.
        role: String,
    },
    /// Transactions waited for each other again and again.
    #[error("the store {store} is too busy: others changed the same rows at the same time, again and again")]
    Conflict {
        /// Which, without credentials.
        store: String,
    },
    /// A newer release has been here.
    #[error(
        "the store {store} has the schema {found}, this release knows {known}: start the newer release, or restore a backup"
    )]
    Newer {
        /// Which, without credentials.
        store: String,
        /// Its version.
        found: i64,
        /// The newest version of this release.
        known: i64,
    },
    /// A migration is not what was applied.
    #[error(
        "the migration {version} of the store {store} was applied in another form: it was made by a build that was never released, so restore a backup or start with an empty database"
    )]
    Altered {
        /// Which, without credentials.
        store: String,
        /// Its version.
        version: i64,
    },
}

impl StoreError {
    pub(crate) fn column(column: &str, source: sqlx::Error) -> Self {
        Self::Column { column: column.into(), source }
    }

    pub(crate) fn of(store: &str, source: sqlx::Error) -> Self {
        let store = store.to_owned();
        match &source {
            sqlx::Error::PoolTimedOut => Self::Busy { store },
            sqlx::Error::Database(error) if error.is_unique_violation() => Self::Duplicate,
            error if repetition::is_conflict(error) => Self::Conflict { store },
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable { store, source },
            _ => Self::Statement { store, source },
        }
    }
}
