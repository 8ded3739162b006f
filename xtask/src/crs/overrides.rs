//! The tests that are expected to differ from what is written, each with its reason, and the numbers reached so far.
//!
//! An override does not excuse a test: it says what happens instead, and that is checked. One that is no longer
//! needed fails the run.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use bartizan_ftw::Output;
use serde::Deserialize;

const FILE: &str = include_str!("overrides.yaml");

/// What is recorded of one way to run the tests.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expectations {
    pub(crate) recorded: Recorded,
    pub(crate) overrides: Vec<Override>,
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
    /// Tests that are not listed, of another suite, may differ in this way too.
    #[serde(default)]
    pub(crate) of_others: bool,
    pub(crate) reason: String,
    /// What is expected of each of its stages instead.
    pub(crate) output: Output,
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
        let Override { tests: names, reason, output, .. } = entry;
        ensure!(!names.is_empty(), "the override because of `{reason}` is of no test");
        ensure!(!reason.trim().is_empty(), "the override of {} has no reason", names.join(", "));
        ensure!(*output != Output::default(), "the override of {} expects nothing", names.join(", "));
        for name in names {
            ensure!(tests.insert(name), "there are two overrides of {name}");
        }
    }
    Ok(expectations)
}

impl Expectations {
    /// The override of a test.
    pub(crate) fn of(&self, test: &str) -> Option<&Override> {
        self.overrides.iter().find(|entry| entry.tests.iter().any(|name| name == test))
    }

    /// The overrides of tests that are not listed.
    pub(crate) fn of_others(&self) -> impl Iterator<Item = &Override> {
        self.overrides.iter().filter(|entry| entry.of_others)
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
