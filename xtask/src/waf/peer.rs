//! `ModSecurity` in nginx, with the rules and the configuration that the engine has, and the same nginx without it.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::{
    cpu,
    machine::{self, said},
    process::Process,
    server::{self, free_address},
    setup::MODSECURITY,
    wrk,
};

/// One that `ModSecurity` refuses when it has its rules.
const ATTACK: &str = "sql-injection";
const CONNECTIONS: u32 = 8;
const PATIENCE: Duration = Duration::from_secs(10);

/// An exchange that both are sent.
pub(super) struct Compared {
    pub(super) name: String,
    /// The file of the request.
    pub(super) request: PathBuf,
    /// Whether `ModSecurity` refuses it.
    pub(super) is_refused: bool,
}

pub(super) struct Peer {
    /// Its versions.
    pub(super) description: String,
    with: Nginx,
    without: Nginx,
    // Held so that it outlives the proxies in front of it: fields are dropped in this order.
    _upstream: Process,
}

struct Nginx {
    process: Process,
    address: SocketAddr,
}

impl Peer {
    /// Starts both, and sees that one of them refuses an attack.
    pub(super) fn start(folder: &Path, crs: &Path) -> Result<Self> {
        ensure!(
            Path::new(MODSECURITY).is_file(),
            "`{MODSECURITY}` is not there: Debian's libnginx-mod-http-modsecurity brings it"
        );
        let upstream_address = free_address()?;
        let port = upstream_address.port().to_string();
        let upstream = server::nginx(
            "compare/upstream.conf",
            &folder.join("upstream"),
            &[("UPSTREAM", port.clone())],
            upstream_address,
        )?;
        let rules = rules(folder, crs)?;
        let rules = format!("modsecurity on; modsecurity_rules_file {};", rules.display());
        let with = Nginx::start(&folder.join("with"), &port, &format!("load_module {MODSECURITY};"), &rules)?;
        let without = Nginx::start(&folder.join("without"), &port, "", "")?;
        for (nginx, name, refused) in
            [(&with, ATTACK, true), (&with, "get", false), (&without, ATTACK, false)]
        {
            let status = nginx.ask(&file(name))?;
            ensure!((status == "403") == refused, "`{name}` is answered with {status}");
        }
        let description = description(&folder.join("with"))?;
        Ok(Self { description, with, without, _upstream: upstream })
    }

    /// How many microseconds of CPU time `ModSecurity` costs per request. What it refuses is not forwarded: there all of nginx'
    /// time counts, since the same nginx without it does more.
    pub(super) fn measure(&self, compared: &[Compared], seconds: u64) -> Result<Vec<(String, f64)>> {
        let cost = |exchange: &Compared| {
            let with = self.with.cpu_us(exchange, exchange.is_refused, seconds)?;
            let cost = if exchange.is_refused {
                with
            } else {
                with - self.without.cpu_us(exchange, false, seconds)?
            };
            Ok((exchange.name.clone(), cost))
        };
        compared.iter().map(cost).collect()
    }
}

impl Nginx {
    fn start(folder: &Path, upstream: &str, module: &str, rules: &str) -> Result<Self> {
        let address = free_address()?;
        let values = [
            ("UPSTREAM", upstream.to_owned()),
            ("HTTP", address.port().to_string()),
            ("MODULE", module.to_owned()),
            ("RULES", rules.to_owned()),
        ];
        Ok(Self { process: server::nginx("waf/nginx.conf", folder, &values, address)?, address })
    }

    /// Sends a request for a while, and says what each cost.
    fn cpu_us(&self, exchange: &Compared, is_refused: bool, seconds: u64) -> Result<f64> {
        thread::sleep(Duration::from_millis(200)); // lets the connections of the measurement before be closed
        let before = cpu::time(self.process.id())?;
        let send = if is_refused { wrk::send_in_vain } else { wrk::send };
        let load = send(&format!("http://{}", self.address), &exchange.request, CONNECTIONS, seconds);
        let requests = load.with_context(|| format!("`{}` through nginx", exchange.name))?.requests;
        let spent = cpu::time(self.process.id())?.saturating_sub(before);
        Ok(spent.as_secs_f64() * 1e6 / f64::from(requests))
    }

    /// The status of the answer to a request without a body.
    fn ask(&self, request: &Path) -> Result<String> {
        let text = fs::read_to_string(request)?.replace('\n', "\r\n");
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(text.as_bytes())?;
        let mut answer = [0; 12]; // "HTTP/1.1 403"
        stream.read_exact(&mut answer).context("nginx did not answer")?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        Ok(answer.rsplit(' ').next().unwrap_or_default().to_owned())
    }
}

fn file(name: &str) -> PathBuf {
    crate::root().join("bench/waf/requests").join(name).with_extension("http")
}

/// Writes what names the files of rules, in the order in which the engine reads them.
fn rules(folder: &Path, crs: &Path) -> Result<PathBuf> {
    let (root, crs) = (crate::root(), crs.display());
    let ours = [
        "crates/pipeline/src/firewall/recommended.conf",
        "xtask/src/crs/engine.conf",
        "bench/waf/engine.conf",
    ];
    let ours = ours.map(|file| root.join(file).display().to_string()).join("\nInclude ");
    let text = format!("Include {ours}\nInclude {crs}/crs-setup.conf.example\nInclude {crs}/rules/*.conf\n");
    let path = folder.join("rules.conf");
    fs::write(&path, text)?;
    Ok(path)
}

/// The versions of what takes part, and how many rules it has, which the module says when nginx starts.
fn description(folder: &Path) -> Result<String> {
    let log = fs::read_to_string(folder.join("output.log"))?;
    let module = log.find("ModSecurity-nginx").and_then(|start| log.get(start..)?.lines().next());
    let module = module.context("nginx says nothing about ModSecurity")?;
    let library =
        said("dpkg-query", &["--show", "--showformat", "libmodsecurity ${Version}", "libmodsecurity3"]);
    Ok(format!("{}, {module}, {library}", machine::nginx()))
}
