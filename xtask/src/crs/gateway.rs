//! The gateway under the tests: the real binary, asked over a socket, and what it remembers of each request.
//!
//! The firewall only reports, at paranoia level 4, with what the tests ask for (`regression.conf`) read before the
//! rules. Which rules matched is what `GET /v1/requests/{id}` of the admin API tells, as it does to `bartizan explain`.

use std::{
    fmt::Write as _,
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::{
    judge::{Entry, Exchange},
    server,
    socket::{Answer, ask},
};

/// How long a debug build may take to compile the rules and listen on a busy machine.
const START: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(20);

/// A running gateway in front of the server that the tests are written for.
pub(crate) struct Gateway {
    process: Child,
    proxy: SocketAddr,
    admin: SocketAddr,
    token: String,
}

/// What a gateway writes about itself into `running.json`.
#[derive(Deserialize)]
struct Running {
    http: SocketAddr,
    admin: SocketAddr,
}

/// What the admin API tells of requests with an id, the newest first.
#[derive(Deserialize)]
struct Decided {
    requests: Vec<DecidedRequest>,
}

#[derive(Deserialize)]
struct DecidedRequest {
    steps: Vec<Step>,
    firewall: Option<Firewall>,
}

#[derive(Deserialize)]
struct Step {
    outcome: String,
    reason: String,
}

#[derive(Deserialize)]
struct Firewall {
    rules: Vec<Rule>,
    /// The numbers of all rules that matched.
    rule_ids: Vec<u64>,
}

#[derive(Deserialize)]
struct Rule {
    id: u64,
    message: String,
    variables: Vec<Variable>,
}

#[derive(Deserialize)]
struct Variable {
    name: String,
    value: String,
}

impl Gateway {
    /// Starts `binary` with the Core Rule Set in a folder; its state and log are in `folder`, which is emptied first.
    pub(crate) fn start(binary: &Path, crs: &Path, folder: &Path) -> Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| format!("could not empty `{}`", folder.display()))?;
        }
        fs::create_dir_all(folder)?;
        let upstream = TcpListener::bind("127.0.0.1:0")?;
        let config = folder.join("bartizan.yaml");
        fs::write(&config, configuration(crs, upstream.local_addr()?)?)?;
        // The name says that it is read before the rules.
        fs::write(folder.join("regression-before.conf"), include_str!("regression.conf"))?;
        server::serve(upstream);

        let (state, log) = (folder.join("state"), folder.join("bartizan.log"));
        let output = fs::File::create(&log)?;
        let mut process = Command::new(binary)
            .arg("run")
            .arg("-c")
            .arg(&config)
            .arg("--state-dir")
            .arg(&state)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("could not start `{}`", binary.display()))?;
        let running = wait(&mut process, &state.join("running.json"))
            .with_context(|| fs::read_to_string(&log).unwrap_or_default());
        let (proxy, admin) = match running {
            Ok(Running { http, admin }) => (http, admin),
            Err(error) => {
                end(&mut process);
                return Err(error);
            }
        };
        let token = fs::read_to_string(state.join("admin-token")).context("there is no admin token")?;
        Ok(Self { process, proxy, admin, token: token.trim().to_owned() })
    }

    /// One exchange over a new connection. What goes wrong with the gateway, rather than with the request, is shown as
    /// a response without a status.
    pub(crate) fn exchange(&self, bytes: &[u8]) -> Exchange {
        self.try_exchange(bytes).unwrap_or_else(|error| Exchange {
            status: None,
            response: format!("{error:#}").into_bytes(),
            log: Vec::new(),
        })
    }

    fn try_exchange(&self, bytes: &[u8]) -> Result<Exchange> {
        let Some(Answer { status, headers, body: mut response }) = ask(self.proxy, bytes)? else {
            return Ok(Exchange::default());
        };
        let id = headers.into_iter().find(|(name, _)| name == "x-request-id");
        let (_, id) = id.context("the gateway does not say which request it was")?;
        let DecidedRequest { steps, firewall } = self.decided(&id)?;
        // The client is not told why it was refused; an override wants to know.
        for step in steps.iter().filter(|step| step.outcome == "denied") {
            response.extend_from_slice(format!("\nrefused: {}", step.reason).as_bytes());
        }
        Ok(Exchange { status: Some(status), response, log: firewall.map(log).unwrap_or_default() })
    }

    /// What was decided about the request with this id.
    fn decided(&self, id: &str) -> Result<DecidedRequest> {
        let (admin, token) = (self.admin, &self.token);
        let request = format!(
            "GET /v1/requests/{id} HTTP/1.1\r\nHost: {admin}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        let answer = ask(admin, request.as_bytes())?.context("the admin API does not answer")?;
        let said = String::from_utf8_lossy(&answer.body);
        ensure!(answer.status == 200, "the admin API answers {}: {said}", answer.status);
        let decided: Decided = serde_json::from_str(&said).with_context(|| said.clone().into_owned())?;
        decided.requests.into_iter().next().context("the request is not remembered")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// It has nothing to finish. One that cannot be ended has ended by itself.
fn end(process: &mut Child) {
    let _ = process.kill();
    let _ = process.wait();
}

fn wait(process: &mut Child, running: &PathBuf) -> Result<Running> {
    let start = Instant::now();
    while start.elapsed() < START {
        // Nothing, or not the whole of it, is there before it listens.
        if let Some(running) = fs::read(running).ok().and_then(|text| serde_json::from_slice(&text).ok()) {
            return Ok(running);
        }
        if let Some(status) = process.try_wait()? {
            bail!("the gateway ended before it listened: {status}");
        }
        thread::sleep(POLL);
    }
    bail!("the gateway does not listen after {START:?}")
}

/// Limits and protections that are not the rules' are as everybody has them, with one exception: rules that are about
/// headers with an underscore are to see some.
fn configuration(crs: &Path, upstream: SocketAddr) -> Result<String> {
    let crs = crs.canonicalize().with_context(|| format!("`{}` is not there", crs.display()))?;
    let waf = serde_json::json!({
        "rules": "crs", "path": crs, "paranoia": 4, "mode": "log",
        "include": ["regression-before.conf"],
        "responses": { "types": ["text/plain", "text/html", "text/xml", "application/json"] },
    });
    let listen =
        serde_json::json!({ "http": "127.0.0.1:0", "admin": "127.0.0.1:0", "metrics": "127.0.0.1:0" });
    let hardening = serde_json::json!({ "underscore_headers": "allow" });
    let route =
        serde_json::json!({ "path": "/**", "to": format!("http://{upstream}"), "auth": "none", "waf": waf });
    Ok(serde_json::json!({ "version": 1, "listen": listen, "hardening": hardening, "routes": [route] })
        .to_string())
}

/// A line of the log, with what the gateway remembers in the place of what the rule would have logged.
/// An entry for each rule that matched. Those beyond the ones that are told in full have their numbers only.
fn log(Firewall { rules, rule_ids }: Firewall) -> Vec<Entry> {
    let others = rule_ids.into_iter().skip(rules.len());
    let others: Vec<Entry> = others.map(|rule| Entry { rule, text: format!("[id \"{rule}\"]") }).collect();
    rules.into_iter().map(entry).chain(others).collect()
}

fn entry(Rule { id, message, variables }: Rule) -> Entry {
    let mut text = format!("[id \"{id}\"] [msg \"{message}\"]");
    for Variable { name, value } in variables {
        let _ = write!(text, " [data \"{value} found within {name}\"]");
    }
    Entry { rule: id, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_admin_api_tells_becomes_the_log() {
        let told = r#"{"requests": [{"id": "x", "status": 200, "steps": [], "firewall": {"verdict": "passed", "rules": [
            {"id": 7, "message": "Seven", "variables": [{"name": "ARGS:a", "value": "b"}]},
            {"id": 8, "message": "Eight", "variables": []}], "rule_ids": [7, 8, 9]}}]}"#;
        let decided: Decided = serde_json::from_str(told).unwrap();
        let firewall = decided.requests.into_iter().next().unwrap().firewall.unwrap();
        let lines: Vec<_> = log(firewall).into_iter().map(|entry| entry.text).collect();
        assert_eq!(
            lines,
            [
                r#"[id "7"] [msg "Seven"] [data "b found within ARGS:a"]"#,
                r#"[id "8"] [msg "Eight"]"#,
                r#"[id "9"]"#
            ]
        );
    }
}
