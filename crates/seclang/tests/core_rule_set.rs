//! The OWASP Core Rule Set 4.28.0, read in place: every file is understood, and nothing of it is lost.
//!
//! The sets below are what the rule set uses, no more and no less: the minimum that the engine must have.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on says so"
)]

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use bartizan_seclang::{
    RuleFiles,
    ast::{
        Action, Control, DirectiveKind, Link, Part, Rule, Selector, Target, TargetUse, Template, Variable,
    },
};

const OPERATORS: &str = "beginsWith contains detectSQLi detectXSS endsWith eq ge gt ipMatch lt pm pmFromFile rx streq \
     unconditionalMatch validateByteRange validateUrlEncoding validateUtf8Encoding within";

const TRANSFORMATIONS: &str = "base64Decode cmdLine compressWhitespace cssDecode escapeSeqDecode hexEncode \
     htmlEntityDecode jsDecode length lowercase none normalizePath normalizePathWin removeCommentsChar removeNulls \
     removeWhitespace replaceComments sha1 urlDecodeUni utf8toUnicode";

const VARIABLES: &str = "ARGS ARGS_COMBINED_SIZE ARGS_GET ARGS_GET_NAMES ARGS_NAMES FILES FILES_COMBINED_SIZE FILES_NAMES \
     MATCHED_VAR MATCHED_VARS MULTIPART_PART_HEADERS QUERY_STRING REMOTE_ADDR REQBODY_PROCESSOR REQUEST_BASENAME \
     REQUEST_BODY REQUEST_BODY_LENGTH REQUEST_COOKIES REQUEST_COOKIES_NAMES REQUEST_FILENAME REQUEST_HEADERS \
     REQUEST_HEADERS_NAMES REQUEST_LINE REQUEST_METHOD REQUEST_PROTOCOL REQUEST_URI REQUEST_URI_RAW RESPONSE_BODY \
     RESPONSE_HEADERS RESPONSE_STATUS TX UNIQUE_ID XML";

/// Without `id`, `phase` and `chain`, which are a rule's own: 23 in all.
const ACTIONS: &str = "auditlog block capture ctl deny initcol log logdata msg multiMatch noauditlog nolog pass \
     setvar severity skipAfter status t tag ver";

const CONTROLS: &str = "auditEngine forceRequestBodyVariable requestBodyProcessor ruleRemoveById ruleRemoveByTag \
     ruleRemoveTargetByTag";

const MACROS: &str = "ARGS MATCHED_VAR MATCHED_VAR_NAME REMOTE_ADDR REQUEST_HEADERS REQUEST_LINE TX";

/// The rule set's folder. It is not part of the repository: without it there is nothing to test, which is an error
/// where everything must be tested.
fn folder() -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let data = std::env::var_os("BARTIZAN_TEST_DATA").map_or_else(|| default.into(), PathBuf::from);
    let folder = data.join("crs-4.28.0");
    if folder.join("rules").is_dir() {
        return Some(folder);
    }
    assert!(std::env::var_os("CI").is_none(), "{} is not there", folder.display());
    println!("SKIPPED: {} is not there: set BARTIZAN_TEST_DATA", folder.display());
    None
}

fn load(folder: &Path, patterns: &[&str]) -> RuleFiles {
    let mut files = RuleFiles::default();
    for pattern in patterns {
        files.add_files(folder.join(pattern).to_str().unwrap()).unwrap_or_else(|error| panic!("{error}"));
    }
    files
}

fn rules(files: &RuleFiles) -> Vec<&Rule> {
    let rules = files.directives().iter().filter_map(|directive| match &directive.kind {
        DirectiveKind::Rule(rule) => Some(rule),
        _ => None,
    });
    rules.collect()
}

fn links(files: &RuleFiles) -> Vec<&Link> {
    rules(files).into_iter().flat_map(Rule::links).collect()
}

