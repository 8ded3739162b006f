//! Tests as their files say them.
//!
//! A field of a stage that is not known here is an error of the file, so that nothing a test asks for is ignored
//! silently. What is known and cannot be played is said by [`Test::unplayable`].

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer};

use crate::{FtwError, payload::Template};

/// A test: one or more exchanges and what is expected of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// Rule and number, as `942100-3`.
    pub name: String,
    /// The rule that it is about.
    pub rule: u64,
    /// The name of the folder it was read from, which in the Core Rule Set is that of a rule file.
    pub group: String,
    /// What it is for.
    pub description: String,
    /// Its file says `enabled: false`.
    pub disabled: bool,
    /// Its exchanges, in order.
    pub stages: Vec<Stage>,
}

impl Test {
    /// A field of the test that asks for what bytes on the wire cannot give: a request that depends on an answer, or an
    /// answer that the request itself does not ask the service for. Such a test can only be skipped.
    pub fn unplayable(&self) -> Option<&'static str> {
        self.stages.iter().find_map(|stage| match &stage.input {
            input if input.follow_redirect == Some(true) => Some("follow_redirect"),
            input if input.response.is_some() => Some("response"),
            _ => None,
        })
    }
}

/// One exchange of a test.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    #[serde(default, rename = "description")]
    _description: String,
    /// What is sent.
    pub input: Input,
    /// What is expected.
    pub output: Output,
}

/// What is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Input {
    /// Where to: whoever sends it decides that, as go-ftw's configuration does.
    #[serde(rename = "dest_addr")]
    pub(crate) _address: Option<String>,
    #[serde(rename = "port")]
    pub(crate) _port: Option<u16>,
    #[serde(rename = "protocol")]
    pub(crate) _protocol: Option<String>,
    /// Concerns the requests that mark the log, and there are none.
    #[serde(rename = "virtual_host_mode")]
    pub(crate) _virtual_host_mode: Option<bool>,
    /// `GET` where it is missing.
    pub method: Option<String>,
    /// The target: `/` where it is missing.
    pub uri: Option<String>,
    /// Several targets for the same request; `uri` does not count then.
    pub uris: Vec<String>,
    /// `HTTP/1.1` where it is missing.
    pub version: Option<String>,
    /// The headers, by name.
    pub headers: BTreeMap<String, Option<String>>,
    /// The headers in the order in which they are sent, where one may come more than once; `headers` do not count then.
    pub ordered_headers: Vec<Header>,
    /// The body: a template of Go.
    pub data: Option<String>,
    /// The body, in base64.
    pub encoded_data: Option<String>,
    /// The whole request, in base64.
    pub encoded_request: Option<String>,
    /// The whole request as it stands: what `encoded_request` took the place of.
    pub raw_request: Option<String>,
    pub(crate) autocomplete_headers: Option<bool>,
    /// The old name, and the opposite.
    pub(crate) stop_magic: Option<bool>,
    /// go-ftw reads it, and keeps no cookies.
    #[serde(rename = "save_cookie")]
    pub(crate) _save_cookie: Option<bool>,
    pub(crate) follow_redirect: Option<bool>,
    pub(crate) response: Option<Response>,
    /// What `{{.Payload}}` stands for in the target, the values of headers and the body; they are no templates of it
    /// where it is missing.
    #[serde(skip)]
    pub(crate) payload: Option<String>,
}

/// A header of a list of them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Its name, as it is sent.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// What the service is to answer. go-ftw, too, reads it and has no way to tell the service.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Response {
    #[serde(rename = "headers")]
    _headers: Option<BTreeMap<String, Option<String>>>,
    #[serde(rename = "status")]
    _status: Option<u16>,
    #[serde(rename = "body")]
    _body: Option<String>,
    #[serde(rename = "encoded_body")]
    _encoded_body: Option<String>,
    #[serde(rename = "log_message")]
    _log_message: Option<String>,
}

