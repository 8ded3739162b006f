//! What it was measured on, and with.

use std::{fs, path::Path};

use anyhow::Result;

use crate::command::command;

/// A Markdown list of the machine and the versions.
pub(super) fn description(binary: Option<&Path>) -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    let mut lines = vec![
        format!("machine: {}, {cores} cores, {}", field("/proc/cpuinfo", "model name"), memory()),
        format!("system: Linux {}, {}", fs::read_to_string("/proc/sys/kernel/osrelease")?.trim(), system()),
        format!("peer: {}", said("/usr/sbin/nginx", &["-v"]).trim_start_matches("nginx version: ")),
        format!(
            "load: {}; {}",
            said("wrk", &["-v"]).split(" [").next().unwrap_or_default(),
            said("h2load", &["--version"])
        ),
        format!("compiler: {}", said("rustc", &["--version"])),
    ];
    if let Some(binary) = binary {
        lines.insert(0, format!("subject: {}", said(&binary.to_string_lossy(), &["version"])));
    }
    Ok(format!("- {}\n", lines.join("\n- ")))
}

/// The first line a program says about itself, wherever it says it.
fn said(program: &str, arguments: &[&str]) -> String {
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
