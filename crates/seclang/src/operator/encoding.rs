//! `validateUrlEncoding` and `validateUtf8Encoding`: they match what is *not* well encoded.

use std::ops::Range;

/// From the first `%` without two hexadecimal digits to the end (RFC 3986, section 2.1).
pub(super) fn find_bad_url_encoding(value: &[u8]) -> Option<Range<usize>> {
    let mut rest = value;
    loop {
        rest = match rest {
            [b'%', first, second, after @ ..] if first.is_ascii_hexdigit() && second.is_ascii_hexdigit() => {
                after
            }
            [b'%', ..] => return Some(value.len() - rest.len()..value.len()),
            _ => rest.get(memchr::memchr(b'%', rest)?..)?,
        }
    }
}

/// From the first byte that is not UTF-8 (RFC 3629) to the end.
///
/// Numbers from U+110000 to U+13FFFF, which begin with 0xF4, are let through: the reference looks at the first
/// byte only.
pub(super) fn find_bad_utf8(value: &[u8]) -> Option<Range<usize>> {
    let mut rest = value;
    while let Err(error) = std::str::from_utf8(rest) {
        let (_, bad) = rest.split_at(error.valid_up_to());
        match bad {
            [0xf4, 0x80..=0xbf, 0x80..=0xbf, 0x80..=0xbf, after @ ..] => rest = after,
            _ => return Some(value.len() - bad.len()..value.len()),
        }
    }
    None
}
