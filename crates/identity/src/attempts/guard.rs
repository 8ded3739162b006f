//! The guard of logins: what is counted when an attempt begins, fails, succeeds.

use std::{
    fmt,
    hash::RandomState,
    net::IpAddr,
    time::{Duration, Instant},
};

use aws_lc_rs::hmac;
use parking_lot::Mutex;
use secrecy::zeroize::Zeroizing;

use super::{
    Attempt, Factor, LoginProtection, Origin, PausedScope, Signal,
    counter::{Begun, Counter, Rules, Wait},
    milliseconds,
    stuffing::Accounts,
    table::{Key, Table},
};
use crate::{IdentityError, password::Password};

/// Counts attempts. Shared by reference; a call holds a lock for well under a microsecond's work, but for
/// [`LoginGuard::recover`], which looks at every counter.
pub struct LoginGuard {
    origin: Instant,
    secret: RandomState,
    fingerprints: hmac::Key,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rules: Rules,
    stuffed_accounts: usize,
    accounts: Table<Counter>,
    addresses: Table<Counter>,
    networks: Table<Accounts>,
    passwords: Table<Accounts>,
}

/// Whether an attempt may go on.
#[derive(Debug)]
#[must_use]
pub enum Admission {
    /// It may, and is counted as failed until its ticket says otherwise.
    Admitted(Ticket),
    /// It may not, whatever it shows: check nothing and answer `Retry-After`.
    Paused {
        /// When to come back.
        retry_after: Duration,
        /// Who is paused.
        scope: PausedScope,
    },
}

/// An attempt under way. Dropping it leaves the attempt counted, as a client that hangs up deserves.
#[derive(Debug)]
#[must_use]
pub struct Ticket {
    began: Begun,
    counted: Key,
    /// For strangers alone.
    address: Option<Key>,
    network: Key,
    password: Option<Key>,
    suspect: Option<Duration>,
}

impl Ticket {
    /// For how long attempts such as this one look like credential stuffing, if they do: a password alone should not be
    /// enough.
    pub fn suspect(&self) -> Option<Duration> {
        self.suspect
    }
}

