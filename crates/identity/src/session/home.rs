//! Where a session is at home: the networks from which its person was proven lately, and the client with which they were
//! proven last. One network would not do: a machine with IPv4 and IPv6 uses both, a telephone the flat's and the provider's.
//!
//! A session that is used from elsewhere may have been stolen, or its holder sits in a train. So it is not refused: it is
//! marked, asks for another proof where a route asks for a second factor, is held to tighter limits, and policies hear of it.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::atomic::{AtomicBool, Ordering},
};

use bartizan_model::{SessionId, UserId};
use http::{HeaderMap, header};
use smallvec::SmallVec;

use super::client_family::ClientFamily;
use crate::account::Visit;

/// How many networks a session is at home in.
const NETWORKS: usize = 4;

/// Where a session is at home.
#[derive(Debug)]
pub struct Home {
    pub(crate) session: SessionId,
    pub(crate) user: UserId,
    /// The latest first. None: it began without an address.
    networks: SmallVec<[Network; NETWORKS]>,
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

    /// Its first address.
    fn address(self) -> IpAddr {
        match self {
            Self::V4(bits) => Ipv4Addr::from_bits(bits << 8).into(),
            Self::V6(bits) => Ipv6Addr::from_bits(bits << 80).into(),
        }
    }
}

impl Home {
    /// `address` is where its person was proven last, `earlier` where before, as [`Home::proven_at`] has it.
    pub(crate) fn new(
        (session, user): (SessionId, UserId),
        (address, earlier): (&str, &str),
        client: String,
        moved: bool,
    ) -> Self {
        let mut networks = SmallVec::new();
        for address in std::iter::once(address).chain(earlier.split_whitespace()) {
            networks
                .extend(address.parse().ok().map(Network::of).filter(|network| !networks.contains(network)));
            networks.truncate(NETWORKS);
        }
        let family = ClientFamily::of(&client);
        Self { session, user, networks, client, family, moved: AtomicBool::new(moved) }
    }

    /// Its networks once its person was proven there, too, for the store.
    pub(crate) fn proven_at(&self, address: Option<IpAddr>) -> String {
        let there = address.map(Network::of);
        let others = self.networks.iter().copied().filter(|network| Some(*network) != there);
        let kept = there.into_iter().chain(others).take(NETWORKS);
        kept.map(|network| network.address().to_string()).collect::<Vec<_>>().join(" ")
    }

    /// Whether a request from there comes from elsewhere.
    pub(crate) fn is_elsewhere(&self, address: IpAddr, said: &[u8]) -> bool {
        // Sessions that began without an address have no home.
        if self.networks.is_empty() {
            return false;
        }
        !self.networks.contains(&Network::of(address))
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
        let home =
            |address: &str| Home::new(("s".into(), "u".into()), (address, ""), "curl/8.5.0".into(), false);
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

    #[test]
    fn the_last_networks_that_were_proven_are_home() {
        let home = |address: &str, earlier: &str| {
            Home::new(("s".into(), "u".into()), (address, earlier), "curl/8.5.0".into(), false)
        };
        let mut networks = String::new();
        for address in
            ["192.0.2.7", "2001:db8:1:2::3", "192.0.2.9", "198.51.100.7", "203.0.113.5", "10.1.2.3"]
        {
            networks = home(address, &networks).proven_at(address.parse().ok());
        }
        assert_eq!(networks, "10.1.2.0 203.0.113.0 198.51.100.0 192.0.2.0");
        let home = home("10.1.2.3", &networks);
        for (used, elsewhere) in
            [("192.0.2.200", false), ("203.0.113.9", false), ("2001:db8:1:ffff::9", true), ("10.1.3.3", true)]
        {
            assert_eq!(home.is_elsewhere(used.parse().unwrap(), b"curl/8.9.1"), elsewhere, "{used}");
        }
        assert_eq!(home.proven_at(None), networks, "it is not known where");
    }
}
