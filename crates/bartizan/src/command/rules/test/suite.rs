//! Tests in the format of go-ftw, judged by the rules alone: which of them match, what they log, and how the request is
//! answered. A test that asks for what the rules alone cannot answer (the service's response) is skipped, and is said to
//! be: it has not passed.

use anyhow::{Context, Result, ensure};
use bartizan_ftw::{Log, Output, Stage, Test};
use bartizan_seclang::ast::Phase;
use regex::bytes::{Regex, RegexBuilder};
use serde::Serialize;

use super::{Shown, message::Message};

/// What came of a test.
#[derive(Debug, Serialize)]
pub(super) struct Judgement {
    /// The test's name.
    pub(super) test: String,
    #[serde(flatten)]
    pub(super) outcome: Outcome,
}

/// How a test went.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", content = "reason", rename_all = "snake_case")]
pub(super) enum Outcome {
    /// As it says.
    Passed,
    /// Otherwise, and how.
    Failed(String),
    /// The rules alone cannot say, and what it asks for.
    Skipped(String),
}

/// Shows the requests of a test to the rules. `answer` is told whether the status counts.
pub(super) fn judge(test: &Test, answer: impl Fn(&Message, bool) -> Result<Shown>) -> Judgement {
    let outcome = match unanswerable(test) {
        _ if test.disabled => Outcome::Skipped("its file is not enabled".into()),
        Some(field) => Outcome::Skipped(format!("the rules alone cannot answer `{field}`")),
        None => run(test, answer).unwrap_or_else(|error| Outcome::Failed(format!("{error:#}"))),
    };
    Judgement { test: test.name.clone(), outcome }
}

/// What a test asks for that the rules alone cannot answer.
fn unanswerable(test: &Test) -> Option<&'static str> {
    let of_output = test.stages.iter().map(|stage| &stage.output).find_map(|output| {
        let asked = [
            ("response_contains", output.response_contains.is_some()),
            ("expect_error", output.expect_error),
        ];
        asked.into_iter().find_map(|(field, is_asked)| is_asked.then_some(field))
    });
    of_output.or_else(|| test.unplayable())
}

/// Fails where a request goes otherwise than the test says.
fn run(test: &Test, answer: impl Fn(&Message, bool) -> Result<Shown>) -> Result<Outcome> {
    for Stage { input, output, .. } in &test.stages {
        for request in input.requests()? {
            let message = match Message::parse(&request) {
                Ok(message) => message,
                Err(error) => return Ok(Outcome::Skipped(format!("no rule ever sees it: {error:#}"))),
            };
            let shown = answer(&message, output.status.is_some())?;
            if let Some(id) = of_unseen_response(output, &shown) {
                let reason = format!("rule {id} looks at responses, and the firewall of the route does not");
                return Ok(Outcome::Skipped(reason));
            }
            compare(output, &shown)?;
        }
    }
    Ok(Outcome::Passed)
}

/// A rule that is to match, and looks at what nobody shows it.
fn of_unseen_response(output: &Output, Shown { inspection, .. }: &Shown) -> Option<u64> {
    let sees_responses = inspection.wants_response();
    let phase = |id: u64| inspection.firewall().rules().rule(id).map(|rule| rule.phase);
    let of_response = |id: &&u64| matches!(phase(**id), Some(Phase::ResponseHeaders | Phase::ResponseBody));
    output.log.expect_ids.iter().find(of_response).filter(|_| !sees_responses).copied()
}

fn compare(output: &Output, shown: &Shown) -> Result<()> {
    let Output { status, log, isolated, log_contains, no_log_contains, .. } = output;
    let Log { expect_ids, no_expect_ids, match_regex, no_match_regex } = log;
    let matched: Vec<u64> = shown.inspection.matched_ids().collect();
    let told = || if matched.is_empty() { "none".to_owned() } else { format!("{matched:?}") };
    for id in expect_ids {
        ensure!(matched.contains(id), "rule {id} should match; matched: {}", told());
    }
    for id in no_expect_ids {
        ensure!(!matched.contains(id), "rule {id} should not match");
    }
    let others = matched.iter().any(|id| !expect_ids.contains(id));
    ensure!(!isolated || !others, "other rules match, too: {}", told());
    if let Some(status) = status {
        let answer = shown.status;
        ensure!(answer == *status, "the answer should be {status} and is {answer}; matched: {}", told());
    }
    let lines: Vec<String> = shown.inspection.log_lines().collect();
    let logs = |text: &str| lines.iter().any(|line| line.contains(text));
    let any_line = |pattern: &Regex| lines.iter().any(|line| pattern.is_match(line.as_bytes()));
    if let Some(text) = log_contains {
        ensure!(logs(text), "the log should hold `{text}`");
    }
    if let Some(text) = no_log_contains {
        ensure!(!logs(text), "the log should not hold `{text}`");
    }
    if let Some(pattern) = match_regex {
        ensure!(
            any_line(&compiled(pattern)?),
            "a line of the log should match `{pattern}`; matched: {}",
            told()
        );
    }
    if let Some(pattern) = no_match_regex {
        ensure!(!any_line(&compiled(pattern)?), "no line of the log should match `{pattern}`");
    }
    Ok(())
}

fn compiled(pattern: &str) -> Result<Regex> {
    // As in Go, classes are ASCII.
    RegexBuilder::new(pattern).unicode(false).build().with_context(|| format!("in the pattern `{pattern}`"))
}
