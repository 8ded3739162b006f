//! `jsDecode`: escapes of JavaScript strings (ECMA-262, section 12.9.4): `\uHHHH`, `\xHH`, octal, `\n`.
//!
//! Of `\uHHHH` only the low byte counts, unless it is a full-width form of ASCII.

use super::{
    escape_sequences::{control, decode_with, octal},
    hex,
    url::full_width,
};

pub(super) fn decode(value: &[u8]) -> Option<Vec<u8>> {
    decode_with(escape, value)
}

fn escape(after: &[u8]) -> (u8, &[u8]) {
    match after {
        [b'u', first, second, high, low, rest @ ..]
            if [first, second, high, low].iter().all(|digit| digit.is_ascii_hexdigit()) =>
        {
            (full_width(*first, *second, hex::byte_of(*high, *low)), rest)
        }
        [b'x', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            (hex::byte_of(*high, *low), rest)
        }
        // `\777` would be more than a byte: two digits then.
        [b'4'..=b'7', b'0'..=b'7', b'0'..=b'7', ..] => octal(after, 2),
        [b'0'..=b'7', ..] => octal(after, 3),
        [byte, rest @ ..] => (control(*byte).unwrap_or(*byte), rest),
        [] => (b'\\', after),
    }
}
