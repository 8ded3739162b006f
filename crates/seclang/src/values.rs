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
    tables: Box<[SmallVec<[Entry; 2]>]>,
}

impl Default for Values {
    fn default() -> Self {
        Self { tables: vec![SmallVec::new(); Variable::ALL.len()].into() }
    }
}

impl Values {
    pub(crate) fn of(&self, variable: Variable) -> &[Entry] {
        &self.tables[variable as usize]
    }

    pub(crate) fn add(&mut self, variable: Variable, entry: Entry) {
        self.tables[variable as usize].push(entry);
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
        self.tables[variable as usize].clear();
    }

    /// The values that are meant.
    pub(crate) fn select(&self, selection: &Selection, buffers: &Buffers) -> impl Iterator<Item = Entry> {
        let chosen = |entry: &&Entry| selection.names.cover(buffers.name(entry.name));
        self.of(selection.variable).iter().filter(chosen).copied()
    }
}
