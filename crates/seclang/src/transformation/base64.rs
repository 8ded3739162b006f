//! `base64Decode`, `base64DecodeExt`, `base64Encode` (RFC 4648, section 4).

use base64::{Engine as _, engine::general_purpose::STANDARD};

pub(super) fn encode(value: &[u8]) -> Vec<u8> {
    STANDARD.encode(value).into_bytes()
}

/// The whole value up to a NUL byte, or nothing where a byte does not belong there.
///
/// Line ends are skipped, with spaces before them; a last group that is not complete is dropped.
pub(super) fn decode(value: &[u8]) -> Vec<u8> {
    let text = value.split(|byte| *byte == 0).next().unwrap_or_default();
    decode_strictly(text).unwrap_or_default()
}

/// What does not belong to the alphabet is skipped, and the bytes that a last group determines are kept.
///
/// Nothing is left where padding follows the first digit of a group. The reference looks for padding at the
/// end in the *decoded* digit as well, so that a lone last `9`, whose number is the code of `=`, empties the value.
pub(super) fn decode_forgiving(value: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(value.len() / 4 * 3 + 2);
    let mut group = Group::default();
    let mut rest = value;
    let mut padded = false;
    while let [byte, after @ ..] = rest {
        rest = after;
        padded = *byte == b'=';
        if padded && group.held == 1 && !after.starts_with(b"=") {
            return Vec::new();
        }
        let Some(digit) = digit(*byte) else { continue };
        padded = digit == b'=';
        if let Some(bytes) = group.push(digit) {
            decoded.extend(bytes);
        }
    }
    if padded && group.held == 1 {
        return Vec::new();
    }
    decoded.extend(group.complete_bytes());
    decoded
}

fn decode_strictly(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len() / 4 * 3);
    let mut group = Group::default();
    let mut padding = 0;
    let mut rest = text;
    loop {
        let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
        let (_, line) = rest.split_at(spaces);
        let (digit, after) = match line {
            [] => return Some(decoded),
            [b'\r', b'\n', after @ ..] | [b'\n', after @ ..] => {
                rest = after;
                continue;
            }
            _ if spaces > 0 => return None,
            [b'=', after @ ..] if padding < 2 => {
                padding += 1;
                (0, after)
            }
            [byte, after @ ..] if padding == 0 => (digit(*byte)?, after),
            _ => return None,
        };
        rest = after;
        if let Some(bytes) = group.push(digit) {
            decoded.extend(bytes.into_iter().take(3 - padding));
        }
    }
}

/// Up to four digits on their way to become three bytes.
#[derive(Default)]
struct Group {
    bits: u32,
    held: u8,
}

impl Group {
    /// Takes six bits; with the fourth digit the group is complete and begins anew.
    fn push(&mut self, digit: u8) -> Option<[u8; 3]> {
        self.bits = self.bits << 6 | u32::from(digit);
        self.held += 1;
        if self.held < 4 {
            return None;
        }
        let [_, first, second, third] = std::mem::take(self).bits.to_be_bytes();
        Some([first, second, third])
    }

    /// The bytes that an unfinished group already determines.
    fn complete_bytes(&self) -> impl Iterator<Item = u8> {
        let missing = 6 * u32::from(4 - self.held);
        let [_, first, second, _] = (self.bits << missing).to_be_bytes();
        [first, second].into_iter().take(usize::from(self.held.saturating_sub(1)))
    }
}

fn digit(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}
