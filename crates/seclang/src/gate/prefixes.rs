//! The literals themselves, found by how they begin.

use super::filter::Head;

/// Literals are this long at most, so that one comparison of words tells whether one stands somewhere.
pub(super) const LONGEST: usize = 8;

/// Literals of two bytes or more, in lower case.
#[derive(Debug)]
pub(super) struct Prefixes {
    /// For each hashed beginning where its literals stand, and one more for the end.
    starts: Box<[u32]>,
    literals: Box<[Literal]>,
    /// The gates of all literals, one literal after the other.
    gates: Box<[u16]>,
    /// How many bits of a hash count.
    bits: u32,
}

#[derive(Clone, Copy, Debug)]
struct Literal {
    text: u64,
    /// The bits of a window that are to be like the text.
    mask: u64,
    length: u32,
    /// Where its gates stand in [`Prefixes::gates`].
    gates: (u32, u32),
}

/// The bytes from some position of a value on, in lower case, as far as a literal can reach.
#[derive(Clone, Copy)]
pub(super) struct Window {
    /// Zeros stand behind the end of the value.
    pub(super) text: u64,
    length: usize,
}

impl Window {
    pub(super) fn new(rest: &[u8]) -> Self {
        let mut bytes = [0; LONGEST];
        let length = rest.len().min(LONGEST);
        if let Some(all) = rest.first_chunk::<LONGEST>() {
            bytes = *all;
        } else {
            bytes.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
        }
        bytes.make_ascii_lowercase();
        Self { text: u64::from_le_bytes(bytes), length }
    }

    /// The first bytes alone.
    fn head(self, length: usize) -> u64 {
        self.text & mask(length)
    }
}

impl Prefixes {
    /// Of literals in lower case, each with the gates that it opens.
    pub(super) fn new(literals: &[(Vec<u8>, Vec<u16>)]) -> Self {
        let bits = (literals.len() * 2).next_power_of_two().trailing_zeros().max(1);
        let mut sorted: Vec<_> = literals
            .iter()
            .map(|(literal, gates)| {
                let window = Window::new(literal);
                (bucket(window, Head::of(literal.len()), bits), window, gates)
            })
            .collect();
        sorted.sort_by_key(|(bucket, ..)| *bucket);
        let mut all_gates = Vec::new();
        let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let literals = sorted.iter().map(|(_, window, gates)| {
            let start = narrow(all_gates.len());
            all_gates.extend_from_slice(gates);
            let gates = (start, narrow(all_gates.len()));
            Literal { text: window.text, mask: mask(window.length), length: narrow(window.length), gates }
        });
        let literals = literals.collect();
        let starts = (0..=1_usize << bits)
            .map(|number| narrow(sorted.partition_point(|(bucket, ..)| *bucket < number)))
            .collect();
        Self { starts, literals, gates: all_gates.into(), bits }
    }

    /// The gates of each literal that stands at the beginning of a window, of those with such a head.
    #[inline]
    pub(super) fn at(&self, window: Window, head: Head) -> impl Iterator<Item = &[u16]> {
        let bucket = bucket(window, head, self.bits);
        let (start, end) = (self.starts[bucket] as usize, self.starts[bucket + 1] as usize);
        let literals = self.literals.get(start..end).unwrap_or_default();
        literals.iter().filter(move |literal| literal.stands_in(window, head)).map(|literal| {
            let (start, end) = literal.gates;
            self.gates.get(start as usize..end as usize).unwrap_or_default()
        })
    }
}

impl Literal {
    fn stands_in(&self, window: Window, head: Head) -> bool {
        let length = self.length as usize;
        window.text & self.mask == self.text && length <= window.length && Head::of(length) == head
    }
}

fn mask(length: usize) -> u64 {
    if length >= LONGEST { u64::MAX } else { (1 << (8 * length)) - 1 }
}

/// Multiplicative hashing (Knuth, volume 3, section 6.4).
#[expect(clippy::cast_possible_truncation, reason = "as many bits are left as a bucket's number has")]
fn bucket(window: Window, head: Head, bits: u32) -> usize {
    let key = window.head(head.length()) | (head.length() as u64) << 32;
    (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - bits)) as usize
}
