//! What can go wrong.

use std::{io, path::PathBuf};

/// Why events could not be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// The directory cannot be made or read: most often its owner is another user.
    #[error("the directory of events `{path}` cannot be used: {source}")]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of a day cannot be read or written: a full disk, or another program that holds it.
    #[error("the events in `{path}` cannot be reached: {source}")]
    Store {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// A file of a day that another release has written.
    #[error("`{path}` has version {found} of the format of events, this release reads {known}")]
    Version {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The version of this release.
        known: i64,
    },
    /// The database does not answer, or refuses.
    #[error("the events in {database} cannot be reached: {source}")]
    Database {
        /// Which, without credentials.
        database: String,
        /// What the driver said.
        source: sqlx::Error,
    },
    /// The URL of the database cannot be used; its text is not shown.
    #[error("the URL of the database of events {database} cannot be used: its options are not understood")]
    Url {
        /// Which, without credentials.
        database: String,
    },
    /// The role of the database could see every organisation's events, whatever is asked.
    #[error(
        "the role `{role}` of the database of events {database} bypasses row-level security, which keeps organisations apart: use a role made with `CREATE ROLE bartizan LOGIN NOSUPERUSER NOBYPASSRLS`"
    )]
    Bypasses {
        /// Which, without credentials.
        database: String,
        /// The role.
        role: String,
    },
    /// Tables that a newer release has made.
    #[error(
        "the events in {database} have version {found} of their format, this release reads {known}: start the newer release"
    )]
    Format {
        /// Which, without credentials.
        database: String,
        /// Their version.
        found: i64,
        /// The version of this release.
        known: i64,
    },
    /// The spill cannot be read or written: a full disk, most often.
    #[error("the spill of events `{path}` cannot be used: {source}")]
    Spill {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The spill has reached its limit.
    #[error("the spill of events has reached its limit of {limit} bytes")]
    SpillFull {
        /// The limit.
        limit: u64,
    },
    /// A question took too long.
    #[error("finding these events takes too long: ask for a shorter time, an address, a user or a request")]
    Deadline,
    /// The thread that writes events cannot be started.
    #[error("the writer of events cannot be started: {0}")]
    Writer(io::Error),
}
