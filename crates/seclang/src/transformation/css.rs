//! `cssDecode`: escapes of CSS 2.1 (section 4.1.3): a backslash and one to six hexadecimal digits.
//!
//! Only the last two digits count, unless the number is a full-width form of ASCII (U+FF01 to U+FF5E).

use super::{hex, url::full_width, whitespace::is_space};

pub(super) fn decode(value: &[u8]) -> Option<Vec<u8>> {
    let first = memchr::memchr(b'\\', value)?;
    let (untouched, mut rest) = value.split_at(first);
    let mut decoded = Vec::with_capacity(value.len());
    decoded.extend_from_slice(untouched);
    while let [byte, after @ ..] = rest {
        rest = if *byte == b'\\' {
            escape(after, &mut decoded)
        } else {
            decoded.push(*byte);
            after
        };
    }
    Some(decoded)
}

/// Decodes what follows a backslash; answers what comes after it.
fn escape<'v>(after: &'v [u8], decoded: &mut Vec<u8>) -> &'v [u8] {
    let digits = after.iter().take(6).take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (number, rest) = after.split_at(digits);
    if number.is_empty() {
        return match after {
            // A backslash at the end, or before a line's end, is dropped.
            [] => after,
            [b'\n', rest @ ..] => rest,
            [byte, rest @ ..] => {
                decoded.push(*byte);
                rest
            }
        };
    }
    decoded.push(byte_of(number));
    match rest {
        [space, rest @ ..] if is_space(*space) => rest,
        rest => rest,
    }
}

fn byte_of(number: &[u8]) -> u8 {
    let four = match number {
        [b'0', b'0', four @ ..] if number.len() == 6 => four,
        [b'0', four @ ..] if number.len() == 5 => four,
        _ => number,
    };
    match (four, number) {
        ([first, second, high, low], _) => full_width(*first, *second, hex::byte_of(*high, *low)),
        (_, [.., high, low]) => hex::byte_of(*high, *low),
        (_, [digit]) => hex::digit(*digit),
        (_, []) => 0,
    }
}
