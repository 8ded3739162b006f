//! A Bartizan that runs for a check or a measurement.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::{command, process::Process};

/// How long a debug build may take to listen on a busy machine.
const START: Duration = Duration::from_secs(30);
const STOP: Duration = Duration::from_secs(20);

/// Routes to nowhere, one of them limited, for checks of the admin API.
const IDLE: &str = r#"version: 1
listen: { http: "127.0.0.1:0", admin: "127.0.0.1:0", metrics: "127.0.0.1:0" }
limits: { few: [{ name: few, per: address, rate: 5/min }, { name: busy, per: address, concurrent: 5 }] }
routes:
  - { path: /**, to: "http://127.0.0.1:9", auth: none }
  - { path: /limited, to: "http://127.0.0.1:9", auth: none, limit: few }
"#;

/// A running gateway with its own state folder.
pub(crate) struct Gateway {
    process: Process,
    state: PathBuf,
    running: Running,
}

/// What a gateway writes about itself into `running.json`.
#[derive(Deserialize)]
struct Running {
    pid: u32,
    http: Option<String>,
    admin: String,
}

impl Gateway {
    /// Starts `binary run -c config`, with state and log in `folder`, which is emptied first.
    pub(crate) fn start(binary: &Path, config: &Path, folder: &Path) -> Result<Self> {
        let state = folder.join("state");
        if state.exists() {
            fs::remove_dir_all(&state).with_context(|| format!("could not empty `{}`", state.display()))?;
        }
        fs::create_dir_all(folder)?;
        let log = folder.join("bartizan.log");
        let mut command = Command::new(binary);
        command.current_dir(crate::root()).arg("run").arg("-c").arg(config).arg("--state-dir").arg(&state);
        let mut process = Process::start(command, &log)?;
        let running = process
            .wait_for("`running.json`", START, || {
                let text = fs::read_to_string(state.join("running.json")).ok()?;
                serde_json::from_str(&text).ok()
            })
            .with_context(|| fs::read_to_string(&log).unwrap_or_default())?;
        Ok(Self { process, state, running })
    }

    /// Starts one that serves nothing but its admin API, on free ports.
    pub(crate) fn start_idle(binary: &Path, folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let config = folder.join("bartizan.yaml");
        fs::write(&config, IDLE)?;
        Self::start(binary, &config, folder)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running.pid
    }

    /// Where it serves HTTP (`127.0.0.1:8080`).
    pub(crate) fn proxy(&self) -> Result<&str> {
        self.running.http.as_deref().context("the gateway has no plain HTTP listener")
    }

    /// Where the admin API is (`127.0.0.1:9443`).
    pub(crate) fn admin(&self) -> &str {
        &self.running.admin
    }

    /// The bearer token of the admin API.
    pub(crate) fn admin_token(&self) -> Result<String> {
        let path = self.state.join("admin-token");
        let token =
            fs::read_to_string(&path).with_context(|| format!("could not read `{}`", path.display()))?;
        Ok(token.trim().to_owned())
    }

    /// Stops it; a gateway that does not end by itself, or ends badly, is a failure.
    pub(crate) fn stop(mut self) -> Result<()> {
        let status = self.process.stop(STOP)?.context("the gateway did not stop on SIGTERM")?;
        ensure!(status.success(), "the gateway stopped with {status}");
        Ok(())
    }
}

/// Builds the binary as the tests build it, and says where it is. With the tests, because their dependencies switch on
/// features of the gateway's: built alone, most of it would be compiled a second time.
pub(crate) fn build() -> Result<PathBuf> {
    command::run(command::cargo(&["test", "--locked", "--workspace", "--no-run", "--quiet"]))?;
    Ok(command::target().join("debug/bartizan"))
}

/// Builds the binary as it is released, and says where it is.
pub(crate) fn build_release() -> Result<PathBuf> {
    command::run(command::cargo(&["build", "--locked", "--package", "bartizan", "--release"]))?;
    Ok(command::target().join("release/bartizan"))
}
