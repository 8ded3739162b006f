//! Slows guessing down: five failures, then a pause, apart for strangers and for devices that the account knows.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant, SystemTime},
};

use bartizan_config::LoginProtection as Settings;
use bartizan_store::{Statement, Store, StoreError, Transaction};
use metrics::counter;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{
    AccountError, Accounts, EmailAddress, Visit,
    audit::{Entry, Outcome},
    background::Background,
    shared_secret::SharedSecret,
};
use crate::{
    IdentityError,
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
}

/// An attempt under way, and for whom.
#[derive(Debug)]
#[must_use]
pub(crate) struct Trying {
    ticket: Ticket,
    account: String,
}

impl Trying {
    /// For how long attempts such as this one look like credential stuffing, if they do.
    pub(crate) fn suspect(&self) -> Option<Duration> {
        self.ticket.suspect()
    }
}

/// The longest account that is counted by itself.
const LONGEST_ACCOUNT: usize = 254;

impl Protection {
    pub(crate) async fn open(store: &Store, settings: &Settings) -> Result<Self, AccountError> {
        let key = SharedSecret::DeviceCookie.of(store).await?;
        let devices = DeviceCookies::new(&key);
        Ok(Self {
            guard: LoginGuard::new(protection(settings))?,
            messages: ResetGuard::new(resets(settings)),
            devices,
            store: store.clone(),
            background: Background::new(),
        })
    }

    /// Goes on by other numbers. What was counted stays.
    pub(crate) fn reconfigure(&self, settings: &Settings) {
        self.guard.reconfigure(&protection(settings));
        self.messages.reconfigure(resets(settings));
    }

    /// Asks for an attempt, before anything is checked.
    pub(crate) fn begin(
        &self,
        account: &str,
        device: Option<&SecretString>,
        password: Option<&Password>,
        visit: &Visit,
    ) -> Result<Trying, AccountError> {
        self.begin_attempt(account, Factor::Password, device, password, visit)
    }

    /// The same for what is shown besides the password.
    pub(crate) fn begin_factor(
        &self,
        account: &str,
        factor: Factor,
        device: Option<&SecretString>,
        visit: &Visit,
    ) -> Result<Trying, AccountError> {
        self.begin_attempt(account, factor, device, None, visit)
    }

    fn begin_attempt(
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
        match self.guard.begin(&attempt, Instant::now()) {
            Admission::Admitted(ticket) => Ok(Trying { ticket, account }),
            Admission::Paused { retry_after, .. } => Err(AccountError::Paused(retry_after)),
        }
    }

    /// Whether to send a message to this address: three an hour, whether it is known or not.
    pub(crate) fn admits_message(&self, recipient: &str) -> bool {
        self.messages.admits_message(&counted(recipient), Instant::now())
    }

    /// Whether to send a link for another password.
    pub(crate) fn admits_reset(&self, address: &str, device: Option<&SecretString>, visit: &Visit) -> bool {
        let account = counted(address);
        let device = device.and_then(|device| self.known(&account, device));
        let origin = device.map_or(Origin::Stranger, Origin::Known);
        let from = visit.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        self.messages.admits(&account, origin, from, Instant::now())
    }

    /// What was shown is wrong. What begins with it is written down after the answer.
    pub(crate) fn failed(&self, Trying { ticket, account }: Trying, visit: &Visit) {
        for signal in self.guard.failed(ticket, Instant::now()) {
            let Event { action, details, is_of_account } = Event::of(&signal);
            tracing::warn!(?signal, client = visit.address(), request_id = visit.request_id, "{action}");
            // What is no address may be a password that was typed in the wrong place.
            let subject = account.parse::<EmailAddress>().ok().filter(|_| is_of_account);
            let (store, visit) = (self.store.clone(), visit.clone());
            self.background.run(action, async move {
                let subject = subject.as_ref().map_or("", EmailAddress::as_str);
                let entry =
                    Entry { action, outcome: Outcome::Done, actor: "", subject, visit: &visit, details };
                Ok(entry.write_alone(&store).await?)
            });
        }
    }

    pub(crate) fn succeeded(&self, attempt: Trying) {
        self.guard.succeeded(attempt.ticket);
    }

    /// Nothing was decided, for a reason of ours.
    pub(crate) fn withdrawn(&self, attempt: Trying) {
        self.guard.withdrawn(attempt.ticket);
    }

    /// Forgets the failures of an account: on every device, and among those of addresses. Other gateways hear of it by
    /// [`Recovery::tell`].
    pub(crate) fn recover(&self, account: &str) {
        self.guard.recover(&counted(account), Instant::now());
    }

    /// The cookie by which this device is known from now on.
    pub(crate) fn device_cookie(&self, account: &str) -> Result<SecretString, IdentityError> {
        self.devices.issue(&counted(account), SystemTime::now())
    }

    fn known(&self, account: &str, device: &SecretString) -> Option<DeviceId> {
        self.devices.verify(account, device.expose_secret(), SystemTime::now())
    }
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
                self.protection.recover(&row.text("email")?);
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
