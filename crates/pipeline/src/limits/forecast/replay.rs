//! The replay: every recorded request, in the order of time, decided by both sides.

use std::{collections::HashMap, sync::Arc};

use bartizan_config::Config;
use bartizan_limits::{Limiter, Nanos};

use super::{
    ForecastError, NotForecast, When,
    side::Side,
    tally::{Count, Tally},
};
use crate::limits::{
    Facts, LimitHistory,
    history::{Layout, Reader, Recorded, RouteKey, SPAN, Snapshot},
};

/// Stands for a path that was not recorded. No pattern names it; those that match any path do.
const SOME_PATH: &str = "/\0";
/// After how many requests the time is looked at: with as many rules as there may be, several times a second.
const CHECKED_EVERY: u64 = 1024;

pub(super) struct Replay<'r> {
    pub(super) sides: [&'r Side; 2],
    pub(super) config: &'r Config,
    pub(super) limiter: &'r Limiter,
    pub(super) history: &'r LimitHistory,
    /// Whether it has taken so long that it gives up.
    pub(super) is_over: &'r dyn Fn() -> bool,
}

#[derive(Default)]
pub(super) struct Replayed {
    pub(super) requests: u64,
    /// Requests of the last hour that were not replayed.
    pub(super) missing: u64,
    pub(super) refused_now: u64,
    pub(super) refused_then: u64,
    /// Requests for routes that are no more.
    without_route: u64,
    /// Requests that are known by their route only.
    without_path: u64,
}

impl Replay<'_> {
    pub(super) fn run(&self, snapshot: Snapshot, tally: &mut Tally) -> Result<Replayed, ForecastError> {
        let Snapshot { mut readers, layouts, from, until, gone } = snapshot;
        let routes = self.routes(&layouts);
        let mut replayed = Replayed { missing: gone, ..Replayed::default() };
        let mut seen = 0_u64;
        let mut next: Vec<_> = readers.iter_mut().map(Reader::advance).collect();
        // There are few shards: looking at all of them is cheaper than keeping them in order.
        while let Some((shard, (time, position))) = earliest(&next) {
            let Some(reader) = readers.get_mut(shard) else { break };
            if seen.is_multiple_of(CHECKED_EVERY) && (self.is_over)() {
                return Err(ForecastError::TookTooLong);
            }
            seen += 1;
            if time < from {
                // What is older than an hour is not missed.
                replayed.missing += u64::from(time >= until.saturating_sub(SPAN));
            } else if time <= until
                && let Some(recorded) = reader.at(position)
            {
                self.decide(recorded, &routes, &mut replayed, tally);
            }
            if let Some(next) = next.get_mut(shard) {
                *next = reader.advance();
            }
        }
        Ok(replayed)
    }

    fn decide(&self, recorded: Recorded<'_>, routes: &Routes, replayed: &mut Replayed, tally: &mut Tally) {
        replayed.requests += 1;
        let Some(route) = routes.find(&recorded) else {
            replayed.without_route += 1;
            return;
        };
        replayed.without_path += u64::from(recorded.what.path.is_none());
        let facts = facts(&recorded);
        for side in self.sides {
            let when = side.when;
            let is_refused =
                side.refuses(Nanos::new(recorded.time), route, &facts, self.limiter, |verdict| {
                    let (rule, value) = (verdict.rule, verdict.value.as_bytes());
                    let hash = self.history.hash_of_rule(rule, value);
                    tally.count(&Count { when, rule, value, hash, is_refused: verdict.is_refused });
                });
            let refused = match when {
                When::Now => &mut replayed.refused_now,
                When::Then => &mut replayed.refused_then,
            };
            *refused += u64::from(is_refused);
        }
    }

    /// Where the routes of the record are in the configuration in use.
    fn routes(&self, layouts: &[Arc<Layout>]) -> Routes {
        let routes = self.config.routes.iter().enumerate();
        let places: HashMap<_, _> = routes
            .map(|(place, route)| (RouteKey::new(&route.hosts, &route.path, &route.methods), place))
            .collect();
        let of = |layout: &Arc<Layout>| {
            let found = layout.routes.iter().map(|key| places.get(key).copied());
            (Arc::clone(layout), found.collect())
        };
        Routes(layouts.iter().map(of).collect())
    }
}

struct Routes(Vec<(Arc<Layout>, Vec<Option<usize>>)>);

impl Routes {
    fn find(&self, recorded: &Recorded<'_>) -> Option<usize> {
        let (_, routes) = self.0.iter().find(|(layout, _)| Arc::ptr_eq(layout, recorded.layout))?;
        *routes.get(recorded.what.route)?
    }
}

/// Which shard has the earliest request.
fn earliest<P: Copy>(next: &[Option<(u64, P)>]) -> Option<(usize, (u64, P))> {
    let there = next.iter().enumerate().filter_map(|(shard, next)| Some((shard, (*next)?)));
    there.min_by_key(|(_, (time, _))| *time)
}

fn facts<'r>(recorded: &Recorded<'r>) -> Facts<'r> {
    let Recorded { who, what, layout, .. } = *recorded;
    Facts {
        address: who.address,
        principal: who.principal.as_ref(),
        own_rate: who.own_rate,
        claims: who.principal.is_some().then_some(&who.claims),
        headers: &who.headers,
        method: &what.method,
        path: what.path.as_deref().unwrap_or(SOME_PATH),
        route: layout.routes.get(what.route).map(|route| &*route.identity),
        risk: &who.risk,
    }
}

impl Replayed {
    pub(super) fn not_forecast(&self) -> impl Iterator<Item = NotForecast> {
        let left_out = [
            (self.without_route, "their routes are not in the running configuration any more"),
            (
                self.without_path,
                "their paths were too long or too many to be recorded: only what holds for a whole route counts them",
            ),
        ];
        left_out.into_iter().filter(|(count, _)| *count > 0).map(|(count, why)| {
            NotForecast::new(format!("{count} request{}", if count == 1 { "" } else { "s" }), why)
        })
    }
}
