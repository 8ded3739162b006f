//! `MATCHED_VAR` and its kin.

use crate::{
    ast::Variable,
    buffers::{BufferId, Buffers, Mark, Span},
};

/// What matched last, and all that matched in this rule.
#[derive(Debug, Default)]
pub(super) struct LastMatch {
    pub(super) variable: Option<(Variable, bool)>,
    /// Within its variable.
    pub(super) name: Vec<u8>,
    /// Where the value stands; a copy is made only where it would go.
    place: Option<BufferId>,
    /// The value that has no place.
    copy: Vec<u8>,
    /// By all links of the rule that is being asked.
    pub(super) all: Vec<MatchedEntry>,
}

/// A value that matched.
#[derive(Clone, Copy, Debug)]
pub(super) struct MatchedEntry {
    pub(super) variable: Variable,
    pub(super) is_count: bool,
    pub(super) name: Span,
    pub(super) value: BufferId,
}

impl LastMatch {
    /// This matched.
    pub(super) fn is(&mut self, entry: MatchedEntry, buffers: &Buffers) {
        self.is_called(entry.variable, entry.is_count, buffers.name(entry.name));
        self.place = Some(entry.value);
    }

    /// A value matched that has no place.
    pub(super) fn is_copied(&mut self, variable: Variable, is_count: bool, name: &[u8], value: &[u8]) {
        self.is_called(variable, is_count, name);
        self.place = None;
        self.copy.clear();
        self.copy.extend_from_slice(value);
    }

    fn is_called(&mut self, variable: Variable, is_count: bool, name: &[u8]) {
        self.variable = Some((variable, is_count));
        self.name.clear();
        self.name.extend_from_slice(name);
    }

    pub(super) fn value<'v>(&'v self, buffers: &'v Buffers) -> &'v [u8] {
        self.place.map_or(&self.copy, |place| buffers.bytes(place))
    }

    /// Keeps the value: its place goes.
    pub(super) fn keep(&mut self, buffers: &Buffers) {
        if let Some(place) = self.place.take() {
            self.copy.clear();
            self.copy.extend_from_slice(buffers.bytes(place));
        }
    }

    /// Keeps the value if it was added since: its place goes then.
    pub(super) fn keep_if_behind(&mut self, mark: Mark, buffers: &Buffers) {
        if self.place.is_some_and(|place| mark.is_before(place)) {
            self.keep(buffers);
        }
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.name.capacity() + self.copy.capacity() + self.all.capacity() * size_of::<MatchedEntry>()
    }
}
