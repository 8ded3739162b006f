//! Where a session is at home: the network and the client with which its person was proven last.
//!
//! A session that is used from elsewhere may have been stolen, or its holder sits in a train. So it is not refused: it is
//! marked, asks for another proof where a route asks for a second factor, is held to tighter limits, and policies hear of it.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicBool, Ordering},
};

use bartizan_model::{SessionId, UserId};
use http::{HeaderMap, header};

use super::client_family::ClientFamily;
use crate::account::Visit;

/// Where a session is at home.
#[derive(Debug)]
pub struct Home {
    pub(crate) session: SessionId,
    pub(crate) user: UserId,
    network: Option<Network>,
    /// As it was said, so that most requests are compared without being understood.
    client: String,
    family: ClientFamily,
    /// It was used from elsewhere, and its person has not been proven since.
    moved: AtomicBool,
}

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub struct Visitor<'a> {
    /// The client's address.
    pub address: IpAddr,
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// The request's id.
    pub request_id: &'a str,
}

impl Visitor<'_> {
    /// What the client calls itself.
    pub(crate) fn client(&self) -> &[u8] {
        self.headers.get(header::USER_AGENT).map_or(&[], |value| value.as_bytes())
    }

    /// The same for the audit trail.
    pub(crate) fn visit(&self) -> Visit {
        Visit {
            address: Some(self.address),
            client: String::from_utf8_lossy(self.client()).into_owned(),
            request_id: self.request_id.to_owned(),
            operator: None,
        }
    }
}

/// What counts as one network: an IPv4 /24, an IPv6 /48.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Network {
    V4(u32),
    V6(u128),
}

impl Network {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits() >> 8),
            IpAddr::V6(address) => Self::V6(address.to_bits() >> 80),
        }
    }
}

impl Home {
    pub(crate) fn new(
        (session, user): (SessionId, UserId),
        address: &str,
        client: String,
        moved: bool,
    ) -> Self {
        let network = address.parse().ok().map(Network::of);
        let family = ClientFamily::of(&client);
        Self { session, user, network, client, family, moved: AtomicBool::new(moved) }
    }

    /// Whether a request from there comes from elsewhere.
    pub(crate) fn is_elsewhere(&self, address: IpAddr, said: &[u8]) -> bool {
        // Sessions that began without an address have no home.
        let Some(network) = self.network else { return false };
        network != Network::of(address)
            || (said != self.client.as_bytes() && self.family != ClientFamily::of(&Self::readable(said)))
    }

    /// Whether its person would have to be proven again there, or from where it was used in between.
    pub(crate) fn is_left(&self, visit: &Visit) -> bool {
        let client = visit.client.as_bytes();
        self.has_moved() || visit.address.is_some_and(|address| self.is_elsewhere(address, client))
    }

    /// Whether the session was used from elsewhere since its person was proven.
    pub fn has_moved(&self) -> bool {
        self.moved.load(Ordering::Relaxed)
    }

    /// Marks it; whether it was not yet.
    pub(crate) fn mark(&self) -> bool {
        !self.moved.swap(true, Ordering::Relaxed)
    }

    /// As the store has it, see [`Visit::client`].
    fn readable(said: &[u8]) -> String {
        Visit { client: String::from_utf8_lossy(said).into_owned(), ..Visit::default() }.client()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbouring_address_is_home_and_another_network_is_not() {
        let home = |address: &str| Home::new(("s".into(), "u".into()), address, "curl/8.5.0".into(), false);
        for (begun, used, elsewhere) in [
            ("192.0.2.7", "192.0.2.200", false),
            ("192.0.2.7", "::ffff:192.0.2.200", false),
            ("192.0.2.7", "192.0.3.7", true),
            ("192.0.2.7", "2001:db8::1", true),
            ("2001:db8:1:2::3", "2001:db8:1:ffff::9", false),
            ("2001:db8:1:2::3", "2001:db8:2:2::3", true),
            ("", "192.0.2.7", false),
        ] {
            assert_eq!(
                home(begun).is_elsewhere(used.parse().unwrap(), b"curl/8.9.1"),
                elsewhere,
                "{begun} {used}"
            );
        }
        assert!(home("192.0.2.7").is_elsewhere("192.0.2.7".parse().unwrap(), b"python-requests/2.31"));
        let home = home("192.0.2.7");
        assert!(!home.has_moved() && home.mark() && !home.mark() && home.has_moved());
    }
}
