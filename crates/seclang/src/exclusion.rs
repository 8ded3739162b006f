//! Exclusions: rules, or what they look at, taken away from one exchange.

use regex::bytes::Regex;

use crate::{
    RuleInfo, RuleSet,
    ast::{RuleSelector, Selector, Target, Variable},
    error::Problem,
};

/// Takes rules away, or one thing that they look at.
///
/// It is `ctl:ruleRemoveById` and its kin from outside of the rules: for an application whose requests look like
/// attacks without being any.
#[derive(Debug)]
pub struct Exclusion {
    /// For each rule, by its place in the rule set, whether it is meant.
    covered: Box<[bool]>,
    target: Option<Excluded>,
    /// Whether the links behind the first one do not look at the target either.
    of_all_links: bool,
}

impl Exclusion {
    /// Without a target the rules do not run at all; with one, none of their links looks at it: what an account of a
    /// match names may be what the last link has found. (`ctl:ruleRemoveTargetById` is about the first link only, as in
    /// the reference.) It is made once for many exchanges, all of this rule set.
    pub fn new(rules: &RuleSet, selector: &RuleSelector, target: Option<&Target>) -> Result<Self, Problem> {
        Ok(Self { of_all_links: true, ..Self::among(rules.rules(), selector, target)? })
    }

    pub(crate) fn among<'r>(
        rules: impl Iterator<Item = &'r RuleInfo>,
        selector: &RuleSelector,
        target: Option<&Target>,
    ) -> Result<Self, Problem> {
        let covered = rules.map(|rule| selects(selector, rule)).collect();
        Ok(Self { covered, target: target.map(Excluded::new).transpose()?, of_all_links: false })
    }

    pub(crate) fn is_of_all_links(&self) -> bool {
        self.of_all_links
    }

    /// Whether the rule at this place is meant.
    pub(crate) fn covers(&self, rule: usize) -> bool {
        self.covered.get(rule).is_some_and(|covered| *covered)
    }

    pub(crate) fn target(&self) -> Option<&Excluded> {
        self.target.as_ref()
    }
}

/// Whether a rule is meant. Tags and messages are compared as a whole.
pub(crate) fn selects(rules: &RuleSelector, rule: &RuleInfo) -> bool {
    match rules {
        RuleSelector::Ids(ids) => ids.iter().any(|ids| ids.contains(&rule.id)),
        RuleSelector::Tag(tag) => rule.tags.iter().any(|known| known == tag),
        RuleSelector::Message(message) => rule.message == *message,
    }
}

/// Values that a rule does not look at.
#[derive(Clone, Debug)]
pub(crate) struct Excluded {
    pub(crate) variable: Variable,
    pub(crate) names: Names,
}

impl Excluded {
    pub(crate) fn new(target: &Target) -> Result<Self, Problem> {
        Ok(Self { variable: target.variable, names: Names::new(target.selector.as_ref())? })
    }

    pub(crate) fn covers(&self, variable: Variable, name: &[u8]) -> bool {
        self.variable == variable && self.names.cover(name)
    }
}

/// Which values of a collection are meant.
#[derive(Clone, Debug)]
pub(crate) enum Names {
    All,
    /// Without regard to case, as in the reference.
    One(Box<[u8]>),
    /// Those that hold this text, without regard to case.
    Holding(Box<[u8]>),
    Matching(Regex),
}

impl Names {
    pub(crate) fn new(selector: Option<&Selector>) -> Result<Self, Problem> {
        Ok(match selector {
            None => Self::All,
            Some(Selector::Name(name) | Selector::Path(name)) => Self::One(name.as_bytes().into()),
            Some(Selector::Pattern(pattern)) if is_plain(pattern) => Self::Holding(pattern.as_bytes().into()),
            Some(Selector::Pattern(pattern)) => Self::Matching(crate::operator::selector_pattern(pattern)?),
        })
    }

    pub(crate) fn cover(&self, name: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::One(known) => known.eq_ignore_ascii_case(name),
            Self::Holding(text) => name.windows(text.len()).any(|part| text.eq_ignore_ascii_case(part)),
            Self::Matching(pattern) => pattern.is_match(name),
        }
    }
}

/// Whether a pattern means the text that it is.
fn is_plain(pattern: &str) -> bool {
    !pattern.is_empty()
        && pattern.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}
