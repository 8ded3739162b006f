//! Mozilla's HTTP Observatory, the scanner whose grade the security headers must earn, as npm installs it.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command::{self, command};

const NAME: &str = "@mdn/mdn-http-observatory";
const VERSION: &str = "1.4.8";

/// A list that one of its scripts would fetch, of hosts that browsers know already; empty does for this machine. The
/// scripts are left alone.
const HOSTS: &str = "conf/hsts-preload.json";

/// What npm is asked for.
pub(super) fn package() -> String {
    format!("{NAME}@{VERSION}")
}

/// Whether it is there and complete.
pub(super) fn is_installed() -> bool {
    let manifest = fs::read(installed().join("package.json")).unwrap_or_default();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap_or_default();
    manifest["version"] == VERSION && installed().join(HOSTS).is_file()
}

/// Installs it where the tests look for it.
pub(super) fn install() -> Result<()> {
    let folder = folder();
    fs::create_dir_all(&folder).with_context(|| format!("could not make `{}`", folder.display()))?;
    fs::write(folder.join("package.json"), "{ \"private\": true }\n")?;
    let options = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", &package()];
    let mut npm = command("npm", &options);
    npm.current_dir(&folder);
    command::run(npm)?;
    fs::write(installed().join(HOSTS), "{}").context("could not complete what npm has installed")
}

fn folder() -> PathBuf {
    command::target().join("tmp/observatory")
}

fn installed() -> PathBuf {
    folder().join("node_modules").join(NAME)
}
