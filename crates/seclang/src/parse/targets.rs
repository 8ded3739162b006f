//! Lists of targets: `ARGS|!ARGS:id|&REQUEST_HEADERS:Host`.

use crate::{
    ast::{Selector, Target, TargetUse, Variable},
    error::{Problem, shortened},
};

/// Variables of `ModSecurity` 2 that version 3 has given up.
const GIVEN_UP: &[&str] = &[
    "PERF_ALL",
    "PERF_COMBINED",
    "PERF_GC",
    "PERF_LOGGING",
    "PERF_PHASE1",
    "PERF_PHASE2",
    "PERF_PHASE3",
    "PERF_PHASE4",
    "PERF_PHASE5",
    "PERF_RULES",
    "PERF_SREAD",
    "PERF_SWRITE",
    "SCRIPT_BASENAME",
    "SCRIPT_FILENAME",
    "SCRIPT_GID",
    "SCRIPT_GROUPNAME",
    "SCRIPT_MODE",
    "SCRIPT_UID",
    "SCRIPT_USERNAME",
    "SDBM_DELETE_ERROR",
    "STREAM_INPUT_BODY",
    "STREAM_OUTPUT_BODY",
    "USERAGENT_IP",
    "WEBSERVER_ERROR_LOG",
];

/// What may stand after a target.
const SEPARATORS: [char; 2] = ['|', ','];

/// Reads a list of targets; there is at least one.
pub(super) fn parse(text: &str) -> Result<Vec<Target>, Problem> {
    let mut targets = Vec::new();
    let mut rest = text;
    loop {
        let (target, after) = target(rest.trim_start())?;
        targets.push(target);
        let after = after.trim_start();
        if after.is_empty() {
            return Ok(targets);
        }
        rest = after
            .strip_prefix(SEPARATORS)
            .ok_or_else(|| Problem::Unexpected { text: shortened(after), after: "a target" })?;
    }
}

/// The variable with this name.
pub(super) fn variable(name: &str) -> Result<Variable, Problem> {
    Variable::from_name(name).ok_or_else(|| {
        if GIVEN_UP.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return Problem::Unsupported {
                what: "variable",
                name: name.to_owned(),
                reason: "ModSecurity 3 has it no more; take it out of the rule",
            };
        }
        Problem::unknown("variable", name, Variable::ALL.iter().map(|variable| variable.name()))
    })
}

/// Reads one target; what follows it is handed back.
fn target(text: &str) -> Result<(Target, &str), Problem> {
    if text.is_empty() {
        return Err(Problem::Missing { name: "|".into(), expected: "a variable on both sides" });
    }
    let (used_as, text) = match (text.strip_prefix('!'), text.strip_prefix('&')) {
        (Some(excluded), _) => (TargetUse::Exclusion, excluded),
        (_, Some(counted)) => (TargetUse::Count, counted),
        _ => (TargetUse::Values, text),
    };
    let end = text.find(|character: char| !is_part_of_name(character)).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    if name.is_empty() {
        return Err(Problem::unknown("variable", text, []));
    }
    let variable = variable(name)?;
    let Some(selected) = rest.strip_prefix([':', '.']) else {
        return Ok((Target { variable, selector: None, used_as }, rest));
    };
    if !variable.takes_selector() {
        return Err(Problem::Unexpected { text: shortened(rest), after: "a variable with a single value" });
    }
    let (selector, rest) = selector(variable, selected)?;
    Ok((Target { variable, selector: Some(selector), used_as }, rest))
}

/// Reads what stands after the colon.
fn selector(variable: Variable, text: &str) -> Result<(Selector, &str), Problem> {
    let is_path = variable == Variable::Xml;
    if let Some(quoted) = text.strip_prefix('\'') {
        let (inner, rest) = closed_by(quoted, '\'', "a quotation")?;
        let pattern = inner.strip_prefix('/').and_then(|inner| inner.strip_suffix('/'));
        let selector = match pattern {
            _ if is_path => Selector::Path(named(variable, inner)?),
            Some(pattern) => Selector::Pattern(pattern.to_owned()),
            None => Selector::Name(named(variable, inner)?),
        };
        return Ok((selector, rest));
    }
    if is_path {
        let (path, rest) = until_separator(text);
        return Ok((Selector::Path(named(variable, path)?), rest));
    }
    if let Some(pattern) = text.strip_prefix('/') {
        let (pattern, rest) = closed_by(pattern, '/', "a pattern")?;
        return Ok((Selector::Pattern(pattern.to_owned()), rest));
    }
    let (name, rest) = until_separator(text);
    Ok((Selector::Name(named(variable, name)?), rest))
}

/// A name that can be one: not empty, and without macros, which are not expanded here.
fn named(variable: Variable, name: &str) -> Result<String, Problem> {
    if name.is_empty() {
        return Err(Problem::Missing { name: format!("{variable}:"), expected: "a name or a `/pattern/`" });
    }
    if name.contains("%{") {
        return Err(Problem::invalid(variable.name(), name, "a name without macros"));
    }
    Ok(name.to_owned())
}

/// Splits before the next separator or blank.
fn until_separator(text: &str) -> (&str, &str) {
    let end = text.find(|character: char| is_end(character)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// Splits at the first mark that a separator, a blank or the end follows, and no backslash precedes.
fn closed_by<'a>(text: &'a str, mark: char, what: &'static str) -> Result<(&'a str, &'a str), Problem> {
    let mut escaped = false;
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let ends = characters.peek().is_none_or(|(_, next)| is_end(*next));
        if character == mark && !escaped && ends {
            let (inner, rest) = text.split_at_checked(at).unwrap_or((text, ""));
            return Ok((inner, rest.strip_prefix(mark).unwrap_or(rest)));
        }
        escaped = character == '\\' && !escaped;
    }
    Err(Problem::Unclosed { what, text: format!("{mark}{}", shortened(text)) })
}

/// Whether a target cannot go on with this.
fn is_end(character: char) -> bool {
    SEPARATORS.contains(&character) || character.is_ascii_whitespace()
}

/// Whether a variable's name may hold this.
fn is_part_of_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests;
