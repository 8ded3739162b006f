//! What may fail when the control plane starts. Failures of single requests are [problems](crate::Problem) instead.

use std::{io, path::PathBuf};

/// Why there is no admin token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// The operating system has no random numbers to give.
    #[error("cannot make an admin token: the system's random number generator failed")]
    Random,
    /// The token file cannot be written.
    #[error("cannot create the admin token file `{}`: {error}", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        error: io::Error,
    },
    /// The token file cannot be read: usually it belongs to the user that the gateway runs as.
    #[error("cannot read the admin token file `{}`: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        error: io::Error,
    },
    /// Others than its owner may read or change the token file.
    #[error(
        "the admin token file `{}` has mode {mode:04o}, so others can use it: run `chmod 600` on it, or delete it to \
         get a new token",
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The token file holds no usable token.
    #[error("the admin token file `{}` {reason}: delete it to get a new token", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with its content.
        reason: &'static str,
    },
}
