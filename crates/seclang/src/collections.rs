//! What rules write: `TX` of one exchange here, and the collections that outlive it.

mod memory;
mod persistent;
mod values;

use std::collections::BTreeMap;

use smallvec::SmallVec;

use crate::compile::{Mentioned, Slot};

pub(crate) use self::persistent::Collections;
pub use self::{
    memory::MemoryCollections,
    persistent::{CollectionName, CollectionStore, StoredValue, ValueChange},
};

/// A value that rules wrote: mostly a number, which needs no memory of its own.
pub(crate) type Written = SmallVec<[u8; 24]>;

/// `TX`: the variables of one exchange.
#[derive(Debug)]
pub(crate) struct Tx {
    slots: Box<[Option<Written>]>,
    /// Under names that rules put together.
    others: BTreeMap<Vec<u8>, Written>,
}

impl Tx {
    pub(crate) fn new(names: &Mentioned) -> Self {
        Self { slots: vec![None; names.len()].into(), others: BTreeMap::new() }
    }

    /// The memory that all of it takes.
    pub(crate) fn held_bytes(&self) -> usize {
        let spilled = |value: &Written| if value.spilled() { value.capacity() } else { 0 };
        let other = |(name, value): (&Vec<u8>, &Written)| {
            name.capacity() + spilled(value) + size_of::<(Vec<u8>, Written)>()
        };
        size_of_val(&*self.slots)
            + self.slots.iter().flatten().map(spilled).sum::<usize>()
            + self.others.iter().map(other).sum::<usize>()
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<&[u8]> {
        self.slots.get(slot.0)?.as_deref()
    }

    pub(crate) fn set(&mut self, slot: Slot, value: Option<&[u8]>) {
        if let Some(place) = self.slots.get_mut(slot.0) {
            *place = value.map(Written::from_slice);
        }
    }

    pub(crate) fn get_named(&self, name: &[u8], names: &Mentioned) -> Option<&[u8]> {
        let name = name.to_ascii_lowercase();
        match names.slot(&name) {
            Some(slot) => self.get(slot),
            None => self.others.get(&name).map(AsRef::as_ref),
        }
    }

    pub(crate) fn set_named(&mut self, name: &[u8], value: Option<&[u8]>, names: &Mentioned) {
        let name = name.to_ascii_lowercase();
        match (names.slot(&name), value) {
            (Some(slot), value) => self.set(slot, value),
            (None, Some(value)) if self.others.len() < MOST_NAMED || self.others.contains_key(&name) => {
                self.others.insert(name, Written::from_slice(value));
            }
            (None, Some(_)) => {}
            (None, None) => {
                self.others.remove(&name);
            }
        }
    }

    /// Every value with its name.
    pub(crate) fn iter<'a>(&'a self, names: &'a Mentioned) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let slots = names.iter().filter_map(|(slot, name)| Some((name, self.get(slot)?)));
        slots.chain(self.others())
    }

    /// Every value that no rule mentions by name, with its name.
    pub(crate) fn others(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.others.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
    }
}

/// Most values that `TX` holds under names that rules put together. Rules that count parameters by their names must have
/// room for as many as are looked at: what is not counted is not found.
const MOST_NAMED: usize = 16_384;
