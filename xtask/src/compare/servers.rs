//! The upstream and the two proxies in front of it.

use std::{net::SocketAddr, path::Path, thread};

use anyhow::Result;

use crate::{
    gateway::Gateway,
    process::Process,
    server::{self, free_address},
};

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
        let upstream = server::nginx(
            "compare/upstream.conf",
            &folder.join("upstream"),
            &[("UPSTREAM", upstream_address.port().to_string())],
            upstream_address,
        )?;
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
            None => Running::Nginx(server::nginx("compare/nginx.conf", &folder, &values, http)?),
            Some(binary) => {
                let config = server::fill("compare/bartizan.yaml", &folder, &values)?;
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
