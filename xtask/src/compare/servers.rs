//! The upstream and the two proxies in front of it.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    thread,
    time::Duration,
};

use anyhow::{Context, Result};

use crate::{command::command, gateway::Gateway, process::Process};

const START: Duration = Duration::from_secs(10);

/// Everything that runs while it is measured.
pub(super) struct Servers {
    pub(super) nginx: Proxy,
    /// What is compared with it.
    pub(super) subject: Proxy,
    // Held so that it outlives the proxies in front of it: fields are dropped in this order.
    _upstream: Process,
}

/// A proxy, and where it listens.
pub(super) struct Proxy {
    pub(super) name: &'static str,
    pub(super) http: SocketAddr,
    pub(super) https: SocketAddr,
    running: Running,
}

enum Running {
    Nginx(Process),
    Bartizan(Gateway),
}

impl Servers {
    /// Starts them; without a binary, a second nginx stands in for Bartizan.
    pub(super) fn start(folder: &Path, binary: Option<&Path>) -> Result<Self> {
        let upstream_address = free_address()?;
        let upstream = nginx(
            "upstream.conf",
            &folder.join("upstream"),
            &[("UPSTREAM", upstream_address.port().to_string())],
        )?;
        let upstream = listening(upstream, upstream_address)?;
        let nginx = Proxy::start(folder, "nginx", None, upstream_address)?;
        let name = if binary.is_some() { "Bartizan" } else { "nginx again" };
        let subject = Proxy::start(folder, name, binary, upstream_address)?;
        Ok(Self { nginx, subject, _upstream: upstream })
    }
}

impl Proxy {
    fn start(folder: &Path, name: &'static str, binary: Option<&Path>, upstream: SocketAddr) -> Result<Self> {
        let (http, https) = (free_address()?, free_address()?);
        let values = [
            ("HTTP", http.port().to_string()),
            ("HTTPS", https.port().to_string()),
            ("UPSTREAM", upstream.port().to_string()),
            ("KEYS", folder.display().to_string()),
            ("THREADS", thread::available_parallelism()?.to_string()),
        ];
        let folder = folder.join(name.replace(' ', "-"));
        let running = match binary {
            None => Running::Nginx(listening(nginx("nginx.conf", &folder, &values)?, http)?),
            Some(binary) => {
                let config = fill("bartizan.yaml", &folder, &values)?;
                Running::Bartizan(Gateway::start(binary, &config, &folder)?)
            }
        };
        Ok(Self { name, http, https, running })
    }

    /// The process whose CPU time, with that of its children, is the proxy's.
    pub(super) fn pid(&self) -> u32 {
        match &self.running {
            Running::Nginx(process) => process.id(),
            Running::Bartizan(gateway) => gateway.pid(),
        }
    }
}

fn nginx(template: &str, folder: &Path, values: &[(&str, String)]) -> Result<Process> {
    let config = fill(template, folder, values)?;
    let mut command = command("/usr/sbin/nginx", &["-e", "stderr"]);
    // The paths in the configuration are relative to its folder.
    command.current_dir(folder).arg("-p").arg(folder).arg("-c").arg(config);
    Process::start(command, &folder.join("output.log"))
}

fn listening(mut process: Process, address: SocketAddr) -> Result<Process> {
    process.wait_for(&format!("listener on {address}"), START, || TcpStream::connect(address).ok())?;
    Ok(process)
}

/// Writes a file of `bench/compare` into a folder, with `@NAME@` replaced by its value.
fn fill(template: &str, folder: &Path, values: &[(&str, String)]) -> Result<std::path::PathBuf> {
    fs::create_dir_all(folder)?;
    let path = crate::root().join("bench/compare").join(template);
    let mut text =
        fs::read_to_string(&path).with_context(|| format!("could not read `{}`", path.display()))?;
    for (name, value) in values {
        text = text.replace(&format!("@{name}@"), value);
    }
    let path = folder.join(template);
    fs::write(&path, text)?;
    Ok(path)
}

/// An address that nobody listens on at the moment: nginx cannot choose one itself.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}
