//! The part of the manual that the code writes: configuration, admin API, commands; and the check that the list of
//! metrics names exactly those the code has.

mod configuration;
mod metrics;

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::Value;

use crate::{
    command::{self, command, say},
    gateway::{self, Gateway},
    setup::Setup,
};

/// Where generated pages go.
const FOLDER: &str = "docs/src/reference";

const TIMEOUT: Duration = Duration::from_secs(10);

/// The commands whose help makes the page of commands.
const COMMANDS: [&str; 9] = ["run", "demo", "check", "schema", "explain", "block", "allow", "version", "key"];

#[derive(Args)]
pub(crate) struct Docs {
    /// Fail when a generated page differs from what stands in the tree, instead of writing it.
    #[arg(long)]
    check: bool,
}

impl Docs {
    pub(crate) fn run(&self) -> Result<()> {
        Setup::for_docs().run()?;
        metrics::check()?;
        let mut stale = Vec::new();
        for (name, text) in pages()? {
            let path = crate::root().join(FOLDER).join(name);
            if fs::read_to_string(&path).is_ok_and(|present| present == text) {
                continue;
            }
            if self.check {
                stale.push(name);
            } else {
                fs::create_dir_all(crate::root().join(FOLDER))?;
                fs::write(&path, text).with_context(|| format!("could not write `{}`", path.display()))?;
                say(&format!("wrote {FOLDER}/{name}"));
            }
        }
        if !stale.is_empty() {
            bail!("out of date in {FOLDER}: {} (run `cargo xtask docs`)", stale.join(", "));
        }
        command::run(command("mdbook", &["build", "docs"]))
    }
}

/// The generated pages, by file name.
fn pages() -> Result<Vec<(&'static str, String)>> {
    let binary = gateway::build(false)?;
    let schema: Value =
        serde_json::from_slice(&ask(&binary, &["schema"])?).context("`bartizan schema` is not JSON")?;
    Ok(vec![
        ("configuration.md", configuration::page(&schema)),
        ("bartizan.schema.json", pretty(&schema)?),
        ("openapi.json", pretty(&openapi(&binary)?)?),
        ("commands.md", commands(&binary)?),
    ])
}

/// The help of every command.
fn commands(binary: &Path) -> Result<String> {
    let sections = COMMANDS.iter().map(|name| {
        let help = String::from_utf8(ask(binary, &[name, "--help"])?)?;
        let help: Vec<_> = help.lines().map(str::trim_end).collect();
        Ok(format!("\n## bartizan {name}\n\n```text\n{}\n```\n", help.join("\n").trim()))
    });
    Ok("# Commands\n".to_owned() + &sections.collect::<Result<String>>()?)
}

fn ask(binary: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
    command::output(command(binary, arguments))
}

fn pretty(value: &Value) -> Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// The description of the admin API that a running gateway serves.
fn openapi(binary: &Path) -> Result<Value> {
    let gateway = Gateway::start_idle(binary, &crate::root().join("target/reference"))?;
    let mut stream = TcpStream::connect(gateway.admin())?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let host = gateway.admin();
    write!(stream, "GET /openapi.json HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    gateway.stop()?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the admin API gave no answer")?;
    ensure!(
        head.starts_with("HTTP/1.1 200 "),
        "the admin API answered `{}`",
        head.lines().next().unwrap_or_default()
    );
    serde_json::from_str(body).context("the OpenAPI document is not JSON")
}
