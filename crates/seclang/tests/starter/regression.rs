//! Tests of single rules in the format of go-ftw, as far as the starter rule set uses it.

use std::path::Path;

use serde::Deserialize;

use super::request::{Headers, Request};

/// A file: one rule's tests.
#[derive(Deserialize)]
pub(crate) struct Regression {
    pub(crate) rule_id: u64,
    pub(crate) tests: Vec<Case>,
}

#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) test_id: u64,
    stages: [Stage; 1],
}

#[derive(Deserialize)]
struct Stage {
    input: Input,
    output: Output,
}

#[derive(Deserialize)]
struct Input {
    method: String,
    uri: String,
    headers: Headers,
    #[serde(default)]
    data: String,
}

#[derive(Deserialize)]
struct Output {
    log: Log,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Log {
    #[serde(default)]
    expect_ids: Vec<u64>,
    #[serde(default)]
    no_expect_ids: Vec<u64>,
}

impl Regression {
    /// All files in the folders of a folder.
    pub(crate) fn all(folder: &Path) -> Vec<Self> {
        let pattern = folder.join("*/*.yaml");
        let paths = glob::glob(pattern.to_str().unwrap()).unwrap();
        paths.map(|path| Self::read(&path.unwrap())).collect()
    }

    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

impl Case {
    pub(crate) fn request(&self) -> Request {
        let [Stage { input, .. }] = &self.stages;
        Request::of(&input.method, &input.uri, input.headers.clone(), &input.data)
    }

    /// Whether the rule is to match; a test says either that or the contrary.
    pub(crate) fn expects(&self, rule: u64) -> bool {
        let [Stage { output: Output { log }, .. }] = &self.stages;
        let (expected, unexpected) = (log.expect_ids.contains(&rule), log.no_expect_ids.contains(&rule));
        assert_ne!(expected, unexpected, "{rule}-{}: says nothing, or both", self.test_id);
        expected
    }
}
