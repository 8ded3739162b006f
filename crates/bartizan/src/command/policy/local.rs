//! The policies of a configuration on this machine, without a gateway.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, bail, ensure};
use bartizan_config::{Config, ConfigError, PolicyFile};
use bartizan_policy::Policies;
use clap::Args;

use crate::{document, output::complain, state::StateDirectory};

/// The largest file that is read.
const MAX_BYTES: u64 = 1024 * 1024;

/// Which configuration.
#[derive(Debug, Args)]
pub(super) struct Local {
    /// The configuration; without it `./bartizan.yaml`, then `/etc/bartizan/bartizan.yaml`.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Local {
    /// The policies, with those of `files` in the place of files with their names. Says what is questionable.
    pub(super) fn policies(&self, files: &[PathBuf]) -> Result<Arc<Policies>> {
        let config = self.load()?;
        let mut configured = config.policies.clone();
        for path in files {
            configured.get_or_insert_default().put(PolicyFile { path: path.clone(), text: read(path)? });
        }
        if configured.is_none() && config.zones.is_empty() {
            bail!(
                "the configuration has no policies: add `policies: {{ files: ./policies/*.cedar }}`, or name a FILE"
            );
        }
        let policies = Policies::with_policies(&config, configured.as_ref())
            .map_err(|error| ConfigError::Invalid(error.diagnostics().to_vec()))?;
        if !policies.warnings().is_empty() {
            complain(document::render(policies.warnings()));
        }
        Ok(policies)
    }

    fn load(&self) -> Result<Config> {
        let path = document::find(self.config.clone())?;
        let state = StateDirectory::locate(None).ok();
        Ok(document::load(&path, state.as_ref())?.config)
    }
}

/// What a file holds, as far as it may be long.
pub(super) fn read(path: &Path) -> Result<String> {
    let mut text = String::new();
    let opened = fs::File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text));
    opened.with_context(|| format!("cannot read `{}`", path.display()))?;
    ensure!(text.len() as u64 <= MAX_BYTES, "`{}` is longer than 1 MiB", path.display());
    Ok(text)
}
