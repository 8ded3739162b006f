//! `bartizan rules test`.

mod message;
mod suite;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use bartizan_config::Config;
use bartizan_control::DecidedFirewall;
use bartizan_ftw::{
    Suite,
    albedo::{self, Response},
};
use bartizan_pipeline::{Code, Firewall, Found, Inspection, NormalPath, Pipeline, Refusal, RequestLine};
use bartizan_seclang::Connection;
use clap::Args;
use http::{HeaderMap, StatusCode, Uri, header, uri::Authority};

use self::{
    message::Message,
    suite::{Judgement, Outcome},
};
use super::chosen::Chosen;
use crate::{
    command::explain,
    output::{ATTENTION, BAD, GOOD, print, styled},
};

/// The largest file of tests, and the largest request.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// Show requests to the rules, without a gateway.
///
/// A file in the format of go-ftw, as the Core Rule Set has them, or a folder of them holds requests and the rules that are
/// to match them; the command ends with 1 when one goes otherwise, or when none could be judged: what only a service could
/// answer is skipped. All rules look at each request, as if the mode were `log`, unless its test asks for a status. The service
/// behind them answers 200, or what `POST /reflect` asks it for. A file with one request as it stands on the wire shows what
/// the rules say of it. With a configuration each request is shown to the firewall of its route, exclusions included.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bartizan rules test 942100.yaml --rules crs --paranoia 4\n  \
                        bartizan rules test regression-tests/ --rules crs --paranoia 4\n  \
                        bartizan rules test --request refused.http")]
pub(super) struct Test {
    /// Tests in the format of go-ftw: a file, or a folder of them.
    #[arg(value_name = "FILE", required_unless_present = "request", conflicts_with = "request")]
    file: Option<PathBuf>,
    /// One request: its line, its headers, an empty line, its body.
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// Print what came of it for programs.
    #[arg(long)]
    json: bool,
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
            let (mut inspection, refusal) = show(&firewall, &message);
            inspection.finish();
            inspection
                .try_exclusions(message.body.get(..firewall.config().max_body).unwrap_or(&message.body));
            if let Some(refusal) = refusal.filter(|refusal| refusal.code == Code::BodyTooLarge) {
                bail!("the answer is {} before the rules see the body: {}", refusal.status(), refusal.reason);
            }
            let account = DecidedFirewall::from(&inspection.account());
            return if self.json {
                print(serde_json::to_string_pretty(&account)?)
            } else {
                print(explain::of_firewall(&account))
            };
        }
        let path = self.file.context("there is no file")?;
        let tests = tests(&path)?;
        let answer = |message: &Message, asks_status| {
            let firewall = firewalls.of_request(message)?;
            let reporting = || Arc::new(firewall.only_reporting());
            answer(&if asks_status { firewall } else { reporting() }, message)
        };
        let judged: Vec<_> = tests.iter().map(|test| suite::judge(test, answer)).collect();
        if self.json {
            print(serde_json::to_string_pretty(&judged)?)?;
        } else {
            print(judged.iter().map(told).collect::<Vec<_>>().join("\n"))?;
        }
        let count =
            |is: fn(&Outcome) -> bool| judged.iter().filter(|judgement| is(&judgement.outcome)).count();
        let failed = count(|outcome| matches!(outcome, Outcome::Failed(_)));
        ensure!(failed == 0, "{failed} of {} tests failed", tests.len());
        let skipped = count(|outcome| matches!(outcome, Outcome::Skipped(_)));
        ensure!(
            skipped < tests.len() || tests.is_empty(),
            "none of these tests could be judged by the rules alone"
        );
        Ok(())
    }
}

