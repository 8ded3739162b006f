//! From the configuration's rule sets to compiled ones: which files are read, and in which order.

use std::path::{Path, PathBuf};

use bartizan_config::{CoreRuleSet, RuleSet as Configured, Rules};
use bartizan_seclang::{
    Exclusion, RuleFiles, RuleSet, SeclangError,
    ast::{DirectiveKind, EngineMode, RuleSelector, Setting},
};

use super::{FirewallError, locations};

/// Files of `rules/starter`, by name.
macro_rules! starter {
    ($($name:literal),+ $(,)?) => {
        &[$((
            concat!("starter/", $name, ".conf"),
            include_str!(concat!("../../../../rules/starter/", $name, ".conf")),
        )),+]
    };
}

/// The starter rules: their files' names and texts, in the order in which they are read.
pub const STARTER: &[(&str, &str)] = starter![
    "00-setup",
    "10-protocol",
    "11-header-injection",
    "20-scanners",
    "21-sensitive-files",
    "30-path-traversal",
    "31-command-injection",
    "40-sql-injection",
    "41-cross-site-scripting",
    "42-template-injection",
    "43-jndi-injection",
    "44-server-side-request-forgery",
    "45-xml-external-entities",
    "46-nosql-ldap-injection",
    "47-code-injection",
    "48-base64",
    "99-blocking-evaluation",
];

/// What the Core Rule Set expects of the engine it runs in: a file's name and text.
pub const RECOMMENDED: (&str, &str) = ("recommended.conf", include_str!("recommended.conf"));

/// Rules that object to a body that cannot be read to its end: recommended ones and starter ones.
const OF_INCOMPLETE_BODIES: [std::ops::RangeInclusive<u64>; 2] = [200_002..=200_004, 10_010_010..=10_010_030];

/// Reads and compiles a rule set; `types` are the media types of responses that are looked at.
pub fn compile(set: &Configured, types: &[String]) -> Result<RuleSet, SeclangError> {
    let mut files = RuleFiles::default();
    let mut included = RuleFiles::default();
    add(&mut included, &set.include)?;
    let (before, after): (Vec<_>, Vec<_>) = set.include.iter().partition(|path| is_read_before(path));
    match &set.rules {
        Rules::Starter => {
            add(&mut files, before)?;
            STARTER.iter().try_for_each(|(name, text)| files.add_text(text, name))?;
        }
        Rules::Core(CoreRuleSet { setup, before: own, rules, after: last }) => {
            files.add_text(&recommended(&included), RECOMMENDED.0)?;
            add(&mut files, [setup])?;
            add(&mut files, own)?;
            add(&mut files, before)?;
            add(&mut files, rules)?;
            add(&mut files, last)?;
        }
    }
    add(&mut files, after)?;
    files.add_text(&settings(types, mode(&included)), "bartizan")?;
    files.open_locations(locations::open)?;
    RuleSet::compile(&files)
}

pub(super) fn of_incomplete_bodies(rules: &RuleSet) -> Result<Exclusion, FirewallError> {
    let selector = RuleSelector::Ids(OF_INCOMPLETE_BODIES.to_vec());
    Exclusion::new(rules, &selector, None).map_err(|problem| super::unusable("a rule", &problem))
}

/// What is recommended, without the rules that own files bring along: `modsecurity.conf` has the same, by the same numbers.
fn recommended(own: &RuleFiles) -> String {
    let rules = own.directives().iter().filter_map(|directive| match &directive.kind {
        DirectiveKind::Rule(rule) => Some(format!("\"id:{},", rule.id)),
        _ => None,
    });
    let own: Vec<String> = rules.collect();
    let (mut text, mut directive) = (String::new(), String::new());
    for line in RECOMMENDED.1.split_inclusive('\n') {
        directive.push_str(line);
        if !line.ends_with("\\\n") {
            let is_own = own.iter().any(|id| directive.contains(id));
            // Lines keep their numbers, by which rules are found in the text.
            text.push_str(&if is_own { "\n".repeat(directive.lines().count()) } else { directive.clone() });
            directive.clear();
        }
    }
    text
}

/// What own files say of whether rules run and refuse.
fn mode(own: &RuleFiles) -> EngineMode {
    let mut modes = own.directives().iter().filter_map(|directive| match &directive.kind {
        DirectiveKind::Setting(Setting::RuleEngine(mode)) => Some(*mode),
        _ => None,
    });
    modes.next_back().unwrap_or(EngineMode::On)
}

/// As plug-ins of the Core Rule Set are named.
fn is_read_before(path: &Path) -> bool {
    let name = path.to_string_lossy();
    name.ends_with("-config.conf") || name.ends_with("-before.conf")
}

fn add<'p>(files: &mut RuleFiles, paths: impl IntoIterator<Item = &'p PathBuf>) -> Result<(), SeclangError> {
    // These are names, not patterns.
    paths.into_iter().try_for_each(|path| files.add_files(&glob::Pattern::escape(&path.to_string_lossy())))
}

/// What routes say takes the place of what files say: how much of a body is looked at, and which responses are.
fn settings(types: &[String], mode: EngineMode) -> String {
    let responses = if types.is_empty() {
        "SecResponseBodyAccess Off\n".to_owned()
    } else {
        format!(
            "SecResponseBodyAccess On\nSecResponseBodyMimeTypesClear\nSecResponseBodyMimeType {}\n",
            types.join(" ")
        )
    };
    let mode = mode.name();
    format!(
        "SecRuleEngine {mode}\nSecRequestBodyAccess On\nSecRequestBodyLimit 16777216\n\
         SecRequestBodyNoFilesLimit 16777216\nSecRequestBodyLimitAction ProcessPartial\n\
         SecResponseBodyLimit 16777216\nSecResponseBodyLimitAction ProcessPartial\n{responses}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_starter_file_is_there() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../rules/starter");
        let files =
            std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut files: Vec<String> =
            files.filter(|name| Path::new(name).extension().is_some_and(|end| end == "conf")).collect();
        files.sort_unstable();
        let embedded: Vec<&str> =
            STARTER.iter().map(|(name, _)| name.trim_start_matches("starter/")).collect();
        assert_eq!(embedded, files);
    }
}
