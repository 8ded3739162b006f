//! `utf8toUnicode`: UTF-8 sequences (RFC 3629) become `%uXXXX`, for `urlDecodeUni` to fit to ASCII.
//!
//! As the reference has it: a first byte without its continuation is dropped, and so are NUL bytes; an
//! overlong sequence, a surrogate and a byte that begins no sequence leave that first byte standing.

use super::hex;

pub(super) fn from_utf8(value: &[u8]) -> Option<Vec<u8>> {
    let first = value.iter().position(|byte| !byte.is_ascii() || *byte == 0)?;
    let (untouched, mut rest) = value.split_at(first);
    let mut escaped = Vec::with_capacity(value.len() * 2);
    escaped.extend_from_slice(untouched);
    while let [byte, after @ ..] = rest {
        rest = match byte {
            0 => after,
            0xc0..=0xdf => sequence(*byte, after, 1, &mut escaped),
            0xe0..=0xef => sequence(*byte, after, 2, &mut escaped),
            0xf0..=0xf7 => {
                if *byte >= 0xf5 {
                    escaped.push(*byte);
                }
                sequence(*byte, after, 3, &mut escaped)
            }
            0x01..=0xbf | 0xf8..=0xff => {
                escaped.push(*byte);
                after
            }
        };
    }
    Some(escaped)
}

/// Escapes the sequence that `first` begins, if its `more` continuation bytes are there; answers the rest.
fn sequence<'v>(first: u8, after: &'v [u8], more: usize, escaped: &mut Vec<u8>) -> &'v [u8] {
    let Some((continuation, rest)) = after.split_at_checked(more) else { return after };
    if continuation.iter().any(|byte| byte & 0xc0 != 0x80) {
        return after;
    }
    let (mask, smallest) = match more {
        1 => (0x1f, 0x80),
        2 => (0x0f, 0x800),
        _ => (0x07, 0x1_0000),
    };
    let number = continuation
        .iter()
        .fold(u32::from(first & mask), |number, byte| number << 6 | u32::from(byte & 0x3f));
    push(number, escaped);
    if matches!(number, 0xd800..=0xdfff) {
        escaped.push(first);
    }
    if number < smallest {
        escaped.push(first);
    }
    rest
}

/// At least four digits, and no leading zeros beyond them.
fn push(number: u32, escaped: &mut Vec<u8>) {
    escaped.extend_from_slice(b"%u");
    let [_, plane, high, low] = number.to_be_bytes();
    if plane >= 0x10 {
        hex::push_byte(escaped, plane);
    } else if plane > 0 {
        escaped.push(b"0123456789abcdef"[usize::from(plane)]);
    }
    hex::push_byte(escaped, high);
    hex::push_byte(escaped, low);
}
