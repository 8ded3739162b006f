//! `hexDecode`, `hexEncode`, and the digits that the other transformations share.

/// Two digits as one byte. What is no digit counts as the reference counts it, modulo 256: callers that
/// care check with `is_ascii_hexdigit` first.
pub(super) fn byte_of(high: u8, low: u8) -> u8 {
    digit(high).wrapping_mul(16).wrapping_add(digit(low))
}

/// One digit.
pub(super) fn digit(byte: u8) -> u8 {
    if byte >= b'A' { (byte & 0xdf).wrapping_sub(b'A').wrapping_add(10) } else { byte.wrapping_sub(b'0') }
}

/// The byte that the first two of `digits` write, if both are hexadecimal digits.
pub(crate) fn byte_at(digits: &[u8]) -> Option<u8> {
    match digits {
        [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => Some(byte_of(*high, *low)),
        _ => None,
    }
}

/// Appends two small hexadecimal digits.
pub(super) fn push_byte(text: &mut Vec<u8>, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    text.extend([byte >> 4, byte & 0x0f].map(|nibble| DIGITS[usize::from(nibble)]));
}

/// Every pair becomes a byte whether or not it is made of digits, and an odd last byte is dropped.
pub(super) fn decode(value: &[u8]) -> Vec<u8> {
    value.chunks_exact(2).map(|pair| byte_of(pair[0], pair[1])).collect()
}

pub(super) fn encode(value: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(value.len() * 2);
    for byte in value {
        push_byte(&mut text, *byte);
    }
    text
}
