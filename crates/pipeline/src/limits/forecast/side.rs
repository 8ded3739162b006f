//! The limits of one side of a forecast, those in use or those proposed: compiled for the routes that there are now,
//! with a store of their own.

use std::{
    collections::{HashMap, HashSet},
    num::NonZeroU32,
    sync::Arc,
};

use bartizan_config::{
    Amount, Config, Costs, Dimension, LimitPolicy, LimitPolicyIndex, LimitRule, LimitsProposal,
    ProposedRoute, Route,
};
use bartizan_limits::{Charge, DimensionKind, Factors, Limit, Limiter, MemoryStore, Nanos};
use bartizan_model::Name;
use smallvec::SmallVec;

use super::{ForecastError, MOST_RULES, NotForecast, When, tally::Tally};
use crate::limits::{
    Facts, PolicyRule, Value,
    history::{Layout, RouteKey},
    own_rate::OwnRates,
};

/// The most values that are counted at once, at 85 bytes each.
const MOST_KEYS: usize = 1_000_000;

pub(super) struct Side {
    pub(super) when: When,
    store: MemoryStore,
    rules: Vec<ReplayedRule>,
    /// What API keys have of their own, which nothing proposed changes.
    own_rates: Option<OwnRates>,
    /// By their place in the configuration in use.
    routes: Vec<ReplayedRoute>,
}

struct ReplayedRule {
    rule: PolicyRule,
    limit: Limit,
    /// Its place in the tally.
    place: usize,
}

struct ReplayedRoute {
    coarse: Vec<usize>,
    fine: Vec<usize>,
    costs: Costs,
}

/// A rule that counts a request, the value by which it does, and whether it refuses it.
pub(super) struct Verdict<'v> {
    /// The rule's place in the tally.
    pub(super) rule: usize,
    pub(super) value: &'v Value,
    pub(super) is_refused: bool,
}

// === making one ===

impl Side {
    /// The limits in use, with what is proposed in their place; and what of them cannot be forecast.
    pub(super) fn new(
        when: When,
        config: &Config,
        proposal: &LimitsProposal,
        layouts: &[Arc<Layout>],
        tally: &mut Tally,
    ) -> Result<(Self, Vec<NotForecast>), ForecastError> {
        let policies: HashMap<_, _> = (config.limits.iter().chain(&proposal.policies))
            .map(|policy| (policy.name.clone(), Arc::clone(policy)))
            .collect();
        let mut building = Building {
            when,
            policies,
            layouts,
            tally,
            known: HashMap::new(),
            rules: Vec::new(),
            left_out: Vec::new(),
        };
        let mut proposed: HashMap<RouteKey, &ProposedRoute> = (proposal.routes.iter())
            .map(|route| (RouteKey::new(&route.hosts, &route.path, &route.methods), route))
            .collect();
        let mut routes = Vec::new();
        for route in &config.routes {
            let key = RouteKey::new(&route.hosts, &route.path, &route.methods);
            routes.push(match proposed.remove(&key) {
                Some(proposed) => {
                    let everywhere = names(&config.every_request, config);
                    let everywhere = everywhere.into_iter().filter(|name| !proposed.limits.contains(name));
                    let limits: Vec<_> = proposed.limits.iter().cloned().chain(everywhere).collect();
                    building.route(route, &limits, &proposed.costs)?
                }
                None => building.route(route, &names(&route.limits, config), &route.costs)?,
            });
        }
        for route in
            proposal.routes.iter().filter(|route| proposed.values().any(|left| std::ptr::eq(*left, *route)))
        {
            let hosts = route.hosts.join(",");
            let what = format!("route {hosts}{}", route.path.as_str());
            building
                .leave_out(what, "the running configuration has no route with this path, hosts and methods");
        }
        for policy in &proposal.policies {
            building.check_use(policy);
        }
        let Building { rules, left_out, .. } = building;
        let (store, own_rates) = (MemoryStore::new(MOST_KEYS), OwnRates::new());
        Ok((Self { when, store, rules, own_rates, routes }, left_out))
    }
}

