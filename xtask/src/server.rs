//! What stands around a measurement: nginx, as peer and as upstream, and the configurations that are filled in.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};

use crate::{command::command, process::Process};

/// Where Debian puts it; users' paths do not have it.
pub(crate) const NGINX: &str = "/usr/sbin/nginx";

const START: Duration = Duration::from_secs(10);

/// Starts nginx with a configuration of `bench/`, in a folder, and waits until it listens.
pub(crate) fn nginx(
    template: &str,
    folder: &Path,
    values: &[(&str, String)],
    address: SocketAddr,
) -> Result<Process> {
    let config = fill(template, folder, values)?;
    let mut command = command(NGINX, &["-e", "stderr"]);
    // The paths in the configuration are relative to its folder.
    command.current_dir(folder).arg("-p").arg(folder).arg("-c").arg(config);
    let log = folder.join("output.log");
    let mut process = Process::start(command, &log)?;
    process
        .wait_for(&format!("listener on {address}"), START, || TcpStream::connect(address).ok())
        .with_context(|| fs::read_to_string(&log).unwrap_or_default())?;
    Ok(process)
}

/// Writes a file of `bench/` into a folder, with `@NAME@` replaced by its value.
pub(crate) fn fill(template: &str, folder: &Path, values: &[(&str, String)]) -> Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let path = crate::root().join("bench").join(template);
    let mut text =
        fs::read_to_string(&path).with_context(|| format!("could not read `{}`", path.display()))?;
    for (name, value) in values {
        text = text.replace(&format!("@{name}@"), value);
    }
    let path = folder.join(path.file_name().context("a template has a name")?);
    fs::write(&path, text)?;
    Ok(path)
}

/// An address that nobody listens on at the moment: nginx cannot choose one itself.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

/// Empties a folder for a measurement, or makes it.
pub(crate) fn empty(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("could not empty `{}`", folder.display()))?;
    }
    Ok(fs::create_dir_all(folder)?)
}
