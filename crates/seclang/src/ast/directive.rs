//! What stands in a rule file: rules, changes to rules, settings.

use std::ops::RangeInclusive;

use super::{Action, Operator, Phase, Setting, Target};
use crate::Place;

/// A directive and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// Its first line.
    pub place: Place,
    /// What it says.
    pub kind: DirectiveKind,
}

/// What a directive says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DirectiveKind {
    /// `SecRule` with the rest of its chain, or `SecAction`.
    Rule(Rule),
    /// `SecDefaultAction`: what a rule of this phase does unless it says otherwise.
    DefaultAction {
        /// For rules of this phase.
        phase: Phase,
        /// Exactly one of them is disruptive.
        actions: Vec<Action>,
    },
    /// `SecMarker`: where `skipAfter` continues.
    Marker(String),
    /// `SecComponentSignature`: which rule set this is.
    ComponentSignature(String),
    /// `SecRuleRemoveById`, `SecRuleRemoveByTag`, `SecRuleRemoveByMsg`
    RemoveRules(RuleSelector),
    /// `SecRuleUpdateTargetById`, `SecRuleUpdateTargetByTag`, `SecRuleUpdateTargetByMsg`
    UpdateTargets {
        /// Of which rules.
        rules: RuleSelector,
        /// Added to what they look at; exclusions take away.
        targets: Vec<Target>,
    },
    /// `SecRuleUpdateActionById`
    UpdateActions {
        /// The rule.
        id: u64,
        /// Which link of its chain, counted from 0.
        link: u32,
        /// What it does from now on.
        actions: Vec<Action>,
    },
    /// `Include`: more files, by a pattern. Loading replaces it with what they contain.
    Include(String),
    /// Any other: a setting of the engine.
    Setting(Setting),
}

/// A rule: one link, or a chain of links that must hold one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its number, unique among all rules.
    pub id: u64,
    /// When it runs; without `phase`, as soon as the request's headers are there, as in the reference.
    pub phase: Phase,
    /// The first link; its actions are those of the rule, but for what happens link by link (`setvar`, `ctl`, `t`).
    pub first: Link,
    /// What else must hold, in this order.
    pub rest: Vec<Link>,
}

impl Rule {
    /// All links, the first one first.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        std::iter::once(&self.first).chain(&self.rest)
    }
}

/// One `SecRule` or `SecAction`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Where it stands.
    pub place: Place,
    /// What it looks at; nothing in a `SecAction`.
    pub targets: Vec<Target>,
    /// What must hold; `None` in a `SecAction`, which always does.
    pub operator: Option<Operator>,
    /// What follows, in the order of the file. `id`, `phase` and `chain` are not among them: the rule holds them.
    pub actions: Vec<Action>,
}

/// Which rules are meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RuleSelector {
    /// Those with these numbers.
    Ids(Vec<Ids>),
    /// Those with this tag.
    Tag(String),
    /// Those with this message.
    Message(String),
}

/// A number or a range of numbers: `942100`, `942000-942999`.
pub type Ids = RangeInclusive<u64>;