impl Input {
    /// The headers that the test says, in the order in which they are sent.
    pub fn said_headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let is_ordered = !self.ordered_headers.is_empty();
        let by_name = self.headers.iter().filter(move |_| !is_ordered);
        let by_name = by_name.map(|(name, value)| (name.as_str(), value.as_deref().unwrap_or_default()));
        let ordered = self.ordered_headers.iter();
        ordered.map(|Header { name, value }| (name.as_str(), value.as_str())).chain(by_name)
    }

    /// Whether the headers that a body needs are added.
    pub fn completes_headers(&self) -> bool {
        self.autocomplete_headers.unwrap_or(!self.stop_magic.unwrap_or(false))
    }
}

/// What is expected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Output {
    /// The status of the answer.
    #[serde(deserialize_with = "unless_zero")]
    pub status: Option<u16>,
    /// A text of the answer.
    #[serde(deserialize_with = "unless_empty")]
    pub response_contains: Option<String>,
    /// A text of the log.
    #[serde(deserialize_with = "unless_empty")]
    pub log_contains: Option<String>,
    /// A text that the log does not have.
    #[serde(deserialize_with = "unless_empty")]
    pub no_log_contains: Option<String>,
    /// The rules in the log.
    pub log: Log,
    /// No response comes.
    pub expect_error: bool,
    /// Only the one rule of `expect_ids` is in the log.
    pub isolated: bool,
    /// Works around a log that is written late.
    pub retry_once: bool,
}

/// What is expected of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// Rules that match.
    pub expect_ids: Vec<u64>,
    /// Rules that do not.
    pub no_expect_ids: Vec<u64>,
    /// A pattern of the log.
    #[serde(deserialize_with = "unless_empty")]
    pub match_regex: Option<String>,
    /// A pattern that the log does not have.
    #[serde(deserialize_with = "unless_empty")]
    pub no_match_regex: Option<String>,
}

/// To Go, a text that is empty is one that is missing.
fn unless_empty<'de, D: Deserializer<'de>>(field: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(field)?.filter(|text| !text.is_empty()))
}

/// So is a number that is 0.
fn unless_zero<'de, D: Deserializer<'de>>(field: D) -> Result<Option<u16>, D::Error> {
    Ok(Option::<u16>::deserialize(field)?.filter(|number| *number > 0))
}

/// A file. What else it, its `meta` or a test of it says is for readers.
#[derive(Deserialize)]
struct Document {
    meta: Option<Meta>,
    rule_id: u64,
    template: Option<Template>,
    tests: Vec<Entry>,
}

#[derive(Deserialize)]
struct Meta {
    enabled: Option<bool>,
}

#[derive(Deserialize)]
struct Entry {
    /// Its place in the file where it is missing, or 0.
    #[serde(alias = "id")]
    test_id: Option<u64>,
    #[serde(default, alias = "description")]
    desc: String,
    #[serde(default)]
    stages: Vec<Stage>,
    /// Instead of stages, with the request of the template and the output beside it.
    payload: Option<String>,
    template: Option<Template>,
    output: Option<Output>,
}

impl Entry {
    /// Its exchanges: as they are written, or the one that the template of the file makes of its payload.
    fn stages(self, of_file: Option<&Template>) -> Result<Vec<Stage>, FtwError> {
        match (self.payload, self.stages) {
            (None, stages) if !stages.is_empty() => Ok(stages),
            (Some(payload), stages) if stages.is_empty() => {
                let template = self.template.unwrap_or_default().over(of_file);
                let output = self.output.unwrap_or_default();
                Ok(vec![Stage { _description: String::new(), input: template.input(payload), output }])
            }
            _ => Err(FtwError::Stages),
        }
    }
}

/// The tests of a folder.
#[derive(Debug, Default)]
pub struct Suite {
    /// Those that are understood.
    pub tests: Vec<Test>,
    /// Files that are not understood, and why.
    pub unreadable: Vec<FtwError>,
}

