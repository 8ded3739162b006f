//! The OWASP Core Rule Set as it is released, blocking, at paranoia levels 1 to 4, over ordinary requests and attacks:
//! what is decided about each, its anomaly score and the rules that matched.
//!
//! `decisions/blocking.yaml` has all of it, so that a change of the engine that changes a decision is seen for what it
//! is. `decisions/reference.md` tells where `ModSecurity` decides otherwise.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on says so"
)]

mod starter {
    pub(crate) mod corpus;
    pub(crate) mod request;
}

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use bartizan_seclang::{RuleFiles, RuleSet};
use starter::{corpus::Corpus, request::Answer};

/// Below are rules that only set up, above are those that only decide and report.
const DETECTING: std::ops::Range<u64> = 200_000..949_000;
/// Set to write down what is decided now.
const WRITE: &str = "BARTIZAN_WRITE_DECISIONS";
const LEVELS: [u8; 4] = [1, 2, 3, 4];

#[test]
fn every_decision_is_as_it_is_written_down() {
    let Some(rules) = rules() else { return };
    let mut text = "# What the Core Rule Set 4.28.0 decides at each paranoia level: `refused` or `passed`, the anomaly score, and the\n\
                    # rules that match there and not at the level below. BARTIZAN_WRITE_DECISIONS=1 writes this file.\n"
        .to_owned();
    for (name, least) in [("ordinary", 200), ("attacks", 200)] {
        let corpus = Corpus::read(&here("../../../rules/starter/corpus").join(format!("{name}.yaml")));
        assert!(corpus.requests.len() >= least);
        text += &decisions(name, &corpus, &rules);
    }
    let path = here("decisions/blocking.yaml");
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let written =
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let differences = differences(&written, &text);
    assert!(differences.is_empty(), "not as in {}; {WRITE}=1 writes it anew:\n{differences}", path.display());
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path)
}

/// The rule set as the gateway reads it. It is not part of the repository: without it there is nothing to test, which
/// is an error where everything must be tested.
fn rules() -> Option<Arc<RuleSet>> {
    let data =
        std::env::var_os("BARTIZAN_TEST_DATA").map_or_else(|| here("../../../../shared/data"), PathBuf::from);
    let crs = data.join("crs-4.28.0");
    if !crs.join("rules").is_dir() {
        assert!(std::env::var_os("CI").is_none(), "{} is not there", crs.display());
        println!("SKIPPED: {} is not there: set BARTIZAN_TEST_DATA", crs.display());
        return None;
    }
    let mut files = RuleFiles::default();
    let recommended = here("../../pipeline/src/firewall/recommended.conf");
    for path in [recommended, crs.join("crs-setup.conf.example"), crs.join("rules/*.conf")] {
        files.add_files(path.to_str().unwrap()).unwrap_or_else(|error| panic!("{error}"));
    }
    Some(Arc::new(RuleSet::compile(&files).unwrap_or_else(|error| panic!("{error}"))))
}

/// How many are refused at each level, and every request.
fn decisions(name: &str, corpus: &Corpus, rules: &Arc<RuleSet>) -> String {
    let mut refused = [0; LEVELS.len()];
    let mut text = String::new();
    let mut named = BTreeMap::<String, usize>::new();
    for sample in &corpus.requests {
        let request = corpus.request(sample);
        let class = if sample.class.is_empty() { String::new() } else { format!("{}: ", sample.class) };
        let name = format!("{class}{}", sample.name);
        let number = named.entry(name.clone()).or_default();
        *number += 1;
        let _ = if *number == 1 {
            writeln!(text, "  {name:?}:")
        } else {
            writeln!(text, "  \"{name} ({number})\":")
        };
        let mut below: Option<Answer> = None;
        for (level, refused) in LEVELS.into_iter().zip(&mut refused) {
            let variable = level.to_string();
            let answer = request.send(rules, &[("blocking_paranoia_level", &variable)]);
            *refused += usize::from(answer.refused);
            if below.as_ref().is_none_or(|below| line(below, None) != line(&answer, None)) {
                let _ = writeln!(text, "    {level}: {}", line(&answer, below.as_ref()));
            }
            below = Some(answer);
        }
    }
    let number = corpus.requests.len();
    let [one, two, three, four] = refused;
    format!("\n# refused of {number}, by level: {one}, {two}, {three}, {four}\n{name}:\n{text}")
}

/// `refused, 10: 942100 942130`, without the rules that matched at the level below too.
fn line(answer: &Answer, below: Option<&Answer>) -> String {
    let ids = |answer: &Answer| -> BTreeSet<u64> { answer.rules.iter().copied().collect() };
    let (now, before) = (ids(answer), below.map(ids).unwrap_or_default());
    let mut line = format!("{}, {}", if answer.refused { "refused" } else { "passed" }, answer.score);
    let gone = before.difference(&now).map(|id| format!("-{id}"));
    let rules: Vec<_> = now.difference(&before).map(u64::to_string).chain(gone).collect();
    if !rules.is_empty() {
        let _ = write!(line, ": {}", rules.join(" "));
    }
    format!("{line:?}")
}

/// The lines that only one of them has, each below the request that it is about.
fn differences(written: &str, found: &str) -> String {
    let lines = |text: &str| -> Vec<String> {
        let mut request = String::new();
        let mut lines = Vec::new();
        for line in text.lines() {
            if line.starts_with("    ") {
                lines.push(format!("{request}{line}"));
            } else {
                line.clone_into(&mut request);
                lines.push(request.clone());
            }
        }
        lines
    };
    let (written, found) = (lines(written), lines(found));
    let (known, new): (BTreeSet<_>, BTreeSet<_>) = (written.iter().collect(), found.iter().collect());
    let gone = written.iter().filter(|line| !new.contains(line)).map(|line| format!("- {line}\n"));
    let come = found.iter().filter(|line| !known.contains(line)).map(|line| format!("+ {line}\n"));
    gone.chain(come).collect()
}
