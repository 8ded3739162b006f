//! A glance at a position of a value that rules nearly all literals out which could begin there.
//!
//! Two bytes decide first, in a table that fits the fastest cache; where they could begin a literal, the bytes behind
//! them decide. Bytes are told apart by 64 classes, without regard to case, so a position may pass in vain.

/// Classes of bytes: letters and marks alone, digits and what is left together.
const CLASSES: [u8; 256] = classes();

const CLASS_BITS: u32 = 6;

/// How long a beginning is that tells a literal from others; longer literals go on behind theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    Two,
    Three,
    Four,
}

impl Head {
    const ALL: [Self; 3] = [Self::Two, Self::Three, Self::Four];

    /// Of a literal of this length.
    pub(super) fn of(length: usize) -> Self {
        match length {
            0..=2 => Self::Two,
            3 => Self::Three,
            _ => Self::Four,
        }
    }

    pub(super) fn length(self) -> usize {
        self as usize + 2
    }

    const fn flag(self) -> u8 {
        1 << self as u8
    }
}

#[derive(Clone, Debug)]
pub(super) struct Filter {
    /// For each pair of classes, the heads that begin with it.
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
            let head = Head::of(literal.len());
            let [first, second, ..] = *literal else { continue };
            filter.pairs[pair(first, second) as usize] |= head.flag();
            let key = key(literal, head);
            match head {
                Head::Two => {}
                Head::Three => filter.threes.set(key),
                Head::Four => filter.fours.set(key),
            }
        }
        filter
    }

    /// Where the filter keeps what it knows of this literal; others may be kept there, too.
    pub(super) fn place(literal: &[u8]) -> (u8, usize) {
        let head = Head::of(literal.len());
        let key = key(literal, head);
        (head.flag(), if head == Head::Two { key as usize } else { Bits::bit(key) })
    }

    /// Lets nothing pass any more of which nothing but this head is kept in its place.
    pub(super) fn forget(&mut self, value: &[u8], head: Head) {
        let key = key(value, head);
        match head {
            Head::Two => self.pairs[key as usize] &= !head.flag(),
            Head::Three => self.threes.unset(key),
            Head::Four => self.fours.unset(key),
        }
    }

    /// The heads that may stand at the beginning of a text.
    #[inline]
    pub(super) fn heads(&self, rest: &[u8]) -> Heads {
        let [first, second, rest @ ..] = rest else { return Heads(0) };
        let pair = pair(*first, *second);
        let flags = self.pairs[pair as usize];
        if flags & !Head::Two.flag() == 0 {
            return Heads(flags);
        }
        let Some(three) = rest.first().map(|third| longer(pair, *third)) else {
            return Heads(flags & Head::Two.flag());
        };
        let is_three = self.threes.has(three);
        let is_four = rest.get(1).is_some_and(|fourth| self.fours.has(longer(three, *fourth)));
        let three = if is_three { Head::Three.flag() } else { 0 };
        let four = if is_four { Head::Four.flag() } else { 0 };
        Heads(flags & (Head::Two.flag() | three | four))
    }
}

/// The heads that may stand somewhere.
#[derive(Clone, Copy)]
pub(super) struct Heads(u8);

impl Heads {
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Head> {
        Head::ALL.into_iter().filter(move |head| self.0 & head.flag() != 0)
    }
}

fn key(literal: &[u8], head: Head) -> u32 {
    literal.iter().take(head.length()).fold(0, |key, byte| longer(key, *byte))
}

fn pair(first: u8, second: u8) -> u32 {
    longer(u32::from(CLASSES[usize::from(first)]), second)
}

fn longer(key: u32, byte: u8) -> u32 {
    key << CLASS_BITS | u32::from(CLASSES[usize::from(byte)])
}

/// Hashed numbers, of which one may be taken for another.
#[derive(Clone, Debug)]
struct Bits(Box<[u64; 1024]>);

impl Bits {
    fn new() -> Self {
        Self(Box::new([0; 1024]))
    }

    fn set(&mut self, key: u32) {
        let bit = Self::bit(key);
        self.0[bit >> 6] |= 1 << (bit & 63);
    }

    fn unset(&mut self, key: u32) {
        let bit = Self::bit(key);
        self.0[bit >> 6] &= !(1 << (bit & 63));
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
    const DIGITS: u8 = 26;
    const MARKS: u8 = 29;
    const OTHERS: u8 = 62;
    let mut classes = [0; 256];
    let (mut byte, mut marks) = (0_usize, 0);
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "at most 255")]
        let lower = (byte as u8).to_ascii_lowercase();
        classes[byte] = match lower {
            b'a'..=b'z' => lower - b'a',
            b'0'..=b'9' => DIGITS + (lower - b'0') % (MARKS - DIGITS),
            b' '..=b'~' => {
                marks += 1;
                MARKS + marks - 1
            }
            other => OTHERS + other % 2,
        };
        byte += 1;
    }
    classes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{CLASSES, Filter, Head};

    #[test]
    fn marks_have_classes_of_their_own() {
        let marks = || (b' '..=b'~').filter(|byte| !byte.is_ascii_alphanumeric());
        for mark in marks() {
            let class = CLASSES[usize::from(mark)];
            assert!(
                class < 62 && (0..=u8::MAX).filter(|byte| CLASSES[usize::from(*byte)] == class).count() == 1
            );
        }
    }

    proptest! {
        #[test]
        fn no_literal_is_overlooked(
            literals in prop::collection::vec("[a-c<]{2,6}", 1..6), value in "[a-cA-C< ]{0,40}",
        ) {
            let filter = Filter::new(literals.iter().map(String::as_bytes));
            let lower = value.to_ascii_lowercase();
            for literal in &literals {
                for (at, _) in lower.match_indices(literal) {
                    let found = filter.heads(&value.as_bytes()[at..]);
                    prop_assert!(found.iter().any(|head| head == Head::of(literal.len())), "{literal}");
                }
            }
        }
    }
}
