//! `urlDecode`, `urlDecodeUni`, `urlEncode`: percent-encoding (RFC 3986, section 2.1) as forms use it.
//!
//! Decoding is lenient: what is not well encoded stays as it is. `%uXXXX` is what IIS accepts; a character
//! beyond ASCII becomes the one that Windows' code page 20127 shows for it, or else its low byte.

use super::{best_fit, hex};

pub(super) fn decode(value: &[u8]) -> Option<Vec<u8>> {
    decode_with(value, |_| None)
}

pub(super) fn decode_unicode(value: &[u8]) -> Option<Vec<u8>> {
    decode_with(value, |after| match after {
        [b'u' | b'U', digits @ ..] => Unicode::read(digits),
        _ => None,
    })
}

/// Everything but ASCII letters, digits and `*` is encoded; a space becomes `+`.
pub(super) fn encode(value: &[u8]) -> Option<Vec<u8>> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'*';
    let first = value.iter().position(|byte| !plain(byte))?;
    let (untouched, rest) = value.split_at(first);
    let mut encoded = Vec::with_capacity(value.len() + rest.len());
    encoded.extend_from_slice(untouched);
    for byte in rest {
        match byte {
            b' ' => encoded.push(b'+'),
            byte if plain(byte) => encoded.push(*byte),
            byte => {
                encoded.push(b'%');
                hex::push_byte(&mut encoded, *byte);
            }
        }
    }
    Some(encoded)
}

/// A low byte whose number is a full-width form (U+FF01 to U+FF5E) is moved to the ASCII character it shows.
pub(super) fn full_width(first: u8, second: u8, low: u8) -> u8 {
    let full = first.eq_ignore_ascii_case(&b'f') && second.eq_ignore_ascii_case(&b'f');
    if full && matches!(low, 0x01..=0x5e) { low + 0x20 } else { low }
}

/// A decoded `%uXXXX`: its byte, and what comes after.
struct Unicode<'v> {
    byte: u8,
    rest: &'v [u8],
}

impl<'v> Unicode<'v> {
    fn read(digits: &'v [u8]) -> Option<Self> {
        let [first, second, third, fourth, rest @ ..] = digits else { return None };
        let high = hex::byte_at(&[*first, *second])?;
        let low = hex::byte_at(&[*third, *fourth])?;
        let fitted = best_fit::ascii(u16::from_be_bytes([high, low]));
        Some(Self { byte: fitted.unwrap_or_else(|| full_width(*first, *second, low)), rest })
    }
}

/// Where the next byte stands that means another one. In a value that is encoded as a whole that is at once.
fn find_encoded(rest: &[u8]) -> Option<usize> {
    if let [b'%' | b'+', ..] = rest { Some(0) } else { memchr::memchr2(b'%', b'+', rest) }
}

fn decode_with<'v>(value: &'v [u8], unicode: impl Fn(&'v [u8]) -> Option<Unicode<'v>>) -> Option<Vec<u8>> {
    let mut next = find_encoded(value)?;
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    loop {
        let (untouched, encoded) = rest.split_at(next);
        decoded.extend_from_slice(untouched);
        let [byte, after @ ..] = encoded else { break };
        rest = if *byte == b'+' {
            decoded.push(b' ');
            after
        } else if let Some(unicode) = unicode(after) {
            decoded.push(unicode.byte);
            unicode.rest
        } else if let Some(byte) = hex::byte_at(after) {
            decoded.push(byte);
            after.get(2..).unwrap_or_default()
        } else {
            decoded.push(b'%');
            after
        };
        next = find_encoded(rest).unwrap_or(rest.len());
    }
    Some(decoded)
}
