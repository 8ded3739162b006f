//! Who may try to log in, and how often: five failures in 15 minutes, then a pause of 30 minutes that doubles.
//!
//! Failures are counted apart for every *factor*, so failed passkeys never lock the password; for every *account*,
//! apart for strangers and for each device that logged in before ([`DeviceCookies`]); and for every *address*. What
//! strangers do to an account so never keeps its owner out on a known device, whom the address does not hold up
//! either. Elsewhere the owner comes back through another factor ([`Factor::PasswordAndFactor`]), or an administrator:
//! [`LoginGuard::recover`].
//!
//! An attempt is counted when it begins and given back when it succeeds, so a thousand at once are not a thousand
//! guesses. Many accounts tried from one network, or one password tried on many accounts, is credential stuffing:
//! it is reported once ([`Signal`]), and strangers of that network, or with that password, are marked as suspect
//! ([`Ticket::suspect`]), which should cost them a challenge.
//!
//! Time is given, memory is bounded, nothing waits. An account is any stable text, also the name of one that does
//! not exist: unknown accounts are counted as known ones, and nobody can tell which is which.
//!
//! ```
//! use std::{net::IpAddr, time::Instant};
//! use bartizan_identity::attempts::{Admission, Attempt, Factor, LoginGuard, LoginProtection, Origin};
//!
//! let guard = LoginGuard::new(LoginProtection::default())?;
//! let address: IpAddr = "192.0.2.7".parse()?;
//! let guess = Attempt { account: "alice", factor: Factor::Password, origin: Origin::Stranger, address, password: None };
//! let now = Instant::now();
//! for _ in 0..5 {
//!     let Admission::Admitted(ticket) = guard.begin(&guess, now) else { panic!("five are admitted") };
//!     guard.failed(ticket, now);
//! }
//! assert!(matches!(guard.begin(&guess, now), Admission::Paused { .. }));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod counter;
mod device;
mod guard;
mod reset;
mod stuffing;
mod table;
#[cfg(test)]
mod tests;

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

pub use device::{DeviceCookies, DeviceId};
pub use guard::{Admission, LoginGuard, Ticket};
pub use reset::{ResetGuard, ResetRate};

use crate::password::Password;

/// What is being shown. Each is counted for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Factor {
    Password,
    Totp,
    Passkey,
    RecoveryCode,
    OneTimeCode,
    Sms,
    /// A password and a second factor at once, while passwords alone are paused. For strangers each address is counted
    /// by itself, so nobody can use up what brings the owner back.
    PasswordAndFactor,
}

impl Factor {
    pub(crate) const ALL: [Self; 7] = [
        Self::Password,
        Self::Totp,
        Self::Passkey,
        Self::RecoveryCode,
        Self::OneTimeCode,
        Self::Sms,
        Self::PasswordAndFactor,
    ];
}

/// Where an attempt comes from, as the account sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Nothing shows that this account was ever used there.
    Stranger,
    /// A device that proved this account before, by a cookie of [`DeviceCookies`].
    Known(DeviceId),
}

/// One attempt.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// The account, in the one form it is known under; existing or not.
    pub account: &'a str,
    /// What is shown.
    pub factor: Factor,
    /// Whether the device is known.
    pub origin: Origin,
    /// The address of the client.
    pub address: IpAddr,
    /// The password, to notice one that is tried on many accounts.
    pub password: Option<&'a Password>,
}

/// How much is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginProtection {
    /// Failures of one factor of one account or from one address within [`Self::window`] that start a pause.
    pub failures: u8,
    /// The window.
    pub window: Duration,
    /// The first pause; each further one is twice as long.
    pub pause: Duration,
    /// The longest pause, and the quiet time after which the next is a first one again.
    pub longest_pause: Duration,
    /// Accounts failing within the window from one network (IPv4 /24, IPv6 /48), or with one password, that count
    /// as credential stuffing.
    pub stuffed_accounts: u8,
    /// Counters that are held at most; some 100 to 300 bytes each. When there are more, those that matter least go.
    pub counters: usize,
}

impl Default for LoginProtection {
    fn default() -> Self {
        Self {
            failures: 5,
            window: Duration::from_mins(15),
            pause: Duration::from_mins(30),
            longest_pause: Duration::from_hours(24),
            stuffed_accounts: 10,
            counters: 131_072,
        }
    }
}

/// Why an attempt has to wait. Not for the client, who learns only how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PausedScope {
    /// Too many failures of this factor of the account, from strangers or on this known device.
    Account,
    /// Too many failures from the address.
    Address,
}

/// Something the operator should hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// A pause began.
    Paused {
        /// For whom.
        scope: PausedScope,
        /// How long.
        pause: Duration,
    },
    /// Credential stuffing: so many accounts failed from one network.
    ManyAccountsFromNetwork {
        /// How many.
        accounts: usize,
    },
    /// Credential stuffing: one password failed on so many accounts.
    OnePasswordForManyAccounts {
        /// How many.
        accounts: usize,
    },
}

/// The time since the guard was made, in milliseconds: eight bytes instead of sixteen.
fn milliseconds(origin: Instant, now: Instant) -> u64 {
    u64::try_from(now.saturating_duration_since(origin).as_millis()).unwrap_or(u64::MAX)
}
