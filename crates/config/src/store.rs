//! The database of what outlives the process: people, sessions, the audit trail.

use std::{fmt, path::PathBuf, str::FromStr};

use secrecy::{ExposeSecret, SecretString};

use crate::word;

/// `store:`: where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreLocation {
    /// A file of SQLite, for one machine.
    Sqlite(PathBuf),
    /// A database of PostgreSQL, for many.
    Postgres(PostgresUrl),
}

/// The URL of a PostgreSQL database. It may hold a password, which neither `Debug` nor `Display` shows.
#[derive(Debug, Clone)]
pub struct PostgresUrl {
    pub(crate) url: SecretString,
    pub(crate) address: String,
}

impl PostgresUrl {
    /// The whole URL.
    pub fn url(&self) -> &SecretString {
        &self.url
    }
}

impl PartialEq for PostgresUrl {
    /// Both sides come from configurations of the same owner, so the time it takes tells nobody anything.
    fn eq(&self, other: &Self) -> bool {
        self.url.expose_secret() == other.url.expose_secret()
    }
}

impl Eq for PostgresUrl {}

impl fmt::Display for StoreLocation {
    /// Without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(postgres) => f.write_str(&postgres.address),
        }
    }
}

impl FromStr for StoreLocation {
    type Err = String;

    /// `sqlite:PATH` or `postgres://user:password@host:port/database`. No message quotes any part of it.
    fn from_str(text: &str) -> Result<Self, String> {
        <word::StoreUrl as crate::forms::Forms>::word(text).map(|url| url.0)
    }
}
