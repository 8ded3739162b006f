//! Slows guessing down: five failures, then a pause, apart for strangers and for devices that the account knows.
//!
//! Each gateway counts for itself. Those that share a store ([`crate::Together`]) count together besides: five attempts at
//! all of them, then a pause. So they do with messages, and with accounts that one network or one password is tried on.

mod all_gateways;

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use arc_swap::ArcSwap;
use bartizan_config::LoginProtection as Settings;
use bartizan_store::{Statement, Store, StoreError, Transaction};
use metrics::counter;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use self::all_gateways::{AllGateways, CountedEverywhere, Stuffing};
use super::{
    AccountError, Accounts, EmailAddress, Visit,
    audit::{Entry, Outcome},
    background::Background,
    refusal::name_account,
    shared_secret::SharedSecret,
};
use crate::{
    IdentityError, Together,
    attempts::{
        Admission, Attempt, DeviceCookies, DeviceId, Factor, LoginGuard, LoginProtection, Origin,
        PausedScope, ResetGuard, ResetRate, Signal, Ticket,
    },
    password::Password,
    session::{
        changes::SessionChanges,
        moment::{self, span},
    },
};

/// Counts the attempts of this gateway.
#[derive(Debug)]
pub(crate) struct Protection {
    guard: LoginGuard,
    messages: ResetGuard,
    devices: DeviceCookies,
    store: Store,
    background: Background,
    rules: ArcSwap<LoginProtection>,
    resets: ArcSwap<ResetRate>,
    all: Arc<AllGateways>,
}

/// An attempt under way, and for whom.
#[derive(Debug)]
#[must_use]
pub(crate) struct Trying {
    here: Ticket,
    account: String,
    everywhere: CountedEverywhere,
    suspect: Option<Duration>,
}

impl Trying {
    /// For how long attempts such as this one look like credential stuffing, if they do.
    pub(crate) fn suspect(&self) -> Option<Duration> {
        self.suspect
    }
}

/// The longest account that is counted by itself.
const LONGEST_ACCOUNT: usize = 254;

impl Protection {
    pub(crate) async fn open(store: &Store, settings: &Settings) -> Result<Self, AccountError> {
        let key = SharedSecret::DeviceCookie.of(store).await?;
        let devices = DeviceCookies::new(&key);
        let key = SharedSecret::Attempts.of(store).await?;
        Ok(Self {
            guard: LoginGuard::new(protection(settings))?,
            messages: ResetGuard::new(resets(settings)),
            devices,
            store: store.clone(),
            background: Background::new(),
            rules: ArcSwap::from_pointee(protection(settings)),
            resets: ArcSwap::from_pointee(resets(settings)),
            all: Arc::new(AllGateways::new(&key)),
        })
    }

    /// Goes on by other numbers. What was counted stays.
    pub(crate) fn reconfigure(&self, settings: &Settings) {
        let rules = protection(settings);
        self.guard.reconfigure(&rules);
        self.rules.store(Arc::new(rules));
        self.messages.reconfigure(resets(settings));
        self.resets.store(Arc::new(resets(settings)));
    }

    /// From now on attempts, messages and signs of credential stuffing are counted by all gateways together as well.
    pub(crate) fn count_with(&self, together: Arc<dyn Together>) {
        self.all.count_with(together);
    }

    /// Asks for an attempt, before anything is checked.
    pub(crate) async fn begin(
        &self,
        account: &str,
        device: Option<&SecretString>,
        password: Option<&Password>,
        visit: &Visit,
    ) -> Result<Trying, AccountError> {
        self.begin_attempt(account, Factor::Password, device, password, visit).await
    }

    /// The same for what is shown besides the password.
    pub(crate) async fn begin_factor(
        &self,
        account: &str,
        factor: Factor,
        device: Option<&SecretString>,
        visit: &Visit,
    ) -> Result<Trying, AccountError> {
        self.begin_attempt(account, factor, device, None, visit).await
    }

