//! Tests of single rules in the format of go-ftw, as far as the starter rule set uses it.

use std::path::Path;

use bartizan_ftw::{Stage, Test};

use super::request::Request;

/// All tests in a folder.
pub(crate) fn all(folder: &Path) -> Vec<Test> {
    let suite = bartizan_ftw::read(folder).unwrap_or_else(|error| panic!("{error}"));
    assert!(suite.unreadable.is_empty(), "{:?}", suite.unreadable);
    suite.tests
}

/// What a test sends. The rules are shown what it says, without what go-ftw would add.
pub(crate) fn request(test: &Test) -> Request {
    let input = &stage(test).input;
    let headers = input.said_headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let said = |field: &Option<String>| field.clone().unwrap_or_default();
    let body = input.body().unwrap_or_else(|error| panic!("{}: {error}", test.name));
    Request::of(&said(&input.method), &said(&input.uri), headers, &String::from_utf8(body).unwrap())
}

/// Whether its rule is to match; a test says either that or the contrary.
pub(crate) fn expects(test: &Test) -> bool {
    let log = &stage(test).output.log;
    let (expected, unexpected) =
        (log.expect_ids.contains(&test.rule), log.no_expect_ids.contains(&test.rule));
    assert_ne!(expected, unexpected, "{}: says nothing, or both", test.name);
    expected
}

fn stage(test: &Test) -> &Stage {
    let [stage] = test.stages.as_slice() else { panic!("{}: has not one stage", test.name) };
    stage
}
