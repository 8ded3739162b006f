//! The way in: a file, a text or a bare target becomes a [`Config`] or a list of problems.

use std::path::Path;

use crate::{Config, ConfigError, Diagnostic, Source};

/// A configuration and what is questionable about it.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Problems that do not keep it from being used.
    pub warnings: Vec<Diagnostic>,
}

impl Config {
    /// Reads the document at `path`.
    pub fn load(path: &Path) -> Result<Loaded, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|error| ConfigError::Read { path: path.into(), error })?;
        Self::parse(&text, &Source::file(path))
    }

    /// Reads the document `text`.
    pub fn parse(text: &str, source: &Source) -> Result<Loaded, ConfigError> {
        let _ = (text, source);
        Err(ConfigError::Invalid(Vec::new()))
    }

    /// The configuration of `bartizan run --to TARGET`.
    pub fn for_target(target: &str) -> Result<Config, ConfigError> {
        Self::parse(target, &Source::text("")).map(|loaded| loaded.config)
    }
}
