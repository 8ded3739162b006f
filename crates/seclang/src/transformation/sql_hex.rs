//! `sqlHexDecode`: hexadecimal literals of SQL, `0x414243`, become the bytes they write.
//!
//! The byte behind a literal is never read as the beginning of the next.

use super::hex;

pub(super) fn decode(value: &[u8]) -> Option<Vec<u8>> {
    memchr::memchr2(b'x', b'X', value)?;
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [byte, after @ ..] = rest {
        rest = match rest {
            [b'0', b'x' | b'X', digits @ ..] if hex::byte_at(digits).is_some() => {
                literal(digits, &mut decoded)
            }
            _ => {
                decoded.push(*byte);
                after
            }
        };
    }
    Some(decoded)
}

/// Decodes pairs of digits as long as there are any and copies the byte behind them; answers the rest.
fn literal<'v>(mut digits: &'v [u8], decoded: &mut Vec<u8>) -> &'v [u8] {
    while let Some(byte) = hex::byte_at(digits) {
        decoded.push(byte);
        digits = digits.get(2..).unwrap_or_default();
    }
    let Some((byte, rest)) = digits.split_first() else { return digits };
    decoded.push(*byte);
    rest
}
