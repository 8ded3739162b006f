//! Literals of one byte: who knows which bytes a value holds need not look for them.

use super::index::open;
use crate::byte_set::ByteSet;

/// The gates that single bytes open.
#[derive(Debug)]
pub(super) struct Singles {
    /// All of these bytes, capitals too.
    bytes: ByteSet,
    /// For each byte where its gates stand in [`Self::gates`].
    places: Box<[(u32, u32); 256]>,
    gates: Vec<u16>,
}

impl Singles {
    /// Of bytes in lower case, each with its gates.
    pub(super) fn new(literals: impl Iterator<Item = (u8, Vec<u16>)>) -> Self {
        let mut singles = Self { bytes: ByteSet::EMPTY, places: Box::new([(0, 0); 256]), gates: Vec::new() };
        for (byte, gates) in literals {
            let start = singles.end();
            singles.gates.extend(gates);
            for case in [byte, byte.to_ascii_uppercase()] {
                singles.bytes = singles.bytes.with(case);
                singles.places[usize::from(case)] = (start, singles.end());
            }
        }
        singles
    }

    /// INVARIANT: of 256 bytes each opens 65,536 gates at most.
    fn end(&self) -> u32 {
        u32::try_from(self.gates.len()).unwrap_or(u32::MAX)
    }

    /// Opens the gates of a value that holds these bytes.
    pub(super) fn open(&self, present: &ByteSet, hits: &mut [u64]) {
        for byte in self.bytes.and(present).bytes() {
            let (start, end) = self.places[usize::from(byte)];
            open(self.gates.get(start as usize..end as usize).unwrap_or_default(), hits);
        }
    }
}