/// Every test of every `.yaml` and `.yml` file in a folder and the folders in it, in the order of their names.
pub fn read(folder: &Path) -> Result<Suite, FtwError> {
    let mut suite = Suite::default();
    for path in files(folder)? {
        let text = fs::read_to_string(&path).map_err(|source| unreadable(&path, source))?;
        let group = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        match parse(&text) {
            Ok(tests) => {
                suite
                    .tests
                    .extend(tests.into_iter().map(|test| Test { group: group.clone().into(), ..test }));
            }
            Err(problem) => suite.unreadable.push(FtwError::File { path, problem: Box::new(problem) }),
        }
    }
    Ok(suite)
}

/// The tests of a file.
pub fn parse(text: &str) -> Result<Vec<Test>, FtwError> {
    // A file of comments only, whose tests are all commented out, is an empty document.
    let Some(document) = serde_saphyr::from_str::<Option<Document>>(text)? else { return Ok(Vec::new()) };
    let rule = document.rule_id;
    let disabled = document.meta.is_some_and(|meta| meta.enabled == Some(false));
    let tests = (1..).zip(document.tests).map(|(place, mut entry)| {
        Ok(Test {
            name: format!("{rule}-{}", entry.test_id.filter(|id| *id > 0).unwrap_or(place)),
            rule,
            group: String::new(),
            description: std::mem::take(&mut entry.desc).trim().to_owned(),
            disabled,
            stages: entry.stages(document.template.as_ref())?,
        })
    });
    tests.collect()
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, FtwError> {
    let entries = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>());
    let mut paths = entries.map_err(|source| unreadable(folder, source))?;
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(self::files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            files.push(path);
        }
    }
    Ok(files)
}

