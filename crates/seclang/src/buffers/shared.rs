//! Values that came before, so that many equal ones are looked at once.

use super::BufferId;

/// Values, each in the one place that it may have; a later one takes that of an earlier one.
#[derive(Debug, Default)]
pub(super) struct Shared {
    places: Vec<Option<BufferId>>,
    /// How many came before any was remembered.
    first: usize,
}

/// Of so few values none are remembered.
const FEW: usize = 64;

/// Bits of a place's number.
const BITS: u32 = 10;

impl Shared {
    /// The place of a value, unless it is among the first few.
    pub(super) fn place(&mut self, value: &[u8]) -> Option<&mut Option<BufferId>> {
        if self.first < FEW {
            self.first += 1;
            return None;
        }
        self.places.resize(1 << BITS, None);
        self.places.get_mut(place(value))
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.places.capacity() * size_of::<Option<BufferId>>()
    }
}

/// Multiplicative hashing (Knuth, volume 3, section 6.4), eight bytes at a time.
///
/// Who finds values with the same place gains nothing: each of them is looked at, as if nothing were remembered.
fn place(value: &[u8]) -> usize {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, rest) = value.as_chunks::<8>();
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
    let mix =
        |hash: u64, word: &[u8; 8]| (hash.rotate_left(29) ^ u64::from_le_bytes(*word)).wrapping_mul(FACTOR);
    let hash = words.iter().chain([&last]).fold(value.len() as u64, mix);
    (hash >> (u64::BITS - BITS)) as usize
}