#[expect(clippy::needless_pass_by_value, reason = "a ticket is good for one answer")]
impl LoginGuard {
    /// A guard without a past.
    pub fn new(protection: LoginProtection) -> Result<Self, IdentityError> {
        let mut key = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(key.as_mut_slice()).map_err(|_| IdentityError::Random)?;
        let each = protection.counters / 4;
        Ok(Self {
            origin: Instant::now(),
            secret: RandomState::new(),
            fingerprints: hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()),
            state: Mutex::new(State {
                rules: Rules::of(&protection),
                stuffed_accounts: stuffed(&protection),
                accounts: Table::new(each),
                addresses: Table::new(each),
                networks: Table::new(each),
                passwords: Table::new(each),
            }),
        })
    }

    /// Goes on by other numbers. What was counted stays; how many counters there may be changes with a restart.
    pub fn reconfigure(&self, protection: &LoginProtection) {
        let mut state = self.state.lock();
        state.rules = Rules::of(protection);
        state.stuffed_accounts = stuffed(protection);
    }

    /// Asks for an attempt, before anything is checked.
    pub fn begin(&self, attempt: &Attempt<'_>, now: Instant) -> Admission {
        let mut ticket = self.ticket(attempt, milliseconds(self.origin, now));
        let mut state = self.state.lock();
        let now = ticket.began.at;
        let State { rules, accounts, addresses, networks, passwords, .. } = &mut *state;
        let paused =
            |Wait(wait), scope| Admission::Paused { retry_after: Duration::from_millis(wait), scope };
        let counter = accounts.entry(ticket.counted, now);
        let address = ticket.address.and_then(|address| addresses.entry(address, now));
        let mut counters = [(counter, PausedScope::Account), (address, PausedScope::Address)];
        for (counter, scope) in &mut counters {
            if let Some(wait) = counter.as_mut().and_then(|counter| counter.wait(rules, now)) {
                return paused(wait, *scope);
            }
        }
        counters
            .into_iter()
            .filter_map(|(counter, _)| counter)
            .for_each(|counter| counter.begin(ticket.began));
        let network = networks.get_mut(ticket.network);
        let password = ticket.password.and_then(|password| passwords.get_mut(password));
        let suspect =
            [network, password].into_iter().flatten().filter_map(|tried| tried.suspect_for(now)).max();
        ticket.suspect = suspect.filter(|_| ticket.address.is_some()).map(Duration::from_millis);
        Admission::Admitted(ticket)
    }

    /// The credential was wrong. What the operator should hear of comes back.
    pub fn failed(&self, ticket: Ticket, now: Instant) -> Vec<Signal> {
        let now = milliseconds(self.origin, now);
        let mut state = self.state.lock();
        let State { rules, accounts, addresses, .. } = &mut *state;
        let mut signals = Vec::new();
        let counter = accounts.entry(ticket.counted, now);
        let address = ticket.address.and_then(|address| addresses.entry(address, now));
        for (counter, scope) in [(counter, PausedScope::Account), (address, PausedScope::Address)] {
            let pause = counter.and_then(|counter| counter.fail(rules, ticket.began, now));
            signals.extend(pause.map(|pause| Signal::Paused { scope, pause }));
        }
        signals.extend(gather(&mut state, &ticket, now));
        signals
    }

    /// A stranger's attempt had to wait, so nobody knows whether its credential was wrong. It is no failure of the account,
    /// and yet one more account that is tried from this network, and with this password: pauses hide no credential stuffing.
    pub fn turned_away(&self, attempt: &Attempt<'_>, now: Instant) -> Vec<Signal> {
        if attempt.origin != Origin::Stranger {
            return Vec::new();
        }
        let ticket = self.ticket(attempt, milliseconds(self.origin, now));
        let now = ticket.began.at;
        gather(&mut self.state.lock(), &ticket, now)
    }

    /// The credential was right. The account's counter of this factor and origin begins anew; the address only gets
    /// this attempt back, or an attacker would wash it with an account of their own.
    pub fn succeeded(&self, ticket: Ticket) {
        let mut state = self.state.lock();
        state.accounts.remove(ticket.counted);
        Self::give_back_address(&mut state, &ticket);
    }

    /// Nothing was decided, for a reason of ours (see [`crate::password::HashingError`]): it never happened.
    pub fn withdrawn(&self, ticket: Ticket) {
        let mut state = self.state.lock();
        if let Some(counter) = state.accounts.get_mut(ticket.counted) {
            counter.undo(ticket.began);
        }
        Self::give_back_address(&mut state, &ticket);
    }

    /// Forgets every failure of an account, wherever they were: its owner proved another factor, an administrator said so,
    /// or its password was changed. An address that was paused for them tries on; one that failed for others as well keeps
    /// those failures.
    pub fn recover(&self, account: &str, now: Instant) {
        let (account, now) = (Key::of(&self.secret, account), milliseconds(self.origin, now));
        let mut state = self.state.lock();
        let State { rules, accounts, addresses, networks, passwords, .. } = &mut *state;
        accounts.retain(|counter| !counter.concerns(account));
        addresses.retain(|counter| {
            counter.absolve(account, rules, now);
            true
        });
        for tried in [networks, passwords] {
            tried.retain(|tried| {
                tried.absolve(account);
                true
            });
        }
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> [usize; 4] {
        let state = self.state.lock();
        [state.accounts.len(), state.addresses.len(), state.networks.len(), state.passwords.len()]
    }

    fn give_back_address(state: &mut State, ticket: &Ticket) {
        if let Some(counter) = ticket.address.and_then(|address| state.addresses.get_mut(address)) {
            counter.undo(ticket.began);
        }
    }

    fn ticket(&self, attempt: &Attempt<'_>, began: u64) -> Ticket {
        let stranger = attempt.origin == Origin::Stranger;
        let (host, network) = host_and_network(attempt.address);
        // What strangers cannot use up for the owner: each address has its own.
        let place = (stranger && attempt.factor == Factor::PasswordAndFactor).then_some(host);
        Ticket {
            began: Begun { at: began, account: Key::of(&self.secret, attempt.account) },
            counted: Key::of(&self.secret, (attempt.account, attempt.factor, attempt.origin, place)),
            address: stranger.then(|| self.counted_address(attempt.address, attempt.factor)),
            network: Key::of(&self.secret, network),
            password: attempt.password.map(|password| self.fingerprint(password)),
            suspect: None,
        }
    }

    fn counted_address(&self, address: IpAddr, factor: Factor) -> Key {
        let (host, _) = host_and_network(address);
        Key::of(&self.secret, (host, factor))
    }

    /// Known in this process only: the HMAC's key is never stored.
    fn fingerprint(&self, password: &Password) -> Key {
        let tag = hmac::sign(&self.fingerprints, password.expose().as_bytes());
        Key::of(&self.secret, tag.as_ref())
    }
}

impl fmt::Debug for LoginGuard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LoginGuard").finish_non_exhaustive()
    }
}

/// Gathers an account under its network and password.
fn gather(state: &mut State, ticket: &Ticket, now: u64) -> Vec<Signal> {
    let State { rules, stuffed_accounts, networks, passwords, .. } = state;
    let fail = |accounts: Option<&mut Accounts>| {
        accounts?.fail(ticket.began.account, *stuffed_accounts, rules.window, now)
    };
    let network = fail(networks.entry(ticket.network, now));
    let password = fail(ticket.password.and_then(|password| passwords.entry(password, now)));
    let network = network.map(|accounts| Signal::ManyAccountsFromNetwork { accounts });
    let password = password.map(|accounts| Signal::OnePasswordForManyAccounts { accounts });
    network.into_iter().chain(password).collect()
}

fn stuffed(protection: &LoginProtection) -> usize {
    usize::from(protection.stuffed_accounts.max(2))
}

/// What counts as one client (an IPv4 address, an IPv6 /64) and as one network (/24, /48).
pub(super) fn host_and_network(address: IpAddr) -> (u128, u128) {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let bits = u128::from(address.to_bits());
            // Beside all IPv6 prefixes, which end in zeros.
            (bits | (1 << 32), (bits & !0xff) | (1 << 32))
        }
        IpAddr::V6(address) => (address.to_bits() >> 64 << 64, address.to_bits() >> 80 << 80),
    }
}
