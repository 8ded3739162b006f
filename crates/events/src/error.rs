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
