//! What gateways count together, where they share a store ([`Together`]).
//!
//! Messages are counted like attempts: so many in a window, and as long a pause. Accounts that fail are gathered by network and
//! by password; of a password three bytes of a keyed hash are told, enough to notice the same one again within minutes and too
//! little to learn it.
//!
//! The count of an account belongs to one factor and one origin, as at each gateway. A name tells nobody what it counts,
//! and nobody can list the names; so each gateway remembers which known devices tried in vain at it, and whoever recovers
//! has their counts forgotten by all of them. A pause of an address ends by itself.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{Arc, OnceLock},
    time::Duration,
};

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use parking_lot::Mutex;

use crate::{
    Together, Tried,
    attempts::{Attempt, DeviceId, Factor, LoginProtection, Origin, PausedScope, ResetRate, Signal},
    password::Password,
};

/// Accounts with devices that are remembered, and devices of each: only who has logged in before is among them.
const MOST_ACCOUNTS: usize = 16_384;
const MOST_DEVICES: usize = 16;

/// The counts of all gateways, as this one sees them.
pub(super) struct AllGateways {
    /// Makes the names.
    naming: hmac::Key,
    together: OnceLock<Arc<dyn Together>>,
    /// Devices that have tried and not succeeded since, by account.
    devices: Mutex<HashMap<Box<str>, HashSet<DeviceId>>>,
}

/// What an attempt is counted by, where gateways count together.
#[derive(Debug, Default)]
pub(super) struct CountedEverywhere {
    origin: Option<Origin>,
    account: Option<String>,
    address: Option<String>,
    stuffing: Option<Stuffing>,
    /// The pauses that begin with it, unless it succeeds.
    pauses: Vec<Signal>,
}

/// By what credential stuffing shows: an account, and where and with what it failed.
#[derive(Debug)]
pub(super) struct Stuffing {
    account: String,
    network: String,
    password: Option<String>,
}

impl CountedEverywhere {
    /// What shows once it has failed: the pauses that it began, and by what credential stuffing shows in it; `None` where each
    /// gateway counts for itself.
    pub(super) fn into_failure(self) -> (Vec<Signal>, Option<Stuffing>) {
        (self.pauses, self.stuffing)
    }
}

