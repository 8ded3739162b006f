//! The one thread that writes: takes what waits, stores it, spills what matters when it cannot, replays what was
//! spilled when there is room, and removes old days.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use metrics::{Counter, counter, gauge};

use crate::{
    Event, EventError, Kind, Severity, Tap,
    log::Shared,
    queue::Batch,
    spill::Spill,
    store::{Day, Store, Uncounted, Unstored},
};

/// The most events of one transaction.
const TRANSACTION: usize = 4096;
/// How often old days are looked for.
const TIDY: Duration = Duration::from_hours(1);
/// After the store has failed, how long it is left alone, and at most, when it fails again and again: a database that hangs
/// holds up whoever tries it.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// After a file of the spill could not be stored. What comes meanwhile has nothing to do with it.
const REPLAY_PAUSE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Writer {
    shared: Arc<Shared>,
    store: Store,
    spill: Spill,
    tap: Option<Arc<dyn Tap>>,
    /// Until when the store is left alone.
    paused: Option<Instant>,
    /// How long it is left alone the next time it fails.
    pause: Duration,
    /// Until when what was spilled is left alone.
    replay_paused: Option<Instant>,
    /// Whether it is known to fail, so that it is said once.
    is_failing: bool,
    tidied: Option<Instant>,
    counters: Counters,
}

