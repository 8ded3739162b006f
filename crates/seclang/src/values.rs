//! What an exchange holds, as rules name it: for each variable its values, with names where it has several.
//!
//! Only what does not change while a phase runs is here; what rules write is in `collections`.

use smallvec::SmallVec;

use crate::{
    ast::{Initial, Variable},
    buffers::{BufferId, Buffers, Span},
    rule_set::Selection,
};

/// A value and its name, which is empty where a variable has one value only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Entry {
    pub(crate) name: Span,
    pub(crate) value: BufferId,
}

#[derive(Debug)]
pub(crate) struct Values {
    tables: Box<[Table]>,
    /// What variables say at first that have not changed.
    empty: [Entry; 1],
    zero: [Entry; 1],
    /// The version at first.
    first_version: u32,
    /// How often anything has changed since.
    version: u32,
}

#[derive(Clone, Debug)]
struct Table {
    entries: SmallVec<[Entry; 2]>,
    /// What [`Values::version`] was when this changed for the last time.
    version: u32,
}

impl Values {
    /// Nothing but what is always there, in this version.
    pub(crate) fn new(buffers: &mut Buffers, version: u32) -> Self {
        let initial = |value: &[u8], buffers: &mut Buffers| {
            [Entry { name: Span::default(), value: buffers.push(value) }]
        };
        let (empty, zero) = (initial(b"", buffers), initial(b"0", buffers));
        let table = Table { entries: SmallVec::new(), version };
        let tables = vec![table; Variable::ALL.len()].into();
        Self { tables, empty, zero, first_version: version, version }
    }

    /// The memory that the tables take; the values themselves are in the buffers.
    pub(crate) fn held_bytes(&self) -> usize {
        let entries = |table: &Table| if table.entries.spilled() { table.entries.capacity() } else { 0 };
        self.tables.iter().map(|table| size_of::<Table>() + entries(table) * size_of::<Entry>()).sum()
    }

    pub(crate) fn of(&self, variable: Variable) -> &[Entry] {
        let table = &self.tables[variable as usize];
        match variable.at_first() {
            Some(initial) if table.version == self.first_version => match initial {
                Initial::Empty => &self.empty,
                Initial::Zero => &self.zero,
            },
            _ => &table.entries,
        }
    }

    /// How often anything has changed, counted on from the version at first.
    pub(crate) fn version(&self) -> u32 {
        self.version
    }

    /// What the version was when this variable changed for the last time.
    pub(crate) fn version_of(&self, variable: Variable) -> u32 {
        self.tables[variable as usize].version
    }

    fn change(&mut self, variable: Variable) -> &mut SmallVec<[Entry; 2]> {
        self.version += 1;
        let table = &mut self.tables[variable as usize];
        table.version = self.version;
        &mut table.entries
    }

    pub(crate) fn add(&mut self, variable: Variable, entry: Entry) {
        self.change(variable).push(entry);
    }

    /// The only value of a variable. It is there even if it is empty: a rule may ask what it is not.
    pub(crate) fn set(&mut self, variable: Variable, value: &[u8], buffers: &mut Buffers) {
        self.clear(variable);
        let value = buffers.push(value);
        self.add(variable, Entry { name: Span::default(), value });
    }

    fn clear(&mut self, variable: Variable) {
        self.change(variable).clear();
    }

    /// The values that are meant.
    pub(crate) fn select(&self, selection: &Selection, buffers: &Buffers) -> impl Iterator<Item = Entry> {
        let chosen = |entry: &&Entry| selection.names.cover(buffers.name(entry.name));
        self.of(selection.variable).iter().filter(chosen).copied()
    }
}
