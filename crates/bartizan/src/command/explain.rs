//! `bartizan explain`.

mod firewall;
mod limits;
mod policies;

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::Path,
};

use anyhow::{Result, bail};
use bartizan_control::{
    ConfigurationStatus, DecidedFirewall, DecidedPolicies, DecidedRequest, DecidedRequests, DecidedStep,
    StepOutcome,
};
use bartizan_model::RequestId;
use clap::Args;

use crate::{
    admin::{AdminOptions, Refused},
    output::{BAD, Cell, FAINT, GOOD, PLAIN, TITLE, Table, print, styled},
};

/// Show why a request was served or refused.
///
/// Every stage's outcome, its reason, the configuration line that caused it, and the microseconds it took; of limits
/// every rule that counted or refused it, by whom, how much was left, and when it was to be admitted again; of the
/// firewall every rule that matched, what it matched, and the exclusion that would let the request pass. The
/// request id is in the answer's `x-request-id` header, in a refusal's body and in the log.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bartizan explain 019a9f3e-7c1d-7d2a-9b51-0242ac120002\n  \
                        bartizan requests --refused     # the latest ids")]
pub(crate) struct Explain {
    /// The request's id.
    #[arg(value_name = "REQUEST_ID")]
    id: RequestId,
    /// Print what the admin API answers.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminOptions,
}

/// A configuration line longer than this is cut.
const MAX_LINE: usize = 100;

impl Explain {
    pub(crate) async fn run(self) -> Result<()> {
        let Self { id, json, admin } = self;
        let client = admin.client()?;
        let found: Result<DecidedRequests> = client.get(&format!("v1/requests/{id}"), &[]).await;
        let decided = match found {
            Err(error)
                if error.downcast_ref::<Refused>().is_some_and(|refused| refused.problem.status == 404) =>
            {
                bail!(
                    "no request `{id}` is remembered: the gateway keeps the latest {} refusals and as many served \
                     requests in memory, until it stops; the log keeps refusals longer",
                    crate::system::RECORDS
                )
            }
            found => found?,
        };
        if json {
            return print(serde_json::to_string_pretty(&decided)?);
        }
        let configuration: ConfigurationStatus = client.get("v1/configuration", &[]).await?;
        let lines = Lines::of(configuration.path.as_deref());
        let accounts: Vec<_> = decided.requests.iter().map(|request| account(request, &lines)).collect();
        print(accounts.join("\n\n"))
    }
}

/// What the firewall's rules found in a request that no route took.
pub(crate) fn of_firewall(found: &DecidedFirewall) -> String {
    firewall::account(found, None)
}

/// What policies said.
pub(crate) fn of_policies(decided: &DecidedPolicies) -> String {
    policies::account(decided)
}

fn account(request: &DecidedRequest, lines: &Lines) -> String {
    let mut head = Table::default();
    let mut fact = |name: &str, value: String| head.row([Cell::new(FAINT, name), value.into()]);
    fact("request", request.id.clone());
    fact("arrived", text_of(&request.arrived));
    fact("client", request.client.clone());
    if let Some(principal) = &request.principal {
        let organization =
            principal.organization.as_ref().map_or(String::new(), |name| format!(" of {name}"));
        fact("caller", format!("{}{organization} (vouched for by {})", principal.id, principal.provider));
    }
    if let Some(route) = &request.route {
        fact("route", format!("{}{}", route.path, lines.place(route.line)));
    }
    fact("trace", request.trace_id.clone());

    let mut steps = Table::new(&["STAGE", "OUTCOME", "MICROSECONDS", "REASON", "CONFIGURATION"]);
    let mut quoted = HashSet::new();
    for step in &request.steps {
        let place = if quoted.insert(step.line) { lines.quote(step.line) } else { lines.name(step.line) };
        steps.row(row(step, place));
    }
    let limits = request.limits.as_ref().map(|limits| format!("\n\n{}", limits::account(limits, lines)));
    let place = request.route.as_ref().map(|route| format!("`{}`{}", route.path, lines.place(route.line)));
    let firewall =
        request.firewall.as_ref().map(|found| format!("\n\n{}", firewall::account(found, place.as_deref())));
    let policies = request.policies.as_ref().map(|decided| format!("\n\n{}", policies::account(decided)));
    let (limits, policies) = (limits.unwrap_or_default(), policies.unwrap_or_default());
    let firewall = firewall.unwrap_or_default();
    format!("{}\n{head}\n\n{steps}{policies}{limits}{firewall}", title(request))
}

fn title(request: &DecidedRequest) -> String {
    let DecidedRequest { method, path, status, code, microseconds, .. } = request;
    let (style, decision) = match code {
        Some(code) => (BAD, format!("{status} {code}")),
        None => (GOOD, format!("{status} served")),
    };
    let line = crate::output::printable(&format!("{method} {path}"));
    format!("{}  {} after {}", styled(TITLE, line), styled(style, decision), duration(*microseconds))
}

fn row(step: &DecidedStep, place: String) -> [Cell; 5] {
    let (style, outcome) = match step.outcome {
        StepOutcome::Passed => (GOOD, "passed"),
        StepOutcome::Denied => (BAD, "denied"),
        StepOutcome::Answered => (GOOD, "answered"),
    };
    [
        Cell::new(PLAIN, &step.stage),
        Cell::new(style, outcome),
        Cell::new(FAINT, format!("{:>12.1}", step.microseconds)),
        Cell::new(PLAIN, &step.reason),
        Cell::new(FAINT, place),
    ]
}

fn duration(microseconds: f64) -> String {
    if microseconds < 1000.0 {
        format!("{microseconds:.0} µs")
    } else {
        format!("{:.1} ms", microseconds / 1000.0)
    }
}

/// An RFC 3339 moment, as the API writes it.
fn text_of(timestamp: &bartizan_control::Timestamp) -> String {
    serde_json::to_value(timestamp)
        .ok()
        .and_then(|value| value.as_str().map(ToOwned::to_owned))
        .unwrap_or_default()
}

/// The configuration file's lines, where it is on this machine and has not gone.
#[derive(Debug, Default)]
struct Lines {
    file: Option<String>,
    texts: HashMap<u32, String>,
}

impl Lines {
    fn of(path: Option<&str>) -> Self {
        let Some(path) = path else { return Self::default() };
        let text = fs::read_to_string(path).unwrap_or_default();
        let texts = (1..).zip(text.lines()).map(|(number, line)| (number, shortened(line.trim()))).collect();
        let name = Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned());
        Self { file: name.or_else(|| Some(path.into())), texts }
    }

    /// ` (bartizan.yaml:12)`, or nothing.
    fn place(&self, line: Option<u32>) -> String {
        line.map(|_| format!(" ({})", self.name(line))).unwrap_or_default()
    }

    /// The place and its text.
    fn quote(&self, line: Option<u32>) -> String {
        match line.and_then(|line| self.texts.get(&line)) {
            Some(text) => format!("{}  {text}", self.name(line)),
            None => self.name(line),
        }
    }

    /// The place; nothing for a built-in default.
    fn name(&self, line: Option<u32>) -> String {
        match (line, &self.file) {
            (None, _) => String::new(),
            (Some(line), Some(file)) => format!("{file}:{line}"),
            (Some(line), None) => format!("line {line}"),
        }
    }
}

fn shortened(line: &str) -> String {
    match line.char_indices().nth(MAX_LINE) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line.into(),
    }
}