/// What these policies of the configuration in use are called.
fn names(policies: &[LimitPolicyIndex], config: &Config) -> Vec<Name> {
    let policies = policies.iter().filter_map(|index| config.limits.get(index.0));
    policies.map(|policy| policy.name.clone()).collect()
}

struct Building<'b> {
    when: When,
    policies: HashMap<Name, Arc<LimitPolicy>>,
    layouts: &'b [Arc<Layout>],
    tally: &'b mut Tally,
    /// The place of every rule that some route has; `None` where it is left out.
    known: HashMap<(Name, Name), Option<usize>>,
    rules: Vec<ReplayedRule>,
    left_out: Vec<NotForecast>,
}

impl Building<'_> {
    fn route(
        &mut self,
        route: &Route,
        limits: &[Name],
        costs: &Costs,
    ) -> Result<ReplayedRoute, ForecastError> {
        let mut replayed = ReplayedRoute { coarse: Vec::new(), fine: Vec::new(), costs: costs.clone() };
        let mut count = 0;
        for name in limits {
            let policy = self.policy(name).ok_or_else(|| ForecastError::UnknownPolicy(name.clone()))?;
            count += policy.rules.len();
            if count > MOST_RULES && limits.len() > 1 {
                return Err(ForecastError::TooManyRules(route.path.as_str().into()));
            }
            for rule in policy.rules_under(&route.authentication) {
                let Some(index) = self.rule(&policy, rule) else { continue };
                let stage = if rule.needs_identity() { &mut replayed.fine } else { &mut replayed.coarse };
                stage.push(index);
            }
        }
        Ok(replayed)
    }

    fn policy(&mut self, name: &Name) -> Option<Arc<LimitPolicy>> {
        if let Some(known) = self.policies.get(name) {
            return Some(Arc::clone(known));
        }
        let built_in = Arc::new(LimitPolicy::built_in(name)?);
        self.policies.insert(name.clone(), Arc::clone(&built_in));
        Some(built_in)
    }

    /// The place of a rule, which is compiled once for all routes; `None` where it is left out.
    fn rule(&mut self, policy: &Arc<LimitPolicy>, rule: &LimitRule) -> Option<usize> {
        let key = (policy.name.clone(), rule.name.clone());
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let place = self.compile(policy, rule);
        self.known.insert(key, place);
        place
    }

    fn compile(&mut self, policy: &Arc<LimitPolicy>, rule: &LimitRule) -> Option<usize> {
        let name = Limit::name_of(&policy.name, &rule.name);
        let Amount::Rate(quota) = rule.amount else {
            self.leave_out(
                &*name,
                "it counts requests in flight, and how long requests took is not recorded",
            );
            return None;
        };
        let unknown = |layout: &Arc<Layout>| rule.per.iter().find(|dimension| !layout.records(dimension));
        if let Some(dimension) = self.layouts.iter().find_map(unknown) {
            let why = format!(
                "`{dimension}` was not recorded all the time: only headers and claims are that a rule in use counts by"
            );
            self.leave_out(&*name, why);
            return None;
        }
        let place = self.tally.place(self.when, &policy.name, rule);
        self.rules.push(ReplayedRule {
            rule: PolicyRule::new(policy, rule),
            limit: Limit { name, quota },
            place,
        });
        Some(self.rules.len() - 1)
    }

    /// Says so where nothing of a policy is used.
    fn check_use(&mut self, policy: &LimitPolicy) {
        let used: HashSet<_> =
            self.known.keys().filter(|(name, _)| *name == policy.name).map(|(_, rule)| rule).collect();
        if used.is_empty() {
            self.left_out.push(NotForecast::new(policy.name.as_str(), "it limits no route"));
            return;
        }
        // Built-in policies are for routes of both kinds.
        let is_built_in = LimitPolicy::built_in(&policy.name).is_some();
        let idle =
            policy.rules.iter().filter(|rule| rule.enabled && !used.contains(&rule.name) && !is_built_in);
        self.left_out.extend(idle.map(|rule| {
            let name = Limit::name_of(&policy.name, &rule.name);
            NotForecast::new(&*name, "no route that it limits authenticates anybody")
        }));
    }

    fn leave_out(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.left_out.push(NotForecast::new(what, why));
    }
}

// === using it ===

