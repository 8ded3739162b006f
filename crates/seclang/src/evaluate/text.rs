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
        let mut expanded = Written::new();
        for piece in text.pieces() {
            match piece {
                Piece::Literal(literal) => expanded.extend_from_slice(literal),
                Piece::Tx(slot) => expanded.extend_from_slice(self.state.tx.get(*slot).unwrap_or_default()),
                Piece::Variable(variable, name) => {
                    let mut value = Vec::new();
                    self.append(*variable, name.as_deref(), &mut value);
                    expanded.extend_from_slice(&value);
                }
            }
        }
        expanded
    }

    /// For people: what is not UTF-8 is replaced.
    pub(super) fn readable(&self, text: &Text) -> String {
        /// A message that repeats a whole body helps nobody.
        const LONGEST: usize = 1024;
        let expanded = self.expanded(text);
        String::from_utf8_lossy(expanded.get(..LONGEST).unwrap_or(&expanded)).into_owned()
    }

    /// Appends the first value that is meant; whether there is one.
    pub(super) fn append(&self, variable: Variable, name: Option<&[u8]>, text: &mut Vec<u8>) -> bool {
        if let (Variable::Tx, Some(name)) = (variable, name) {
            let value = self.state.tx.get_named(name, &self.rules.mentioned);
            text.extend_from_slice(value.unwrap_or_default());
            return value.is_some();
        }
        let names = name.map_or(Names::All, |name| Names::One(name.into()));
        let selection = Selection { variable, names };
        if variable.changes_within_phase() {
            let first = self.changing_values(&selection).into_iter().next();
            text.extend_from_slice(first.as_ref().map_or(&[], |(_, value)| value));
            return first.is_some();
        }
        let first = self.state.values.select(&selection, &self.state.buffers).next();
        text.extend_from_slice(first.map_or(&[], |entry| self.state.buffers.bytes(entry.value)));
        first.is_some()
    }
}
