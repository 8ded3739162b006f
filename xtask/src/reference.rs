//! The part of the manual that the code writes: configuration, admin API, commands; and the check that the other pages
//! name what the code has.

mod configuration;
mod names;

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

/// How long the admin API may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Args)]
pub(crate) struct Docs {
    /// Fail when a generated page differs from what stands in the tree, instead of writing it.
    #[arg(long)]
    check: bool,
}

impl Docs {
    pub(crate) fn run(&self) -> Result<()> {
        Setup::for_docs().run()?;
        names::check()?;
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
    let all = String::from_utf8(ask(binary, &["--help"])?)?;
    let sections = command_names(&all).map(|name| {
        let help = String::from_utf8(ask(binary, &[name, "--help"])?)?;
        let help: Vec<_> = help.lines().map(str::trim_end).collect();
        Ok(format!("\n## bartizan {name}\n\n```text\n{}\n```\n", help.join("\n").trim()))
    });
    Ok("# Commands\n".to_owned() + &sections.collect::<Result<String>>()?)
}

/// The names in the list of commands that `--help` prints.
fn command_names(help: &str) -> impl Iterator<Item = &str> {
    let list =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    list.filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')))
        .filter_map(|line| line.split(' ').next())
        .filter(|name| *name != "help")
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
    let (host, token) = (gateway.admin(), gateway.admin_token()?);
    let head = format!("host: {host}\r\nauthorization: Bearer {token}\r\nconnection: close");
    write!(stream, "GET /openapi.json HTTP/1.1\r\n{head}\r\n\r\n")?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_from_the_help() {
        let help = "A gateway\n\nUsage: bartizan\n\nCommands:\n  run    Guard a service\n           over two lines\n  check  Validate\n  help   Print\n\nOptions:\n  -h\n";
        assert_eq!(command_names(help).collect::<Vec<_>>(), ["run", "check"]);
    }
}
