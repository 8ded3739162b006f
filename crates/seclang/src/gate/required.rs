//! What an operator needs of a value.

use regex_syntax::hir::Hir;

use super::{bytes, literals, lowered};
use crate::byte_set::ByteSet;

/// What a value must have for an operator to hold.
#[derive(Debug, Default)]
pub(crate) struct Required {
    /// One of these literals, without regard to case.
    pub(crate) literals: Option<Vec<Vec<u8>>>,
    /// A byte of each of these sets.
    pub(crate) sets: Vec<ByteSet>,
    /// This many bytes.
    pub(crate) shortest: usize,
}

impl Required {
    pub(crate) fn of_pattern(pattern: &str) -> Self {
        let Some(parsed) = lowered::parse(pattern) else { return Self::default() };
        let literals = literals::required(&parsed);
        Self { literals, sets: bytes::required(&parsed), shortest: shortest(&parsed) }
    }

    /// Any of these texts.
    pub(crate) fn of_literals(literals: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        let literals: Vec<_> = literals.into_iter().map(|literal| literal.as_ref().to_vec()).collect();
        let shortest = literals.iter().map(Vec::len).min().unwrap_or(0);
        let literals = (shortest > 0).then_some(literals);
        Self { literals, sets: Vec::new(), shortest }
    }

    /// A byte of this set.
    pub(crate) fn of_bytes(set: ByteSet) -> Self {
        Self { literals: None, sets: vec![set], shortest: 1 }
    }
}

fn shortest(pattern: &Hir) -> usize {
    pattern.properties().minimum_len().unwrap_or(0)
}
