//! A glance at a position of a value that rules nearly all literals out which could begin there.
//!
//! Three bytes decide first, in a table that fits the fastest cache; where they could begin a literal, one more decides.
//! Bytes are told apart by 64 classes, without regard to case, so a position may pass in vain.

use std::borrow::Cow;

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

#[derive(Debug)]
pub(super) struct Filter {
    pub(super) following: Following,
    following_without_twos: Following,
    /// For each pair of classes, the heads that begin with it.
    pairs: Box<[u8; PAIRS]>,
    threes: Bits,
    fours: Bits,
}

const PAIRS: usize = 1 << (2 * CLASS_BITS);

/// For each pair of classes, the classes behind it with which a literal may begin, as bits.
#[derive(Clone, Debug)]
pub(super) struct Following(Box<[u64; PAIRS]>);

/// All of it, of which some may be forgotten on the way through one value.
pub(super) struct Everything<'f> {
    following: Cow<'f, Following>,
    without_twos: &'f Following,
}

impl Following {
    #[expect(clippy::large_stack_arrays, reason = "only while rules are loaded")]
    fn new() -> Self {
        Self(Box::new([0; PAIRS]))
    }

    /// The first position from `from` on at which a literal may begin, if three bytes at least are left there.
    pub(super) fn next(&self, value: &[u8], from: usize) -> Option<usize> {
        let [first, second, behind @ ..] = value.get(from..)? else { return None };
        let mut pair = pair(*first, *second) as usize;
        let may_begin = |byte: &u8| {
            let class = CLASSES[usize::from(*byte)];
            let following = self.0[pair % PAIRS];
            pair = pair << CLASS_BITS | usize::from(class);
            following >> class & 1 == 1
        };
        behind.iter().position(may_begin).map(|at| from + at)
    }
}

impl Filter {
    /// Of literals of two bytes at least.
    pub(super) fn new<'l>(literals: impl Iterator<Item = &'l [u8]>) -> Self {
        let mut filter = Self {
            following: Following::new(),
            following_without_twos: Following::new(),
            pairs: Box::new([0; PAIRS]),
            threes: Bits::new(),
            fours: Bits::new(),
        };
        for literal in literals {
            let head = Head::of(literal.len());
            let [first, second, ..] = *literal else { continue };
            let pair = pair(first, second) as usize;
            filter.pairs[pair] |= head.flag();
            let third = literal.get(2).map(|third| 1 << CLASSES[usize::from(*third)]);
            filter.following.0[pair] |= third.unwrap_or(u64::MAX);
            filter.following_without_twos.0[pair] |= third.unwrap_or(0);
            let key = key(literal, head);
            match head {
                Head::Two => {}
                Head::Three => filter.threes.set(key),
                Head::Four => filter.fours.set(key),
            }
        }
        filter
    }

    /// The positions at which any literal may begin.
    pub(super) fn everything(&self) -> Everything<'_> {
        Everything { following: Cow::Borrowed(&self.following), without_twos: &self.following_without_twos }
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

impl Everything<'_> {
    /// As [`Following::next`].
    pub(super) fn next(&self, value: &[u8], from: usize) -> Option<usize> {
        self.following.next(value, from)
    }

    /// Leaves out positions with the first two bytes of this text that are there only because both are a literal: it was
    /// found.
    pub(super) fn forget_two(&mut self, value: &[u8]) {
        if let Some(pair) = told_apart(value) {
            self.following.to_mut().0[pair as usize] = self.without_twos.0[pair as usize];
        }
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

/// The pair of classes that a text begins with, if they are those of no other bytes.
fn told_apart(value: &[u8]) -> Option<u32> {
    let [first, second, ..] = *value else { return None };
    (is_told_apart(first) && is_told_apart(second)).then(|| pair(first, second))
}

/// Whether a byte has a class of its own, but for its case.
fn is_told_apart(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !byte.is_ascii_digit()
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
    use std::iter::successors;

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
            let everything = filter.everything();
            let next = |from: &usize| everything.next(value.as_bytes(), *from);
            let candidates: Vec<_> = successors(next(&0), |at| next(&(at + 1))).collect();
            for literal in &literals {
                for (at, _) in lower.match_indices(literal) {
                    let found = filter.heads(&value.as_bytes()[at..]);
                    prop_assert!(found.iter().any(|head| head == Head::of(literal.len())), "{literal}");
                    prop_assert!(at + 2 == value.len() || candidates.contains(&at), "{literal}");
                }
            }
        }
    }
}