/// The tests of a file, or of every file of a folder.
fn tests(path: &Path) -> Result<Vec<bartizan_ftw::Test>> {
    if path.is_dir() {
        let Suite { tests, unreadable } = bartizan_ftw::read(path)?;
        let number = unreadable.len();
        return match unreadable.into_iter().next() {
            Some(error) => {
                Err(error).with_context(|| format!("{number} files are not understood, the first"))
            }
            None => Ok(tests),
        };
    }
    let text =
        String::from_utf8(read(path)?).with_context(|| format!("`{}` is not UTF-8", path.display()))?;
    bartizan_ftw::parse(&text).with_context(|| format!("`{}`", path.display()))
}

fn told(Judgement { test, outcome }: &Judgement) -> String {
    match outcome {
        Outcome::Passed => format!("{} {test}", styled(GOOD, "passed")),
        Outcome::Failed(reason) => format!("{} {test}: {reason}", styled(BAD, "failed")),
        Outcome::Skipped(reason) => format!("{} {test}: {reason}", styled(ATTENTION, "skipped")),
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
        let Place { host, path } = Place::of(message);
        let method = message.method.parse().unwrap_or_default();
        match self.pipeline.routes().find(&host, &path, &method) {
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

/// What a request asks for, read as the gateway reads it. What that refuses to read is taken as it stands: tests of rules
/// ask for such things.
struct Place {
    host: String,
    path: String,
}

impl Place {
    fn of(message: &Message) -> Self {
        let uri = message.target.parse::<Uri>().ok();
        let received = match &uri {
            Some(uri) => uri.path(),
            None => message.target.split(['?', '#']).next().unwrap_or("/"),
        };
        let path = NormalPath::of(received).unwrap_or_default().matched(received).to_owned();
        let named = uri.as_ref().and_then(Uri::authority).map(Authority::as_str);
        let written = message.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        Self { host: named.or(written).unwrap_or_default().to_owned(), path }
    }
}

/// What came of a request that was shown to the rules, and of the answer to it.
struct Shown {
    inspection: Inspection,
    /// Of the answer that the client would see.
    status: u16,
}

/// Shows a request, and what albedo would answer.
fn answer(firewall: &Arc<Firewall>, message: &Message) -> Result<Shown> {
    let (mut inspection, mut refusal) = show(firewall, message);
    let Response { status, headers, body } =
        albedo::respond(message.method.as_bytes(), message.target.as_bytes(), &message.body);
    if refusal.is_none() && inspection.wants_response() {
        let status = StatusCode::from_u16(status)?;
        let headers = headers.iter().map(|(name, value)| Ok((name.parse()?, value.parse()?)));
        let headers =
            headers.collect::<Result<HeaderMap>>().context("the response that the test asks for")?;
        let seen = inspection.wants_response_body(&headers).map_or(0, |limit| limit.min(body.len()));
        let judged = inspection.response_head(status, &headers);
        let judged = judged.and_then(|()| inspection.response_body(body.get(..seen).unwrap_or_default()));
        refusal = judged.err();
    }
    inspection.finish();
    let status = refusal.map_or(status, |refusal| refusal.status().as_u16());
    Ok(Shown { inspection, status })
}

/// Shows all of a request, and says what it would be refused with.
fn show(firewall: &Arc<Firewall>, message: &Message) -> (Inspection, Option<Refusal>) {
    let Place { path, .. } = Place::of(message);
    let mut inspection = firewall.inspect(Connection::default(), "test", &path, SystemTime::now());
    let Message { method, target, version, headers, body } = message;
    let line = RequestLine { method, target, version: *version };
    let seen = body.get(..firewall.config().max_body).unwrap_or(body);
    let is_whole = seen.len() == body.len();
    let too_long = firewall.too_long().filter(|_| !is_whole);
    let judged = inspection.request_head(line, headers, None).and_then(|()| match too_long {
        Some(refusal) => Err(refusal),
        None => inspection.request_body(seen, is_whole),
    });
    (inspection, judged.err())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let length = fs::metadata(path).with_context(|| format!("cannot read `{}`", path.display()))?.len();
    ensure!(length <= MAX_BYTES, "`{}` is larger than 32 MiB", path.display());
    fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))
}