impl AllGateways {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self {
            naming: hmac::Key::new(hmac::HMAC_SHA256, key),
            together: OnceLock::new(),
            devices: Mutex::default(),
        }
    }

    pub(super) fn count_with(&self, together: Arc<dyn Together>) {
        // INVARIANT: a process has one such memory; a second one would change nothing.
        let _ = self.together.set(together);
    }

    /// Counts an attempt that this gateway admits; the error is how long to wait. While the others cannot be asked, this
    /// one's count decides.
    pub(super) async fn begin(
        &self,
        attempt: &Attempt<'_>,
        rules: LoginProtection,
    ) -> Result<CountedEverywhere, Duration> {
        let Some(together) = self.together.get() else { return Ok(CountedEverywhere::default()) };
        let &Attempt { account, factor, origin, .. } = attempt;
        let (is_stranger, client) = (origin == Origin::Stranger, client_of(attempt.address));
        // What strangers cannot use up for the owner: each address has its own.
        let place = (is_stranger && factor == Factor::PasswordAndFactor).then_some(client);
        let account = self.account(account, factor, origin, place);
        let address = is_stranger.then(|| self.named(&("address", client, factor)));
        let names: Vec<String> = [Some(&account), address.as_ref()].into_iter().flatten().cloned().collect();
        let counted = count_all(together, &names, rules).await;
        self.remember(attempt.account, origin);
        // Names and scopes stand in the same order.
        let scopes = [PausedScope::Account, PausedScope::Address];
        let pauses = counted?.into_iter().zip(scopes);
        let pauses = pauses.filter_map(|(pause, scope)| Some(Signal::Paused { scope, pause: pause? }));
        Ok(CountedEverywhere {
            origin: Some(origin),
            account: Some(account),
            address,
            stuffing: self.stuffing(attempt),
            pauses: pauses.collect(),
        })
    }

    /// By what credential stuffing shows in an attempt, where gateways count together.
    pub(super) fn stuffing(&self, attempt: &Attempt<'_>) -> Option<Stuffing> {
        self.together.get()?;
        Some(Stuffing {
            account: self.named(&("stuffing", attempt.account)),
            network: self.named(&("stuffing network", network_of(attempt.address))),
            password: attempt.password.map(|password| self.fingerprint(password)),
        })
    }

    /// For how long an attempt such as this one looks like credential stuffing to all gateways together, if it does.
    pub(super) async fn suspect(&self, counted: &CountedEverywhere) -> Option<Duration> {
        let (together, stuffing) = self.together.get().zip(counted.stuffing.as_ref())?;
        if counted.origin != Some(Origin::Stranger) {
            return None;
        }
        let by_network = together.suspect(&stuffing.network).await;
        let by_password = match &stuffing.password {
            Some(password) => together.suspect(password).await,
            None => None,
        };
        [by_network, by_password].into_iter().flatten().flatten().max()
    }

    /// Gathers an attempt that failed or had to wait. What the operator should hear of comes back; `here`: what this gateway
    /// would say by itself, which counts while the others cannot be asked.
    pub(super) async fn gather(
        &self,
        stuffing: Option<&Stuffing>,
        rules: LoginProtection,
        here: Vec<Signal>,
    ) -> Vec<Signal> {
        let Some((together, stuffing)) = self.together.get().zip(stuffing) else { return here };
        let by_network = together.fail(&stuffing.network, &stuffing.account, rules).await;
        let by_password = match &stuffing.password {
            Some(password) => together.fail(password, &stuffing.account, rules).await,
            None => Some(None),
        };
        let (Some(by_network), Some(by_password)) = (by_network, by_password) else { return here };
        let by_network = by_network.map(|accounts| Signal::ManyAccountsFromNetwork { accounts });
        let by_password = by_password.map(|accounts| Signal::OnePasswordForManyAccounts { accounts });
        by_network.into_iter().chain(by_password).collect()
    }

    /// Counts a link for another password that this gateway admits: for the account, as `origin` has its own, and for the
    /// address of a stranger. While the others cannot be asked, this one's count decides.
    pub(super) async fn admits_reset(
        &self,
        rate: ResetRate,
        account: &str,
        origin: Origin,
        address: IpAddr,
    ) -> bool {
        let of_account = self.named(&("reset", account, origin));
        let of_address =
            (origin == Origin::Stranger).then(|| self.named(&("reset from", client_of(address))));
        let names: Vec<String> = [Some(of_account), of_address].into_iter().flatten().collect();
        self.admits(rate, &names).await
    }

    /// The same for another message, by who gets it.
    pub(super) async fn admits_message(&self, rate: ResetRate, recipient: &str) -> bool {
        self.admits(rate, &[self.named(&("message", recipient))]).await
    }

    async fn admits(&self, rate: ResetRate, names: &[String]) -> bool {
        let Some(together) = self.together.get() else { return true };
        let rules = LoginProtection {
            failures: u8::try_from(rate.resets.max(1)).unwrap_or(u8::MAX),
            window: rate.window,
            pause: rate.window,
            // Whoever asks again and again waits no longer.
            longest_pause: rate.window,
            ..LoginProtection::default()
        };
        count_all(together, names, rules).await.is_ok()
    }

    pub(super) fn succeeded(&self, account: &str, counted: CountedEverywhere) {
        if let Some(Origin::Known(device)) = counted.origin {
            let mut devices = self.devices.lock();
            if let Some(of_account) = devices.get_mut(account) {
                of_account.remove(&device);
                if of_account.is_empty() {
                    devices.remove(account);
                }
            }
        }
        self.tell(counted.account.into_iter().collect(), counted.address.into_iter().collect());
    }

    pub(super) fn withdrawn(&self, counted: CountedEverywhere) {
        self.tell(Vec::new(), counted.account.into_iter().chain(counted.address).collect());
    }

    /// Forgets the counts of an account: those of strangers, and of the devices that tried at this gateway.
    pub(super) fn recover(&self, account: &str) {
        let strangers = Factor::ALL.map(|factor| self.account(account, factor, Origin::Stranger, None));
        self.tell(strangers.into_iter().collect(), Vec::new());
        self.recover_devices(account);
    }

    /// The part of it that only this gateway can do, where another one has done the rest.
    pub(super) fn recover_devices(&self, account: &str) {
        let devices = self.devices.lock().remove(account).unwrap_or_default();
        let names = devices.into_iter().flat_map(|device| {
            Factor::ALL.map(|factor| self.account(account, factor, Origin::Known(device), None))
        });
        self.tell(names.collect(), Vec::new());
    }

    fn remember(&self, account: &str, origin: Origin) {
        let Origin::Known(device) = origin else { return };
        let mut devices = self.devices.lock();
        if devices.len() >= MOST_ACCOUNTS && !devices.contains_key(account) {
            return;
        }
        let of_account = devices.entry(account.into()).or_default();
        if of_account.len() < MOST_DEVICES {
            of_account.insert(device);
        }
    }

    fn account(&self, account: &str, factor: Factor, origin: Origin, place: Option<IpAddr>) -> String {
        self.named(&("account", account, factor, origin, place))
    }

    fn named(&self, what: &impl fmt::Debug) -> String {
        let tag = hmac::sign(&self.naming, format!("attempts {what:?}").as_bytes());
        URL_SAFE_NO_PAD.encode(tag)
    }

    /// One password in 16 million has the same.
    fn fingerprint(&self, password: &Password) -> String {
        let mut context = hmac::Context::with_key(&self.naming);
        for part in ["stuffing password ", password.expose()] {
            context.update(part.as_bytes());
        }
        let tag = context.sign();
        let [first, second, third, ..] = tag.as_ref() else { return String::new() };
        format!("password:{}", URL_SAFE_NO_PAD.encode([*first, *second, *third]))
    }

    /// In the background: nobody waits for it.
    fn tell(&self, forgotten: Vec<String>, taken_back: Vec<String>) {
        let Some(together) = self.together.get().map(Arc::clone) else { return };
        if forgotten.is_empty() && taken_back.is_empty() {
            return;
        }
        tokio::spawn(async move {
            for name in forgotten {
                let _ = together.forget(name).await;
            }
            for name in taken_back {
                let _ = together.take_back(name).await;
            }
        });
    }
}

impl fmt::Debug for AllGateways {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AllGateways").field("together", &self.together).finish_non_exhaustive()
    }
}

/// Counts an attempt under every name, or under none; the error is how long to wait. For each name, how long the pause is that
/// begins with this attempt, if one does.
async fn count_all(
    together: &Arc<dyn Together>,
    names: &[String],
    rules: LoginProtection,
) -> Result<Vec<Option<Duration>>, Duration> {
    let mut pauses = Vec::with_capacity(names.len());
    for (counted, name) in names.iter().enumerate() {
        match together.attempt(name, rules).await {
            Some(Tried::TooMany(wait)) => {
                for name in names.get(..counted).unwrap_or_default() {
                    let _ = together.take_back(name.clone()).await;
                }
                return Err(wait);
            }
            Some(Tried::Last(pause)) => pauses.push(Some(pause)),
            Some(Tried::Counted) | None => pauses.push(None),
        }
    }
    Ok(pauses)
}

/// What counts as one network: an IPv4 /24, an IPv6 /48.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 80 << 80).into(),
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() & !0xff).into(),
    }
}

/// What counts as one client: an IPv4 address, an IPv6 /64.
fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}