#[derive(Debug)]
struct Counters {
    by_severity: [Counter; 5],
    spilled: Counter,
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, store: Store, spill: Spill, tap: Option<Arc<dyn Tap>>) -> Self {
        let of = |severity: Severity| counter!("bartizan_events_total", "severity" => severity.as_str());
        let spilled = counter!("bartizan_events_spilled_total");
        let counters = Counters { by_severity: Severity::ALL.map(of), spilled };
        Self {
            shared,
            store,
            spill,
            tap,
            paused: None,
            pause: PAUSE,
            replay_paused: None,
            is_failing: false,
            tidied: None,
            counters,
        }
    }

    /// Writes until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        self.replay_all();
        loop {
            self.tidy();
            let batch = self.shared.queue.take(!self.spill.has_some());
            gauge!("bartizan_events_queued").set(depth(batch.happenings.len()));
            let Batch { happenings, is_overload, asked, is_last } = batch;
            let has_room = !is_overload && happenings.len() < TRANSACTION;
            let mut events: Vec<Event> = Vec::with_capacity(happenings.len().min(TRANSACTION));
            for happening in happenings {
                events.push(happening.into_event().bounded());
                if events.len() == TRANSACTION {
                    self.write(std::mem::take(&mut events), is_overload);
                }
            }
            self.write(events, is_overload);
            if has_room {
                self.replay_all();
            }
            self.shared.has_spill.store(self.spill.has_some(), Ordering::Relaxed);
            self.shared.queue.answer(asked);
            if is_last {
                break;
            }
        }
    }

    /// Stores events, or spills what matters of them.
    fn write(&mut self, events: Vec<Event>, is_overload: bool) {
        let is_paused = self.paused.is_some_and(|until| Instant::now() < until);
        if is_overload || is_paused {
            let kept = self.drop_expendable(events);
            self.show_tap(&kept);
            return self.spill_all(kept);
        }
        let uncounted = self.uncounted();
        if events.is_empty() && uncounted.is_empty() {
            return;
        }
        self.show_tap(&events);
        match self.store.append(&events, &uncounted) {
            Ok(()) => {
                self.works();
                self.acknowledge(events);
            }
            Err(Unstored { error, days }) => {
                self.fails(&error);
                let lost = uncounted.into_iter().filter(|uncounted| days.contains(&uncounted.day()));
                self.shared.count_again(lost);
                let (unstored, stored): (Vec<_>, Vec<_>) =
                    events.into_iter().partition(|event| days.contains(&Day::of_event(event)));
                self.acknowledge(stored);
                let kept = self.drop_expendable(unstored);
                self.spill_all(kept);
            }
        }
    }

    /// Before they are acknowledged: what is stored or spilled now was shown.
    fn show_tap(&self, events: &[Event]) {
        if let Some(tap) = self.tap.as_ref().filter(|_| !events.is_empty()) {
            tap.take(events);
        }
    }

    /// What is left without what is expendable.
    fn drop_expendable(&self, events: Vec<Event>) -> Vec<Event> {
        let (dropped, kept): (Vec<_>, Vec<_>) =
            events.into_iter().partition(|event| event.severity.is_expendable());
        self.shared.drop_all(dropped.iter().map(|event| (event.kind, event.severity)));
        kept
    }

    fn spill_all(&mut self, kept: Vec<Event>) {
        if kept.is_empty() {
            return;
        }
        match self.spill.append(&kept) {
            Ok(()) => {
                let count = u64::try_from(kept.len()).unwrap_or(u64::MAX);
                self.counters.spilled.increment(count);
                self.shared.spilled.fetch_add(count, Ordering::Relaxed);
                self.acknowledge(kept);
            }
            Err(error) => {
                tracing::error!(%error, events = kept.len(), "events are lost: neither the store nor the spill takes them");
                self.shared.drop_all(kept.iter().map(|event| (event.kind, event.severity)));
            }
        }
    }

    /// They are there for good.
    fn acknowledge(&self, events: Vec<Event>) {
        for event in &events {
            self.counters.by_severity[usize::from(event.severity.number() - 1)].increment(1);
        }
        self.shared.followers.show(events);
    }

    /// Stores what was spilled, until more has come that waits.
    fn replay_all(&mut self) {
        while self.shared.queue.len() < TRANSACTION && self.replay() {}
    }

    /// Stores one file of what was spilled. Whether there was one, and it is stored.
    fn replay(&mut self) -> bool {
        let is_paused =
            [self.paused, self.replay_paused].into_iter().flatten().any(|until| Instant::now() < until);
        if !self.spill.has_some() || is_paused {
            return false;
        }
        match self.replay_one() {
            Ok(was_one) => was_one,
            Err(error) => {
                tracing::error!(%error, "spilled events cannot be stored yet");
                self.replay_paused = Some(Instant::now() + REPLAY_PAUSE);
                false
            }
        }
    }

    fn replay_one(&mut self) -> Result<bool, EventError> {
        let Some(replay) = self.spill.replay()? else { return Ok(false) };
        for events in replay.events.chunks(TRANSACTION) {
            self.store.append(events, &[]).map_err(|unstored| unstored.error)?;
        }
        self.spill.forget(&replay)?;
        Ok(true)
    }

    /// What was only counted since the last time.
    fn uncounted(&self) -> Vec<Uncounted> {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
        let counts = Kind::ALL.iter().zip(&self.shared.uncounted);
        counts
            .map(|(&kind, count)| Uncounted { at, kind, count: count.swap(0, Ordering::Relaxed) })
            .filter(|uncounted| uncounted.count > 0)
            .collect()
    }

    fn works(&mut self) {
        (self.paused, self.pause) = (None, PAUSE);
        if std::mem::take(&mut self.is_failing) {
            self.replay_paused = None;
            tracing::info!("the store of events works again");
        }
    }

    fn fails(&mut self, error: &EventError) {
        self.paused = Some(Instant::now() + self.pause);
        self.pause = (2 * self.pause).min(LONGEST_PAUSE);
        if !std::mem::replace(&mut self.is_failing, true) {
            tracing::error!(%error, "events cannot be stored: those of medium severity and above are spilled");
        }
    }

    fn tidy(&mut self) {
        if self.tidied.is_some_and(|at| at.elapsed() < TIDY) {
            return;
        }
        self.tidied = Some(Instant::now());
        let retention = self.shared.retention();
        match self.store.tidy(retention, SystemTime::now()) {
            Ok(gone) => {
                self.shared.reader.forget(&gone);
                for day in gone {
                    tracing::info!(%day, "events removed: they are older than the retention");
                }
            }
            Err(error) => tracing::warn!(%error, "old events cannot be removed"),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a queue is far shorter than what an f64 counts")]
fn depth(waiting: usize) -> f64 {
    waiting as f64
}
