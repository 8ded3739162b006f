//! What may fail when the data plane starts or reloads.

use std::{net::SocketAddr, path::PathBuf};

use bartizan_config::Diagnostic;
use bartizan_pipeline::{FirewallError, PipelineError};

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
    /// A key that requests to an upstream are signed with cannot be used.
    #[error("the signing key of the upstream `{upstream}`: {source}")]
    SigningKey {
        /// The upstream.
        upstream: bartizan_model::Name,
        /// What is wrong with it.
        source: bartizan_identity::SignatureKeyError,
    },
    /// A reload asks for other addresses than those listened on.
    #[error("`listen.{0}` has changed: listening addresses change with a restart only")]
    ListenChanged(&'static str),
    /// A reload begins, ends or moves what is opened at the start only.
    #[error("`{0}` has changed: that takes a restart")]
    NeedsRestart(&'static str),
    /// The identity providers cannot be set up.
    #[error(transparent)]
    Identity(#[from] bartizan_identity::IdentityError),
    /// The shared store cannot be used.
    #[error(transparent)]
    Limits(#[from] bartizan_limits::LimitsError),
    /// The rules of the firewall cannot be used.
    #[error(transparent)]
    Firewall(#[from] FirewallError),
    /// The policies are not valid.
    #[error(transparent)]
    Policies(#[from] bartizan_policy::PoliciesError),
    /// A reload has failed inside.
    #[error("compiling the configuration failed inside: see the log")]
    Compilation,
    /// TLS cannot be set up with these parts.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
}

impl GatewayError {
    /// The problems with their places, where what is at fault is a file that has places.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        match self {
            Self::Policies(error) => error.diagnostics(),
            _ => &[],
        }
    }

    /// What the configuration calls the thing that is at fault: a file, an entry of `identity`.
    pub fn subject(&self) -> Option<String> {
        use bartizan_identity::IdentityError as Identity;

        let name_of = |path: &PathBuf| Some(path.file_name()?.to_string_lossy().into_owned());
        match self {
            Self::Certificate { path, .. }
            | Self::Identity(Identity::File { path, .. } | Identity::KeyFile { path, .. }) => name_of(path),
            Self::Identity(
                Identity::SameCredential { provider, .. }
                | Identity::InsecureUrl { provider, .. }
                | Identity::Client { provider, .. }
                | Identity::ShortSecret { provider, .. }
                | Identity::SignatureKey { provider, .. },
            ) => Some(provider.to_string()),
            Self::Identity(Identity::UnknownProvider(name) | Identity::SameIssuer(_, name)) => {
                Some(name.to_string())
            }
            Self::SigningKey { upstream, .. } => Some(upstream.to_string()),
            Self::Firewall(FirewallError::Target { target, .. }) => Some(target.clone()),
            Self::Listen { .. }
            | Self::Firewall(_)
            | Self::Policies(_)
            | Self::Compilation
            | Self::ListenChanged(_)
            | Self::NeedsRestart(_)
            | Self::Limits(_)
            | Self::Identity(_)
            | Self::Tls(_) => None,
        }
    }
}

impl From<PipelineError> for GatewayError {
    fn from(error: PipelineError) -> Self {
        match error {
            PipelineError::Identity(error) => Self::Identity(error),
            PipelineError::Limits(error) => Self::Limits(error),
            PipelineError::Firewall(error) => Self::Firewall(error),
            PipelineError::Policies(error) => Self::Policies(error),
        }
    }
}
