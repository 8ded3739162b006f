//! The page about the language says what the parser has, no more and no less.

use std::{collections::BTreeSet, sync::Arc};

use super::{actions, control, directive, operator, setting};
use crate::{
    RuleFiles, RuleSet, Transformation,
    ast::{OperatorName, Variable},
};

const PAGE: &str = include_str!("../../../../docs/src/rule-language.md");

/// What stands on the page between two marks.
fn section(name: &str) -> &'static str {
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
    let after = PAGE.split_once(&begin).unwrap_or_else(|| panic!("no `{begin}`")).1;
    after.split_once(&end).unwrap_or_else(|| panic!("no `{end}`")).0
}

/// The rows of a table: its first column and the rest.
fn rows(name: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let rows = section(name).lines().skip(2);
    rows.filter_map(|row| row.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "))
}

/// What stands between backticks.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn the_tables_name_what_there_is() {
    let named: [(&str, Vec<&str>); 7] = [
        ("directives", directive::names().collect()),
        ("settings", setting::names().collect()),
        ("variables", Variable::ALL.iter().map(|variable| variable.name()).collect()),
        ("operators", OperatorName::ALL.iter().map(|operator| operator.name()).collect()),
        ("transformations", Transformation::NAMES.iter().map(|(name, _)| *name).collect()),
        ("actions", actions::names().collect()),
        ("controls", control::names().collect()),
    ];
    for (section, names) in named {
        let known: BTreeSet<_> = names.into_iter().collect();
        let said: Vec<_> = rows(section).flat_map(|(names, _)| words(names)).collect();
        assert_eq!(said.iter().copied().collect::<BTreeSet<_>>(), known, "{section}");
        assert_eq!(said.len(), known.len(), "{section}: something stands there twice");
    }
}

#[test]
fn the_tables_say_what_is_refused_and_why() {
    for (section, refused) in [
        ("refused directives", setting::REFUSED),
        ("refused operators", operator::REFUSED),
        ("refused actions", actions::REFUSED),
        ("refused controls", control::REFUSED),
    ] {
        let said: Vec<_> = rows(section).map(|(name, reason)| (name.trim_matches('`'), reason)).collect();
        assert_eq!(said, refused, "{section}");
    }
}

#[test]
fn what_the_page_says_to_write_is_understood() {
    for part in PAGE.split("```apache\n").skip(1) {
        let mut files = RuleFiles::default();
        files.add_text(part.split("```").next().unwrap(), "rule-language.md").unwrap();
        let rules = Arc::new(RuleSet::compile(&files).unwrap());
        assert!(rules.rules().next().is_some());
    }
}
