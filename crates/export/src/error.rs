//! What can go wrong.

use std::{io, path::PathBuf};

/// Why an export cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A name that leads out of the directory of what waits.
    #[error(
        "a name that begins with a dot is none: events wait in a folder that is called like their export"
    )]
    Name,
    /// There is no such type of event.
    #[error("`{0}` is no type of event")]
    UnknownType(String),
    /// A certificate or key that the export names cannot be read.
    #[error("`{path}` cannot be used: {reason}")]
    Certificate {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// What is to be sent with every request cannot be sent.
    #[error("`{0}` cannot be sent as a header: it holds more than printable characters")]
    Header(&'static str),
    /// No client can be made for a receiver.
    #[error("no connection can be prepared: {0}")]
    Client(#[source] reqwest::Error),
    /// A receiver's name is none.
    #[error("`{0}` is not the name of a server")]
    ServerName(String),
    /// The directory of what waits cannot be used: a full disk, or another owner.
    #[error("`{path}`, where events wait for their receiver, cannot be used: {source}")]
    Spool {
        /// Which directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}
