//! `htmlEntityDecode`: numeric character references and `quot`, `amp`, `lt`, `gt`, `nbsp`.
//!
//! The semicolon may be missing and names are read without regard to case. A number becomes its low byte,
//! and one that 64 bits cannot hold becomes 255: what C's `strtol` leaves of it.

const NO_BREAK_SPACE: u8 = 0xa0;

pub(super) fn decode(value: &[u8]) -> Option<Vec<u8>> {
    let mut next = memchr::memchr(b'&', value)?;
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    loop {
        let (untouched, entity) = rest.split_at(next);
        decoded.extend_from_slice(untouched);
        rest = entity;
        let [_, after @ ..] = rest else { break };
        rest = if let Some((byte, behind)) = reference(after) {
            decoded.push(byte);
            behind
        } else {
            decoded.push(b'&');
            after
        };
        next = memchr::memchr(b'&', rest).unwrap_or(rest.len());
    }
    Some(decoded)
}

/// What follows an ampersand, if it is a reference: its byte and what comes after.
fn reference(after: &[u8]) -> Option<(u8, &[u8])> {
    let (byte, rest) = match after {
        [b'#', b'x' | b'X', digits @ ..] => number(digits, 16)?,
        [b'#', digits @ ..] => number(digits, 10)?,
        name => named(name)?,
    };
    Some((byte, rest.strip_prefix(b";").unwrap_or(rest)))
}

fn number(digits: &[u8], base: u8) -> Option<(u8, &[u8])> {
    let count = digits.iter().take_while(|byte| char::from(**byte).is_digit(u32::from(base))).count();
    let (digits, rest) = digits.split_at(count);
    if digits.is_empty() {
        return None;
    }
    let number = digits.iter().try_fold(0_i64, |number, digit| {
        number.checked_mul(i64::from(base))?.checked_add(i64::from(super::hex::digit(*digit)))
    });
    Some((number.map_or(u8::MAX, |number| number.to_le_bytes()[0]), rest))
}

fn named(name: &[u8]) -> Option<(u8, &[u8])> {
    const NAMES: [(&[u8], u8); 5] =
        [(b"quot", b'"'), (b"amp", b'&'), (b"lt", b'<'), (b"gt", b'>'), (b"nbsp", NO_BREAK_SPACE)];
    // One more than the longest name is enough to know that a name is longer.
    let length = name.iter().take(5).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let (name, rest) = name.split_at(length);
    let (_, byte) = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    Some((*byte, rest))
}
