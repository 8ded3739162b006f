//! Slows guessing down: five failures, then a pause, apart for strangers and for devices that the account knows.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::{Instant, SystemTime},
};

use bartizan_store::Store;
use secrecy::{ExposeSecret, SecretString};

use super::{AccountError, Visit, shared_secret::SharedSecret};
use crate::{
    IdentityError,
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
}

/// The longest account that is counted by itself.
const LONGEST_ACCOUNT: usize = 254;

impl Protection {
    pub(crate) async fn open(store: &Store) -> Result<Self, AccountError> {
        let key = SharedSecret::DeviceCookie.of(store).await?;
        let devices = DeviceCookies::new(&key);
        Ok(Self {
            guard: LoginGuard::new(LoginProtection::default())?,
            messages: ResetGuard::default(),
            devices,
        })
    }

    /// Asks for an attempt, before anything is checked.
    pub(crate) fn begin(
        &self,
        account: &str,
        device: Option<&SecretString>,
        password: Option<&Password>,
        visit: &Visit,
    ) -> Result<Ticket, AccountError> {
        self.begin_attempt(account, Factor::Password, device, password, visit)
    }

    /// The same for what is shown besides the password.
    pub(crate) fn begin_factor(
        &self,
        account: &str,
        factor: Factor,
        device: Option<&SecretString>,
        visit: &Visit,
    ) -> Result<Ticket, AccountError> {
        self.begin_attempt(account, factor, device, None, visit)
    }

    fn begin_attempt(
        &self,
        account: &str,
        factor: Factor,
        device: Option<&SecretString>,
        password: Option<&Password>,
        visit: &Visit,
    ) -> Result<Ticket, AccountError> {
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
            Admission::Admitted(ticket) => Ok(ticket),
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

    pub(crate) fn failed(&self, ticket: Ticket, visit: &Visit) {
        for signal in self.guard.failed(ticket, Instant::now()) {
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

    pub(crate) fn succeeded(&self, ticket: Ticket) {
        self.guard.succeeded(ticket);
    }

    /// Nothing was decided, for a reason of ours.
    pub(crate) fn withdrawn(&self, ticket: Ticket) {
        self.guard.withdrawn(ticket);
    }

    /// Ends the pauses of an account for strangers.
    pub(crate) fn recover(&self, account: &str) {
        self.guard.recover(&counted(account), None);
    }

    /// The cookie by which this device is known from now on.
    pub(crate) fn device_cookie(&self, account: &str) -> Result<SecretString, IdentityError> {
        self.devices.issue(&counted(account), SystemTime::now())
    }

    fn known(&self, account: &str, device: &SecretString) -> Option<DeviceId> {
        self.devices.verify(account, device.expose_secret(), SystemTime::now())
    }
}

/// An account in its one form, whether it exists or not.
fn counted(account: &str) -> String {
    account.trim().chars().take(LONGEST_ACCOUNT).collect::<String>().to_lowercase()
}
