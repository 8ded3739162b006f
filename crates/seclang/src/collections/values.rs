//! The values of one collection, which are never more than a bound: rules may write what a client has sent.

use std::{collections::BTreeMap, time::SystemTime};

use super::{StoredValue, ValueChange};
use crate::operator::number;

/// Most values of a collection.
const MOST_VALUES: usize = 4096;
/// The most memory of a collection, in bytes. What does not fit is not written.
const MOST_BYTES: usize = 64 << 10;
/// About what a value takes besides its name and itself, in bytes.
const OF_EACH: usize = size_of::<(Vec<u8>, Value)>() + 32;

#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    values: BTreeMap<Vec<u8>, Value>,
    bytes: usize,
}

#[derive(Clone, Debug)]
struct Value {
    value: Vec<u8>,
    expires: Option<SystemTime>,
}

impl Values {
    pub(super) fn of(kept: Vec<StoredValue>) -> Self {
        let mut values = Self::default();
        for StoredValue { name, value, expires } in kept {
            values.put(&name, Value { value, expires });
        }
        values
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The memory that they take, about.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.values.get(name).map(|value| value.value.as_slice())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.values.iter().map(|(name, value)| (name.as_slice(), value.value.as_slice()))
    }

    /// Those whose time is not up.
    pub(super) fn fresh(&self, now: SystemTime) -> Vec<StoredValue> {
        let fresh = self.values.iter().filter(|(_, value)| !value.is_over(now));
        let stored = |(name, value): (&Vec<u8>, &Value)| StoredValue {
            name: name.clone(),
            value: value.value.clone(),
            expires: value.expires,
        };
        fresh.map(stored).collect()
    }

    /// Changes a value, and says what it is then.
    pub(super) fn change(&mut self, name: &[u8], change: ValueChange<'_>, now: SystemTime) -> Option<&[u8]> {
        let before = self.take(name).filter(|value| !value.is_over(now));
        let expires = before.as_ref().and_then(|value| value.expires);
        let after = match change {
            ValueChange::Set(value) => Some(Value { value: value.to_vec(), expires }),
            ValueChange::Add(summand) => {
                let before = before.as_ref().map_or(0, |value| number(&value.value));
                let sum = itoa::Buffer::new().format(before.saturating_add(summand)).as_bytes().to_vec();
                Some(Value { value: sum, expires })
            }
            ValueChange::Remove => None,
            ValueChange::Expire(expires) => {
                before.as_ref().map(|value| Value { value: value.value.clone(), expires: Some(expires) })
            }
        };
        if let Some(after) = after
            && !self.put(name, after)
            && let Some(before) = before
        {
            self.put(name, before);
        }
        self.get(name)
    }

    fn take(&mut self, name: &[u8]) -> Option<Value> {
        let value = self.values.remove(name)?;
        self.bytes -= cost(name, &value);
        Some(value)
    }

    /// Writes a value that is not there, if there is room for it.
    fn put(&mut self, name: &[u8], value: Value) -> bool {
        let cost = cost(name, &value);
        let fits = self.values.len() < MOST_VALUES && self.bytes + cost <= MOST_BYTES;
        if fits {
            self.bytes += cost;
            self.values.insert(name.to_vec(), value);
        }
        fits
    }
}

impl Value {
    fn is_over(&self, now: SystemTime) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

fn cost(name: &[u8], value: &Value) -> usize {
    name.len() + value.value.len() + OF_EACH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collection_is_bounded_and_keeps_what_it_has() {
        let (mut values, now) = (Values::default(), SystemTime::now());
        assert_eq!(values.change(b"count", ValueChange::Add(1), now), Some(b"1".as_slice()));
        let long = vec![b'a'; MOST_BYTES];
        assert_eq!(values.change(b"count", ValueChange::Set(&long), now), Some(b"1".as_slice()));
        for number in 0..MOST_VALUES * 2 {
            values.change(format!("other {number}").as_bytes(), ValueChange::Set(b"1"), now);
        }
        assert!(values.bytes() <= MOST_BYTES && values.values.len() <= MOST_VALUES);
        let counted: usize = values.values.iter().map(|(name, value)| cost(name, value)).sum();
        assert_eq!(values.bytes(), counted);
        assert_eq!(values.get(b"count"), Some(b"1".as_slice()));
        let names: Vec<_> = values.values.keys().cloned().collect();
        for name in names {
            assert_eq!(values.change(&name, ValueChange::Remove, now), None);
        }
        assert_eq!((values.is_empty(), values.bytes()), (true, 0));
    }
}
