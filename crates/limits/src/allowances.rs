//! Who is not counted for a while: values and networks that an operator has let off the limits of a policy, until their
//! time has come. Those of gateways that share a store stand there, and each gateway has a copy of them here; all others are
//! this gateway's own and end with it. What a configuration allows for good is in the configuration.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bartizan_config::Dimension;
use bartizan_model::{Name, canonical_network};
use ipnet::IpNet;
use parking_lot::RwLock;

use crate::Nanos;

/// Entries that end by themselves. Without any, asking costs one read of a flag; with all that there may be, about a
/// microsecond.
#[derive(Debug, Default)]
pub struct Allowances {
    entries: RwLock<Entries>,
    /// Whether there may be any.
    any: AtomicBool,
}

#[derive(Debug, Default)]
struct Entries {
    own: Vec<Allowance>,
    /// As the shared store had them when it was asked last, by this gateway's clock.
    shared: Vec<Allowance>,
    /// The store that they are taken from; what any other says comes too late.
    store: Option<StoreNumber>,
    /// How many stores there have been.
    stores: u64,
}

/// Names a store among those that a gateway has had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoreNumber(u64);

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    /// The policy that does not count it; `None`: none does.
    pub policy: Option<Name>,
    /// Whose requests.
    pub whom: Whom,
    /// Until when.
    pub until: Nanos,
}

/// Whose requests are not counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// Those that some rule counts by this value.
    Value(Arc<[u8]>),
    /// Those from these addresses.
    Network(IpNet),
}

/// Who has chosen a value that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    /// The client may have: it stands in a header.
    ByClient,
    /// Somebody that is believed.
    ByOthers,
}

impl Chosen {
    /// Of the value of a rule that counts by these.
    pub fn of(per: &[Dimension]) -> Self {
        match per {
            [Dimension::Header(_)] => Self::ByClient,
            // What is combined with others cannot be mistaken for one of them.
            _ => Self::ByOthers,
        }
    }
}

/// No more entries can be kept: wait until one ends, or take one back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there are {} allowances already: wait until one ends, or take one back", Allowances::MOST)]
pub struct AllowancesFull;

impl Allowances {
    /// The most entries that are kept.
    pub const MOST: usize = 256;

    /// Adds an entry of this gateway's own, or replaces the one for the same policy and the same value or network.
    pub fn set(&self, now: Nanos, new: Allowance) -> Result<(), AllowancesFull> {
        self.change(|entries| add(&mut entries.own, now, new))
    }

    /// Removes this gateway's own entry of this policy before its time; without a policy, all entries for the value or
    /// network. Returns one of what was removed.
    pub fn remove(&self, now: Nanos, policy: Option<&Name>, whom: &Whom) -> Option<Allowance> {
        self.change(|entries| take(&mut entries.own, now, policy, whom))
    }

    /// There is another shared store: what it says counts from now on. Until it has spoken, what the one before said does.
    pub(crate) fn go_by_another_store(&self) -> StoreNumber {
        self.change(|entries| {
            entries.stores += 1;
            let store = StoreNumber(entries.stores);
            entries.store = Some(store);
            store
        })
    }

    /// These stand in the shared store, and no others. `false`: the store is not the one that counts any more.
    pub(crate) fn share(&self, store: StoreNumber, shared: Vec<Allowance>) -> bool {
        self.change(|entries| {
            let counts = entries.store == Some(store);
            if counts {
                entries.shared = shared;
            }
            counts
        })
    }

    /// There is no shared store any more: whoever was let off there is from now on let off here.
    pub(crate) fn adopt(&self) {
        self.change(|entries| {
            let Entries { own, shared, store, .. } = entries;
            *store = None;
            let is_known = |new: &Allowance| own.iter().any(|own| own.is_for(new.policy.as_ref(), &new.whom));
            let adopted: Vec<_> = shared.drain(..).filter(|shared| !is_known(shared)).collect();
            own.extend(adopted.into_iter().take(Self::MOST.saturating_sub(own.len())));
        });
    }

    fn change<T>(&self, change: impl FnOnce(&mut Entries) -> T) -> T {
        let mut entries = self.entries.write();
        let changed = change(&mut entries);
        self.any.store(entries.each().next().is_some(), Ordering::Release);
        changed
    }

    /// All entries, in the order in which they end.
    pub fn list(&self, now: Nanos) -> Vec<Allowance> {
        let mut listed: Vec<_> =
            self.entries.read().each().filter(|entry| entry.until > now).cloned().collect();
        listed.sort_by_key(|entry| entry.until);
        listed
    }

