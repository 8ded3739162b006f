//! Runs the tests, on every core, and compares.

use std::{
    num::NonZero,
    panic::{self, AssertUnwindSafe},
    thread,
};

use anyhow::Result;
use bartizan_ftw::Test;

use crate::{
    judge::{Exchange, judge},
    overrides::{Expectations, Override},
};

/// What became of a test.
#[derive(Debug)]
pub(crate) struct Outcome<'a> {
    pub(crate) test: &'a Test,
    pub(crate) verdict: Verdict,
    /// What was sent and logged, in order.
    pub(crate) traces: Vec<Trace>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As it is written.
    Passed,
    /// As its override says.
    Overridden,
    /// Its override is no longer needed.
    NeedlesslyOverridden,
    /// Each complaint says what was expected.
    Failed(Vec<String>),
    /// Its file is not enabled.
    Skipped,
}

#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) request: Vec<u8>,
    pub(crate) exchange: Exchange,
}

/// Runs every test; `drive` sends the bytes of a request and says what came of it.
pub(crate) fn run<'a>(
    tests: &'a [Test],
    expectations: &Expectations,
    drive: &(impl Fn(&[u8]) -> Exchange + Sync),
) -> Vec<Outcome<'a>> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let one = |test: &'a Test| run_test(test, expectations, drive);
    thread::scope(|scope| {
        let workers: Vec<_> = tests
            .chunks(tests.len().div_ceil(threads).max(1))
            .map(|chunk| scope.spawn(move || chunk.iter().map(one).collect::<Vec<_>>()))
            .collect();
        let joined = workers.into_iter().map(thread::ScopedJoinHandle::join);
        joined.flat_map(|outcomes| outcomes.unwrap_or_else(|panic| panic::resume_unwind(panic))).collect()
    })
}

fn run_test<'a>(
    test: &'a Test,
    expectations: &Expectations,
    drive: &impl Fn(&[u8]) -> Exchange,
) -> Outcome<'a> {
    let mut traces = Vec::new();
    let verdict = if test.disabled {
        Verdict::Skipped
    } else {
        verdict(test, expectations, drive, &mut traces)
            .unwrap_or_else(|error| Verdict::Failed(vec![format!("{error:#}")]))
    };
    Outcome { test, verdict, traces }
}

fn verdict(
    test: &Test,
    expectations: &Expectations,
    drive: &impl Fn(&[u8]) -> Exchange,
    traces: &mut Vec<Trace>,
) -> Result<Verdict> {
    let mut complaints = Vec::new();
    for stage in &test.stages {
        for request in stage.input.requests()? {
            let Ok(exchange) = panic::catch_unwind(AssertUnwindSafe(|| drive(&request))) else {
                return Ok(Verdict::Failed(vec!["the engine panicked".to_owned()]));
            };
            complaints.extend(judge(&stage.output, &exchange)?);
            traces.push(Trace { request, exchange });
        }
    }
    let listed = expectations.of(&test.name);
    match (complaints.is_empty(), listed) {
        (true, None) => return Ok(Verdict::Passed),
        (true, Some(_)) => return Ok(Verdict::NeedlesslyOverridden),
        (false, None) => {}
        (false, Some(entry)) => complaints = as_overridden(entry, traces)?,
    }
    let others = expectations.of_others().filter(|_| listed.is_none());
    let others: Vec<_> = others.map(|entry| as_overridden(entry, traces)).collect::<Result<_>>()?;
    let is_overridden = complaints.is_empty() || others.iter().any(Vec::is_empty);
    Ok(if is_overridden { Verdict::Overridden } else { Verdict::Failed(complaints) })
}

/// What is not as an override says.
fn as_overridden(entry: &Override, traces: &[Trace]) -> Result<Vec<String>> {
    let complaints = traces.iter().map(|trace| judge(&entry.output, &trace.exchange));
    Ok(complaints.collect::<Result<Vec<_>>>()?.concat())
}

#[cfg(test)]
mod tests {
    use bartizan_ftw::Stage;

    use super::*;
    use crate::{judge::Entry, overrides::Recorded};

    fn test(name: &str, stages: &[&str]) -> Test {
        let stage = |text: &&str| serde_saphyr::from_str::<Stage>(text).unwrap();
        Test {
            name: name.into(),
            rule: 1,
            group: "G".into(),
            description: String::new(),
            disabled: name == "disabled",
            stages: stages.iter().map(stage).collect(),
        }
    }

    /// Logs rule 1 for every target with an `a`.
    fn drive(request: &[u8]) -> Exchange {
        assert!(!request.starts_with(b"GET /panic"));
        let log = request.starts_with(b"GET /a").then(|| Entry { rule: 1, text: "[id \"1\"]".into() });
        Exchange { status: Some(200), response: Vec::new(), log: log.into_iter().collect() }
    }

    #[test]
    fn a_test_passes_when_all_its_exchanges_do() {
        let hit = "{input: {uri: /a}, output: {log: {expect_ids: [1]}}}";
        let miss = "{input: {uris: [/a, /b]}, output: {log: {expect_ids: [1]}}}";
        let panic = "{input: {uri: /panic}, output: {}}";
        let tests = [
            test("1-1", &[hit, hit]),
            test("1-2", &[hit, miss]),
            test("1-3", &[miss]),
            test("1-4", &[hit]),
            test("1-5", &[panic]),
            test("1-6", &["{input: {data: '{{'}, output: {}}"]),
            test("1-7", &["{input: {uri: /a}, output: {log: {no_expect_ids: [1]}}}"]),
            test("disabled", &[hit]),
        ];
        let instead = |test: &str, output: &str| Override {
            tests: vec![test.into()],
            of_others: test == "2-1",
            reason: "so".into(),
            output: serde_saphyr::from_str(output).unwrap(),
        };
        let expectations = Expectations {
            recorded: Recorded { tests: 0, passed: 0 },
            overrides: vec![
                instead("1-3", "{status: 200}"),
                instead("1-4", "{status: 200}"),
                instead("2-1", "{log: {expect_ids: [1]}}"),
            ],
        };
        let outcomes = run(&tests, &expectations, &drive);
        let verdicts: Vec<_> = outcomes.iter().map(|outcome| &outcome.verdict).collect();
        assert!(
            matches!(
                verdicts.as_slice(),
                [
                    Verdict::Passed,
                    Verdict::Failed(_),
                    Verdict::Overridden,
                    Verdict::NeedlesslyOverridden,
                    Verdict::Failed(_),
                    Verdict::Failed(_),
                    Verdict::Overridden,
                    Verdict::Skipped
                ]
            ),
            "{verdicts:?}"
        );
        assert_eq!(outcomes[1].traces.len(), 3);
        assert_eq!(*verdicts[1], Verdict::Failed(vec!["expected [1] in the log".into()]));
    }
}
