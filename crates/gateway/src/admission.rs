//! How many connections there may be: in all, from one address, and from one network.
//!
//! A connection over a limit is closed without a byte: answering it would spend what the limit protects. Trusted
//! proxies speak for many clients and are counted in all only.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bartizan_config::Hardening;
use bartizan_model::AddressPrefix;

/// The connections of all proxy listeners together.
#[derive(Debug, Default)]
pub(crate) struct Admission(Mutex<Counts>);

/// As large as there are connections: an entry goes with its last one.
#[derive(Debug, Default)]
struct Counts {
    total: usize,
    addresses: HashMap<IpAddr, usize>,
    prefixes: HashMap<AddressPrefix, usize>,
}

/// Which limit a connection was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OverLimit {
    /// `max_connections`.
    #[error("too many connections in all")]
    Total,
    /// `connections_per_address`.
    #[error("too many connections from one address")]
    Address,
    /// `connections_per_prefix`.
    #[error("too many connections from one network")]
    Prefix,
}

impl OverLimit {
    /// Its name in metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Address => "address",
            Self::Prefix => "prefix",
        }
    }
}

impl Admission {
    /// No connections yet.
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Admits one more connection, if `max_connections` has room.
    pub(crate) fn enter(self: &Arc<Self>, limits: &Hardening) -> Result<Permit, OverLimit> {
        let mut counts = self.counts();
        if counts.total >= limits.max_connections {
            return Err(OverLimit::Total);
        }
        counts.total += 1;
        Ok(Permit { admission: Arc::clone(self), address: None })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that was admitted; counted until dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    admission: Arc<Admission>,
    address: Option<IpAddr>,
}

impl Permit {
    /// Counts the connection for `address` too, if it and its network have room.
    pub(crate) fn count(&mut self, address: IpAddr, limits: &Hardening) -> Result<(), OverLimit> {
        let address = address.to_canonical();
        let mut counts = self.admission.counts();
        if self.address.is_some() {
            return Ok(());
        }
        let prefix = AddressPrefix::of(address);
        if counts.addresses.get(&address).is_some_and(|&count| count >= limits.connections_per_address) {
            return Err(OverLimit::Address);
        }
        if counts.prefixes.get(&prefix).is_some_and(|&count| count >= limits.connections_per_prefix) {
            return Err(OverLimit::Prefix);
        }
        *counts.addresses.entry(address).or_default() += 1;
        *counts.prefixes.entry(prefix).or_default() += 1;
        drop(counts);
        self.address = Some(address);
        Ok(())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.admission.counts();
        counts.total = counts.total.saturating_sub(1);
        if let Some(address) = self.address {
            leave(&mut counts.addresses, address);
            leave(&mut counts.prefixes, AddressPrefix::of(address));
        }
    }
}

fn leave<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: K) {
    if let Entry::Occupied(mut entry) = counts.entry(key) {
        *entry.get_mut() -= 1;
        if *entry.get() == 0 {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Hardening {
        Hardening {
            max_connections: 5,
            connections_per_address: 2,
            connections_per_prefix: 3,
            ..Hardening::default()
        }
    }

    fn connect(admission: &Arc<Admission>, address: &str) -> Result<Permit, OverLimit> {
        let mut permit = admission.enter(&limits())?;
        permit.count(address.parse().unwrap(), &limits())?;
        Ok(permit)
    }

    #[test]
    fn every_limit_holds_and_is_given_back() {
        let admission = Admission::new();
        let mut held = vec![
            connect(&admission, "192.0.2.1").unwrap(),
            connect(&admission, "::ffff:192.0.2.1").unwrap(),
            connect(&admission, "192.0.2.2").unwrap(),
        ];
        assert_eq!(connect(&admission, "192.0.2.1").unwrap_err(), OverLimit::Address);
        assert_eq!(connect(&admission, "192.0.2.3").unwrap_err(), OverLimit::Prefix);
        held.push(connect(&admission, "2001:db8::1").unwrap());
        held.push(connect(&admission, "2001:db8::2").unwrap());
        assert_eq!(connect(&admission, "198.51.100.1").unwrap_err(), OverLimit::Total);

        held.remove(0);
        held.push(connect(&admission, "192.0.2.1").unwrap());
        drop(held);
        let counts = admission.counts();
        assert_eq!((counts.total, counts.addresses.len(), counts.prefixes.len()), (0, 0, 0));
    }

    #[test]
    fn a_connection_is_counted_once() {
        let admission = Admission::new();
        let mut permit = connect(&admission, "192.0.2.1").unwrap();
        permit.count("192.0.2.9".parse().unwrap(), &limits()).unwrap();
        drop(permit);
        assert!(admission.counts().addresses.is_empty());
    }
}
