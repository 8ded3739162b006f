//! Whether an exchange went as a test expects: go-ftw's checks, on the log of that exchange alone.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use bartizan_ftw::Output;
use regex::bytes::{Regex, RegexBuilder};

/// What came of a request.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    /// None came where there is no status.
    pub(crate) status: Option<u16>,
    pub(crate) response: Vec<u8>,
    pub(crate) log: Vec<Entry>,
}

/// A line of the log.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) rule: u64,
    /// As `ModSecurity` writes it: `... [id "942100"] [msg "..."] [data "..."]`.
    pub(crate) text: String,
}

impl Exchange {
    pub(crate) fn rules(&self) -> BTreeSet<u64> {
        self.log.iter().map(|entry| entry.rule).collect()
    }

    fn logs(&self, text: &str) -> bool {
        self.log.iter().any(|entry| entry.text.contains(text))
    }

    fn matches(&self, pattern: &Regex) -> bool {
        self.log.iter().any(|entry| pattern.is_match(entry.text.as_bytes()))
    }
}

/// What is not as expected; nothing when the exchange passes.
pub(crate) fn judge(expected: &Output, exchange: &Exchange) -> Result<Vec<String>> {
    // As with go-ftw, an error that is expected is all that is looked at.
    if expected.expect_error {
        let complaint = exchange.status.map(|status| format!("expected no response, got status {status}"));
        return Ok(complaint.into_iter().collect());
    }
    let Some(status) = exchange.status else { return Ok(vec!["no response came".to_owned()]) };

    let mut complaints = Vec::new();
    let mut complain = |fails: bool, complaint: &dyn Fn() -> String| {
        if fails {
            complaints.push(complaint());
        }
    };
    if let Some(wanted) = expected.status {
        complain(wanted != status, &|| format!("expected status {wanted}, got {status}"));
    }
    if let Some(text) = &expected.response_contains {
        let found = String::from_utf8_lossy(&exchange.response).contains(text);
        complain(!found, &|| format!("expected `{text}` in the response"));
    }

    let rules = exchange.rules();
    let missing: Vec<_> = expected.log.expect_ids.iter().filter(|id| !rules.contains(id)).collect();
    complain(!missing.is_empty(), &|| format!("expected {missing:?} in the log"));
    let surplus: Vec<_> = expected.log.no_expect_ids.iter().filter(|id| rules.contains(id)).collect();
    complain(!surplus.is_empty(), &|| format!("expected {surplus:?} not to be in the log"));
    complain(expected.isolated && rules.len() != 1, &|| "expected one rule only in the log".to_owned());

    if let Some(text) = &expected.log_contains {
        complain(!exchange.logs(text), &|| format!("expected `{text}` in the log"));
    }
    if let Some(text) = &expected.no_log_contains {
        complain(exchange.logs(text), &|| format!("expected `{text}` not to be in the log"));
    }
    if let Some(pattern) = &expected.log.match_regex {
        let found = exchange.matches(&compile(pattern)?);
        complain(!found, &|| format!("expected a line of the log to match `{pattern}`"));
    }
    if let Some(pattern) = &expected.log.no_match_regex {
        let found = exchange.matches(&compile(pattern)?);
        complain(found, &|| format!("expected no line of the log to match `{pattern}`"));
    }
    Ok(complaints)
}

fn compile(pattern: &str) -> Result<Regex> {
    // Go's classes are ASCII: `\d` is a digit of ten.
    RegexBuilder::new(pattern).unicode(false).build().with_context(|| format!("in the pattern `{pattern}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange() -> Exchange {
        let entry = |rule: u64, data: &str| Entry {
            rule,
            text: format!("[id \"{rule}\"] [data \"Matched Data: {data} found within ARGS:x: {data}\"]"),
        };
        Exchange {
            status: Some(200),
            response: b"hello there".to_vec(),
            log: vec![entry(942_100, "1 or 1"), entry(949_110, "")],
        }
    }

    #[test]
    fn what_is_as_expected_passes_and_the_rest_does_not() {
        for (expected, passes) in [
            ("{}", true),
            ("{status: 200}", true),
            ("{status: 403}", false),
            ("{response_contains: lo the}", true),
            ("{response_contains: bye}", false),
            ("{log: {expect_ids: [949110, 942100]}}", true),
            ("{log: {expect_ids: [942100, 942101]}}", false),
            ("{log: {no_expect_ids: [942101]}}", true),
            ("{log: {no_expect_ids: [942101, 942100]}}", false),
            ("{log: {expect_ids: [942100]}, isolated: true}", false),
            ("{log_contains: 'id \"942100\"'}", true),
            ("{log_contains: 'id \"942101\"'}", false),
            ("{no_log_contains: 'id \"942101\"'}", true),
            ("{no_log_contains: 'id \"942100\"'}", false),
            ("{log: {match_regex: '1 or \\d found within ARGS:x'}}", true),
            ("{log: {match_regex: 'ARGS:y'}}", false),
            ("{log: {no_match_regex: 'ARGS:y'}}", true),
            ("{log: {no_match_regex: '\\[id \"\\d+\"\\]'}}", false),
            ("{expect_error: true}", false),
        ] {
            let expected: Output = serde_saphyr::from_str(expected).unwrap();
            let complaints = judge(&expected, &exchange()).unwrap();
            assert_eq!(complaints.is_empty(), passes, "{expected:?}: {complaints:?}");
        }
    }

    #[test]
    fn no_response_is_an_error_that_may_be_expected() {
        let silent = Exchange::default();
        assert!(!judge(&Output::default(), &silent).unwrap().is_empty());
        let expected = Output { expect_error: true, status: Some(400), ..Output::default() };
        assert!(judge(&expected, &silent).unwrap().is_empty());
    }

    #[test]
    fn a_pattern_that_is_none_is_an_error() {
        let expected: Output = serde_saphyr::from_str("{log: {match_regex: '('}}").unwrap();
        assert!(judge(&expected, &exchange()).is_err());
    }
}
