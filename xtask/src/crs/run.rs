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
    /// As its override says, or refused before any rule saw it.
    Overridden,
    /// Its override is no longer needed.
    NeedlesslyOverridden,
    /// Each complaint says what was expected.
    Failed(Vec<String>),
    /// Its file is not enabled, or it asks for what cannot be played.
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
    let verdict = if test.disabled || test.unplayable().is_some() {
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
    let listed = expectations.of(&test.name);
    let (mut complaints, mut is_refused) = (Vec::new(), false);
    for stage in &test.stages {
        for request in stage.input.requests()? {
            let Ok(exchange) = panic::catch_unwind(AssertUnwindSafe(|| drive(&request))) else {
                return Ok(Verdict::Failed(vec!["the engine panicked".to_owned()]));
            };
            let differing = judge(&stage.output, &exchange)?;
            if !differing.is_empty() && listed.is_none() && expectations.are_met_by_refusal(&exchange) {
                is_refused = true;
            } else {
                complaints.extend(differing);
            }
            traces.push(Trace { request, exchange });
        }
    }
    match (complaints.is_empty(), listed) {
        (true, None) if is_refused => return Ok(Verdict::Overridden),
        (true, None) => return Ok(Verdict::Passed),
        (true, Some(_)) => return Ok(Verdict::NeedlesslyOverridden),
        (false, None) => {}
        (false, Some(entry)) => complaints = as_overridden(entry, traces)?,
    }
    Ok(if complaints.is_empty() { Verdict::Overridden } else { Verdict::Failed(complaints) })
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
        if request.starts_with(b"GET /refused") {
            return Exchange { status: Some(400), response: b"\nrefused: so".into(), log: Vec::new() };
        }
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
            test("1-7", &["{input: {uris: [/a, /refused]}, output: {log: {expect_ids: [1]}}}"]),
            test("1-8", &["{input: {uris: [/b, /refused]}, output: {log: {expect_ids: [1]}}}"]),
            test("1-9", &["{input: {follow_redirect: true}, output: {}}"]),
            test("disabled", &[hit]),
        ];
        let instead = |test: &str, output: &str| Override {
            tests: vec![test.into()],
            reason: "so".into(),
            output: serde_saphyr::from_str(output).unwrap(),
        };
        let expectations = Expectations {
            recorded: Recorded { tests: 0, passed: 0 },
            overrides: vec![instead("1-3", "{status: 200}"), instead("1-4", "{status: 200}")],
            refusals: vec![serde_saphyr::from_str("{reason: so, status: 400, because: [so]}").unwrap()],
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
                    Verdict::Failed(_),
                    Verdict::Skipped,
                    Verdict::Skipped
                ]
            ),
            "{verdicts:?}"
        );
        assert_eq!(outcomes[1].traces.len(), 3);
        assert_eq!(*verdicts[1], Verdict::Failed(vec!["expected [1] in the log".into()]));
    }
}