/// The names, each once, with blanks between.
fn set(names: impl IntoIterator<Item = &'static str>) -> String {
    names.into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_directive_is_there() {
    let Some(folder) = folder() else { return };
    let files = load(&folder, &["rules/*.conf"]);
    let links = links(&files);
    let count =
        |kind: fn(&DirectiveKind) -> bool| files.directives().iter().filter(|one| kind(&one.kind)).count();
    assert_eq!(links.iter().filter(|link| link.operator.is_some()).count(), 695, "SecRule");
    assert_eq!(links.iter().filter(|link| link.operator.is_none()).count(), 7, "SecAction");
    assert_eq!(rules(&files).iter().map(|rule| rule.rest.len()).sum::<usize>(), 73, "links of chains");
    assert_eq!(count(|kind| matches!(kind, DirectiveKind::Marker(_))), 30);
    assert_eq!(count(|kind| matches!(kind, DirectiveKind::UpdateTargets { .. })), 55);
    assert_eq!(count(|kind| matches!(kind, DirectiveKind::ComponentSignature(_))), 1);
    assert_eq!(files.directives().len(), rules(&files).len() + 30 + 55 + 1, "and nothing else");

    let examples = load(&folder, &["crs-setup.conf.example", "rules/*.conf", "rules/*.example"]);
    let default_actions = examples
        .directives()
        .iter()
        .filter(|one| matches!(one.kind, DirectiveKind::DefaultAction { .. }))
        .count();
    assert_eq!(default_actions, 5);
}

#[test]
fn what_the_rules_use_is_what_the_engine_must_have() {
    let Some(folder) = folder() else { return };
    let files = load(&folder, &["rules/*.conf"]);
    let links = links(&files);
    let actions: Vec<&Action> = links.iter().flat_map(|link| &link.actions).collect();
    let operators =
        links.iter().filter_map(|link| link.operator.as_ref()).map(|operator| operator.name.name());
    assert_eq!(set(operators), OPERATORS);
    let targets = links.iter().flat_map(|link| &link.targets).map(|target| target.variable.name());
    assert_eq!(set(targets), VARIABLES);
    let transformations = actions.iter().filter_map(|action| match action {
        Action::Transformation(transformation) => Some(transformation.name()),
        _ => None,
    });
    assert_eq!(set(transformations), TRANSFORMATIONS);
    assert_eq!(set(actions.iter().map(|action| action_name(action))), ACTIONS);
    let controls = actions.iter().filter_map(|action| match action {
        Action::Control(control) => Some(control_name(control)),
        _ => None,
    });
    assert_eq!(set(controls), CONTROLS);
    let arguments = links.iter().filter_map(|link| link.operator.as_ref()).map(|operator| &operator.argument);
    let texts = actions.iter().flat_map(|action| texts(action));
    assert_eq!(set(arguments.chain(texts).flat_map(macros)), MACROS);
}

#[test]
fn every_kind_of_target_is_there() {
    let Some(folder) = folder() else { return };
    let files = load(&folder, &["rules/*.conf"]);
    let updates = files.directives().iter().filter_map(|directive| match &directive.kind {
        DirectiveKind::UpdateTargets { targets, .. } => Some(targets),
        _ => None,
    });
    let links = links(&files);
    let targets: Vec<&Target> = links.iter().map(|link| &link.targets).chain(updates).flatten().collect();
    let count = |kind: fn(&Target) -> bool| targets.iter().filter(|target| kind(target)).count();
    assert_eq!(targets.len(), 1804);
    assert_eq!(count(|target| target.used_as == TargetUse::Count), 50);
    assert_eq!(count(|target| target.used_as == TargetUse::Exclusion), 83);
    assert_eq!(count(|target| matches!(target.selector, Some(Selector::Pattern(_)))), 36);
    let paths: BTreeSet<String> =
        targets.iter().filter(|target| target.variable == Variable::Xml).map(ToString::to_string).collect();
    assert_eq!(paths.into_iter().collect::<Vec<_>>(), ["XML:/*", "XML://@*"]);
}

#[test]
fn every_data_file_is_read() {
    let Some(folder) = folder() else { return };
    let files = load(&folder, &["rules/*.conf"]);
    let mut used = 0;
    for link in links(&files) {
        let Some(operator) = link.operator.as_ref().filter(|operator| operator.name.reads_file()) else {
            continue;
        };
        let contents = files.data().of(&link.place, operator).expect("was loaded with its rule");
        assert!(contents.len() == 1 && contents[0].len() > 10, "{}", link.place);
        used += 1;
    }
    assert!(used > 20, "{used}");
}

fn action_name(action: &Action) -> &'static str {
    match action {
        Action::AuditLog => "auditlog",
        Action::Block => "block",
        Action::Capture => "capture",
        Action::Control(_) => "ctl",
        Action::Deny => "deny",
        Action::InitCollection { .. } => "initcol",
        Action::Log => "log",
        Action::LogData(_) => "logdata",
        Action::Message(_) => "msg",
        Action::MultiMatch => "multiMatch",
        Action::NoAuditLog => "noauditlog",
        Action::NoLog => "nolog",
        Action::Pass => "pass",
        Action::SetVariable(_) => "setvar",
        Action::Severity(_) => "severity",
        Action::SkipAfter(_) => "skipAfter",
        Action::Status(_) => "status",
        Action::Transformation(_) => "t",
        Action::Tag(_) => "tag",
        Action::Version(_) => "ver",
        _ => "one that the rule set does not use",
    }
}

fn control_name(control: &Control) -> &'static str {
    use bartizan_seclang::ast::RuleSelector::{Ids, Tag};
    match control {
        Control::AuditEngine(_) => "auditEngine",
        Control::ForceRequestBodyVariable(_) => "forceRequestBodyVariable",
        Control::RequestBodyProcessor(_) => "requestBodyProcessor",
        Control::RemoveRules(Ids(_)) => "ruleRemoveById",
        Control::RemoveRules(Tag(_)) => "ruleRemoveByTag",
        Control::RemoveTarget { rules: Tag(_), .. } => "ruleRemoveTargetByTag",
        _ => "one that the rule set does not use",
    }
}

/// The texts of an action in which macros may stand.
fn texts(action: &Action) -> Vec<&Template> {
    use bartizan_seclang::ast::SetOperation::{Add, Set, Subtract, Unset};
    match action {
        Action::Message(text) | Action::LogData(text) | Action::Tag(text) => vec![text],
        Action::InitCollection { key, .. } => vec![key],
        Action::SetVariable(set) => match &set.operation {
            Set(value) | Add(value) | Subtract(value) => vec![&set.name, value],
            Unset => vec![&set.name],
        },
        _ => Vec::new(),
    }
}

fn macros(text: &Template) -> Vec<&'static str> {
    let variables = text.parts().iter().filter_map(|part| match part {
        Part::Macro(inner) => Some(inner.variable.name()),
        Part::Text(_) => None,
    });
    variables.collect()
}
