//! Why there is no configuration.

use std::{fmt, io, path::PathBuf};

use crate::Diagnostic;

/// Why a configuration could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The document itself could not be read.
    #[error("cannot read `{}`: {error}", path.display())]
    Read {
        /// The document.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        error: io::Error,
    },
    /// The document was read and is wrong: every problem found, in the order of the document. Warnings are
    /// among them, at least one is an error.
    #[error("{}", Rendered(.0))]
    Invalid(Vec<Diagnostic>),
    /// The target of [`crate::Config::for_target`] is none.
    #[error("`{target}` is not a target: {reason}")]
    Target {
        /// What was given, without credentials.
        target: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl ConfigError {
    /// The problems of the document; empty when it could not be read at all.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        match self {
            Self::Invalid(diagnostics) => diagnostics,
            Self::Read { .. } | Self::Target { .. } => &[],
        }
    }
}

struct Rendered<'a>(&'a [Diagnostic]);

impl fmt::Display for Rendered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            diagnostic.fmt(f)?;
        }
        Ok(())
    }
}
