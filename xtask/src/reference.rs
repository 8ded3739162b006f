//! The part of the manual that the code writes: configuration, admin API, commands; and the check that the other pages
//! name what the code has.

mod configuration;
mod names;

use std::{fmt::Write as _, fs, path::Path};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use crate::{
    command::{self, command, say},
    gateway,
    setup::Setup,
};

/// Where generated pages go.
const FOLDER: &str = "docs/src/reference";

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
    let binary = gateway::build()?;
    let schema = json(&binary, &["schema"])?;
    Ok(vec![
        ("configuration.md", configuration::page(&schema)),
        ("bartizan.schema.json", pretty(&schema)?),
        ("openapi.json", pretty(&json(&binary, &["openapi"])?)?),
        ("accounts-openapi.json", pretty(&json(&binary, &["openapi", "--accounts"])?)?),
        ("commands.md", commands(&binary)?),
    ])
}

/// The help of every command.
fn commands(binary: &Path) -> Result<String> {
    let mut page = "# Commands\n".to_owned();
    let help = |command: &[&str]| Ok::<_, anyhow::Error>(String::from_utf8(ask(binary, command)?)?);
    for name in command_names(&help(&["--help"])?) {
        let all = help(&[name, "--help"])?;
        section(&mut page, name, &all);
        for part in command_names(&all) {
            section(&mut page, &format!("{name} {part}"), &help(&[name, part, "--help"])?);
        }
    }
    Ok(page)
}

fn section(page: &mut String, name: &str, help: &str) {
    let help: Vec<_> = help.lines().map(str::trim_end).collect();
    // Writing into a `String` cannot fail.
    let _ = write!(page, "\n## bartizan {name}\n\n```text\n{}\n```\n", help.join("\n").trim());
}

/// The names in the list of commands that `--help` prints.
fn command_names(help: &str) -> impl Iterator<Item = &str> {
    let list =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    list.filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')))
        .filter_map(|line| line.split(' ').next())
        .filter(|name| *name != "help")
}

/// What a command prints, the same whatever the terminal and the environment.
fn ask(binary: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
    let mut command = command(binary, arguments);
    command.env("COLUMNS", "100").env_remove("BARTIZAN_ADMIN");
    command::output(command)
}

/// What a command prints, which must be JSON.
fn json(binary: &Path, arguments: &[&str]) -> Result<Value> {
    let answer = ask(binary, arguments)?;
    serde_json::from_slice(&answer).with_context(|| format!("`bartizan {}` is not JSON", arguments.join(" ")))
}

fn pretty(value: &Value) -> Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
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
