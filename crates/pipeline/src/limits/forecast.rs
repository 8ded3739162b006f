//! What other limits would have done: the recorded hour, replayed twice in the order of time, with the limits in use
//! and with those that somebody proposes, as if nobody had used anything before.
//!
//! The replay goes the way of the road: rules that need not know who asks, then the others; all together or none, and
//! what the first took is given back when the others refuse. Rules that only report refuse nothing and are counted.
//! What it cannot know it says in [`Forecast::not_forecast`]. What a request's risk made of its limits is recorded with it,
//! and makes the same of those that are proposed.

mod replay;
mod side;
mod tally;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use bartizan_config::{Config, LimitRule, LimitsProposal};
use bartizan_limits::{Limiter, shown};
use bartizan_model::Name;

use self::{
    replay::Replay,
    side::Side,
    tally::{MOST_VALUES, Tally},
};
use super::LimitHistory;

/// The most rules of one route: as many as a configuration may have.
const MOST_RULES: usize = 64;
/// The most values that are named.
const MOST_NAMED: usize = 20;

/// What other limits would have done.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// How much time was replayed, up to now.
    pub covered: Duration,
    /// The requests that were replayed.
    pub requests: u64,
    /// Requests of the last hour that were not, because there was no room for them.
    pub missing: u64,
    /// Of the requests replayed, those that the limits in use would refuse, those that only report left out.
    pub refused_now: u64,
    /// Those that the proposed limits would refuse.
    pub refused_then: u64,
    /// Every rule that either has: in the order of the proposed ones, then those that would be gone.
    pub rules: Vec<RuleForecast>,
    /// The values that the proposed limits would refuse most, at most 20.
    pub values: Vec<ValueForecast>,
    /// What is left out.
    pub not_forecast: Vec<NotForecast>,
}

/// What one rule would have done.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleForecast {
    /// Its policy.
    pub policy: Name,
    /// Its name.
    pub rule: Name,
    /// The rule in use, if there is one with this name.
    pub now: Option<LimitRule>,
    /// The proposed rule, if there is one with this name.
    pub then: Option<LimitRule>,
    /// The requests that the proposed rule counts, or the one in use where none is proposed.
    pub requests: u64,
    /// Those that the rule in use refuses, or would refuse if it did more than report.
    pub refused_now: u64,
    /// Those that the proposed rule refuses, or would refuse if it did more than report.
    pub refused_then: u64,
    /// How many different values the proposed rule refuses.
    pub values_refused: u64,
}

/// What would have happened to one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueForecast {
    /// The policy of the rule that refuses it.
    pub policy: Name,
    /// The rule.
    pub rule: Name,
    /// The value; where it is long or not plain text, its beginning and a hash.
    pub value: String,
    /// Its requests that the rule counts.
    pub requests: u64,
    /// Those that the rule in use refuses.
    pub refused_now: u64,
    /// Those that the proposed rule refuses.
    pub refused_then: u64,
}

/// Something that is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotForecast {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

/// Why there is no forecast.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForecastError {
    /// One forecast is made at a time.
    #[error("another forecast is being made: try again when it is done")]
    Busy,
    /// A proposed route names a policy that is neither proposed, nor in use, nor built in.
    #[error("there is no limit policy `{0}`")]
    UnknownPolicy(Name),
    /// A proposed route has more rules than a configuration may give it.
    #[error("the policies of `{0}` have more than {MOST_RULES} rules together")]
    TooManyRules(String),
    /// The deadline has passed before the hour was replayed.
    #[error("the forecast took too long: try fewer rules, or again when the gateway has less to do")]
    TookTooLong,
}

/// With which limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// With those in use.
    Now,
    /// With those that are proposed.
    Then,
}

impl LimitHistory {
    /// Replays the recorded hour. `config` is the configuration in use, `limiter` what counts by it. It takes a second
    /// or so for a million requests, more with many rules, but not beyond `deadline`. It is no work for a thread that
    /// serves; requests go on being recorded meanwhile.
    pub fn forecast(
        &self,
        config: &Config,
        proposal: &LimitsProposal,
        limiter: &Limiter,
        deadline: Instant,
    ) -> Result<Forecast, ForecastError> {
        let _turn = self.turn().ok_or(ForecastError::Busy)?;
        let snapshot = self.snapshot(limiter.now());
        let covered = Duration::from_nanos(snapshot.until.saturating_sub(snapshot.from));
        let mut tally = Tally::new(MOST_VALUES);
        // The rules are told in the order of the proposed ones.
        let (then, not_forecast) = Side::new(When::Then, config, proposal, &snapshot.layouts, &mut tally)?;
        let in_use = LimitsProposal::default();
        let (now, _) = Side::new(When::Now, config, &in_use, &snapshot.layouts, &mut tally)?;
        let is_over = || Instant::now() >= deadline;
        let replay = Replay { sides: [&now, &then], config, limiter, history: self, is_over: &is_over };
        let replayed = replay.run(snapshot, &mut tally)?;
        Ok(Forecast {
            covered,
            requests: replayed.requests,
            missing: replayed.missing,
            refused_now: replayed.refused_now,
            refused_then: replayed.refused_then,
            values: tally.most_refused(MOST_NAMED, |value| shown(value, |value| self.hash(value))),
            not_forecast: (others(config).into_iter())
                .chain(unmatched(config))
                .chain(preflights(config))
                .chain(not_forecast)
                .chain(replayed.not_forecast())
                .chain(tally.not_forecast())
                .collect(),
            rules: tally.rules,
        })
    }
}

/// What a gateway that shares its limits does not know.
fn others(config: &Config) -> Option<NotForecast> {
    let why = "gateways share limits, but each records only what it has seen itself";
    config.shared.is_some().then(|| NotForecast::new("requests to other gateways", why))
}

/// Requests that no route takes are limited, but not recorded.
fn unmatched(config: &Config) -> Option<NotForecast> {
    let why = "what `unmatched` limits is not recorded";
    (!config.unmatched.is_empty()).then(|| NotForecast::new("requests that no route takes", why))
}

/// Preflights are limited, but not recorded.
fn preflights(config: &Config) -> Option<NotForecast> {
    let why = "of what `every_request` limits only what routes serve is recorded";
    (!config.every_request.is_empty()).then(|| NotForecast::new("CORS preflights", why))
}

impl NotForecast {
    fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into() }
    }
}
