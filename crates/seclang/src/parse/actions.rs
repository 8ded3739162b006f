//! What a rule does and says: its list of actions, understood one by one.

use super::{
    clauses::{Clause, clauses, number},
    control, template,
    variables::{expire_variable, set_variable},
};
use crate::{
    ast::{Action, AllowScope, Collection, Phase, Severity, named},
    error::Problem,
    transformation::Transformation,
};

named! {
    /// The actions that this engine has.
    enum ActionName {
        Accuracy = "accuracy",
        Allow = "allow",
        AuditLog = "auditlog",
        Block = "block",
        Capture = "capture",
        Chain = "chain",
        Control = "ctl",
        Deny = "deny",
        Drop = "drop",
        ExpireVariable = "expirevar",
        Id = "id",
        InitCollection = "initcol",
        Log = "log",
        LogData = "logdata",
        Maturity = "maturity",
        Message = "msg",
        MultiMatch = "multiMatch",
        NoAuditLog = "noauditlog",
        NoLog = "nolog",
        Pass = "pass",
        Phase = "phase",
        Redirect = "redirect",
        Revision = "rev",
        SetEnvironment = "setenv",
        SetResource = "setrsc",
        SetSession = "setsid",
        SetUser = "setuid",
        SetVariable = "setvar",
        Severity = "severity",
        Skip = "skip",
        SkipAfter = "skipAfter",
        Status = "status",
        Tag = "tag",
        Transformation = "t",
        Version = "ver",
        XmlNamespace = "xmlns",
    }
}

/// Actions of the language that this engine does not have, and why.
pub(super) const REFUSED: &[(&str, &str)] = &[
    ("append", "this engine changes no bodies"),
    ("deprecatevar", "ModSecurity 3 has it no more; use `expirevar`"),
    ("exec", "this engine starts no programs"),
    ("pause", "waiting would help whoever wants to exhaust the server; use `deny` or a rate limit"),
    ("prepend", "this engine changes no bodies"),
    ("proxy", "this engine forwards nothing; use a route"),
    ("sanitiseArg", "ModSecurity 3 has it no more; keep secrets out of `logdata`"),
    ("sanitiseMatched", "ModSecurity 3 has it no more; keep secrets out of `logdata`"),
    ("sanitiseMatchedBytes", "ModSecurity 3 has it no more; keep secrets out of `logdata`"),
    ("sanitiseRequestHeader", "ModSecurity 3 has it no more; keep secrets out of `logdata`"),
    ("sanitiseResponseHeader", "ModSecurity 3 has it no more; keep secrets out of `logdata`"),
];

/// A list of actions, and what of it is the rule's own.
#[derive(Debug, Default)]
pub(super) struct Actions {
    pub(super) id: Option<u64>,
    pub(super) phase: Option<Phase>,
    pub(super) chain: bool,
    pub(super) list: Vec<Action>,
}

/// Reads a list of actions.
pub(super) fn parse(text: &str) -> Result<Actions, Problem> {
    let mut actions = Actions::default();
    for clause in clauses(text)? {
        actions.add(action_name(clause.name)?, clause)?;
    }
    Ok(actions)
}

/// The action with this name.
fn action_name(name: &str) -> Result<ActionName, Problem> {
    if let Some(known) = ActionName::from_name(name) {
        return Ok(known);
    }
    match REFUSED.iter().find(|(refused, _)| refused.eq_ignore_ascii_case(name)) {
        Some((refused, reason)) => {
            Err(Problem::Unsupported { what: "action", name: (*refused).to_owned(), reason })
        }
        None => Err(Problem::unknown("action", name, ActionName::ALL.iter().map(|known| known.name()))),
    }
}

impl Actions {
    /// Understands one action and adds it.
    fn add(&mut self, name: ActionName, clause: Clause<'_>) -> Result<(), Problem> {
        let alone = |action: Action| clause.alone().map(|()| action);
        let text = |expected: &'static str| clause.require(expected);
        let action = match name {
            ActionName::Id => {
                self.id = Some(clause.number(1, u64::MAX, "a number above 0")?);
                return Ok(());
            }
            ActionName::Phase => {
                self.phase = Some(phase(clause)?);
                return Ok(());
            }
            ActionName::Chain => {
                self.chain = true;
                return clause.alone();
            }
            ActionName::AuditLog => alone(Action::AuditLog)?,
            ActionName::Block => alone(Action::Block)?,
            ActionName::Capture => alone(Action::Capture)?,
            ActionName::Deny => alone(Action::Deny)?,
            ActionName::Drop => alone(Action::Drop)?,
            ActionName::Log => alone(Action::Log)?,
            ActionName::MultiMatch => alone(Action::MultiMatch)?,
            ActionName::NoAuditLog => alone(Action::NoAuditLog)?,
            ActionName::NoLog => alone(Action::NoLog)?,
            ActionName::Pass => alone(Action::Pass)?,
            ActionName::Accuracy => Action::Accuracy(grade(clause)?),
            ActionName::Maturity => Action::Maturity(grade(clause)?),
            ActionName::Allow => Action::Allow(allow_scope(clause)?),
            ActionName::Control => Action::Control(control::parse(text("`name=value`")?)?),
            ActionName::ExpireVariable => {
                Action::ExpireVariable(expire_variable(text("`collection.name=seconds`")?)?)
            }
            ActionName::InitCollection => init_collection(clause)?,
            ActionName::LogData => Action::LogData(template::parse(text("a text")?)?),
            ActionName::Message => Action::Message(template::parse(text("a text")?)?),
            ActionName::Redirect => Action::Redirect(template::parse(text("an address")?)?),
            ActionName::Revision => Action::Revision(text("a revision")?.to_owned()),
            ActionName::SetEnvironment => set_environment(clause)?,
            ActionName::SetResource => Action::SetResource(template::parse(text("a key")?)?),
            ActionName::SetSession => Action::SetSession(template::parse(text("a key")?)?),
            ActionName::SetUser => Action::SetUser(template::parse(text("a key")?)?),
            ActionName::SetVariable => Action::SetVariable(set_variable(text("`collection.name=value`")?)?),
            ActionName::Severity => Action::Severity(severity(clause)?),
            ActionName::Skip => Action::Skip(skip(clause)?),
            ActionName::SkipAfter => Action::SkipAfter(text("the name of a marker")?.to_owned()),
            ActionName::Status => Action::Status(status(clause)?),
            ActionName::Tag => Action::Tag(template::parse(text("a text")?)?),
            ActionName::Transformation => Action::Transformation(transformation(clause)?),
            ActionName::Version => Action::Version(text("a version")?.to_owned()),
            ActionName::XmlNamespace => xml_namespace(clause)?,
        };
        self.list.push(action);
        Ok(())
    }
}

