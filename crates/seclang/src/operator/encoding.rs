//! `validateUrlEncoding` and `validateUtf8Encoding`: they match what is *not* well encoded.

use std::ops::Range;

/// From the first `%` without two hexadecimal digits to the end (RFC 3986, section 2.1).
pub(super) fn find_bad_url_encoding(value: &[u8]) -> Option<Range<usize>> {
    memchr::memchr_iter(b'%', value)
        .find(|position| {
            let digits = value.get(position + 1..position + 3);
            !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        })
        .map(|position| position..value.len())
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
