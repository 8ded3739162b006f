//! How often a password reset may be asked for.

use std::{
    hash::RandomState,
    net::IpAddr,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::{
    Origin,
    counter::{Begun, Counter, Rules},
    guard::host_and_network,
    milliseconds,
    table::{Key, Table},
};

const COUNTERS: usize = 65_536;

/// How often a message may be asked for: three an hour by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResetRate {
    /// So many,
    pub resets: usize,
    /// in this time.
    pub window: Duration,
}

impl Default for ResetRate {
    fn default() -> Self {
        Self { resets: 3, window: Duration::from_hours(1) }
    }
}

/// So many resets for an account and for an address. A known device has its own, so strangers cannot use up the
/// owner's.
#[derive(Debug)]
pub struct ResetGuard {
    origin: Instant,
    secret: RandomState,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rules: Rules,
    counters: Table<Counter>,
}

impl Default for ResetGuard {
    fn default() -> Self {
        Self::new(ResetRate::default())
    }
}

impl ResetGuard {
    /// A guard without a past.
    pub fn new(rate: ResetRate) -> Self {
        let state = State { rules: rules(rate), counters: Table::new(COUNTERS) };
        Self { origin: Instant::now(), secret: RandomState::new(), state: Mutex::new(state) }
    }

    /// Goes on by another rate. What was counted stays.
    pub fn reconfigure(&self, rate: ResetRate) {
        self.state.lock().rules = rules(rate);
    }

    /// Whether to send a reset message; counts it if so. The client gets the same answer either way, and for
    /// accounts that do not exist.
    pub fn admits(&self, account: &str, origin: Origin, address: IpAddr, now: Instant) -> bool {
        let stranger = origin == Origin::Stranger;
        let (host, _) = host_and_network(address);
        let account = Key::of(&self.secret, ("account", account, origin));
        self.admits_all(account, stranger.then(|| Key::of(&self.secret, ("address", host))), now)
    }

    /// The same for another message to a mail address, from wherever it is asked for: many people may sign up from one
    /// address.
    pub fn admits_message(&self, recipient: &str, now: Instant) -> bool {
        self.admits_all(Key::of(&self.secret, ("recipient", recipient)), None, now)
    }

    fn admits_all(&self, key: Key, further: Option<Key>, now: Instant) -> bool {
        let now = milliseconds(self.origin, now);
        let keys = [Some(key), further];
        let mut state = self.state.lock();
        let State { rules, counters } = &mut *state;
        let mut keys = keys.into_iter().flatten();
        let free = keys
            .clone()
            .all(|key| counters.entry(key, now).is_none_or(|counter| counter.wait(rules, now).is_none()));
        if free {
            keys.by_ref().for_each(|key| {
                if let Some(counter) = counters.entry(key, now) {
                    counter.begin(Begun { at: now, account: key });
                }
            });
        }
        free
    }
}

fn rules(ResetRate { resets, window }: ResetRate) -> Rules {
    let window = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
    Rules { failures: resets.max(1), window, pause: 0, longest_pause: 0, undecided: u64::MAX }
}