/// Rates that count a request.
type Rates<'s> = SmallVec<[Rate<'s>; 4]>;

/// A rate that counts a request, and whom it counts.
struct Rate<'s> {
    limit: &'s Limit,
    value: Value,
    /// What the request's risk made of it.
    factors: Factors,
    /// The place of its rule in the tally, where it is told.
    place: Option<usize>,
}

impl Side {
    /// Whether a request is refused. Every rule that has been asked about it says so to `say`.
    pub(super) fn refuses(
        &self,
        at: Nanos,
        route: usize,
        facts: &Facts<'_>,
        limiter: &Limiter,
        mut say: impl FnMut(Verdict<'_>),
    ) -> bool {
        let Some(route) = self.routes.get(route) else { return false };
        let cost = route.costs.of(facts.method, facts.path);
        let (coarse, is_admitted) =
            self.decide(at, self.rates(&route.coarse, facts, limiter), cost, &mut say);
        // Who was refused before they were known cannot be counted by who they are.
        if !is_admitted || facts.principal.is_none() {
            return !is_admitted;
        }
        let own = self.own_rates.as_ref().and_then(|rates| rates.of(facts, limiter));
        let (mut fine, shadow) = self.rates(&route.fine, facts, limiter);
        let factors = facts.risk.on([DimensionKind::from(&Dimension::Key)]);
        let own =
            own.as_ref().map(|(limit, value)| Rate { limit, value: value.clone(), factors, place: None });
        fine.extend(own);
        let (_, is_admitted) = self.decide(at, (fine, shadow), cost, &mut say);
        if !is_admitted {
            self.store.give_back(at, &charges(&coarse, cost));
        }
        !is_admitted
    }

    /// The rates of these rules that count a request: those that refuse, and those that only report.
    fn rates(&self, rules: &[usize], facts: &Facts<'_>, limiter: &Limiter) -> (Rates<'_>, Rates<'_>) {
        let (mut rates, mut shadow) = (Rates::new(), Rates::new());
        for rule in rules.iter().filter_map(|index| self.rules.get(*index)) {
            let Some(value) = rule.rule.value(facts, limiter) else { continue };
            let per = rule.rule.rule().into_iter().flat_map(|rule| &rule.per);
            let factors = facts.risk.on(per.map(DimensionKind::from));
            let rate = Rate { limit: &rule.limit, value, factors, place: Some(rule.place) };
            if rule.rule.is_shadow() { shadow.push(rate) } else { rates.push(rate) }
        }
        (rates, shadow)
    }

    /// Decides the rates of one stage: all that refuse are charged, or none. Then those that only report, each for itself.
    /// Returns those that were charged, if the request is admitted.
    fn decide<'s>(
        &self,
        at: Nanos,
        (mut rates, shadow): (Rates<'s>, Rates<'s>),
        cost: NonZeroU32,
        say: &mut impl FnMut(Verdict<'_>),
    ) -> (Rates<'s>, bool) {
        let decision = self.store.decide(at, &charges(&rates, cost));
        for (rate, standing) in rates.iter().zip(&decision.standings) {
            rate.tell(standing.retry_after.is_some(), say);
        }
        let is_admitted = decision.is_admitted();
        // What is refused, those that only report do not count either.
        for rate in shadow.into_iter().filter(|_| is_admitted) {
            let is_refused = !self.store.decide(at, &[rate.charge(cost)]).is_admitted();
            rate.tell(is_refused, say);
            if !is_refused {
                rates.push(rate);
            }
        }
        (rates, is_admitted)
    }
}

fn charges<'c>(rates: &'c Rates<'_>, cost: NonZeroU32) -> SmallVec<[Charge<'c>; 4]> {
    rates.iter().map(|rate| rate.charge(cost)).collect()
}

impl Rate<'_> {
    fn charge(&self, cost: NonZeroU32) -> Charge<'_> {
        Charge { limit: self.limit, value: self.value.as_bytes(), cost, factors: self.factors }
    }

    fn tell(&self, is_refused: bool, say: &mut impl FnMut(Verdict<'_>)) {
        if let Some(rule) = self.place {
            say(Verdict { rule, value: &self.value, is_refused });
        }
    }
}
