//! What may fail when the data plane starts or reloads.

use std::{net::SocketAddr, path::PathBuf};

/// A failure to start or to take over a configuration. Failures of single requests are refusals instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// A certificate, key or authority file cannot be used.
    #[error("cannot use `{}`: {reason}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A reload asks for other addresses than those listened on.
    #[error("`listen.{0}` has changed: listening addresses change with a restart only")]
    ListenChanged(&'static str),
    /// The identity providers cannot be set up.
    #[error(transparent)]
    Identity(#[from] bartizan_identity::IdentityError),
    /// TLS cannot be set up with these parts.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
}
