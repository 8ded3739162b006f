//! The rules that come with the gateway: complete, apart from each other, and tested both ways.

use std::{collections::BTreeSet, path::Path};

use bartizan_detection::{Cases, EVENTS, FIELDS, RuleFile, RuleSet, STARTER};

fn files() -> Vec<RuleFile> {
    let file = |name: &str, text: &str| RuleFile { name: name.into(), text: text.into() };
    STARTER.iter().map(|rule| file(rule.name, rule.text)).collect()
}

#[test]
fn every_rule_finds_what_it_is_for_and_nothing_else() {
    let mut failed = Vec::new();
    for (rule, file) in STARTER.iter().zip(files()) {
        let cases = Cases::parse(rule.name, rule.tests).unwrap();
        assert!(cases.show_both(), "{} has no case that fires and one that does not", rule.name);
        let outcomes = cases.run(&file, &[]).unwrap().into_iter();
        failed.extend(outcomes.filter(|outcome| !outcome.passed()).map(|outcome| {
            format!(
                "{}: {}: {} instead of {}",
                rule.name,
                outcome.name,
                outcome.findings.len(),
                outcome.expected
            )
        }));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn every_file_is_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules/detection");
    let names = |folder: &Path| -> BTreeSet<String> {
        let names =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| Path::new(name).extension().is_some_and(|end| end == "yml")).collect()
    };
    let embedded: BTreeSet<String> =
        STARTER.iter().map(|rule| rule.name.trim_start_matches("starter/").into()).collect();
    assert_eq!(embedded, names(&folder));
    assert_eq!(embedded, names(&folder.join("tests")));
}

#[test]
fn every_rule_says_who_wrote_it_and_what_it_means() {
    let rules = RuleSet::compile(&files()).unwrap();
    let told: Vec<_> = rules.rules().iter().filter(|rule| rule.reports).collect();
    assert!(told.len() >= 30, "{}", told.len());
    for rule in told {
        let is_uuid = rule.id.len() == 36 && rule.id.split('-').count() == 5;
        assert!(is_uuid, "{}: `{}` is no UUID", rule.file, rule.id);
        assert!(rule.techniques().next().is_some(), "{} names no technique", rule.file);
        assert!(rule.author.is_some() && rule.date.is_some() && rule.description.is_some(), "{}", rule.file);
        assert!(!rule.falsepositives.is_empty(), "{}", rule.file);
    }
}

/// What could be names in the text of a rule; what stands in quotes is sought, and is none.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("- '"));
    lines.flat_map(|line| line.split(|char: char| !(char.is_ascii_alphanumeric() || "._".contains(char))))
}

#[test]
fn every_rule_is_about_what_is_written() {
    let derived = ["http_request.target", "local_time.hour", "local_time.weekday"];
    let objects: BTreeSet<_> = FIELDS.iter().filter_map(|field| Some(field.split_once('.')?.0)).collect();
    for rule in STARTER {
        for name in words(rule.text) {
            let is_path = name.split_once('.').is_some_and(|(object, _)| objects.contains(object));
            let is_known = FIELDS.contains(&name) || derived.contains(&name) || !is_path;
            assert!(is_known, "{}: nothing writes `{name}`", rule.name);
        }
        let named = rule.text.split("bartizan.event:").skip(1).flat_map(|rest| {
            let (first, list) = rest.split_once('\n').unwrap_or((rest, ""));
            let members = list.lines().map_while(|line| line.trim().strip_prefix("- "));
            [first.trim()].into_iter().filter(|first| !first.is_empty()).chain(members)
        });
        for name in named {
            assert!(EVENTS.iter().any(|event| event.name == name), "{}: nothing writes `{name}`", rule.name);
        }
    }
}
