//! What it was measured on, and with.

use std::fs;

use anyhow::Result;

use crate::{command::command, server::NGINX};

/// A Markdown list: what took part, then the machine and the compiler.
pub(crate) fn description(facts: &[String]) -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    let machine = [
        format!("machine: {}, {cores} cores, {}", field("/proc/cpuinfo", "model name"), memory()),
        format!("system: Linux {}, {}", fs::read_to_string("/proc/sys/kernel/osrelease")?.trim(), system()),
        format!("compiler: {}", said("rustc", &["--version"])),
    ];
    Ok(format!("- {}\n", [facts, &machine].concat().join("\n- ")))
}

/// The nginx that is a peer, with its version.
pub(crate) fn nginx() -> String {
    said(NGINX, &["-v"]).trim_start_matches("nginx version: ").to_owned()
}

/// The wrk that sends, with its version.
pub(crate) fn wrk() -> String {
    said("wrk", &["-v"]).split(" [").next().unwrap_or_default().to_owned()
}

/// The first line a program says about itself, wherever it says it.
pub(crate) fn said(program: &str, arguments: &[&str]) -> String {
    let Ok(output) = command(program, arguments).output() else {
        return format!("{program} (unknown version)");
    };
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned()
}

fn system() -> String {
    let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("unknown system");
    name.trim_matches('"').to_owned()
}

fn memory() -> String {
    let kibibytes =
        field("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse::<u64>().unwrap_or_default();
    format!("{} GiB", kibibytes.div_ceil(1024 * 1024))
}

/// The value of the first `name: value` in a file of `/proc`.
fn field(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let value = |line: &str| Some(line.strip_prefix(name)?.trim_start().strip_prefix(':')?.trim().to_owned());
    text.lines().find_map(value).unwrap_or_else(|| "unknown".into())
}
