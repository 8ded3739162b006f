//! `ModSecurity` in nginx, asked over a socket; which rules matched is what nginx writes into its log.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use super::reference::UNICODE_MAP;
use crate::socket::ask;

/// Where Debian puts them; users' paths do not have the first.
const NGINX: &str = "/usr/sbin/nginx";
const MODULE: &str = "/usr/lib/nginx/modules/ngx_http_modsecurity_module.so";

const START: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

pub(crate) struct Peer {
    process: Child,
    address: SocketAddr,
    log: PathBuf,
}

/// nginx's number of a connection.
pub(crate) type Connection = u64;

/// What an engine made of a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Rules that look for something and matched.
    pub(crate) rules: BTreeSet<u64>,
    /// The anomaly score; none where the rules did not get that far.
    pub(crate) score: Option<u64>,
}

impl Verdict {
    /// Below are rules that only set up, above are those that only decide and report.
    const DETECTING: std::ops::Range<u64> = 200_000..949_000;
    /// The rule of `differential.conf` that tells the score.
    const SCORE: u64 = 11;

    /// Adds a line of a log: `... [id "942100"] ... [data "..."]`.
    pub(crate) fn add(&mut self, rule: u64, line: &str) {
        if Self::DETECTING.contains(&rule) {
            self.rules.insert(rule);
        } else if rule == Self::SCORE {
            self.score = field(line, "data").and_then(|score| score.parse().ok());
        }
    }
}

impl Peer {
    /// Starts nginx in a folder, with these files of rules in this order.
    pub(crate) fn start(folder: &Path, rules: &[PathBuf]) -> Result<Self> {
        ensure!(
            Path::new(MODULE).is_file(),
            "`{MODULE}` is not there: Debian's libnginx-mod-http-modsecurity brings it"
        );
        // nginx cannot choose a free port itself.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let rules = included(folder, rules)?;
        let text = include_str!("peer.conf")
            .replace("@MODULE@", MODULE)
            .replace("@PORT@", &address.port().to_string())
            .replace("@RULES@", &rules.display().to_string());
        let config = folder.join("peer.conf");
        fs::write(&config, text)?;
        let output = folder.join("output.log");
        let file = fs::File::create(&output)?;
        let process = Command::new(NGINX)
            .args(["-e", "stderr", "-p"])
            .arg(folder)
            .arg("-c")
            .arg(&config)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("could not start `{NGINX}`"))?;
        let mut peer = Self { process, address, log: folder.join("nginx.log") };
        peer.wait().with_context(|| fs::read_to_string(&output).unwrap_or_default())?;
        Ok(peer)
    }

    fn wait(&mut self) -> Result<()> {
        let start = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.process.try_wait()? {
                bail!("nginx ended: {status}");
            }
            ensure!(start.elapsed() < START, "nginx does not listen after {START:?}");
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Shows it a request; nothing where nginx refuses it without asking the rules.
    pub(crate) fn ask(&self, request: &[u8]) -> Result<Option<Connection>> {
        let Some(answer) = ask(self.address, request)? else { return Ok(None) };
        if answer.status != 200 {
            return Ok(None);
        }
        let number = answer.headers.iter().find(|(name, _)| name == "x-connection");
        let (_, number) = number.context("nginx does not say which connection it was")?;
        Ok(Some(number.parse()?))
    }

    /// What came of every request so far.
    pub(crate) fn verdicts(&self) -> Result<BTreeMap<Connection, Verdict>> {
        let log = fs::read(&self.log).with_context(|| format!("cannot read `{}`", self.log.display()))?;
        let mut verdicts = BTreeMap::<_, Verdict>::new();
        for line in log.split(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(line);
            if let Some((connection, rule)) = matched(&line) {
                verdicts.entry(connection).or_default().add(rule, &line);
            }
        }
        Ok(verdicts)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Nothing more can be done for a process that cannot even be killed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `... *7 ModSecurity: Warning. Matched ... [id "942100"] ...`
fn matched(line: &str) -> Option<(Connection, u64)> {
    let (before, message) = line.split_once(" ModSecurity: ")?;
    let (_, connection) = before.rsplit_once('*')?;
    Some((connection.parse().ok()?, field(message, "id")?.parse().ok()?))
}

/// The value of `[name "value"]`. What a client sent stands before all of them, and can look like one.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = line.rsplit_once(&format!("[{name} \""))?;
    rest.split_once("\"]").map(|(value, _)| value)
}

/// Writes what names the files of rules, in this order.
fn included(folder: &Path, rules: &[PathBuf]) -> Result<PathBuf> {
    let includes: Vec<_> = rules.iter().map(|file| format!("Include {}\n", file.display())).collect();
    let includes = includes.concat();
    let text = format!("SecUnicodeMapFile {UNICODE_MAP} 20127\n{includes}");
    let path = folder.join("rules.conf");
    fs::write(&path, text)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_log_says_connection_rule_and_score() {
        let line = "2026/01/01 00:00:00 [info] 1#1: *7 ModSecurity: Warning. Matched \"Operator `Rx' with parameter \
                    `[id \"1\"]' against variable `ARGS:a' (Value: `x' ) [file \"a.conf\"] [line \"1\"] [id \"942100\"] \
                    [rev \"\"] [msg \"SQL\"] [data \"found\"], client: 127.0.0.1";
        assert_eq!(matched(line), Some((7, 942_100)));
        let mut verdict = Verdict::default();
        verdict.add(942_100, line);
        verdict.add(900_000, line);
        verdict.add(11, "[id \"11\"] [data \"15\"]");
        assert_eq!(verdict, Verdict { rules: [942_100, 900_000].into(), score: Some(15) });
        assert_eq!(matched("2026/01/01 00:00:00 [info] 1#1: *7 client closed connection"), None);
    }
}