    async fn begin_attempt(
        &self,
        account: &str,
        factor: Factor,
        device: Option<&SecretString>,
        password: Option<&Password>,
        visit: &Visit,
    ) -> Result<Trying, AccountError> {
        let account = counted(account);
        let device = device.and_then(|device| self.known(&account, device));
        let attempt = Attempt {
            account: &account,
            factor,
            origin: device.map_or(Origin::Stranger, Origin::Known),
            address: visit.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            password,
        };
        let here = match self.guard.begin(&attempt, Instant::now()) {
            Admission::Admitted(here) => here,
            Admission::Paused { retry_after, .. } => {
                return Err(self.turned_away(&attempt, visit, retry_after));
            }
        };
        match self.all.begin(&attempt, **self.rules.load()).await {
            Ok(everywhere) => {
                let suspect = here.suspect().max(self.all.suspect(&everywhere).await);
                Ok(Trying { here, account, everywhere, suspect })
            }
            Err(wait) => {
                self.guard.withdrawn(here);
                Err(self.turned_away(&attempt, visit, wait))
            }
        }
    }

    /// An attempt that has to wait still shows credential stuffing.
    fn turned_away(&self, attempt: &Attempt<'_>, visit: &Visit, wait: Duration) -> AccountError {
        if attempt.origin == Origin::Stranger {
            let signals = self.guard.turned_away(attempt, Instant::now());
            self.tell_later(signals, self.all.stuffing(attempt), attempt.account, visit);
        }
        AccountError::Paused(wait)
    }

    /// Whether to send a message to this address: three an hour, whether it is known or not.
    pub(crate) async fn admits_message(&self, recipient: &str) -> bool {
        let recipient = counted(recipient);
        self.messages.admits_message(&recipient, Instant::now())
            && self.all.admits_message(**self.resets.load(), &recipient).await
    }

    /// Whether to send a link for another password.
    pub(crate) async fn admits_reset(
        &self,
        address: &str,
        device: Option<&SecretString>,
        visit: &Visit,
    ) -> bool {
        let account = counted(address);
        let device = device.and_then(|device| self.known(&account, device));
        let origin = device.map_or(Origin::Stranger, Origin::Known);
        let from = visit.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        self.messages.admits(&account, origin, from, Instant::now())
            && self.all.admits_reset(**self.resets.load(), &account, origin, from).await
    }

    /// What was shown is wrong. What begins with it is written down after the answer.
    pub(crate) fn failed(&self, Trying { here, account, everywhere, .. }: Trying, visit: &Visit) {
        let mut signals = self.guard.failed(here, Instant::now());
        let (pauses, stuffing) = everywhere.into_failure();
        // One pause, however many counts say so.
        let is_told = |signals: &[Signal], pause: &Signal| match pause {
            Signal::Paused { scope, .. } => signals
                .iter()
                .any(|told| matches!(told, Signal::Paused { scope: known, .. } if known == scope)),
            _ => false,
        };
        for pause in pauses {
            if !is_told(&signals, &pause) {
                signals.push(pause);
            }
        }
        self.tell_later(signals, stuffing, &account, visit);
    }

    /// Says what this gateway has noticed; about credential stuffing, what all of them have.
    fn tell_later(&self, signals: Vec<Signal>, stuffing: Option<Stuffing>, account: &str, visit: &Visit) {
        if signals.is_empty() && stuffing.is_none() {
            return;
        }
        let (pauses, here): (Vec<_>, Vec<_>) =
            signals.into_iter().partition(|signal| matches!(signal, Signal::Paused { .. }));
        let (all, rules, store) = (Arc::clone(&self.all), **self.rules.load(), self.store.clone());
        let (account, visit) = (account.to_owned(), visit.clone());
        self.background.run("login.failure", async move {
            let stuffing = all.gather(stuffing.as_ref(), rules, here).await;
            for signal in pauses.into_iter().chain(stuffing) {
                tell(&signal, &account, &store, &visit).await?;
            }
            Ok(())
        });
    }

    pub(crate) fn succeeded(&self, Trying { here, account, everywhere, .. }: Trying) {
        self.guard.succeeded(here);
        self.all.succeeded(&account, everywhere);
    }

    /// Nothing was decided, for a reason of ours.
    pub(crate) fn withdrawn(&self, Trying { here, everywhere, .. }: Trying) {
        self.guard.withdrawn(here);
        self.all.withdrawn(everywhere);
    }

