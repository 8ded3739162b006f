//! Tests the admin API and the endpoints of accounts against the descriptions that the gateway gives of them, with the
//! `schemathesis` of the local environment.
//!
//! The gateway is the real binary on free ports, and has decided about a few requests, so that its answers are not
//! empty. Whatever schemathesis finds is a failure.

mod accounts;

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::{
    command::{self, command},
    gateway::{self, Gateway},
    setup,
};

/// Test cases per operation; all phases of both documents together take a few minutes.
const EXAMPLES: &str = "30";

/// Served (badly: there is no service behind), counted by a limit, refused by its path, refused for its framing.
const REQUESTS: [&str; 4] = [
    "GET /orders HTTP/1.1\r\nhost: shop.test\r\nconnection: close\r\n\r\n",
    "GET /limited HTTP/1.1\r\nhost: shop.test\r\nconnection: close\r\n\r\n",
    "GET /a%2fb HTTP/1.1\r\nhost: shop.test\r\nconnection: close\r\n\r\n",
    "POST /orders HTTP/1.1\r\nhost: shop.test\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
];

/// How long the gateway may take to answer one of them.
const TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) fn run() -> Result<()> {
    let binary = gateway::build()?;
    let folder = crate::root().join("target/schemathesis");
    let gateway = Gateway::start_idle(&binary, &folder)?;
    visit(gateway.proxy()?)?;
    check(&gateway)
        .with_context(|| format!("the gateway's log is `{}`", folder.join("bartizan.log").display()))?;
    gateway.stop()?;
    accounts::run(&binary)
}

/// Gives the gateway something to decide.
fn visit(proxy: &str) -> Result<()> {
    for request in REQUESTS {
        let mut stream = TcpStream::connect(proxy)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).context("the gateway did not answer")?;
        ensure!(answer.starts_with("HTTP/1.1 "), "the gateway answered `{answer}`");
    }
    Ok(())
}

fn check(gateway: &Gateway) -> Result<()> {
    let document = format!("http://{}/openapi.json", gateway.admin());
    let mut command = checked(&crate::root().join("target/schemathesis"), "schemathesis.toml");
    command.arg(&document).env("BARTIZAN_ADMIN_TOKEN", gateway.admin_token()?);
    command::run(command)
}

/// A run that works in `folder`, with the settings in that file of this folder. The document is its next argument.
fn checked(folder: &Path, settings: &str) -> Command {
    let mut command = command(setup::environment("schemathesis"), &[]);
    command
        .arg("--config-file")
        .arg(crate::root().join("xtask").join(settings))
        .args(["run", "--checks", "all", "--max-examples", EXAMPLES, "--seed", "1"])
        .args(["--generation-database", "none", "--continue-on-failure", "--no-color"])
        .current_dir(folder);
    command
}