    /// Until when a policy does not count requests from all of this network, a single address for most, or by this value. An entry for every policy means no
    /// value that clients choose: whoever writes somebody's address into a header is not who was meant. Reads the clock
    /// only where there are entries.
    pub fn until(
        &self,
        now: impl FnOnce() -> Nanos,
        policy: &Name,
        network: Option<IpNet>,
        (value, chosen): (&[u8], Chosen),
    ) -> Option<Nanos> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let (now, asked) = (now(), network.map(canonical_network));
        let is_meant = |whom: &Whom| match whom {
            Whom::Value(allowed) => **allowed == *value,
            Whom::Network(network) => asked.is_some_and(|asked| network.contains(&asked)),
        };
        let entries = self.entries.read();
        let meant = entries.each().filter(|entry| {
            let is_policy = match &entry.policy {
                Some(allowing) => allowing == policy,
                None => chosen == Chosen::ByOthers || matches!(entry.whom, Whom::Network(_)),
            };
            is_policy && is_meant(&entry.whom)
        });
        meant.map(|entry| entry.until).filter(|until| *until > now).max()
    }
}

impl Entries {
    fn each(&self) -> impl Iterator<Item = &Allowance> {
        self.own.iter().chain(&self.shared)
    }
}

/// Adds an entry to these, or replaces the one for the same.
pub(crate) fn add(entries: &mut Vec<Allowance>, now: Nanos, new: Allowance) -> Result<(), AllowancesFull> {
    entries.retain(|entry| entry.until > now && !entry.is_for(new.policy.as_ref(), &new.whom));
    if entries.len() >= Allowances::MOST {
        return Err(AllowancesFull);
    }
    entries.push(new);
    Ok(())
}

/// Removes the entry of this policy from these, or without a policy all for the value or network. Returns one of them.
pub(crate) fn take(
    entries: &mut Vec<Allowance>,
    now: Nanos,
    policy: Option<&Name>,
    whom: &Whom,
) -> Option<Allowance> {
    entries.retain(|entry| entry.until > now);
    let is_meant =
        |entry: &mut Allowance| entry.whom == *whom && (policy.is_none() || entry.policy.as_ref() == policy);
    entries.extract_if(.., is_meant).last()
}

