//! `ctl`: `ruleRemoveTargetById=942100;ARGS:q`.

use super::{actions::ids, targets, toggle};
use crate::{
    ast::{
        AuditEngine, AuditPartsChange, BodyProcessor, Control, EngineMode, RuleSelector, TargetUse, named,
    },
    error::Problem,
};

named! {
    /// What `ctl` can change.
    enum ControlName {
        AuditEngine = "auditEngine",
        AuditLogParts = "auditLogParts",
        DetectJson = "detectJson",
        ForceRequestBodyVariable = "forceRequestBodyVariable",
        RequestBodyAccess = "requestBodyAccess",
        RequestBodyProcessor = "requestBodyProcessor",
        ResponseBodyAccess = "responseBodyAccess",
        RuleEngine = "ruleEngine",
        RuleRemoveById = "ruleRemoveById",
        RuleRemoveByMsg = "ruleRemoveByMsg",
        RuleRemoveByTag = "ruleRemoveByTag",
        RuleRemoveTargetById = "ruleRemoveTargetById",
        RuleRemoveTargetByMsg = "ruleRemoveTargetByMsg",
        RuleRemoveTargetByTag = "ruleRemoveTargetByTag",
    }
}

/// What `ctl` can change in `ModSecurity` 2, and why not here.
pub(super) const REFUSED: &[(&str, &str)] = &[
    ("debugLogLevel", "this engine has one debug log, the trace of a request"),
    ("hashEnforcement", "this engine signs no links"),
    ("hashEngine", "this engine signs no links"),
    ("parseXmlIntoArgs", "a document is `XML:/*` and `XML://@*`, and no arguments are made of it"),
    ("requestBodyLimit", "the limit is the same for every request"),
    ("responseBodyLimit", "the limit is the same for every response"),
];

/// The parts that an audit record may have.
const AUDIT_PARTS: &str = "ABCDEFGHIJKZ";

/// Reads what stands after `ctl:`.
pub(super) fn parse(text: &str) -> Result<Control, Problem> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let control = control_name(name)?;
    if value.is_empty() {
        return Err(Problem::Missing { name: format!("ctl:{control}"), expected: "`=` and a value" });
    }
    let invalid = |expected: &'static str| Problem::invalid(control.name(), value, expected);
    let selector = |text: &str| selector(control, text);
    Ok(match control {
        ControlName::RuleEngine => Control::RuleEngine(
            EngineMode::from_name(value).ok_or_else(|| invalid("`On`, `Off` or `DetectionOnly`"))?,
        ),
        ControlName::AuditEngine => Control::AuditEngine(
            AuditEngine::from_name(value).ok_or_else(|| invalid("`On`, `Off` or `RelevantOnly`"))?,
        ),
        ControlName::AuditLogParts => Control::AuditLogParts(audit_parts(value)?),
        ControlName::RequestBodyAccess => Control::RequestBodyAccess(toggle(control.name(), value)?),
        ControlName::ResponseBodyAccess => Control::ResponseBodyAccess(toggle(control.name(), value)?),
        ControlName::DetectJson => Control::DetectJson(toggle(control.name(), value)?),
        ControlName::ForceRequestBodyVariable => {
            Control::ForceRequestBodyVariable(toggle(control.name(), value)?)
        }
        ControlName::RequestBodyProcessor => Control::RequestBodyProcessor(
            BodyProcessor::from_name(value)
                .ok_or_else(|| invalid("`URLENCODED`, `MULTIPART`, `JSON` or `XML`"))?,
        ),
        ControlName::RuleRemoveById | ControlName::RuleRemoveByMsg | ControlName::RuleRemoveByTag => {
            Control::RemoveRules(selector(value)?)
        }
        ControlName::RuleRemoveTargetById
        | ControlName::RuleRemoveTargetByMsg
        | ControlName::RuleRemoveTargetByTag => remove_target(value, selector)?,
    })
}

/// The control with this name.
fn control_name(name: &str) -> Result<ControlName, Problem> {
    if let Some(known) = ControlName::from_name(name) {
        return Ok(known);
    }
    match REFUSED.iter().find(|(refused, _)| refused.eq_ignore_ascii_case(name)) {
        Some((refused, reason)) => {
            Err(Problem::Unsupported { what: "action", name: format!("ctl:{refused}"), reason })
        }
        None => Err(Problem::unknown("`ctl`", name, ControlName::ALL.iter().map(|known| known.name()))),
    }
}

/// Which rules a control is about.
fn selector(control: ControlName, text: &str) -> Result<RuleSelector, Problem> {
    match control {
        ControlName::RuleRemoveByTag | ControlName::RuleRemoveTargetByTag => {
            Ok(RuleSelector::Tag(text.to_owned()))
        }
        ControlName::RuleRemoveByMsg | ControlName::RuleRemoveTargetByMsg => {
            Ok(RuleSelector::Message(text.to_owned()))
        }
        _ => ids(control.name(), text).map(RuleSelector::Ids),
    }
}

/// Reads `rules;target`.
fn remove_target(
    value: &str,
    selector: impl FnOnce(&str) -> Result<RuleSelector, Problem>,
) -> Result<Control, Problem> {
    const EXPECTED: &str = "rules, a semicolon and one target, as in `942100;ARGS:q`";
    let invalid = || Problem::invalid("ctl", value, EXPECTED);
    let (rules, target) = value.split_once(';').ok_or_else(invalid)?;
    let rules = selector(rules)?;
    let mut targets = targets::parse(target)?.into_iter();
    match (targets.next(), targets.next()) {
        (Some(target), None) if target.used_as == TargetUse::Values => {
            Ok(Control::RemoveTarget { rules, target })
        }
        _ => Err(invalid()),
    }
}

/// Reads `+EK`, `-EK` or `ABEK`.
fn audit_parts(value: &str) -> Result<AuditPartsChange, Problem> {
    let (change, parts): (fn(String) -> AuditPartsChange, &str) =
        match (value.strip_prefix('+'), value.strip_prefix('-')) {
            (Some(parts), _) => (AuditPartsChange::Add, parts),
            (_, Some(parts)) => (AuditPartsChange::Remove, parts),
            _ => (AuditPartsChange::Replace, value),
        };
    audit_part_letters("auditLogParts", parts).map(change)
}

/// Letters of parts, in upper case.
pub(super) fn audit_part_letters(name: &str, parts: &str) -> Result<String, Problem> {
    let letters = parts.to_ascii_uppercase();
    if letters.is_empty() || !letters.chars().all(|letter| AUDIT_PARTS.contains(letter)) {
        return Err(Problem::invalid(name, parts, "letters from A to K, and Z"));
    }
    Ok(letters)
}

/// What the page about the language must name.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ControlName::ALL.iter().map(|known| known.name())
}
