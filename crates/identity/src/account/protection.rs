//! Slows guessing down: five failures, then a pause, apart for strangers and for devices that the account knows.
//!
//! Each gateway counts for itself. Those that share a store ([`crate::Together`]) count together besides: five attempts at
//! all of them, then a pause that does not grow.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{Arc, OnceLock},
    time::{Instant, SystemTime},
};

use aws_lc_rs::hmac;
use bartizan_store::Store;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};

use super::{AccountError, Visit, shared_secret::SharedSecret};
use crate::{
    IdentityError, Together,
    attempts::{
        Admission, Attempt, DeviceCookies, DeviceId, Factor, LoginGuard, LoginProtection, Origin, ResetGuard,
        Signal, Ticket,
    },
    password::Password,
};

/// Counts the attempts of this gateway.
#[derive(Debug)]
pub(crate) struct Protection {
    guard: LoginGuard,
    messages: ResetGuard,
    devices: DeviceCookies,
    /// Makes the names under which gateways count together.
    naming: hmac::Key,
    together: OnceLock<Arc<dyn Together>>,
}

/// An attempt under way.
#[derive(Debug)]
#[must_use]
pub(crate) struct Begun {
    here: Ticket,
    /// The names of the account's attempts and of the address's, where gateways count them together.
    account: Option<String>,
    address: Option<String>,
}

/// The longest account that is counted by itself.
const LONGEST_ACCOUNT: usize = 254;

impl Protection {
    pub(crate) async fn open(store: &Store) -> Result<Self, AccountError> {
        let key = SharedSecret::DeviceCookie.of(store).await?;
        let devices = DeviceCookies::new(&key);
        let key = SharedSecret::Attempts.of(store).await?;
        Ok(Self {
            guard: LoginGuard::new(LoginProtection::default())?,
            messages: ResetGuard::default(),
            devices,
            naming: hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()),
            together: OnceLock::new(),
        })
    }

    /// From now on attempts are counted by all gateways together as well. What the address lists, messages and credential
    /// stuffing need stays with each.
    pub(crate) fn count_with(&self, together: Arc<dyn Together>) {
        // INVARIANT: a process has one such memory; a second one would change nothing.
        let _ = self.together.set(together);
    }

    /// Asks for an attempt, before anything is checked.
    pub(crate) async fn begin(
        &self,
        account: &str,
        device: Option<&SecretString>,
        password: Option<&Password>,
        visit: &Visit,
    ) -> Result<Begun, AccountError> {
        self.begin_attempt(account, Factor::Password, device, password, visit).await
    }

    /// The same for what is shown besides the password.
    pub(crate) async fn begin_factor(
        &self,
        account: &str,
        factor: Factor,
        device: Option<&SecretString>,
        visit: &Visit,
    ) -> Result<Begun, AccountError> {
        self.begin_attempt(account, factor, device, None, visit).await
    }

    async fn begin_attempt(
        &self,
        account: &str,
        factor: Factor,
        device: Option<&SecretString>,
        password: Option<&Password>,
        visit: &Visit,
    ) -> Result<Begun, AccountError> {
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
            Admission::Admitted(ticket) => self.begin_together(ticket, &attempt).await,
            Admission::Paused { retry_after, .. } => Err(AccountError::Paused(retry_after)),
        }
    }

    /// Counts an attempt that is admitted here at all gateways. While they cannot be asked, this one's count decides.
    async fn begin_together(&self, here: Ticket, attempt: &Attempt<'_>) -> Result<Begun, AccountError> {
        let Some(together) = self.together.get() else {
            return Ok(Begun { here, account: None, address: None });
        };
        let is_stranger = attempt.origin == Origin::Stranger;
        let account = self.named(&("account", attempt.account, attempt.factor, attempt.origin));
        let address =
            is_stranger.then(|| self.named(&("address", client_of(attempt.address), attempt.factor)));
        let rules = LoginProtection::default();
        let mut counted: Vec<&String> = Vec::with_capacity(2);
        for name in [Some(&account), address.as_ref()].into_iter().flatten() {
            if let Some(Some(wait)) = together.attempt(name, rules).await {
                for name in counted {
                    let _ = together.take_back(name.clone()).await;
                }
                self.guard.withdrawn(here);
                return Err(AccountError::Paused(wait));
            }
            counted.push(name);
        }
        Ok(Begun { here, account: Some(account), address })
    }

    /// The name of what gateways count together: it tells nobody what it is.
    fn named(&self, what: &impl std::fmt::Debug) -> String {
        let tag = hmac::sign(&self.naming, format!("attempts {what:?}").as_bytes());
        URL_SAFE_NO_PAD.encode(tag)
    }

    /// Tells the other gateways, in the background: nobody waits for it.
    fn tell(&self, forgotten: Vec<String>, taken_back: Vec<String>) {
        let Some(together) = self.together.get().map(Arc::clone) else { return };
        tokio::spawn(async move {
            for name in forgotten {
                let _ = together.forget(name).await;
            }
            for name in taken_back {
                let _ = together.take_back(name).await;
            }
        });
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

    pub(crate) fn failed(&self, begun: Begun, visit: &Visit) {
        for signal in self.guard.failed(begun.here, Instant::now()) {
            let (client, request_id) = (visit.address(), visit.request_id.as_str());
            match signal {
                Signal::Paused { scope, pause } => {
                    tracing::warn!(
                        ?scope,
                        ?pause,
                        client,
                        request_id,
                        "logins are paused: too many have failed"
                    );
                }
                Signal::ManyAccountsFromNetwork { accounts } => {
                    tracing::warn!(accounts, client, request_id, "one network tries many accounts");
                }
                Signal::OnePasswordForManyAccounts { accounts } => {
                    tracing::warn!(accounts, client, request_id, "one password is tried on many accounts");
                }
            }
        }
    }

    pub(crate) fn succeeded(&self, begun: Begun) {
        self.guard.succeeded(begun.here);
        self.tell(begun.account.into_iter().collect(), begun.address.into_iter().collect());
    }

    /// Nothing was decided, for a reason of ours.
    pub(crate) fn withdrawn(&self, begun: Begun) {
        self.guard.withdrawn(begun.here);
        self.tell(Vec::new(), begun.account.into_iter().chain(begun.address).collect());
    }

    /// Ends the pauses of an account for strangers.
    pub(crate) fn recover(&self, account: &str) {
        let account = counted(account);
        self.guard.recover(&account, None);
        let name = |factor| self.named(&("account", account.as_str(), factor, Origin::Stranger));
        self.tell(Factor::ALL.into_iter().map(name).collect(), Vec::new());
    }

    /// The cookie by which this device is known from now on.
    pub(crate) fn device_cookie(&self, account: &str) -> Result<SecretString, IdentityError> {
        self.devices.issue(&counted(account), SystemTime::now())
    }

    fn known(&self, account: &str, device: &SecretString) -> Option<DeviceId> {
        self.devices.verify(account, device.expose_secret(), SystemTime::now())
    }
}

/// What counts as one client: an IPv4 address, an IPv6 /64.
fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

/// An account in its one form, whether it exists or not.
fn counted(account: &str) -> String {
    account.trim().chars().take(LONGEST_ACCOUNT).collect::<String>().to_lowercase()
}
