//! A glance at a value that rules nearly all positions out at which a literal could begin.
//!
//! Two bytes decide first, in a table that fits the fastest cache; where they could begin a literal, the bytes behind
//! them decide. Bytes are told apart by 64 classes, without regard to case, so a position may pass in vain.

/// Classes of bytes: letters, digits, and what is left, some together.
const CLASSES: [u8; 256] = classes();

const CLASS_BITS: u32 = 6;

/// Of a pair: a literal of two bytes.
const ENDS: u8 = 1;
/// Of a pair: a literal of three bytes begins so.
const GOES_ON: u8 = 2;
/// Of a pair: a longer literal begins so.
const GOES_FAR: u8 = 4;

#[derive(Debug)]
pub(super) struct Filter {
    pairs: Box<[u8; 1 << (2 * CLASS_BITS)]>,
    threes: Bits,
    fours: Bits,
}

impl Filter {
    /// Of literals of two bytes at least.
    pub(super) fn new<'l>(literals: impl Iterator<Item = &'l [u8]>) -> Self {
        let mut filter =
            Self { pairs: Box::new([0; 1 << (2 * CLASS_BITS)]), threes: Bits::new(), fours: Bits::new() };
        for literal in literals {
            let (pair, flag) = match *literal {
                [first, second] => (pair(first, second), ENDS),
                [first, second, third] => {
                    filter.threes.set(longer(pair(first, second), third));
                    (pair(first, second), GOES_ON)
                }
                [first, second, third, fourth, ..] => {
                    filter.fours.set(longer(longer(pair(first, second), third), fourth));
                    (pair(first, second), GOES_FAR)
                }
                _ => continue,
            };
            filter.pairs[pair as usize] |= flag;
        }
        filter
    }

    /// The first position at which a literal may begin.
    pub(super) fn first(&self, value: &[u8]) -> Option<usize> {
        (0..value.len().saturating_sub(1)).find(|at| self.may_begin(value.get(*at..).unwrap_or_default()))
    }

    fn may_begin(&self, rest: &[u8]) -> bool {
        let [first, second, rest @ ..] = rest else { return false };
        let pair = pair(*first, *second);
        let flags = self.pairs[pair as usize];
        if flags == 0 {
            return false;
        }
        let three = || rest.first().map(|third| longer(pair, *third));
        let four = || Some(longer(three()?, *rest.get(1)?));
        flags & ENDS != 0
            || flags & GOES_ON != 0 && three().is_some_and(|three| self.threes.has(three))
            || flags & GOES_FAR != 0 && four().is_some_and(|four| self.fours.has(four))
    }
}

fn pair(first: u8, second: u8) -> u32 {
    longer(u32::from(CLASSES[usize::from(first)]), second)
}

fn longer(key: u32, byte: u8) -> u32 {
    key << CLASS_BITS | u32::from(CLASSES[usize::from(byte)])
}

/// Hashed numbers, of which one may be taken for another.
#[derive(Debug)]
struct Bits(Box<[u64; 1024]>);

impl Bits {
    fn new() -> Self {
        Self(Box::new([0; 1024]))
    }

    fn set(&mut self, key: u32) {
        let bit = Self::bit(key);
        self.0[bit >> 6] |= 1 << (bit & 63);
    }

    fn has(&self, key: u32) -> bool {
        let bit = Self::bit(key);
        self.0[bit >> 6] >> (bit & 63) & 1 == 1
    }

    /// Multiplicative hashing (Knuth, volume 3, section 6.4): the upper 16 bits of 32.
    fn bit(key: u32) -> usize {
        (key.wrapping_mul(0x9e37_79b1) >> 16) as usize
    }
}

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0_usize;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "at most 255")]
        let lower = (byte as u8).to_ascii_lowercase();
        classes[byte] = match lower {
            b'a'..=b'z' => lower - b'a',
            b'0'..=b'9' => 26 + (lower - b'0') % 5,
            b' ' => 31,
            other => 32 + other % 32,
        };
        byte += 1;
    }
    classes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Filter;

    proptest! {
        #[test]
        fn no_literal_is_overlooked(
            literals in prop::collection::vec("[a-c<]{2,6}", 1..6), value in "[a-cA-C< ]{0,40}",
        ) {
            let filter = Filter::new(literals.iter().map(String::as_bytes));
            let lower = value.to_ascii_lowercase();
            let first = literals.iter().filter_map(|literal| lower.find(literal)).min();
            let found = filter.first(value.as_bytes());
            prop_assert!(first.is_none_or(|first| found.is_some_and(|found| found <= first)));
        }
    }
}
