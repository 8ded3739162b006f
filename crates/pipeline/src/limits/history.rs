//! The recorded hour: who asked for what and when, for forecasts of what other limits would have done. For people, not
//! for decisions.
//!
//! A request costs about a tenth of a microsecond and a few bytes: whom and what a segment has met before it knows by
//! number. What is kept is bounded by time (an hour) and by memory (64 MiB with all that it needs): when memory ends,
//! the oldest goes, and is counted. Each thread writes to one of several shards, each behind its own lock, so that threads
//! seldom meet; no two are ever held together.

mod encoding;
mod layout;
mod segment;
mod shard;
mod snapshot;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bartizan_config::{Config, Dimension};
use bartizan_limits::{Limiter, Nanos, Outcome, own_lane};
use parking_lot::Mutex;

use self::{
    encoding::{Buffer, write_what, write_what_briefly, write_who},
    segment::Written,
    shard::Shard,
};
use super::{Facts, LimitEffect, Value};
use crate::{Exchange, Stage};

pub(crate) use self::{
    layout::{Layout, RouteKey},
    segment::{Reader, Recorded},
    snapshot::Snapshot,
};

/// How far back the record reaches.
pub(crate) const SPAN: u64 = 60 * MINUTE;
const MINUTE: u64 = 60_000_000_000;
/// What all of it may take, in bytes.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// The most requests that are replayed, so that a forecast takes seconds.
const MOST_REQUESTS: u64 = 4_000_000;
/// A power of two.
const SHARDS: usize = 8;

/// What the last hour asked for. It belongs to a gateway and outlives changes of its configuration. Cheap to clone.
#[derive(Clone)]
pub struct LimitHistory(Arc<Shared>);

struct Shared {
    /// Its key is drawn when it is made and known to nobody.
    hasher: RandomState,
    shards: Box<[OwnLine]>,
    most_bytes: usize,
    bytes: AtomicUsize,
    gone: Mutex<Gone>,
    /// Held while a forecast is made.
    replaying: Mutex<()>,
}

/// A shard on cache lines of its own: to lock one must not slow down its neighbour.
#[repr(align(64))]
#[derive(Default)]
struct OwnLine(Mutex<Shard>);

/// What went before its hour was over.
struct Gone {
    /// Nothing before this is complete.
    until: u64,
    /// How many requests went, by the minute in which they were.
    minutes: [(u64, u64); 60],
}

/// Records the requests of one configuration.
#[derive(Debug)]
pub(crate) struct Recorder {
    history: LimitHistory,
    /// `None`: nothing is limited, and so nothing is recorded.
    layout: Option<Arc<Layout>>,
}

// === impl Recorder ===

impl Recorder {
    /// Goes on with what `previous` has recorded.
    pub(crate) fn new(config: &Config, limiter: &Limiter, previous: Option<&Self>) -> Self {
        let history = previous.map_or_else(LimitHistory::default, |previous| previous.history.clone());
        let routes = config.routes.iter().map(|route| &route.limits);
        let is_limited =
            routes.chain([&config.unmatched, &config.every_request]).any(|limits| !limits.is_empty());
        let before = previous.and_then(|previous| previous.layout.as_ref());
        if before.is_none() {
            // Nothing was recorded until now.
            history.begin(limiter.now());
        }
        let layout = is_limited.then(|| Layout::of(config)).map(|layout| match before {
            Some(before) if **before == layout => Arc::clone(before),
            _ => Arc::new(layout),
        });
        Self { history, layout }
    }

    pub(crate) fn history(&self) -> &LimitHistory {
        &self.history
    }

    /// Records a request that limits have been asked about, whatever they said. One that was stopped before is none of
    /// it, and one that no route takes is only counted, as is a preflight.
    pub(crate) fn record(&self, exchange: &Exchange, limiter: &Limiter) {
        let Some(layout) = &self.layout else { return };
        if exchange.trace.steps().iter().any(|step| step.stage == Stage::CoarseLimit) {
            let now = exchange.limited.at.unwrap_or_else(|| limiter.now());
            let facts: Facts<'_> = exchange.into();
            if let Some(route) = exchange.route.as_ref().filter(|_| exchange.limited.instead.is_none()) {
                self.history.record(now, layout, route.index.0, &facts);
            }
            let effects = exchange.limited.standings.iter().map(|standing| standing.effect);
            if let Some(outcome) = overall(effects)
                && let Some(address) = Value::of(&[Dimension::Address], &facts)
            {
                limiter.overall().record(now, address.as_bytes(), outcome);
            }
        }
    }
}

/// What the limits said of a request in all; `None` where no rule decided about it.
fn overall(mut effects: impl Iterator<Item = LimitEffect>) -> Option<Outcome> {
    let first = effects.next()?;
    let is_refused = first == LimitEffect::Refused || effects.any(|effect| effect == LimitEffect::Refused);
    Some(if is_refused { Outcome::Refused } else { Outcome::Admitted })
}

// === impl LimitHistory ===

impl Default for LimitHistory {
    /// One that has recorded nothing.
    fn default() -> Self {
        Self::with_room(MOST_BYTES)
    }
}

