//! What is kept of one value: how busy it is, and what is on lease for it. Times are nanoseconds of this gateway's
//! clock, unless they are said to be Redis' own.

use std::time::Duration;

use smallvec::SmallVec;

use crate::{
    Charge, Factors, Standing,
    charge::{Effective, nanoseconds},
    key::Key,
    redis::{Granted, Question},
};

/// A term is this part of the window, and never longer than that.
const TERMS_PER_WINDOW: u64 = 20;
pub(super) const LONGEST_TERM: u64 = 1_000_000_000;
/// Shorter windows are not leased: their terms would hardly outlast the round trips.
const SHORTEST_WINDOW: u64 = 1_000_000_000;
/// The part of a quota that one gateway may have on lease for a value.
const SHARE: u64 = 10;
/// Asked for so often in a term, a value is busy.
const BUSY: u64 = 4;
/// A lease is for at least so many requests, else it is not worth its round trip.
const LEAST_REQUESTS: u64 = 2;
/// One that is being used, the next one, and those that have ended and are about to be given back.
const MOST_BATCHES: usize = 4;

/// One charge on its way through a decision.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask {
    pub(super) key: Key,
    pub(super) quota: Effective,
    pub(super) term: u64,
    /// Whether it may be leased at all.
    pub(super) is_leasable: bool,
}

impl Ask {
    pub(super) fn new(charge: &Charge<'_>, key: Key) -> Self {
        let (quota, factors) = (Effective::of(charge), charge.factors);
        let as_it_is = factors.quota() == Factors::ONE && factors.window() == Factors::ONE;
        let is_leasable = as_it_is
            && nanoseconds(charge.limit.quota.length()) >= SHORTEST_WINDOW
            && quota.cost.saturating_mul(LEAST_REQUESTS) <= quota.burst / SHARE;
        Self { key, quota, term: (quota.window / TERMS_PER_WINDOW).min(LONGEST_TERM), is_leasable }
    }
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: Key,
    demand: Demand,
    /// Until then nothing is leased: it is being asked for, or there was nothing to be had.
    pause: u64,
    leases: Option<Box<Leases>>,
}

#[derive(Debug)]
struct Leases {
    /// How the limit stood without what was leased last, and when it was full again.
    standing: Standing,
    full: u64,
    batches: SmallVec<[Batch; 2]>,
}

/// Units of one lease, the oldest first.
#[derive(Debug)]
struct Batch {
    units: u64,
    granted: u64,
    began: u64,
    ends: u64,
    /// By Redis' clock.
    leased_at: u64,
    /// What is asked to give it back.
    question: Question,
}

/// Units asked for, in this term and in the one before.
#[derive(Debug, Clone, Copy)]
struct Demand {
    began: u64,
    current: u64,
    previous: u64,
}

/// What is to be given back.
pub(super) struct Unused {
    /// Of whatever number of units.
    pub(super) question: Question,
    pub(super) units: u64,
    pub(super) leased_at: u64,
}

impl Entry {
    pub(super) fn new(key: Key, now: u64) -> Self {
        Self { key, demand: Demand { began: now, current: 0, previous: 0 }, pause: 0, leases: None }
    }

    /// Takes the cost from what is on lease: all of it or nothing.
    pub(super) fn spend(&mut self, now: u64, ask: &Ask) -> Option<Standing> {
        self.demand.add(now, ask);
        let mut missing = ask.quota.cost;
        if self.live(now) < missing {
            return None;
        }
        let leases = self.leases.as_deref_mut()?;
        for batch in leases.batches.iter_mut().filter(|batch| batch.ends > now) {
            let taken = batch.units.min(missing);
            batch.units -= taken;
            missing -= taken;
        }
        let (stood, quota) = (leases.standing, ask.quota.burst);
        let reset = Duration::from_nanos(leases.full.saturating_sub(now));
        let remaining = stood.remaining.saturating_add(self.live(now)).min(quota);
        let window = Duration::from_nanos(ask.quota.window);
        Some(Standing { quota, window, remaining, reset, retry_after: None })
    }

