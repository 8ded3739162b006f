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
    Attempt, DeviceId, Factor, LoginProtection, Origin, PausedScope, Signal,
    counter::{Counter, Rules, Wait},
    milliseconds,
    stuffing::Accounts,
    table::{Key, Table},
};
use crate::{IdentityError, password::Password};

/// Counts attempts. Shared by reference; a call holds a lock for well under a microsecond's work.
pub struct LoginGuard {
    rules: Rules,
    stuffed_accounts: usize,
    origin: Instant,
    secret: RandomState,
    fingerprints: hmac::Key,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
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
    began: u64,
    account: Key,
    counted: Key,
    /// For strangers alone.
    address: Option<Key>,
    network: Key,
    password: Option<Key>,
    suspect: bool,
}

impl Ticket {
    /// Whether it looks like credential stuffing: ask for a challenge before the credential is checked.
    pub fn suspect(&self) -> bool {
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
            rules: Rules::of(&protection),
            stuffed_accounts: usize::from(protection.stuffed_accounts.max(2)),
            origin: Instant::now(),
            secret: RandomState::new(),
            fingerprints: hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()),
            state: Mutex::new(State {
                accounts: Table::new(each),
                addresses: Table::new(each),
                networks: Table::new(each),
                passwords: Table::new(each),
            }),
        })
    }

    /// Asks for an attempt, before anything is checked.
    pub fn begin(&self, attempt: &Attempt<'_>, now: Instant) -> Admission {
        let mut ticket = self.ticket(attempt, milliseconds(self.origin, now));
        let mut state = self.state.lock();
        let now = ticket.began;
        let State { accounts, addresses, networks, passwords } = &mut *state;
        let paused =
            |Wait(wait), scope| Admission::Paused { retry_after: Duration::from_millis(wait), scope };
        let counter = accounts.entry(ticket.counted, now);
        let address = ticket.address.and_then(|address| addresses.entry(address, now));
        let mut counters = [(counter, PausedScope::Account), (address, PausedScope::Address)];
        for (counter, scope) in &mut counters {
            if let Some(wait) = counter.as_mut().and_then(|counter| counter.wait(&self.rules, now)) {
                return paused(wait, *scope);
            }
        }
        counters.into_iter().filter_map(|(counter, _)| counter).for_each(|counter| counter.begin(now));
        let suspect_network = networks.get_mut(ticket.network).is_some_and(|network| network.is_suspect(now));
        let password = ticket.password.and_then(|password| passwords.get_mut(password));
        let suspect_password = password.is_some_and(|password| password.is_suspect(now));
        ticket.suspect = ticket.address.is_some() && (suspect_network || suspect_password);
        Admission::Admitted(ticket)
    }

    /// The credential was wrong. What the operator should hear of comes back.
    pub fn failed(&self, ticket: Ticket, now: Instant) -> Vec<Signal> {
        let now = milliseconds(self.origin, now);
        let mut state = self.state.lock();
        let State { accounts, addresses, networks, passwords } = &mut *state;
        let mut signals = Vec::new();
        let counter = accounts.entry(ticket.counted, now);
        let address = ticket.address.and_then(|address| addresses.entry(address, now));
        for (counter, scope) in [(counter, PausedScope::Account), (address, PausedScope::Address)] {
            let pause = counter.and_then(|counter| counter.fail(&self.rules, ticket.began, now));
            signals.extend(pause.map(|pause| Signal::Paused { scope, pause }));
        }
        let fail = |accounts: Option<&mut Accounts>| {
            accounts?.fail(ticket.account, self.stuffed_accounts, self.rules.window, now)
        };
        let network = fail(networks.entry(ticket.network, now));
        let password = fail(ticket.password.and_then(|password| passwords.entry(password, now)));
        signals.extend(network.map(|accounts| Signal::ManyAccountsFromNetwork { accounts }));
        signals.extend(password.map(|accounts| Signal::OnePasswordForManyAccounts { accounts }));
        signals
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

    /// Ends the pauses of an account for strangers and for `device`: its owner proved another factor, or an
    /// administrator said so. Also after the password was changed.
    pub fn recover(&self, account: &str, device: Option<DeviceId>) {
        let mut state = self.state.lock();
        let origins = [Some(Origin::Stranger), device.map(Origin::Known)];
        for origin in origins.into_iter().flatten() {
            for factor in Factor::ALL {
                state.accounts.remove(self.counted(account, factor, origin));
            }
        }
    }

    /// Ends the pauses of an address: an administrator said so.
    pub fn recover_address(&self, address: IpAddr) {
        let mut state = self.state.lock();
        for factor in Factor::ALL {
            state.addresses.remove(self.counted_address(address, factor));
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
        let (_, network) = host_and_network(attempt.address);
        Ticket {
            began,
            account: Key::of(&self.secret, attempt.account),
            counted: self.counted(attempt.account, attempt.factor, attempt.origin),
            address: stranger.then(|| self.counted_address(attempt.address, attempt.factor)),
            network: Key::of(&self.secret, network),
            password: attempt.password.map(|password| self.fingerprint(password)),
            suspect: false,
        }
    }

    fn counted(&self, account: &str, factor: Factor, origin: Origin) -> Key {
        Key::of(&self.secret, (account, factor, origin))
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
        formatter.debug_struct("LoginGuard").field("rules", &self.rules).finish_non_exhaustive()
    }
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
