//! Tests the admin API against the description it serves of itself (`/openapi.json`), with the `schemathesis` of the local environment.
//!
//! The gateway is the real binary on free ports. Whatever schemathesis finds is a failure.

use anyhow::{Context, Result};

use crate::{
    command::{self, command},
    gateway::{self, Gateway},
    setup,
};

/// Test cases per operation; all phases together stay under a minute.
const EXAMPLES: &str = "50";

pub(crate) fn run() -> Result<()> {
    let binary = gateway::build(false)?;
    let folder = crate::root().join("target/schemathesis");
    let gateway = Gateway::start_idle(&binary, &folder)?;
    check(&gateway)
        .with_context(|| format!("the gateway's log is `{}`", folder.join("bartizan.log").display()))?;
    gateway.stop()
}

fn check(gateway: &Gateway) -> Result<()> {
    let settings = crate::root().join("xtask/schemathesis.toml");
    let document = format!("http://{}/openapi.json", gateway.admin());
    let mut command = command(setup::environment("schemathesis"), &[]);
    command
        .arg("--config-file")
        .arg(settings)
        .args(["run", &document, "--checks", "all", "--max-examples", EXAMPLES, "--seed", "1"])
        .args(["--generation-database", "none", "--continue-on-failure", "--no-color"])
        .current_dir(crate::root().join("target/schemathesis"))
        .env("BARTIZAN_ADMIN_TOKEN", gateway.admin_token()?);
    command::run(command)
}