    /// How many units to lease now, if any. From when it says so, it does not say so again for a term.
    pub(super) fn wanted(&mut self, now: u64, ask: &Ask) -> Option<u64> {
        let batches = self.leases.as_ref().map_or(&[][..], |leases| &leases.batches);
        let last = batches.last().map_or(0, |batch| batch.granted);
        let demand = self.demand.current.max(self.demand.previous);
        let soon = now.saturating_add(ask.term / 4);
        if now < self.pause
            || batches.len() >= MOST_BATCHES
            || self.live(soon) > last / 3
            || demand < BUSY.saturating_mul(ask.quota.cost)
        {
            return None;
        }
        let held = batches.iter().map(|batch| batch.units).sum();
        let wanted = demand.min((ask.quota.burst / SHARE).saturating_sub(held));
        if wanted < LEAST_REQUESTS.saturating_mul(ask.quota.cost) {
            return None;
        }
        self.pause = now.saturating_add(ask.term);
        Some(wanted)
    }

    /// Keeps what was granted to a question that was asked at `began`.
    pub(super) fn keep(&mut self, began: u64, ask: &Ask, granted: &Granted, question: Question) {
        if granted.units == 0 {
            return;
        }
        self.pause = 0;
        let until = |duration| began.saturating_add(nanoseconds(duration));
        let term = began.saturating_add(ask.term);
        let batch = Batch {
            units: granted.units,
            granted: granted.units,
            began,
            // The question was asked before it was answered, so this is before the window turns.
            ends: granted.turn.map_or(term, |turn| until(turn).min(term)),
            leased_at: granted.at,
            question,
        };
        let full = until(granted.standing.reset);
        let empty = || Box::new(Leases { standing: granted.standing, full, batches: SmallVec::new() });
        let leases = self.leases.get_or_insert_with(empty);
        (leases.standing, leases.full) = (granted.standing, full);
        leases.batches.retain(|batch| batch.units > 0);
        leases.batches.push(batch);
    }

    /// Takes back what was charged at `counted`. Only what was leased by then and has not ended may hold it, since
    /// that is of the same window.
    pub(super) fn put_back(&mut self, now: u64, counted: u64, cost: u64) -> bool {
        let batches = self.leases.iter_mut().flat_map(|leases| &mut leases.batches);
        let mut fitting: SmallVec<[&mut Batch; MOST_BATCHES]> =
            batches.filter(|batch| batch.began <= counted && batch.ends > now).collect();
        if fitting.iter().map(|batch| batch.granted - batch.units).sum::<u64>() < cost {
            return false;
        }
        let mut rest = cost;
        for batch in fitting.iter_mut().rev() {
            let put = (batch.granted - batch.units).min(rest);
            batch.units += put;
            rest -= put;
        }
        true
    }

    /// Takes out what has ended by now.
    pub(super) fn ended(&mut self, now: u64) -> SmallVec<[Unused; 2]> {
        let mut unused = SmallVec::new();
        let Some(leases) = &mut self.leases else { return unused };
        leases.batches.retain(|batch| {
            let has_ended = batch.ends <= now;
            if has_ended && batch.units > 0 {
                let Batch { units, leased_at, ref question, .. } = *batch;
                unused.push(Unused { question: question.clone(), units, leased_at });
            }
            !has_ended
        });
        if leases.batches.is_empty() {
            self.leases = None;
        }
        unused
    }

    /// Whether anything is on lease, ended or not.
    pub(super) fn has_leases(&self) -> bool {
        self.leases.is_some()
    }

    pub(super) fn is_idle(&self, now: u64) -> bool {
        !self.has_leases() && self.demand.began.saturating_add(2 * LONGEST_TERM) <= now
    }

    fn live(&self, now: u64) -> u64 {
        let batches = self.leases.iter().flat_map(|leases| &leases.batches);
        batches.filter(|batch| batch.ends > now).map(|batch| batch.units).sum()
    }
}

impl Demand {
    fn add(&mut self, now: u64, ask: &Ask) {
        let since = now.saturating_sub(self.began);
        if since >= 2 * ask.term {
            *self = Self { began: now, current: 0, previous: 0 };
        } else if since >= ask.term {
            *self = Self { began: self.began + ask.term, current: 0, previous: self.current };
        }
        self.current = self.current.saturating_add(ask.quota.cost);
    }
}
