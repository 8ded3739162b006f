//! What was looked at in a long value: one that was made to cost much repeats itself, or it would soon be at its end.

use super::prefixes::Window;

/// Windows, each in the one place that it may have; a later one takes that of an earlier one.
#[derive(Debug)]
pub(super) struct Seen([u64; 1 << BITS]);

const BITS: u32 = 10;

impl Default for Seen {
    fn default() -> Self {
        Self([0; 1 << BITS])
    }
}

impl Seen {
    /// Whether this window was added before, and not displaced. It is there from now on.
    ///
    /// Of windows at the end of a value only the text counts: what stands in a shorter one stands in a longer one, too.
    #[inline]
    pub(super) fn has_or_adds(&mut self, window: Window) -> bool {
        let place = &mut self.0[place(window.text)];
        let is_known = *place == window.text && window.text != 0;
        *place = window.text;
        is_known
    }
}

/// Multiplicative hashing (Knuth, volume 3, section 6.4).
fn place(text: u64) -> usize {
    (text.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - BITS)) as usize
}
