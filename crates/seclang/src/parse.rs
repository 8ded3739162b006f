//! Text to directives. Every word is understood here or refused: what gets past the parser means something.
//!
//! The language is that of libmodsecurity 3, which is read less strictly by its own parser than it looks: there,
//! `@beginWith x` is the regular expression `@beginWith x`. Here an unknown name is always an error.

mod actions;
mod clauses;
mod control;
mod directive;
mod lines;
mod operator;
mod quoted;
mod setting;
mod targets;
mod template;
mod variables;

#[cfg(test)]
mod documented;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use directive::Statement;

use crate::{
    Place,
    ast::{Directive, DirectiveKind, Link, Phase, Rule},
    error::{Problem, SeclangError},
};

/// Reads the text of a rule file; `file` is what messages call it. `Include` stays as it is: see
/// [`RuleSet`](crate::RuleSet) for files.
///
/// ```
/// let text = r#"SecRule ARGS "@contains <script" "id:1,phase:2,deny,msg:'script in %{MATCHED_VAR_NAME}'""#;
/// assert_eq!(bartizan_seclang::parse(text, "own.conf")?.len(), 1);
///
/// let error = bartizan_seclang::parse("SecRule ARGS <script id:1,denny", "own.conf").unwrap_err();
/// assert_eq!(error.to_string(), "own.conf:1: unknown action `denny`, did you mean `deny`?");
/// # Ok::<_, bartizan_seclang::SeclangError>(())
/// ```
pub fn parse(text: &str, file: &str) -> Result<Vec<Directive>, SeclangError> {
    let file: Arc<str> = file.into();
    let mut directives = Vec::new();
    let mut open: Option<Rule> = None;
    for line in lines::lines(text) {
        let place = Place { file: Arc::clone(&file), line: line.number };
        let statement = directive::parse(&line.text, &place).map_err(|problem| problem.at(&place))?;
        let (rule, chain) = match (open.take(), statement) {
            (None, Statement::Other(kind)) => {
                directives.push(Directive { place, kind });
                continue;
            }
            (None, Statement::Rule { id, phase, chain, link }) => {
                let id = id.ok_or_else(|| Problem::MissingId.at(&place))?;
                let phase = phase.unwrap_or_default();
                (Rule { id, phase, first: link, rest: Vec::new() }, chain)
            }
            (Some(rule), Statement::Rule { id, phase, chain, link }) if link.operator.is_some() => {
                continued(rule, id, phase, link)
                    .map(|rule| (rule, chain))
                    .map_err(|problem| problem.at(&place))?
            }
            (Some(rule), _) => return Err(unfinished(&rule)),
        };
        if chain {
            open = Some(rule);
        } else {
            directives.push(whole(rule));
        }
    }
    match open {
        Some(rule) => Err(unfinished(&rule)),
        None => Ok(directives),
    }
}

/// A chain with one link more.
fn continued(mut rule: Rule, id: Option<u64>, phase: Option<Phase>, link: Link) -> Result<Rule, Problem> {
    if id.is_some() {
        return Err(Problem::FirstLinkOnly { action: "id" });
    }
    if phase.is_some_and(|phase| phase != rule.phase) {
        return Err(Problem::FirstLinkOnly { action: "phase" });
    }
    if link.actions.iter().any(crate::ast::Action::is_disruptive) {
        return Err(Problem::FirstLinkOnly { action: "a disruptive action" });
    }
    rule.rest.push(link);
    Ok(rule)
}

/// A rule as a directive.
fn whole(rule: Rule) -> Directive {
    Directive { place: rule.first.place.clone(), kind: DirectiveKind::Rule(rule) }
}

/// A chain whose last link says that there is another.
fn unfinished(rule: &Rule) -> SeclangError {
    Problem::ChainWithoutFollower.at(&rule.rest.last().unwrap_or(&rule.first).place)
}

/// `On` or `Off`.
fn toggle(name: &str, value: &str) -> Result<bool, Problem> {
    match value {
        value if value.eq_ignore_ascii_case("on") => Ok(true),
        value if value.eq_ignore_ascii_case("off") => Ok(false),
        value => Err(Problem::invalid(name, value, "`On` or `Off`")),
    }
}
