//! Texts with macros, filled in.

use super::Reader;
use crate::{
    ast::Variable,
    collections::Written,
    compile::{Piece, Text},
    exclusion::Names,
    rule_set::Selection,
};

impl Reader<'_> {
    /// What a text says now; a macro for something that does not exist says nothing.
    pub(super) fn expanded(&self, text: &Text) -> Written {
        self.expanded_up_to(text, usize::MAX)
    }

    /// As [`Self::expanded`], with no more than this many bytes of each piece.
    fn expanded_up_to(&self, text: &Text, most: usize) -> Written {
        let mut expanded = Written::new();
        for piece in text.pieces() {
            let mut append = |value: &[u8]| expanded.extend_from_slice(value.get(..most).unwrap_or(value));
            match piece {
                Piece::Literal(literal) => append(literal),
                Piece::Tx(slot) => append(self.state.tx.get(*slot).unwrap_or_default()),
                Piece::Variable(variable, name) => {
                    self.first(*variable, name.as_deref(), append);
                }
            }
        }
        expanded
    }

    /// For people: what is not UTF-8 is replaced.
    pub(super) fn readable(&self, text: &Text) -> String {
        /// A message that repeats a whole body helps nobody.
        const LONGEST: usize = 1024;
        let expanded = self.expanded_up_to(text, LONGEST);
        String::from_utf8_lossy(expanded.get(..LONGEST).unwrap_or(&expanded)).into_owned()
    }

    /// Hands over the first value that is meant; whether there is one.
    pub(super) fn first(&self, variable: Variable, name: Option<&[u8]>, found: impl FnOnce(&[u8])) -> bool {
        if let (Variable::Tx, Some(name)) = (variable, name) {
            return self.state.tx.get_named(name, &self.rules.mentioned).map(found).is_some();
        }
        let names = name.map_or(Names::All, |name| Names::One(name.into()));
        let selection = Selection { variable, names };
        if variable.changes_within_phase() {
            let mut found = Some(found);
            self.each_selected(&selection, |_, value| {
                if let Some(found) = found.take() {
                    found(value);
                }
            });
            return found.is_none();
        }
        let first = self.state.values.select(&selection, &self.state.buffers).next();
        first.map(|entry| found(self.state.buffers.bytes(entry.value))).is_some()
    }
}
