//! `validateByteRange`: which bytes a value may hold.

use std::ops::Range;

use crate::{byte_set::ByteSet, error::Problem};

/// The bytes that are allowed.
#[derive(Debug)]
pub(super) struct Allowed {
    bytes: ByteSet,
}

impl Allowed {
    /// Reads `9,10,13,32-126`.
    pub(super) fn parse(argument: &str) -> Result<Self, Problem> {
        let mut bytes = ByteSet::EMPTY;
        for part in argument.split(',').map(str::trim) {
            let range = range(part).ok_or_else(|| {
                Problem::invalid("validateByteRange", part, "a byte or a range of bytes, such as `32-126`")
            })?;
            bytes = bytes.with_range(*range.start(), *range.end());
        }
        Ok(Self { bytes })
    }

    /// The bytes that are not.
    pub(super) fn others(&self) -> ByteSet {
        self.bytes.complement()
    }

    /// The first byte that is not allowed.
    pub(super) fn find_other(&self, value: &[u8]) -> Option<Range<usize>> {
        let position = value.iter().position(|byte| !self.bytes.contains(*byte))?;
        Some(position..position + 1)
    }
}

fn range(part: &str) -> Option<std::ops::RangeInclusive<u8>> {
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    let first: u8 = first.trim().parse().ok()?;
    let last: u8 = last.trim().parse().ok()?;
    (first <= last).then_some(first..=last)
}
