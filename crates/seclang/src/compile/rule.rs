//! One rule: what it says about itself, and what it decides.

use super::{Shared, Text};
use crate::{
    SeclangError,
    ast::{Action, Rule, Template},
    rule_set::{CompiledDisruption, CompiledRule, RuleInfo},
};

/// What a refusal answers unless a rule says otherwise.
const FORBIDDEN: u16 = 403;

/// Where a redirection leads its client unless a rule says otherwise.
const FOUND: u16 = 302;

/// How tags begin that say what a rule is looking for.
const ATTACK: &str = "attack-";

pub(super) struct RuleCompiler<'c, 'd> {
    pub(super) shared: &'c mut Shared<'d>,
    pub(super) rule: &'c Rule,
    pub(super) defaults: &'d [Action],
    pub(super) seeks_attacks: bool,
}

/// What a rule says about itself.
pub(super) fn info(rule: &Rule) -> RuleInfo {
    let actions = &rule.first.actions;
    let written = |template: &Template| template.to_string();
    RuleInfo {
        id: rule.id,
        place: rule.first.place.clone(),
        phase: rule.phase,
        message: last(actions, message).map(written).unwrap_or_default(),
        severity: last(actions, |action| match action {
            Action::Severity(severity) => Some(*severity),
            _ => None,
        }),
        tags: tags(actions).map(written).collect(),
    }
}

impl<'c, 'd> RuleCompiler<'c, 'd> {
    pub(super) fn new(shared: &'c mut Shared<'d>, rule: &'c Rule) -> Self {
        let defaults = shared.default_actions(rule.phase);
        let seeks_attacks = tags(&rule.first.actions).any(|tag| tag.to_string().starts_with(ATTACK));
        Self { shared, rule, defaults, seeks_attacks }
    }

    pub(super) fn compile(mut self, info: RuleInfo) -> Result<CompiledRule, SeclangError> {
        let rule = self.rule;
        let mut links = Vec::new();
        for (number, link) in rule.links().enumerate() {
            let compiled = self.link(link, number == 0).map_err(|problem| problem.at(&link.place))?;
            links.push(compiled);
        }
        let actions = &rule.first.actions;
        let all = || self.defaults.iter().chain(actions);
        let status = all().filter_map(status).next_back();
        let disruption = self.disruption(actions);
        let redirects = matches!(disruption, Some(Action::Redirect(_)));
        let is_logged = all().filter_map(logs).next_back().unwrap_or(true);
        let names = &mut self.shared.mentioned;
        let mut text = |template: &Template| Text::new(template, names);
        Ok(CompiledRule {
            info,
            links: links.into(),
            status: status.unwrap_or(if redirects { FOUND } else { FORBIDDEN }),
            message: last(actions, message).map(&mut text),
            log_data: last(actions, log_data).map(&mut text),
            tags: tags(self.defaults).chain(tags(actions)).map(&mut text).collect(),
            disruption: match disruption {
                Some(Action::Deny) => Some(CompiledDisruption::Deny),
                Some(Action::Drop) => Some(CompiledDisruption::Drop),
                Some(Action::Redirect(target)) => Some(CompiledDisruption::Redirect(text(target))),
                Some(Action::Allow(scope)) => Some(CompiledDisruption::Allow(*scope)),
                _ => None,
            },
            is_logged,
        })
    }

    /// The last disruptive action, with `block` standing for what the default actions say.
    fn disruption<'a>(&self, actions: &'a [Action]) -> Option<&'a Action>
    where
        'd: 'a,
    {
        match actions.iter().rfind(|action| action.is_disruptive()) {
            Some(Action::Block) => self.defaults.iter().rfind(|action| action.is_disruptive()),
            own => own,
        }
    }
}

fn last<'a, T>(actions: &'a [Action], of: impl Fn(&'a Action) -> Option<T>) -> Option<T> {
    actions.iter().rev().find_map(of)
}

fn message(action: &Action) -> Option<&Template> {
    match action {
        Action::Message(text) => Some(text),
        _ => None,
    }
}

fn log_data(action: &Action) -> Option<&Template> {
    match action {
        Action::LogData(text) => Some(text),
        _ => None,
    }
}

fn tags(actions: &[Action]) -> impl Iterator<Item = &Template> {
    actions.iter().filter_map(|action| match action {
        Action::Tag(tag) => Some(tag),
        _ => None,
    })
}

fn status(action: &Action) -> Option<u16> {
    match action {
        Action::Status(status) => Some(*status),
        _ => None,
    }
}

fn logs(action: &Action) -> Option<bool> {
    match action {
        Action::Log => Some(true),
        Action::NoLog => Some(false),
        _ => None,
    }
}
