//! The starter rule set, `rules/starter`, in one process: every rule against its tests, and all of it against
//! ordinary requests and attacks.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

mod starter {
    pub(crate) mod corpus;
    pub(crate) mod everyday;
    pub(crate) mod regression;
    pub(crate) mod request;
}

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use bartizan_seclang::{RuleFiles, RuleSet};

use starter::{
    corpus::{Corpus, Sample},
    everyday::{self, Everyday, Payloads},
    regression,
    request::{Answer, Request},
};

/// Rules that have a number below the first or above the last block set up the set, and decide.
const DETECTING: std::ops::Range<u64> = 10_010_000..10_090_000;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules/starter")
}

fn rules() -> Arc<RuleSet> {
    let mut files = RuleFiles::default();
    files.add_files(folder().join("*.conf").to_str().unwrap()).unwrap_or_else(|error| panic!("{error}"));
    Arc::new(RuleSet::compile(&files).unwrap_or_else(|error| panic!("{error}")))
}

fn detecting(rules: &RuleSet) -> impl Iterator<Item = &bartizan_seclang::RuleInfo> {
    rules.rules().filter(|rule| DETECTING.contains(&rule.id))
}

#[test]
fn every_rule_says_what_it_is() {
    let rules = rules();
    let mut count = 0;
    for rule in detecting(&rules) {
        count += 1;
        let has = |prefix: &str| rule.tags.iter().any(|tag| tag.starts_with(prefix));
        assert!(!rule.message.is_empty(), "{}: no message", rule.id);
        assert!(rule.severity.is_some(), "{}: no severity", rule.id);
        for prefix in ["attack-", "OWASP-2021/A", "paranoia-level/1"] {
            assert!(has(prefix), "{}: no tag {prefix}", rule.id);
        }
        assert!(has("CWE-") || has("CAPEC-"), "{}: no tag of a weakness", rule.id);
    }
    assert!(count > 80, "{count}");
}

/// As go-ftw runs them: what a rule finds, and what looks like it.
#[test]
fn every_rule_passes_its_tests() {
    let rules = rules();
    let mut wrong = Vec::new();
    for test in regression::all(&folder().join("tests")) {
        let answer = regression::request(&test).send(&rules, &[]);
        if answer.rules.contains(&test.rule) != regression::expects(&test) {
            wrong.push(format!("{}: {answer:?}", test.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// At least two of each for every rule.
#[test]
fn every_rule_has_tests() {
    let rules = rules();
    let mut counts = BTreeMap::<u64, (usize, usize)>::new();
    for test in regression::all(&folder().join("tests")) {
        let entry = counts.entry(test.rule).or_default();
        if regression::expects(&test) { entry.0 += 1 } else { entry.1 += 1 }
    }
    let known: BTreeSet<u64> = detecting(&rules).map(|rule| rule.id).collect();
    for rule in &known {
        let (positive, negative) = counts.get(rule).copied().unwrap_or_default();
        assert!(positive >= 2 && negative >= 2, "{rule}: {positive} positive, {negative} negative");
    }
    assert!(counts.keys().all(|id| known.contains(id)), "tests of rules that are not there");
}

/// The two halves of what the set promises. What is judged here was written beside the rules: other people's
/// payloads are the better judge.
#[test]
fn attacks_are_refused_and_ordinary_requests_are_not() {
    let rules = rules();
    let ordinary = Corpus::read(&folder().join("corpus/ordinary.yaml"));
    let attacks = Corpus::read(&folder().join("corpus/attacks.yaml"));
    assert!(ordinary.requests.len() >= 200 && attacks.requests.len() >= 200);

    let refused = sent(&ordinary, &rules, |answer| answer.refused);
    assert!(refused.is_empty(), "ordinary requests refused:\n{}", refused.join("\n"));

    let missed = sent(&attacks, &rules, |answer| !answer.refused);
    let limit = attacks.requests.len() * 5 / 100;
    assert!(missed.len() <= limit, "attacks that went through:\n{}", missed.join("\n"));
}

/// Short values, which have nothing around them that says what they are: of everyday texts fewer than one in a hundred is
/// refused in any place where it may stand, of payloads more than 95 in a hundred are.
#[test]
fn short_values_are_told_apart() {
    let rules = rules();
    let everyday = Everyday::read(&folder().join("corpus/everyday.yaml"));
    let payloads = Payloads::read(&folder().join("corpus/payloads.yaml"));
    assert!(everyday.texts.len() >= 500 && payloads.payloads.len() >= 180);

    let mut refused = Vec::new();
    for (text, requests) in everyday.requests() {
        for request in requests {
            let answer = request.send(&rules, &[]);
            if answer.refused {
                refused.push(format!("{text}: {:?}", answer.rules));
            }
        }
    }
    assert!(refused.is_empty(), "everyday texts refused:\n{}", refused.join("\n"));

    let passes = |payload: &&String| {
        everyday::as_value(payload).iter().any(|request| !request.send(&rules, &[]).refused)
    };
    let missed: Vec<&String> = payloads.payloads.iter().filter(passes).collect();
    assert!(missed.len() * 100 <= payloads.payloads.len() * 5, "payloads that went through:\n{missed:#?}");
}

/// Sends all requests and tells those whose answer is `wanted`.
fn sent(corpus: &Corpus, rules: &Arc<RuleSet>, wanted: impl Fn(&Answer) -> bool) -> Vec<String> {
    let mut lines = Vec::new();
    for sample in &corpus.requests {
        let answer = corpus.request(sample).send(rules, &[]);
        if wanted(&answer) {
            let Sample { class, name, target, .. } = sample;
            lines.push(format!("{class} {name} {target}: {:?}", answer.rules));
        }
    }
    lines
}

/// Lines of JSON are what `_bulk` takes, by whatever name a client calls them; what stands in any line is looked at.
#[test]
fn lines_of_json_are_read_to_their_end() {
    let rules = rules();
    for (last, refused) in [("a <b>", false), ("<script>alert(1)</script>", true)] {
        let body = format!("{{\"index\":{{\"_id\":1}}}}\n{{\"title\":\"it's\"}}\n{{\"title\":\"{last}\"}}\n");
        let headers = [("Content-Type".to_owned(), "application/json".to_owned())];
        let answer = Request::of("POST", "/_bulk", headers.into(), &body).send(&rules, &[]);
        assert_eq!(answer.refused, refused, "{last}: {answer:?}");
    }
}

/// One rule of the highest severity refuses, one warning alone does not.
#[test]
fn the_score_decides() {
    let rules = rules();
    for (target, found, score, refused) in [
        ("/fetch?url=http://192.168.0.9/x", &[10_044_060][..], 3, false),
        ("/fetch?url=http://192.168.0.9:6379/x", &[10_044_060, 10_044_070], 6, true),
        ("/.env", &[10_021_020], 5, true),
    ] {
        let answer = Request::of("GET", target, BTreeMap::new(), "").send(&rules, &[]);
        assert_eq!(
            (answer.rules.as_slice(), answer.score, answer.refused),
            (found, score, refused),
            "{target}"
        );
    }
}
