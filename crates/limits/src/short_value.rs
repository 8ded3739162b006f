//! What is kept of a value to be read by people: at most 64 bytes. Values may be personal data or secrets of headers, so
//! of a long one there is no more than its beginning, and a hash that tells it from others like it.

use std::io::Write;

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

/// The value as people read it: as it is where that is short and plain text, else shortened.
pub fn shown(value: &[u8], hash: impl FnOnce(&[u8]) -> u64) -> String {
    match plain(value) {
        Some(text) => text.into(),
        None => String::from_utf8_lossy(&shortened(value, hash(value))).into_owned(),
    }
}

/// The value, if it is short and plain text.
pub(crate) fn plain(value: &[u8]) -> Option<&str> {
    let text = str::from_utf8(value).ok()?;
    (text.len() <= LONGEST_SHOWN && !text.contains(char::is_control)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_text_is_readable_and_the_rest_is_cut_and_hashed() {
        let cases: [(&[u8], String); 8] = [
            (b"", String::new()),
            (b"192.0.2.7", "192.0.2.7".into()),
            ("Zoë".as_bytes(), "Zoë".into()),
            (&[b'x'; 64], "x".repeat(64)),
            (&[b'x'; 65], format!("{}…#00000000c0ffee00", "x".repeat(44))),
            (b"a\nb", "a…#00000000c0ffee00".into()),
            (b"a\xff", "a…#00000000c0ffee00".into()),
            (b"\xff", "…#00000000c0ffee00".into()),
        ];
        for (value, expected) in cases {
            assert_eq!(shown(value, |_| 0xc0ff_ee00), expected);
        }
        let wide = shown("ß".repeat(100).as_bytes(), |_| 0);
        assert_eq!((wide.len(), wide.chars().count()), (64, 22 + 18));
    }
}
