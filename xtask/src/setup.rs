//! Puts on a Debian machine what building, testing, measuring and documenting need, and no more than was asked for.
//!
//! It says what is missing and why before it installs anything, leaves what is present alone, and becomes root
//! (through `sudo`) for Debian's packages only. Tools go where `cargo install` puts them, Python packages into
//! `.venv` of this folder, npm's into `target`.

mod missing;
mod observatory;

use std::{fs, path::PathBuf};

use anyhow::{Result, ensure};
use clap::Args;
use missing::Missing;

use crate::command::{self, cargo, command, is_installed, say};

/// `ModSecurity` for nginx, where Debian puts it.
pub(crate) const MODSECURITY: &str = "/usr/lib/nginx/modules/ngx_http_modsecurity_module.so";

#[derive(Args, Default)]
pub(crate) struct Setup {
    /// Only what building and running need.
    #[arg(long)]
    build: bool,
    /// Also nginx with libmodsecurity, wrk and h2load, for `bench`.
    #[arg(long)]
    benches: bool,
    /// Also nginx with libmodsecurity, what its library needs to be linked, for `differential`.
    #[arg(long)]
    differential: bool,
    /// Also mdBook, for `docs`.
    #[arg(long)]
    docs: bool,
    /// Also cargo-deny, for `lint`.
    #[arg(long)]
    lint: bool,
    /// Also cargo-fuzz and a nightly toolchain, for `fuzz`.
    #[arg(long)]
    fuzz: bool,
    /// Say what is missing and stop.
    #[arg(long)]
    dry_run: bool,
}

impl Setup {
    pub(crate) fn for_building() -> Self {
        Self { build: true, ..Self::default() }
    }

    pub(crate) fn for_tests() -> Self {
        Self::default()
    }

    pub(crate) fn for_benches() -> Self {
        Self { build: true, benches: true, ..Self::default() }
    }

    pub(crate) fn for_differential() -> Self {
        Self { build: true, differential: true, ..Self::default() }
    }

    pub(crate) fn for_docs() -> Self {
        Self { build: true, docs: true, ..Self::default() }
    }

    pub(crate) fn for_lint() -> Self {
        Self { build: true, lint: true, ..Self::default() }
    }

    pub(crate) fn for_fuzzing() -> Self {
        Self { build: true, fuzz: true, ..Self::default() }
    }

    pub(crate) fn run(self) -> Result<()> {
        let missing = Missing::find(&self);
        if missing.is_empty() {
            say("setup: everything is here");
            return Ok(());
        }
        say("setup: missing here, and going to be installed:");
        for line in missing.lines() {
            eprintln!("  {line}");
        }
        if self.dry_run {
            return Ok(());
        }
        install_debian_packages(&missing.debian)?;
        for component in &missing.components {
            command::run(command("rustup", &["component", "add", component]))?;
        }
        if let Some(toolchain) = missing.toolchain {
            command::run(command("rustup", &["toolchain", "install", toolchain, "--profile", "minimal"]))?;
        }
        for tool in &missing.tools {
            // A debug build of a tool does the same work and is there in a third of the time.
            command::run(cargo(
                &[&["install", "--locked", "--debug", tool.name, "--version", tool.version], tool.options]
                    .concat(),
            ))?;
        }
        install_python_packages(&missing.python)?;
        if missing.observatory { observatory::install() } else { Ok(()) }
    }
}

fn install_debian_packages(names: &[&str]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let list = names.join(" ");
    ensure!(
        is_installed("apt-get"),
        "this is not a Debian machine: install what Debian calls `{list}` by hand"
    );
    let is_root = command::output(command("id", &["-u"]))?.trim_ascii() == b"0";
    ensure!(is_root || is_installed("sudo"), "neither root nor `sudo`: run `apt-get install {list}` as root");
    let apt_get = |arguments: &[&str]| {
        let before: &[&str] = if is_root { &[] } else { &["sudo"] };
        let words =
            [before, &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet", "--yes"], arguments]
                .concat();
        command::run(command(words[0], &words[1..]))
    };
    apt_get(&["update"])?;
    apt_get(&[&["install", "--no-install-recommends"], names].concat())
}

fn install_python_packages(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let folder = crate::root().join(".venv");
    // An environment that was made elsewhere, or by a Python that is gone, does not work any more.
    if command::output(command(environment("pip"), &["--version"])).is_err() {
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        command::run(command("python3", &["-m", "venv", ".venv"]))?;
    }
    command::run(command(
        environment("pip"),
        &[&["install", "--quiet", "--disable-pip-version-check"], packages].concat(),
    ))
}

/// A program of the Python environment in `.venv`.
pub(crate) fn environment(program: &str) -> PathBuf {
    crate::root().join(".venv/bin").join(program)
}
