//! A set of bytes: which occur in a value, which a pattern cannot match without.

/// Which of the 256 bytes are in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct ByteSet([u64; 4]);

/// `A` to `Z` in the second word.
const CAPITALS: u64 = 0x07ff_fffe;

impl ByteSet {
    pub(crate) const EMPTY: Self = Self([0; 4]);

    pub(crate) const fn with(mut self, byte: u8) -> Self {
        self.0[(byte >> 6) as usize] |= 1 << (byte & 63);
        self
    }

    pub(crate) const fn with_range(mut self, first: u8, last: u8) -> Self {
        let mut byte = first;
        while byte < last {
            self = self.with(byte);
            byte += 1;
        }
        self.with(last)
    }

    pub(crate) const fn of(bytes: &[u8]) -> Self {
        let (mut set, mut at) = (Self::EMPTY, 0);
        while at < bytes.len() {
            set = set.with(bytes[at]);
            at += 1;
        }
        set
    }

    pub(crate) const fn contains(&self, byte: u8) -> bool {
        self.0[(byte >> 6) as usize] >> (byte & 63) & 1 == 1
    }

    pub(crate) fn intersects(&self, other: &Self) -> bool {
        let ([a, b, c, d], other) = (self.0, other.0);
        a & other[0] | b & other[1] | c & other[2] | d & other[3] != 0
    }

    pub(crate) fn add(&mut self, other: &Self) {
        let ([a, b, c, d], other) = (self.0, other.0);
        self.0 = [a | other[0], b | other[1], c | other[2], d | other[3]];
    }

    /// With the small letter of each capital that is in.
    pub(crate) fn with_small_letters(mut self) -> Self {
        self.0[1] |= (self.0[1] & CAPITALS) << 32;
        self
    }

    /// With the small letter of each capital in its place.
    pub(crate) fn in_lower_case(self) -> Self {
        let mut lower = self.with_small_letters();
        lower.0[1] &= !CAPITALS;
        lower
    }

    pub(crate) fn complement(self) -> Self {
        Self(self.0.map(|word| !word))
    }

    pub(crate) fn and(self, other: &Self) -> Self {
        let ([a, b, c, d], other) = (self.0, other.0);
        Self([a & other[0], b & other[1], c & other[2], d & other[3]])
    }

    /// Which bytes are in, in order.
    pub(crate) fn bytes(self) -> impl Iterator<Item = u8> {
        [0, 64, 128, 192].into_iter().zip(self.0).flat_map(|(first, mut word)| {
            std::iter::from_fn(move || {
                let bit = word.trailing_zeros();
                word &= word.wrapping_sub(1);
                u8::try_from(bit).ok().filter(|bit| *bit < 64).map(|bit| first + bit)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::ByteSet;

    #[test]
    fn a_set_holds_what_was_put_into_it() {
        let set = ByteSet::of(b"az").with_range(0x3f, 0x41).with(0xff);
        assert_eq!(set.bytes().collect::<Vec<_>>(), [0x3f, 0x40, 0x41, b'a', b'z', 0xff]);
        assert!(set.intersects(&ByteSet::of(b"z")) && !set.intersects(&ByteSet::of(b"y")));
        assert_eq!(set.complement().complement(), set);
        assert!(!set.intersects(&set.complement()));
        let both = ByteSet::of(b"AzZ@[").with_small_letters();
        assert_eq!(both, ByteSet::of(b"AazZ@["));
        assert_eq!(both.in_lower_case(), ByteSet::of(b"az@["));
        assert_eq!(ByteSet::EMPTY.complement().bytes().count(), 256);
    }
}
