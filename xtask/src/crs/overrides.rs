//! The tests that are expected to differ from what is written, each with its reason, and the numbers reached so far.
//!
//! An override does not excuse a test: it says what happens instead, and that is checked. One that is no longer
//! needed fails the run. Tests of another suite have none; of those the gateway may refuse what it refuses before
//! any rule sees it, and each way to refuse is listed with its reason.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use bartizan_ftw::Output;
use serde::Deserialize;

use crate::judge::Exchange;

const FILE: &str = include_str!("overrides.yaml");

/// What is recorded of one way to run the tests.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expectations {
    pub(crate) recorded: Recorded,
    pub(crate) overrides: Vec<Override>,
    #[serde(default)]
    pub(crate) refusals: Vec<Refusals>,
}

/// What the whole suite reached; it may not reach less.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recorded {
    /// How many tests the suite had.
    pub(crate) tests: usize,
    /// How many passed as they are written.
    pub(crate) passed: usize,
}

/// Tests that are expected to differ, for one reason and in one way.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Override {
    pub(crate) tests: Vec<String>,
    pub(crate) reason: String,
    /// What is expected of each of its stages instead.
    pub(crate) output: Output,
}

/// A class of requests that are refused before any rule sees them. A test without an override may meet it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refusals {
    pub(crate) reason: String,
    pub(crate) status: u16,
    /// How what the operator is told begins.
    pub(crate) because: Vec<String>,
}

impl Refusals {
    fn include(&self, exchange: &Exchange) -> bool {
        let said = String::from_utf8_lossy(&exchange.response);
        let is_said = |because: &String| said.contains(&format!("\nrefused: {because}"));
        exchange.status == Some(self.status) && self.because.iter().any(is_said)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    in_process: Expectations,
    gateway: Expectations,
}

/// What is recorded of the engine, driven in this process.
pub(crate) fn in_process() -> Result<Expectations> {
    let file: File = serde_saphyr::from_str(FILE)?;
    checked(file.in_process)
}

/// What is recorded of the gateway, asked over a socket.
pub(crate) fn gateway() -> Result<Expectations> {
    let file: File = serde_saphyr::from_str(FILE)?;
    checked(file.gateway)
}

fn checked(expectations: Expectations) -> Result<Expectations> {
    let mut tests = BTreeSet::new();
    for entry in &expectations.overrides {
        let Override { tests: names, reason, output } = entry;
        ensure!(!names.is_empty(), "the override because of `{reason}` is of no test");
        ensure!(!reason.trim().is_empty(), "the override of {} has no reason", names.join(", "));
        ensure!(*output != Output::default(), "the override of {} expects nothing", names.join(", "));
        for name in names {
            ensure!(tests.insert(name), "there are two overrides of {name}");
        }
    }
    for Refusals { reason, because, .. } in &expectations.refusals {
        ensure!(!reason.trim().is_empty(), "the refusals `{}` have no reason", because.join("`, `"));
        ensure!(!because.is_empty(), "the refusals because of `{reason}` are of nothing");
        ensure!(
            because.iter().all(|text| !text.is_empty()),
            "the refusals because of `{reason}` are of anything"
        );
    }
    Ok(expectations)
}

impl Expectations {
    /// The override of a test.
    pub(crate) fn of(&self, test: &str) -> Option<&Override> {
        self.overrides.iter().find(|entry| entry.tests.iter().any(|name| name == test))
    }

    /// Whether a request was refused before any rule saw it, in one of the ways that are listed.
    pub(crate) fn are_met_by_refusal(&self, exchange: &Exchange) -> bool {
        self.refusals.iter().any(|class| class.include(exchange))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_in_order() {
        assert!(in_process().is_ok(), "{:?}", in_process());
        assert!(gateway().is_ok(), "{:?}", gateway());
    }

    /// The gateway's own words, so that a class does not stay here when they change.
    #[test]
    fn refusals_are_said_as_the_gateway_says_them() {
        const SOURCES: [&str; 5] = [
            include_str!("../../../crates/gateway/src/wire/violation.rs"),
            include_str!("../../../crates/pipeline/src/path.rs"),
            include_str!("../../../crates/pipeline/src/stage/body.rs"),
            include_str!("../../../crates/pipeline/src/stage/protocol.rs"),
            include_str!("../../../crates/pipeline/src/stage/route.rs"),
        ];
        for because in gateway().unwrap().refusals.iter().flat_map(|class| &class.because) {
            let said = because.strip_prefix("path: ").unwrap_or(because);
            assert!(SOURCES.iter().any(|source| source.contains(said)), "{because}");
        }
    }

    #[test]
    fn a_refusal_is_one_of_its_class() {
        let class: Refusals =
            serde_saphyr::from_str("{reason: so, status: 400, because: [the method]}").unwrap();
        for (status, response, is_one) in [
            (400, "{}\nrefused: the method is not a token", true),
            (405, "{}\nrefused: the method is not a token", false),
            (400, "{}\nrefused: path: the method", false),
            (400, "the method", false),
        ] {
            let exchange = Exchange { status: Some(status), response: response.into(), log: Vec::new() };
            assert_eq!(class.include(&exchange), is_one, "{status} {response}");
        }
    }

    #[test]
    fn an_override_says_why_and_what_instead() {
        let parse = |overrides: &str| {
            let text = format!("{{recorded: {{tests: 1, passed: 1}}, overrides: [{overrides}]}}");
            checked(serde_saphyr::from_str(&text).unwrap())
        };
        let good = "{tests: [1-2, 1-4], reason: because, output: {status: 400}}";
        assert!(parse(good).unwrap().of("1-2").is_some());
        assert!(parse(good).unwrap().of("1-4").is_some());
        assert!(parse(good).unwrap().of("1-3").is_none());
        let parse_refusals = |refusals: &str| {
            let text =
                format!("{{recorded: {{tests: 1, passed: 1}}, overrides: [], refusals: [{refusals}]}}");
            checked(serde_saphyr::from_str(&text).unwrap())
        };
        assert!(parse_refusals("{reason: so, status: 400, because: [x]}").is_ok());
        for bad in [
            "{reason: so, status: 400, because: []}",
            "{reason: '', status: 400, because: [x]}",
            "{reason: so, status: 400, because: ['']}",
        ] {
            assert!(parse_refusals(bad).is_err(), "{bad}");
        }
        for bad in [
            "{tests: [], reason: because, output: {status: 400}}",
            "{tests: [1-2, 1-2], reason: because, output: {status: 400}}",
            "{tests: [1-2], reason: ' ', output: {status: 400}}",
            "{tests: [1-2], reason: because, output: {}}",
            &format!("{good}, {good}"),
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
