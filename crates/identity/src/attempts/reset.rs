//! How often a password reset may be asked for.

use std::{hash::RandomState, net::IpAddr, time::Instant};

use parking_lot::Mutex;

use super::{
    Origin,
    counter::{Counter, Rules},
    guard::host_and_network,
    milliseconds,
    table::{Key, Table},
};

const RESETS: usize = 3;
const HOUR: u64 = 3_600_000;
const COUNTERS: usize = 65_536;

/// Three resets an hour for an account and for an address. A known device has its own three, so strangers cannot
/// use up the owner's.
#[derive(Debug)]
pub struct ResetGuard {
    rules: Rules,
    origin: Instant,
    secret: RandomState,
    counters: Mutex<Table<Counter>>,
}

impl Default for ResetGuard {
    fn default() -> Self {
        Self {
            rules: Rules { failures: RESETS, window: HOUR, pause: 0, longest_pause: 0, undecided: u64::MAX },
            origin: Instant::now(),
            secret: RandomState::new(),
            counters: Mutex::new(Table::new(COUNTERS)),
        }
    }
}

impl ResetGuard {
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
        let mut counters = self.counters.lock();
        let mut keys = keys.into_iter().flatten();
        let free = keys.clone().all(|key| {
            counters.entry(key, now).is_none_or(|counter| counter.wait(&self.rules, now).is_none())
        });
        if free {
            keys.by_ref().for_each(|key| {
                if let Some(counter) = counters.entry(key, now) {
                    counter.begin(now);
                }
            });
        }
        free
    }
}