impl Allowance {
    fn is_for(&self, policy: Option<&Name>, whom: &Whom) -> bool {
        self.policy.as_ref() == policy && self.whom == *whom
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowance(policy: &str, whom: Whom, until: u64) -> Allowance {
        Allowance { policy: Some(policy.parse().unwrap()), whom, until: Nanos::new(until) }
    }

    fn value(value: &str) -> Whom {
        Whom::Value(value.as_bytes().into())
    }

    #[test]
    fn who_is_allowed_is_so_in_one_policy_and_until_then() {
        let allowances = Allowances::default();
        let network = Whom::Network("192.0.2.0/24".parse().unwrap());
        for entry in [allowance("api", value("ada"), 10), allowance("api", network.clone(), 20)] {
            allowances.set(Nanos::new(0), entry).unwrap();
        }
        let cases = [
            ("api", None, "ada", 9, Some(10)),
            ("api", None, "ada", 10, None),
            ("api", None, "grace", 9, None),
            ("login", None, "ada", 9, None),
            ("api", Some("192.0.2.7/32"), "grace", 19, Some(20)),
            ("api", Some("::ffff:192.0.2.7/128"), "ada", 0, Some(20)),
            ("api", Some("192.0.3.7/32"), "grace", 19, None),
            ("api", Some("192.0.2.7/32"), "grace", 20, None),
            ("api", Some("192.0.2.64/26"), "grace", 19, Some(20)),
            ("api", Some("192.0.2.0/23"), "grace", 19, None),
        ];
        for (policy, network, value, now, expected) in cases {
            let network = network.map(|network| network.parse().unwrap());
            let until = allowances.until(
                || Nanos::new(now),
                &policy.parse().unwrap(),
                network,
                (value.as_bytes(), Chosen::ByOthers),
            );
            assert_eq!(until.map(Nanos::get), expected, "{policy} {network:?} {value} {now}");
        }
        assert_eq!(allowances.list(Nanos::new(10)), [allowance("api", network.clone(), 20)]);
        let api = "api".parse().unwrap();
        assert!(allowances.remove(Nanos::new(10), Some(&api), &value("ada")).is_none(), "it has ended");
        assert!(allowances.remove(Nanos::new(10), Some(&api), &network).is_some());
        assert_eq!(
            allowances.until(|| unreachable!("nothing is left"), &api, None, (b"ada", Chosen::ByOthers)),
            None
        );
    }

    #[test]
    fn an_entry_without_a_policy_is_for_every_one_and_ends_those_of_single_ones() {
        let (allowances, now) = (Allowances::default(), Nanos::new(0));
        let everywhere = Allowance { policy: None, ..allowance("api", value("ada"), 10) };
        for entry in [allowance("api", value("ada"), 20), everywhere, allowance("api", value("grace"), 5)] {
            allowances.set(now, entry).unwrap();
        }
        let until = |policy: &str, value: &[u8]| {
            let policy = policy.parse().unwrap();
            allowances.until(|| now, &policy, None, (value, Chosen::ByOthers)).map(Nanos::get)
        };
        assert_eq!((until("api", b"ada"), until("login", b"ada")), (Some(20), Some(10)));
        assert_eq!((until("api", b"grace"), until("login", b"grace")), (Some(5), None));
        let login: Name = "login".parse().unwrap();
        assert!(allowances.remove(now, Some(&login), &value("ada")).is_none(), "it has none of its own");
        assert!(allowances.remove(now, None, &value("ada")).is_some());
        assert_eq!(
            (until("api", b"ada"), until("login", b"ada"), until("api", b"grace")),
            (None, None, Some(5))
        );
    }

    #[test]
    fn an_entry_without_a_policy_lets_nobody_off_who_writes_the_value() {
        let (allowances, now, login) = (Allowances::default(), Nanos::new(0), "login".parse().unwrap());
        let everywhere = |whom| Allowance { policy: None, ..allowance("api", whom, 10) };
        for entry in [everywhere(value("203.0.113.7")), allowance("api", value("tenant"), 20)] {
            allowances.set(now, entry).unwrap();
        }
        let until = |policy: &Name, value: &[u8], chosen| {
            allowances.until(|| now, policy, None, (value, chosen)).map(Nanos::get)
        };
        assert_eq!(until(&login, b"203.0.113.7", Chosen::ByOthers), Some(10));
        assert_eq!(until(&login, b"203.0.113.7", Chosen::ByClient), None);
        let api = "api".parse().unwrap();
        assert_eq!(
            until(&api, b"tenant", Chosen::ByClient),
            Some(20),
            "who names the policy knows what it counts by"
        );
        let network = Whom::Network("192.0.2.0/24".parse().unwrap());
        allowances.set(now, everywhere(network)).unwrap();
        let address = Some("192.0.2.7/32".parse().unwrap());
        assert!(allowances.until(|| now, &login, address, (b"x", Chosen::ByClient)).is_some());
    }

    #[test]
    fn what_stands_in_the_store_counts_beside_what_is_our_own_and_stays_when_there_is_no_store_any_more() {
        let (allowances, now) = (Allowances::default(), Nanos::new(0));
        let until = |value: &[u8]| {
            let api = "api".parse().unwrap();
            allowances.until(|| now, &api, None, (value, Chosen::ByOthers)).map(Nanos::get)
        };
        allowances.set(now, allowance("api", value("ada"), 10)).unwrap();
        let store = allowances.go_by_another_store();
        let said = [allowance("api", value("ada"), 20), allowance("api", value("grace"), 30)];
        assert!(allowances.share(store, said.to_vec()));
        assert_eq!((until(b"ada"), until(b"grace")), (Some(20), Some(30)));
        assert!(allowances.share(store, vec![allowance("api", value("grace"), 40)]));
        assert_eq!((until(b"ada"), until(b"grace")), (Some(10), Some(40)));
        let api = "api".parse().unwrap();
        assert!(allowances.remove(now, Some(&api), &value("grace")).is_none(), "it is not our own");
        allowances.adopt();
        assert!(
            !allowances.share(store, vec![allowance("api", value("late"), 50)]),
            "it is not asked any more"
        );
        assert_eq!((until(b"ada"), until(b"grace"), until(b"late")), (Some(10), Some(40), None));
        assert!(allowances.remove(now, Some(&api), &value("grace")).is_some(), "now it is our own");
    }

    #[test]
    fn of_two_stores_the_later_one_counts() {
        let (allowances, now) = (Allowances::default(), Nanos::new(0));
        let [first, second] = [(); 2].map(|()| allowances.go_by_another_store());
        assert!(allowances.share(second, vec![allowance("api", value("ada"), 10)]));
        assert!(!allowances.share(first, vec![allowance("api", value("grace"), 10)]));
        assert_eq!(allowances.list(now), [allowance("api", value("ada"), 10)]);
    }

    #[test]
    fn the_list_is_bounded_and_what_has_ended_makes_room() {
        let allowances = Allowances::default();
        let set = |number: usize, now, until| {
            allowances.set(Nanos::new(now), allowance("api", value(&number.to_string()), until))
        };
        (0..Allowances::MOST).for_each(|number| set(number, 0, 10 + u64::from(number > 0)).unwrap());
        assert_eq!(set(Allowances::MOST, 0, 10), Err(AllowancesFull));
        assert_eq!(set(0, 0, 10), Ok(()), "replaces its own");
        assert_eq!(set(Allowances::MOST, 10, 20), Ok(()));
        assert_eq!(allowances.list(Nanos::new(10)).len(), Allowances::MOST);
    }
}