fn unreadable(path: &Path, source: std::io::Error) -> FtwError {
    FtwError::Read { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEST: &str = r#"---
meta:
  author: "somebody"
rule_id: 942100
tests:
  - test_id: 3
    desc: |
      two words
    stages:
      - input:
          dest_addr: 127.0.0.1
          port: 80
          method: POST
          headers:
            Content-Length: 7
            X-Byte: "a\rb"
            Empty:
          data: "a=1"
          autocomplete_headers: false
        output:
          log:
            expect_ids: [942100, 942101]
"#;

    #[test]
    fn a_test_is_read_as_written() {
        let tests = parse(TEST).unwrap();
        let [test] = tests.as_slice() else { panic!("{tests:?}") };
        assert_eq!(
            (test.name.as_str(), test.rule, test.description.as_str()),
            ("942100-3", 942_100, "two words")
        );
        let [stage] = test.stages.as_slice() else { panic!("{test:?}") };
        assert_eq!(stage.input.headers["Content-Length"].as_deref(), Some("7"));
        assert_eq!(stage.input.headers["X-Byte"].as_deref(), Some("a\rb"));
        assert_eq!(stage.input.headers["Empty"], None);
        assert_eq!(stage.input.data.as_deref(), Some("a=1"));
        assert!(!stage.input.completes_headers());
        assert_eq!(stage.output.log.expect_ids, [942_100, 942_101]);
        assert!(!test.disabled);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for (from, to) in [
            ("method: POST", "method: POST\n          cookies: true"),
            ("method: POST", "method: POST\n          ordered_headers: [{name: A, values: b}]"),
            ("method: POST", "method: POST\n          response: {code: 200}"),
            ("expect_ids:", "expected_ids:"),
            ("output:", "output:\n          stat: 200"),
            ("test_id: 3", "test_id: three"),
            ("rule_id:", "rule:"),
        ] {
            let text = TEST.replacen(from, to, 1);
            assert_ne!(text, TEST);
            assert!(parse(&text).is_err(), "{to}");
        }
    }

    #[test]
    fn special_files_and_old_names() {
        assert_eq!(parse("---\n# nothing\n").unwrap(), []);
        let misplaced = TEST.replacen("  author:", "author:", 1);
        assert_eq!(parse(&misplaced).unwrap().len(), 1);
        let disabled = TEST.replacen("meta:", "meta:\n  enabled: false", 1);
        assert!(parse(&disabled).unwrap()[0].disabled);
        let numbered = TEST.replacen("- test_id: 3\n    desc", "- desc", 1);
        assert_eq!(parse(&numbered).unwrap()[0].name, "942100-1");
        for (magic, completes) in [("stop_magic: true", false), ("stop_magic: false", true)] {
            let text = TEST.replacen("autocomplete_headers: false", magic, 1);
            assert_eq!(parse(&text).unwrap()[0].stages[0].input.completes_headers(), completes);
        }
    }

    #[test]
    fn what_cannot_be_played_is_said() {
        for (field, unplayable) in [
            ("follow_redirect: true", Some("follow_redirect")),
            ("follow_redirect: false", None),
            ("response: {status: 502, headers: {a: b}, body: x, log_message: y}", Some("response")),
            ("save_cookie: true", None),
            ("raw_request: GET /", None),
            ("virtual_host_mode: true", None),
        ] {
            let text = TEST.replacen("method: POST", &format!("method: POST\n          {field}"), 1);
            assert_eq!(parse(&text).unwrap()[0].unplayable(), unplayable, "{field}");
        }
    }

    #[test]
    fn what_is_empty_is_not_asked_for() {
        let empty =
            "output:\n          status: 0\n          response_contains: ''\n          log_contains: ''";
        let text = TEST.replacen("output:", empty, 1);
        let text = text.replacen("expect_ids", "match_regex: ''\n            expect_ids", 1);
        assert_eq!(parse(&text).unwrap(), parse(TEST).unwrap());
    }

    #[test]
    fn a_payload_is_a_test_of_one_stage() {
        let tests = parse(
            "rule_id: 942100
template: {method: POST, uri: '/?q={{.Payload}}', headers: [{name: Host, value: a}]}
tests:
  - {id: 7, description: seven, payload: 1 or 1, output: {status: 403}}
  - {payload: two, template: {uri: /}, output: {log: {expect_ids: [942100]}}}",
        );
        let tests = tests.unwrap();
        let said: Vec<_> = tests.iter().map(|test| (test.name.as_str(), test.description.as_str())).collect();
        assert_eq!(said, [("942100-7", "seven"), ("942100-2", "")]);
        let inputs: Vec<_> = tests.iter().map(|test| &test.stages[0].input).collect();
        assert_eq!(inputs[0].uri.as_deref(), Some("/?q={{.Payload}}"));
        assert_eq!(inputs[1].uri.as_deref(), Some("/"));
        assert!(inputs.iter().all(|input| input.method.as_deref() == Some("POST")));
        assert_eq!(tests[0].stages[0].output.status, Some(403));
    }

    #[test]
    fn a_test_has_either_stages_or_a_payload() {
        for (from, to) in [("  stages:", "  payload: x\n    stages:"), ("  stages:", "  tags:")] {
            assert!(parse(&TEST.replacen(from, to, 1)).is_err(), "{to}");
        }
    }

    #[test]
    fn every_test_of_the_core_rule_set_is_read() {
        let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
        let data = std::env::var_os("BARTIZAN_TEST_DATA").map_or_else(|| default.into(), PathBuf::from);
        let folder = data.join("crs-4.28.0/regression-tests");
        if !folder.is_dir() && std::env::var_os("CI").is_none() {
            println!("SKIPPED: {} is not there: set BARTIZAN_TEST_DATA", folder.display());
            return;
        }
        let Suite { tests, unreadable } = read(&folder).unwrap();
        assert!(unreadable.is_empty(), "{unreadable:?}");
        let stages: usize = tests.iter().map(|test| test.stages.len()).sum();
        println!("{} tests of {stages} stages", tests.len());
        assert!(tests.len() > 3600, "{}", tests.len());
    }
}
