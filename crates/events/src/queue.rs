//! What waits to be written: bounded by number and bytes; whoever puts something in never waits.

use std::{
    fmt, mem,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

use crate::{Event, Kind, QueueBounds, Severity};

/// What will become an event, off the road.
pub trait Happening: Send + fmt::Debug {
    /// What it is.
    fn kind(&self) -> Kind;

    /// How bad it is.
    fn severity(&self) -> Severity;

    /// How much memory it holds, in bytes, roughly.
    fn weight(&self) -> usize;

    /// The event. Called once, by the thread that writes.
    fn into_event(self: Box<Self>) -> Event;
}

impl Happening for Event {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn severity(&self) -> Severity {
        self.severity
    }

    fn weight(&self) -> usize {
        self.size()
    }

    fn into_event(self: Box<Self>) -> Event {
        *self
    }
}

/// Whether there was room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "what was not taken is to be counted"]
pub enum Taken {
    /// It will be written.
    Yes,
    /// It is gone.
    No,
}

/// How long what has come may wait for company.
const LINGER: Duration = Duration::from_millis(20);
/// After so long without anything the writer sleeps until it is woken.
const RESTLESS: Duration = Duration::from_secs(1);
/// At most so long: what is only counted wakes nobody.
const NAP: Duration = Duration::from_secs(5);
/// So many are worth a transaction at once.
const BATCH: usize = 1024;

/// What waits: bounded by number and bytes. Whoever puts something in never waits; one thread takes it out.
#[derive(Debug)]
pub struct Queue {
    bounds: QueueBounds,
    state: Mutex<State>,
    wake: Condvar,
    done: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Box<dyn Happening>>,
    bytes: usize,
    /// Whether the writer sleeps until it is woken.
    is_asleep: bool,
    /// How often somebody has asked for everything to be written, and how often it was.
    asked: u64,
    answered: u64,
    is_closed: bool,
}

/// What has come, for the thread that takes it out.
#[derive(Debug)]
pub struct Batch {
    /// In the order they came in.
    pub happenings: Vec<Box<dyn Happening>>,
    /// Whether more waited than the writer can keep up with.
    pub is_overload: bool,
    /// Up to which question everything is written, once this is.
    pub asked: u64,
    /// Whether nothing will come any more.
    pub is_last: bool,
}

impl Queue {
    /// An empty one.
    pub fn new(bounds: QueueBounds) -> Self {
        Self { bounds, state: Mutex::default(), wake: Condvar::new(), done: Condvar::new() }
    }

    /// Takes it, if there is room. What is expendable has half of it.
    pub fn push(&self, happening: Box<dyn Happening>) -> Taken {
        let weight = happening.weight();
        let share = if happening.severity().is_expendable() { 2 } else { 1 };
        let mut state = self.state.lock();
        let has_room = state.waiting.len() < self.bounds.events / share
            && state.bytes.saturating_add(weight) <= self.bounds.bytes / share;
        if state.is_closed || !has_room {
            return Taken::No;
        }
        state.bytes += weight;
        state.waiting.push(happening);
        // A writer that is busy looks by itself: waking it would cost more than the event.
        let is_due = mem::take(&mut state.is_asleep) || state.waiting.len() == BATCH;
        drop(state);
        if is_due {
            self.wake.notify_one();
        }
        Taken::Yes
    }

    /// What has come; nothing after [`RESTLESS`], or where `may_sleep`, after [`NAP`].
    pub fn take(&self, may_sleep: bool) -> Batch {
        let mut state = self.state.lock();
        let restless = Instant::now() + RESTLESS;
        while state.waiting.is_empty() && state.asked == state.answered && !state.is_closed {
            if Instant::now() < restless {
                self.wake.wait_for(&mut state, LINGER);
            } else if may_sleep {
                state.is_asleep = true;
                let nap = self.wake.wait_for(&mut state, NAP);
                state.is_asleep = false;
                if nap.timed_out() {
                    break;
                }
            } else {
                break;
            }
        }
        // A little later there is more, and one transaction for all of it.
        if state.waiting.len() < BATCH
            && !state.waiting.is_empty()
            && state.asked == state.answered
            && !state.is_closed
        {
            self.wake.wait_for(&mut state, LINGER);
        }
        let is_overload =
            state.waiting.len() > self.bounds.events / 4 * 3 || state.bytes > self.bounds.bytes / 4 * 3;
        state.bytes = 0;
        Batch {
            happenings: mem::take(&mut state.waiting),
            is_overload,
            asked: state.asked,
            is_last: state.is_closed,
        }
    }

    /// Everything up to this question is written.
    pub fn answer(&self, asked: u64) {
        let mut state = self.state.lock();
        if asked > state.answered {
            state.answered = asked;
            self.done.notify_all();
        }
    }

    /// Waits until everything that has come so far is written.
    pub fn flush(&self) {
        let mut state = self.state.lock();
        if state.is_closed {
            return;
        }
        state.asked += 1;
        let asked = state.asked;
        self.wake.notify_one();
        while state.answered < asked && !state.is_closed {
            self.done.wait(&mut state);
        }
    }

    /// Takes nothing more.
    pub fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        self.wake.notify_one();
        self.done.notify_all();
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.state.lock().waiting.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::Decision;

    fn event(kind: Kind) -> Box<Event> {
        Box::new(Event::new(kind, SystemTime::now(), Decision::Observed, "x"))
    }

    #[test]
    fn what_matters_has_the_room_that_the_rest_may_not_take() {
        let queue = Queue::new(QueueBounds { events: 8, bytes: 1 << 20 });
        let push = |kind| queue.push(event(kind));
        assert_eq!(
            [(); 6].map(|()| push(Kind::RequestRefused)).iter().filter(|taken| **taken == Taken::Yes).count(),
            4
        );
        assert_eq!(
            [(); 6].map(|()| push(Kind::AttackDetected)).iter().filter(|taken| **taken == Taken::Yes).count(),
            4
        );
        let batch = queue.take(true);
        assert_eq!((batch.happenings.len(), batch.is_overload, batch.is_last), (8, true, false));
        assert_eq!(push(Kind::RequestRefused), Taken::Yes, "there is room again");
        assert!(!queue.take(true).is_overload);
    }

    #[test]
    fn memory_is_bounded_too() {
        let weight = event(Kind::AttackDetected).weight();
        let queue = Queue::new(QueueBounds { events: 1000, bytes: 3 * weight });
        let taken = [(); 5].map(|()| queue.push(event(Kind::AttackDetected)));
        assert_eq!(taken, [Taken::Yes, Taken::Yes, Taken::Yes, Taken::No, Taken::No]);
    }

    #[test]
    fn nothing_is_taken_when_it_is_closed() {
        let queue = Queue::new(QueueBounds::default());
        queue.close();
        assert_eq!(queue.push(event(Kind::AttackDetected)), Taken::No);
        assert!(queue.take(true).is_last);
        queue.flush();
    }
}
