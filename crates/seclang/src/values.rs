//! What an exchange holds, as rules name it: for each variable its values, with names where it has several.
//!
//! Only what does not change while a phase runs is here; what rules write is in `collections`.

use smallvec::SmallVec;

use crate::{
    ast::Variable,
    buffers::{BufferId, Buffers, Span},
    rule_set::Selection,
};

/// A value and its name, which is empty where a variable has one value only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) name: Span,
    pub(crate) value: BufferId,
}

#[derive(Debug)]
pub(crate) struct Values {
    tables: Box<[Table]>,
    /// How often anything has changed.
    version: u32,
}

#[derive(Clone, Debug, Default)]
struct Table {
    entries: SmallVec<[Entry; 2]>,
    /// What [`Values::version`] was when this changed for the last time.
    version: u32,
}

impl Default for Values {
    fn default() -> Self {
        Self { tables: vec![Table::default(); Variable::ALL.len()].into(), version: 0 }
    }
}

impl Values {
    pub(crate) fn of(&self, variable: Variable) -> &[Entry] {
        &self.tables[variable as usize].entries
    }

    /// How often anything has changed.
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

    /// The only value of a variable. An empty one is as good as none: rules do not see it, but for the last part of a
    /// path, which rules ask what it does not end with.
    pub(crate) fn set(&mut self, variable: Variable, value: &[u8], buffers: &mut Buffers) {
        self.clear(variable);
        if !value.is_empty() || variable == Variable::RequestBasename {
            let value = buffers.push(value);
            self.add(variable, Entry { name: Span::default(), value });
        }
    }

    pub(crate) fn clear(&mut self, variable: Variable) {
        self.change(variable).clear();
    }

    /// The values that are meant.
    pub(crate) fn select(&self, selection: &Selection, buffers: &Buffers) -> impl Iterator<Item = Entry> {
        let chosen = |entry: &&Entry| selection.names.cover(buffers.name(entry.name));
        self.of(selection.variable).iter().filter(chosen).copied()
    }
}
