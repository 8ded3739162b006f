//! What an operator found, for `MATCHED_VAR`, `logdata` and the captures `TX:0` to `TX:9`.

use std::ops::Range;

/// Where an operator matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The part of the value that made the difference; all of it where no part can be named.
    pub range: Range<usize>,
    /// What `capture` keeps, by number; empty unless it was asked for. At most ten.
    pub captured: Vec<Captured>,
    /// What `@detectSQLi` recognised.
    pub fingerprint: Option<String>,
}

/// One capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Captured {
    /// A part of the value.
    Part(Range<usize>),
    /// A text that the operator gives instead: the fingerprint of an SQL injection.
    Text(String),
    /// A group that took no part in the match: what `TX` holds under its number stays.
    Nothing,
}

impl Match {
    pub(super) fn at(range: Range<usize>) -> Self {
        Self { range, captured: Vec::new(), fingerprint: None }
    }

    pub(super) fn whole(value: &[u8]) -> Self {
        Self::at(0..value.len())
    }

    /// What operators without groups capture: the match itself.
    pub(super) fn with_itself_captured(mut self) -> Self {
        let captured = match &self.fingerprint {
            Some(fingerprint) => Captured::Text(fingerprint.clone()),
            None => Captured::Part(self.range.clone()),
        };
        self.captured = vec![captured];
        self
    }
}
