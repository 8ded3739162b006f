//! What is kept of a value to be read by people: at most 64 bytes. Values may be personal data or secrets of headers, so
//! of a long one there is no more than its beginning, and a hash that tells it from others like it. What people read they
//! may write again: bytes that are no plain text are escaped.

use std::{fmt::Write as _, io::Write};

use smallvec::SmallVec;

/// The longest value that is kept and shown as it is, in bytes.
pub const LONGEST_SHOWN: usize = 64;
/// What is left of a longer one beside `…#` and 16 hexadecimal digits.
const BEGINNING: usize = LONGEST_SHOWN - '…'.len_utf8() - 1 - 16;

/// The beginning of a value and its hash: plain text of at most [`LONGEST_SHOWN`] bytes.
pub fn shortened(value: &[u8], hash: u64) -> SmallVec<[u8; LONGEST_SHOWN]> {
    let mut short = SmallVec::new();
    let beginning = value.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    for character in beginning.chars().take_while(|character| !character.is_control()) {
        if short.len() + character.len_utf8() > BEGINNING {
            break;
        }
        short.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
    // INVARIANT: writing to memory does not fail.
    let _ = write!(short, "…#{hash:016x}");
    short
}

/// The value as people read it: [escaped] where it is short, else shortened.
pub fn shown(value: &[u8], hash: impl FnOnce(&[u8]) -> u64) -> String {
    if value.len() <= LONGEST_SHOWN {
        escaped(value)
    } else {
        String::from_utf8_lossy(&shortened(value, hash(value))).into_owned()
    }
}

/// Bytes as visible text, from which [`unescaped`] makes the same bytes: a backslash is written twice, and what is not
/// visible or no UTF-8 as `\xNN`, byte for byte.
pub fn escaped(value: &[u8]) -> String {
    let mut text = String::with_capacity(value.len());
    for chunk in value.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => text.push_str("\\\\"),
                visible if is_visible(visible) => text.push(visible),
                hidden => escape(hidden.encode_utf8(&mut [0; 4]).as_bytes(), &mut text),
            }
        }
        escape(chunk.invalid(), &mut text);
    }
    text
}

fn is_visible(character: char) -> bool {
    matches!(character, '"' | '\'') || character.escape_debug().len() == 1
}

fn escape(bytes: &[u8], text: &mut String) {
    for byte in bytes {
        // INVARIANT: writing to memory does not fail.
        let _ = write!(text, "\\x{byte:02x}");
    }
}

/// The bytes of a text that [`escaped`] has written. A backslash before anything else is one.
pub fn unescaped(text: &str) -> Vec<u8> {
    let (mut rest, mut value) = (text.as_bytes(), Vec::with_capacity(text.len()));
    while let Some((first, after)) = rest.split_first() {
        let escape = if *first == b'\\' { escape_in(after) } else { None };
        let (byte, left) = escape.unwrap_or((*first, after));
        value.push(byte);
        rest = left;
    }
    value
}

/// What an escape behind its backslash stands for, and what comes after it.
fn escape_in(after: &[u8]) -> Option<(u8, &[u8])> {
    match after {
        [b'\\', rest @ ..] => Some((b'\\', rest)),
        [b'x', digits @ ..] => {
            let (digits, rest) = digits.split_at_checked(2)?;
            let is_number = digits.iter().all(u8::is_ascii_hexdigit);
            let number = is_number.then(|| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok());
            Some((number??, rest))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_escape_is_what_it_looks_like() {
        let cases = [
            (r"SHOP\ada", &br"SHOP\ada"[..]),
            (r"a\xg0", br"a\xg0"),
            (r"a\x+1", br"a\x+1"),
            (r"a\x", br"a\x"),
            (r"\", br"\"),
            (r"\xFF\\xff", b"\xff\\xff"),
        ];
        for (text, value) in cases {
            assert_eq!(unescaped(text), value, "{text}");
        }
        // Nothing in it turns around what stands behind it, or hides.
        assert_eq!(escaped("a\u{202e}b\u{200b}".as_bytes()), r"a\xe2\x80\xaeb\xe2\x80\x8b");
        assert_eq!(escaped("'Zoë' \"ß\"".as_bytes()), "'Zoë' \"ß\"");
    }

    proptest! {
        #[test]
        fn any_bytes_are_visible_text_and_come_back(value: Vec<u8>, text: String) {
            for value in [value.as_slice(), text.as_bytes()] {
                let written = escaped(value);
                prop_assert!(!written.contains(char::is_control));
                prop_assert_eq!(unescaped(&written), value);
            }
        }
    }

    #[test]
    fn short_text_is_readable_and_the_rest_is_cut_and_hashed() {
        let cases: [(&[u8], String); 8] = [
            (b"", String::new()),
            (b"192.0.2.7", "192.0.2.7".into()),
            ("Zoë".as_bytes(), "Zoë".into()),
            (&[b'x'; 64], "x".repeat(64)),
            (&[b'x'; 65], format!("{}…#00000000c0ffee00", "x".repeat(44))),
            (b"a\nb", r"a\x0ab".into()),
            (b"a\xff", r"a\xff".into()),
            (br"SHOP\ada", r"SHOP\\ada".into()),
        ];
        for (value, expected) in cases {
            assert_eq!(shown(value, |_| 0xc0ff_ee00), expected);
        }
        let wide = shown("ß".repeat(100).as_bytes(), |_| 0);
        assert_eq!((wide.len(), wide.chars().count()), (64, 22 + 18));
    }
}