    /// Forgets the failures of an account: on every device, and among those of addresses. Other gateways hear of it by
    /// [`Recovery::tell`].
    pub(crate) fn recover(&self, account: &str) {
        let account = counted(account);
        self.guard.recover(&account, Instant::now());
        self.all.recover(&account);
    }

    /// The same, told by the gateway that did it.
    fn follow_recovery(&self, account: &str) {
        let account = counted(account);
        self.guard.recover(&account, Instant::now());
        self.all.recover_devices(&account);
    }

    /// The cookie by which this device is known from now on.
    pub(crate) fn device_cookie(&self, account: &str) -> Result<SecretString, IdentityError> {
        self.devices.issue(&counted(account), SystemTime::now())
    }

    fn known(&self, account: &str, device: &SecretString) -> Option<DeviceId> {
        self.devices.verify(account, device.expose_secret(), SystemTime::now())
    }
}

/// Says in log and trail what has begun.
async fn tell(signal: &Signal, account: &str, store: &Store, visit: &Visit) -> Result<(), StoreError> {
    let Event { action, mut details, is_of_account } = Event::of(signal);
    tracing::warn!(?signal, client = visit.address(), request_id = visit.request_id, "{action}");
    // What is no address may be a password that was typed in the wrong place.
    let subject = account.parse::<EmailAddress>().ok().filter(|_| is_of_account);
    let subject = subject.as_ref().map_or("", EmailAddress::as_str);
    name_account(store, subject, &mut details).await?;
    Entry { action, outcome: Outcome::Done, actor: "", subject, visit, details }.write_alone(store).await
}

/// The end of a person's pauses, as other gateways are told.
pub(crate) struct Recovery;

/// Before the id of the person, in the list of changes.
const RECOVERED: &str = "recovered:";

impl Recovery {
    /// Tells the other gateways, with the change itself.
    pub(crate) async fn tell(transaction: &mut Transaction, user: &str) -> Result<(), StoreError> {
        SessionChanges::tell(transaction, &format!("{RECOVERED}{user}")).await
    }
}

impl Accounts {
    /// Forgets the failures of those for whom another gateway did.
    pub(super) async fn follow_recoveries(&self, told: &[String]) -> Result<(), StoreError> {
        const READ: &str = "SELECT email FROM users WHERE id = $1";
        for user in told.iter().filter_map(|subject| subject.strip_prefix(RECOVERED)) {
            if let Some(row) = self.store.row(Statement::new(READ).text(user)).await? {
                self.protection.follow_recovery(&row.text("email")?);
            }
        }
        Ok(())
    }
}

/// A signal for the audit trail and the metrics.
struct Event {
    action: &'static str,
    details: Value,
    is_of_account: bool,
}

impl Event {
    /// Counts it, too.
    fn of(signal: &Signal) -> Self {
        match *signal {
            Signal::Paused { scope: PausedScope::Account, pause } => Self::pause("account", pause),
            Signal::Paused { scope: PausedScope::Address, pause } => Self::pause("address", pause),
            Signal::ManyAccountsFromNetwork { accounts } => Self::stuffing("network", accounts),
            Signal::OnePasswordForManyAccounts { accounts } => Self::stuffing("password", accounts),
        }
    }

    fn pause(scope: &'static str, pause: Duration) -> Self {
        counter!("bartizan_login_pauses_total", "scope" => scope).increment(1);
        let until = moment::now().saturating_add(span(pause));
        let details = json!({ "scope": scope, "seconds": pause.as_secs(), "until": until });
        Self { action: "login.pause", details, is_of_account: scope == "account" }
    }

    fn stuffing(by: &'static str, accounts: usize) -> Self {
        counter!("bartizan_login_stuffing_total", "by" => by).increment(1);
        let details = json!({ "by": by, "accounts": accounts });
        Self { action: "login.stuffing", details, is_of_account: false }
    }
}

fn protection(settings: &Settings) -> LoginProtection {
    LoginProtection {
        failures: settings.failures,
        window: settings.window,
        pause: settings.pause,
        ..LoginProtection::default()
    }
}

fn resets(settings: &Settings) -> ResetRate {
    ResetRate { resets: settings.resets, window: settings.resets_window }
}

/// An account in its one form, whether it exists or not.
fn counted(account: &str) -> String {
    account.trim().chars().take(LONGEST_ACCOUNT).collect::<String>().to_lowercase()
}
