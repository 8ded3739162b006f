//! `bartizan rules test`.

mod message;
mod suite;

use std::{fs, path::PathBuf, sync::Arc, time::SystemTime};

use anyhow::{Context, Result, anyhow, bail, ensure};
use bartizan_config::{Config, WafMode};
use bartizan_control::DecidedFirewall;
use bartizan_pipeline::{Firewall, Found, Inspection, Judged, Pipeline, RequestLine};
use bartizan_seclang::Connection;
use clap::Args;

use self::message::Message;
use super::chosen::Chosen;
use crate::{
    command::explain,
    output::{BAD, GOOD, print, styled},
};

/// The largest file of tests, and the largest request.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// Show requests to the rules, without a gateway.
///
/// A file in the format of go-ftw, as the Core Rule Set has them, holds requests and the rules that are to match them; the
/// command ends with 1 when one goes otherwise. A file with one request as it stands on the wire shows what the rules
/// say of it. With a configuration each request is shown to the firewall of its route, exclusions included.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bartizan rules test 942100.yaml --rules crs --paranoia 4\n  \
                        bartizan rules test --request refused.http")]
pub(super) struct Test {
    /// Tests in the format of go-ftw.
    #[arg(value_name = "FILE", required_unless_present = "request", conflicts_with = "request")]
    file: Option<PathBuf>,
    /// One request: its line, its headers, an empty line, its body.
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    #[command(flatten)]
    chosen: Chosen,
}

impl Test {
    pub(super) fn run(self) -> Result<()> {
        let config = self.chosen.config()?;
        let firewalls = Firewalls::of(&config)?;
        if let Some(path) = self.request {
            let message = Message::parse(&read(&path)?).with_context(|| format!("`{}`", path.display()))?;
            let firewall = firewalls.of_request(&message)?;
            let inspected = show(&firewall, &message).account();
            return print(explain::of_firewall(&DecidedFirewall::from(&inspected)));
        }
        let path = self.file.context("there is no file")?;
        let text =
            String::from_utf8(read(&path)?).with_context(|| format!("`{}` is not UTF-8", path.display()))?;
        let tests = bartizan_ftw::parse(&text).with_context(|| format!("`{}`", path.display()))?;
        let (mut lines, mut failed) = (Vec::new(), 0);
        for test in &tests {
            match suite::run(test, |message| Ok(show(&firewalls.of_request(message)?, message))) {
                Ok(()) => lines.push(format!("{} {}", styled(GOOD, "passed"), test.name)),
                Err(error) => {
                    failed += 1;
                    lines.push(format!("{} {}: {error:#}", styled(BAD, "failed"), test.name));
                }
            }
        }
        print(lines.join("\n"))?;
        ensure!(failed == 0, "{failed} of {} tests failed", tests.len());
        Ok(())
    }
}

/// What a request is shown to.
struct Firewalls {
    pipeline: Pipeline,
}

impl Firewalls {
    /// Nothing here waits for the runtime that this is called in, so nothing is asked of the network.
    fn of(config: &Config) -> Result<Self> {
        Ok(Self { pipeline: Pipeline::new(config, Arc::default(), None)? })
    }

    fn of_request(&self, message: &Message) -> Result<Arc<Firewall>> {
        let path = message.target.split(['?', '#']).next().unwrap_or("/");
        let host = message.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
        let method = message.method.parse().unwrap_or_default();
        match self.pipeline.routes().find(host, path, &method) {
            Found::Route(route) => route
                .firewall
                .clone()
                .ok_or_else(|| anyhow!("the firewall of the route `{}` is off", route.config.path.as_str())),
            Found::MethodNotAllowed { .. } | Found::NotFound => {
                bail!("no route of the configuration takes `{} {path}`", message.method)
            }
        }
    }
}

/// Shows all of a request.
fn show(firewall: &Arc<Firewall>, message: &Message) -> Inspection {
    let path = message.target.split(['?', '#']).next().unwrap_or("/");
    let mut inspection = firewall.inspect(Connection::default(), "test", path, SystemTime::now());
    let Message { method, target, version, headers, body } = message;
    let line = RequestLine { method, target, version: *version };
    // What is refused stands in the account.
    let seen = body.get(..firewall.config().max_body).unwrap_or(body);
    let _ = inspection
        .request_head(line, headers, None)
        .and_then(|()| inspection.request_body(seen, seen.len() == body.len()));
    inspection.finish();
    inspection
}

/// Whether the request would be answered with a refusal.
fn is_refused(inspection: &Inspection) -> bool {
    let firewall = inspection.firewall().config();
    firewall.mode == WafMode::Block && inspection.account().judged != Judged::Passed
}

fn read(path: &std::path::Path) -> Result<Vec<u8>> {
    let length = fs::metadata(path).with_context(|| format!("cannot read `{}`", path.display()))?.len();
    ensure!(length <= MAX_BYTES, "`{}` is larger than 32 MiB", path.display());
    fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))
}