impl LimitHistory {
    fn with_room(most_bytes: usize) -> Self {
        Self(Arc::new(Shared {
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| OwnLine::default()).collect(),
            most_bytes,
            bytes: AtomicUsize::new(0),
            gone: Mutex::new(Gone { until: 0, minutes: [(0, 0); 60] }),
            replaying: Mutex::default(),
        }))
    }

    /// What came before is not known.
    fn begin(&self, now: Nanos) {
        self.0.gone.lock().until = now.get();
    }

    pub(super) fn record(&self, now: Nanos, layout: &Arc<Layout>, route: usize, facts: &Facts<'_>) {
        let mut buffer = Buffer::new();
        write_who(facts, layout, |value| self.hash(value), &mut buffer);
        let middle = buffer.len();
        write_what(facts, route, &mut buffer);
        let Some((who, what)) = buffer.split_at_checked(middle) else { return };
        let (who, what) = (self.written(who), self.written(what));
        let mut brief = Buffer::new();
        let slot = &mut brief;
        let briefly = move || {
            let brief = slot;
            write_what_briefly(facts, route, brief);
            self.written(brief)
        };
        let Some(shard) = self.own_shard() else { return };
        let grown = shard.lock().add(now.get(), layout, who, |numbers| numbers.of_some(what, briefly));
        if grown != 0 {
            let before = self.0.bytes.fetch_add(grown.cast_unsigned(), Ordering::Relaxed);
            if before.saturating_add_signed(grown) > self.0.most_bytes {
                self.make_room();
            }
        }
    }

    /// Forgets the oldest until all fits again.
    fn make_room(&self) {
        // Somebody else is at it.
        let Some(mut gone) = self.0.gone.try_lock() else { return };
        while self.0.bytes.load(Ordering::Relaxed) > self.0.most_bytes {
            let ends = self.0.shards.iter().filter_map(|shard| Some((shard.0.lock().oldest()?, shard)));
            // What is being written now is not there to go: it is small.
            let Some((_, shard)) = ends.min_by_key(|(ended, _)| *ended) else { return };
            let (segment, shrunk) = shard.0.lock().forget_oldest();
            self.0.bytes.fetch_add(shrunk.cast_unsigned(), Ordering::Relaxed);
            if let Some(segment) = segment {
                gone.add(segment.ended, segment.requests);
            }
        }
    }

    /// Forgets what is older than an hour. Worth a call every minute: where nobody asks any more, nothing else does.
    pub fn forget_expired(&self, now: Nanos) {
        for shard in &self.0.shards {
            let grown = shard.0.lock().forget_expired(now.get());
            self.0.bytes.fetch_add(grown.cast_unsigned(), Ordering::Relaxed);
        }
    }

    /// What there is, and nothing that comes from now on. Requests go on being recorded meanwhile.
    pub(crate) fn snapshot(&self, now: Nanos) -> Snapshot {
        self.newest(MOST_REQUESTS, now)
    }

    /// The same of about so many requests at most.
    fn newest(&self, most: u64, now: Nanos) -> Snapshot {
        let until = now.get();
        let begin = until.saturating_sub(SPAN);
        let mut shards = Vec::new();
        for shard in &self.0.shards {
            let (segments, grown) = shard.0.lock().snapshot(begin);
            self.0.bytes.fetch_add(grown.cast_unsigned(), Ordering::Relaxed);
            shards.push(segments);
        }
        let (from, gone) = {
            let gone = self.0.gone.lock();
            (gone.until.max(begin), gone.since(begin))
        };
        Snapshot::new(shards, most, from, until, gone)
    }

    /// Lets one forecast be made at a time.
    pub(crate) fn turn(&self) -> Option<impl Drop + '_> {
        self.0.replaying.try_lock()
    }

    pub(crate) fn hash(&self, value: &[u8]) -> u64 {
        self.0.hasher.hash_one(value)
    }

    /// Of a value of a rule with this number.
    pub(crate) fn hash_of_rule(&self, rule: usize, value: &[u8]) -> u64 {
        self.0.hasher.hash_one((rule, value))
    }

    fn written<'b>(&self, bytes: &'b [u8]) -> Written<'b> {
        Written { bytes, hash: self.hash(bytes) }
    }

    fn own_shard(&self) -> Option<&Mutex<Shard>> {
        self.0.shards.get(own_lane() & (self.0.shards.len() - 1)).map(|shard| &shard.0)
    }
}

impl fmt::Debug for LimitHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not who has asked for what.
        f.debug_struct("LimitHistory").field("bytes", &self.0.bytes).finish_non_exhaustive()
    }
}

// === impl Gone ===

impl Gone {
    fn add(&mut self, ended: u64, requests: u64) {
        self.until = self.until.max(ended.saturating_add(1));
        let minute = ended / MINUTE;
        let place = usize::try_from(minute % 60).unwrap_or_default();
        if let Some((known, count)) = self.minutes.get_mut(place) {
            if *known != minute {
                (*known, *count) = (minute, 0);
            }
            *count += requests;
        }
    }

    fn since(&self, begin: u64) -> u64 {
        let recent = self.minutes.iter().filter(|(minute, _)| *minute >= begin / MINUTE);
        recent.map(|(_, count)| count).sum()
    }
}
