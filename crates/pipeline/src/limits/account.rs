//! Why a request was limited: what is remembered of the rules that decided about it, for `bartizan explain` and for the
//! log. Nothing here is worked out before somebody asks.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use bartizan_config::LimitRule;
use bartizan_limits::{Asker, DimensionKind, Factors, LONGEST_SHOWN, Standing, Threat, shown};
use bartizan_model::{Name, Quota};

use super::{
    CompiledRule, LimitEffect, Limited, RouteLimits,
    standing::{RuleStanding, Whom},
};

/// What is remembered of the rules that decided about a request: at most eight of them, those that refused first, and at
/// most 64 bytes of each value. Empty where nothing is limited.
#[derive(Debug, Clone, Default)]
pub struct LimitAccount {
    rules: Vec<RuleStanding>,
    left_out: usize,
    /// What it met in place of the limits of its route, where it was a preflight or no route takes it.
    instead: Option<Arc<RouteLimits>>,
}

/// What one rule said of a request.
#[derive(Debug, Clone)]
pub struct RuleAccount<'a> {
    /// The rule's policy.
    pub policy: &'a Name,
    /// The rule.
    pub rule: &'a LimitRule,
    /// Who was counted, as people read it: where it is long or not plain text, its beginning and a part of its SHA-256.
    pub value: String,
    /// How much it admits in what time, as stated; `None`: it counts requests in flight.
    pub quota: Option<Quota>,
    /// What the request's risk made of the rule.
    pub factors: Factors,
    /// What the request costs there, after its factors.
    pub units: u64,
    /// What the rule did.
    pub effect: LimitEffect,
    /// How it stood after that.
    pub standing: Standing,
}

/// The most rules that are remembered of a request.
pub(crate) const MOST_RULES: usize = 8;

impl LimitAccount {
    /// What remains of what limits have said.
    pub(crate) fn of(limited: Limited) -> Self {
        let mut rules = limited.standings;
        let left_out = rules.len().saturating_sub(MOST_RULES);
        if left_out > 0 {
            rules.sort_by_key(|rule| (rule.effect != LimitEffect::Refused, rule.rule));
            rules.truncate(MOST_RULES);
            rules.shrink_to_fit();
        }
        for rule in &mut rules {
            rule.whom.shorten();
        }
        Self { rules, left_out, instead: limited.instead }
    }

    pub(crate) fn instead(&self) -> Option<&RouteLimits> {
        self.instead.as_deref()
    }

    /// What each rule said, in the order in which they were decided. `limits` are those of the request's route.
    pub fn rules<'a>(&'a self, limits: &'a RouteLimits) -> Vec<RuleAccount<'a>> {
        let mut rules: Vec<_> = self.rules.iter().collect();
        rules.sort_by_key(|rule| rule.rule);
        rules.into_iter().filter_map(|standing| RuleAccount::of(standing, limits)).collect()
    }

    /// How many rules are not remembered.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// How much of a threat the request looks like; `None` where no rule that enforces decided about it.
    pub fn threat(&self, limits: &RouteLimits, is_anonymous: bool) -> Option<Threat> {
        threat(&self.rules, limits, is_anonymous)
    }
}

/// How much of a threat a request looks like by its standings.
pub(crate) fn threat(standings: &[RuleStanding], limits: &RouteLimits, is_anonymous: bool) -> Option<Threat> {
    let enforced = standings.iter().filter_map(|standing| {
        let rule = limits.rule(standing.rule).filter(|rule| !rule.is_shadow())?;
        Some((DimensionKind::weightiest(rule.kinds())?, standing))
    });
    let enforced: Vec<_> = enforced.collect();
    if enforced.is_empty() {
        return None;
    }
    let mut by_address = enforced
        .iter()
        .filter(|(kind, standing)| *kind == DimensionKind::Address && standing.quota.is_some())
        .map(|(_, standing)| standing.is_first())
        .peekable();
    let is_unknown_address = by_address.peek().is_some() && by_address.all(|is_first| is_first);
    let standings = enforced.iter().map(|(kind, rule)| (*kind, &rule.standing));
    Some(Threat::of(standings, Asker { is_unknown_address, is_anonymous }))
}

impl<'a> RuleAccount<'a> {
    fn of(standing: &'a RuleStanding, limits: &'a RouteLimits) -> Option<Self> {
        let compiled = limits.rule(standing.rule)?;
        Some(Self {
            policy: compiled.policy(),
            rule: compiled.rule()?,
            value: standing.whom.shown(),
            quota: standing.quota,
            factors: standing.factors,
            units: standing.units,
            effect: standing.effect,
            standing: standing.standing,
        })
    }
}

impl RuleStanding {
    /// Whether the rule remembered nothing but this request.
    fn is_first(&self) -> bool {
        let own = if self.effect == LimitEffect::Counted { self.units } else { 0 };
        self.standing.quota.saturating_sub(self.standing.remaining) <= own
    }
}

impl CompiledRule {
    fn policy(&self) -> &Name {
        &self.in_policy.policy.name
    }

    /// The sorts of dimensions that it counts by.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = DimensionKind> {
        self.rule().into_iter().flat_map(|rule| &rule.per).map(DimensionKind::from)
    }
}

impl Whom {
    /// Keeps no more of a long value than people are shown.
    fn shorten(&mut self) {
        if let Self::Value(value) = self
            && value.as_bytes().len() > LONGEST_SHOWN
        {
            *self = Self::Shortened(shown(value.as_bytes(), fingerprint).into());
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Value(value) => shown(value.as_bytes(), fingerprint),
            Self::Shortened(text) => text.as_ref().into(),
        }
    }
}

/// The same in every process, so that what two gateways remember can be compared.
fn fingerprint(value: &[u8]) -> u64 {
    let digest = digest(&SHA256, value);
    let front = digest.as_ref().first_chunk().copied();
    front.map_or(0, u64::from_be_bytes)
}
