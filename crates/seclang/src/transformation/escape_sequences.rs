//! `escapeSeqDecode`: escapes of ANSI C: `\n`, `\xHH`, `\OOO`.
//!
//! An escape that is none loses its backslash; octal numbers above 255 lose their high bits.

use super::hex;

pub(super) fn decode(value: &[u8]) -> Option<Vec<u8>> {
    decode_with(escape, value)
}

/// What follows a backslash, which is at least one byte: the byte it stands for and the rest.
type Escape = fn(&[u8]) -> (u8, &[u8]);

/// Replaces what begins with a backslash; `None` when nothing does.
pub(super) fn decode_with(escape: Escape, value: &[u8]) -> Option<Vec<u8>> {
    let first = memchr::memchr(b'\\', value)?;
    let (untouched, mut rest) = value.split_at(first);
    let mut decoded = Vec::with_capacity(value.len());
    decoded.extend_from_slice(untouched);
    while let [byte, after @ ..] = rest {
        let (byte, after) = match (byte, after) {
            (b'\\', [_, ..]) => escape(after),
            _ => (*byte, after),
        };
        decoded.push(byte);
        rest = after;
    }
    Some(decoded)
}

fn escape(after: &[u8]) -> (u8, &[u8]) {
    match after {
        [b'x' | b'X', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            (hex::byte_of(*high, *low), rest)
        }
        [b'0'..=b'7', ..] => octal(after, 3),
        [byte, rest @ ..] => (control(*byte).unwrap_or(*byte), rest),
        [] => (b'\\', after),
    }
}

/// The control character that a letter stands for after a backslash.
pub(super) fn control(letter: u8) -> Option<u8> {
    Some(match letter {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        _ => return None,
    })
}

/// An octal number of at most `most` digits, modulo 256, and the rest.
pub(super) fn octal(value: &[u8], most: usize) -> (u8, &[u8]) {
    let digits = value.iter().take(most).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
    let (number, rest) = value.split_at(digits);
    (number.iter().fold(0, |number: u8, digit| number.wrapping_mul(8).wrapping_add(digit & 7)), rest)
}