fn phase(clause: Clause<'_>) -> Result<Phase, Problem> {
    const EXPECTED: &str = "1 to 5, `request`, `response` or `logging`";
    let value = clause.require(EXPECTED)?;
    Phase::from_name(value).ok_or_else(|| Problem::invalid(clause.name, value, EXPECTED))
}

fn severity(clause: Clause<'_>) -> Result<Severity, Problem> {
    const EXPECTED: &str = "0 to 7, or `EMERGENCY` to `DEBUG`";
    let value = clause.require(EXPECTED)?;
    Severity::from_name(value).ok_or_else(|| Problem::invalid(clause.name, value, EXPECTED))
}

fn grade(clause: Clause<'_>) -> Result<u8, Problem> {
    clause.number(0, 9, "0 to 9").map(|number| u8::try_from(number).unwrap_or(u8::MAX))
}

fn status(clause: Clause<'_>) -> Result<u16, Problem> {
    clause.number(100, 599, "100 to 599").map(|number| u16::try_from(number).unwrap_or(u16::MAX))
}

fn skip(clause: Clause<'_>) -> Result<u32, Problem> {
    let most = u64::from(u32::MAX);
    clause.number(1, most, "a number of rules").map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}

fn allow_scope(clause: Clause<'_>) -> Result<AllowScope, Problem> {
    match clause.value {
        None => Ok(AllowScope::Exchange),
        Some(value) if value.eq_ignore_ascii_case("phase") => Ok(AllowScope::Phase),
        Some(value) if value.eq_ignore_ascii_case("request") => Ok(AllowScope::Request),
        Some(value) => Err(Problem::invalid(clause.name, value, "`phase`, `request` or nothing")),
    }
}

fn transformation(clause: Clause<'_>) -> Result<Transformation, Problem> {
    let name = clause.require("the name of a transformation")?;
    Transformation::from_name(name).ok_or_else(|| {
        Problem::unknown("transformation", name, Transformation::NAMES.iter().map(|(known, _)| *known))
    })
}

fn init_collection(clause: Clause<'_>) -> Result<Action, Problem> {
    const EXPECTED: &str = "`ip`, `session`, `user`, `global` or `resource`, then `=` and a key";
    let value = clause.require(EXPECTED)?;
    let invalid = || Problem::invalid(clause.name, value, EXPECTED);
    let (collection, key) = value.split_once('=').ok_or_else(invalid)?;
    let collection = Collection::from_name(collection)
        .filter(|collection| *collection != Collection::Tx && !key.is_empty())
        .ok_or_else(invalid)?;
    Ok(Action::InitCollection { collection, key: template::parse(key)? })
}

fn set_environment(clause: Clause<'_>) -> Result<Action, Problem> {
    const EXPECTED: &str = "`name=value`";
    let text = clause.require(EXPECTED)?;
    let (name, value) = text.split_once('=').ok_or_else(|| Problem::invalid(clause.name, text, EXPECTED))?;
    Ok(Action::SetEnvironment { name: template::parse(name)?, value: template::parse(value)? })
}

fn xml_namespace(clause: Clause<'_>) -> Result<Action, Problem> {
    const EXPECTED: &str = "`prefix=uri`";
    let text = clause.require(EXPECTED)?;
    match text.split_once('=') {
        Some((prefix, uri)) if !prefix.is_empty() && !uri.is_empty() => {
            Ok(Action::XmlNamespace { prefix: prefix.to_owned(), uri: uri.to_owned() })
        }
        _ => Err(Problem::invalid(clause.name, text, EXPECTED)),
    }
}

/// Reads numbers and ranges: `942100`, `942000-942999`, several of them with blanks or commas between.
pub(super) fn ids(name: &str, text: &str) -> Result<Vec<crate::ast::Ids>, Problem> {
    const EXPECTED: &str = "numbers of rules and ranges such as `942100-942999`";
    let one = |word: &str| {
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => Ok(first..=last),
            _ => Err(Problem::invalid(name, word, EXPECTED)),
        }
    };
    let ids: Vec<_> =
        text.split([' ', '\t', ',']).filter(|word| !word.is_empty()).map(one).collect::<Result<_, _>>()?;
    if ids.is_empty() {
        return Err(Problem::Missing { name: name.to_owned(), expected: EXPECTED });
    }
    Ok(ids)
}

/// What the page about the language must name.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ActionName::ALL.iter().map(|known| known.name())
}
