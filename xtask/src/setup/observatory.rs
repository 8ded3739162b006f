//! Mozilla's HTTP Observatory, the scanner whose grade the security headers must earn, as npm installs it.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};

use crate::command::{self, command};

const NAME: &str = "@mdn/mdn-http-observatory";

/// With its version.
pub(super) const PACKAGE: &str = "@mdn/mdn-http-observatory@1.4.8";

/// Whether it is there and complete.
pub(super) fn is_installed() -> bool {
    preloaded_hosts().is_file() && installed_package().is_ok_and(|package| package == PACKAGE)
}

/// Installs it where the tests look for it.
pub(super) fn install() -> Result<()> {
    let folder = folder();
    fs::create_dir_all(&folder).with_context(|| format!("could not make `{}`", folder.display()))?;
    fs::write(folder.join("package.json"), "{ \"private\": true }\n")?;
    let mut npm =
        command("npm", &["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", PACKAGE]);
    npm.current_dir(&folder);
    command::run(npm)?;
    // Its scripts, which did not run, fetch a list of hosts and a database. Neither matters to a host on this machine.
    fs::write(preloaded_hosts(), "{}")?;
    fs::write(folder.join("installed"), PACKAGE).context("could not note what is installed")
}

fn folder() -> PathBuf {
    command::target().join("tmp/observatory")
}

fn preloaded_hosts() -> PathBuf {
    folder().join("node_modules").join(NAME).join("conf/hsts-preload.json")
}

fn installed_package() -> Result<String> {
    Ok(fs::read_to_string(folder().join("installed"))?)
}
