//! Tests in the format of go-ftw, judged by the rules alone: which of them match, and whether the request is refused.
//!
//! What the rules alone cannot answer (responses, texts of logs) is an error of the test, so that nothing that it asks for
//! is passed over.

use anyhow::{Result, ensure};
use bartizan_ftw::{Log, Output, Test};
use bartizan_pipeline::Inspection;

use super::{is_refused, message::Message};

/// Shows the requests of a test, and fails where one goes otherwise than it says.
pub(super) fn run(test: &Test, show: impl Fn(&Message) -> Result<Inspection>) -> Result<()> {
    for stage in &test.stages {
        for request in stage.input.requests()? {
            judge(&stage.output, &show(&Message::parse(&request)?)?)?;
        }
    }
    Ok(())
}

fn judge(output: &Output, inspection: &Inspection) -> Result<()> {
    let Output {
        status, response_contains, log_contains, no_log_contains, log, expect_error, isolated, ..
    } = output;
    let Log { expect_ids, no_expect_ids, match_regex, no_match_regex } = log;
    let others = [response_contains, log_contains, no_log_contains, match_regex, no_match_regex];
    ensure!(
        others.iter().all(|other| other.is_none()) && !expect_error,
        "it asks for a response or a text of the log, and the rules alone have neither"
    );
    let matched: Vec<u64> = inspection.matched_ids().collect();
    let shown = || if matched.is_empty() { "none".to_owned() } else { format!("{matched:?}") };
    for id in expect_ids {
        ensure!(matched.contains(id), "rule {id} should match; matched: {}", shown());
    }
    for id in no_expect_ids {
        ensure!(!matched.contains(id), "rule {id} should not match");
    }
    let others = matched.iter().any(|id| !expect_ids.contains(id));
    ensure!(!isolated || !others, "other rules match, too: {}", shown());
    if let Some(status) = status {
        let answer = if is_refused(inspection) { 403 } else { 200 };
        ensure!(answer == *status, "the answer should be {status} and is {answer}; matched: {}", shown());
    }
    Ok(())
}
