//! Tests in the format of go-ftw, judged by the rules alone: which of them match, and whether the request is refused.
//!
//! What the rules alone cannot answer (responses, texts of logs) is an error of the file, so that nothing that a test asks
//! for is passed over.

use anyhow::{Result, bail, ensure};
use bartizan_ftw::{Log, Output, Test};
use bartizan_pipeline::Inspection;

use super::{is_refused, message::Message};

/// Whether the rules alone can answer a test.
pub(super) fn check(test: &Test) -> Result<()> {
    for Output { response_contains, log_contains, no_log_contains, log, expect_error, .. } in
        test.stages.iter().map(|stage| &stage.output)
    {
        let asked = [
            ("response_contains", response_contains.is_some()),
            ("log_contains", log_contains.is_some()),
            ("no_log_contains", no_log_contains.is_some()),
            ("match_regex", log.match_regex.is_some()),
            ("no_match_regex", log.no_match_regex.is_some()),
            ("expect_error", *expect_error),
        ];
        if let Some((field, _)) = asked.iter().find(|(_, is_asked)| *is_asked) {
            bail!("{}: the rules alone cannot answer `{field}`", test.name);
        }
    }
    Ok(())
}

/// Shows the requests of a test, and fails where one goes otherwise than it says.
pub(super) fn run(test: &Test, show: impl Fn(&Message) -> Result<Inspection>) -> Result<()> {
    for stage in &test.stages {
        for request in stage.input.requests()? {
            judge(&stage.output, &show(&Message::parse(&request)?)?)?;
        }
    }
    Ok(())
}

fn judge(Output { status, log, isolated, .. }: &Output, inspection: &Inspection) -> Result<()> {
    let Log { expect_ids, no_expect_ids, .. } = log;
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
